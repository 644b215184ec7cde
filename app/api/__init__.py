"""The HTTP API. `application.create_app` puts it together; each module beside it has one subject."""
