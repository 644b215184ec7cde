"""The front doors: command line now, HTTP API later."""
