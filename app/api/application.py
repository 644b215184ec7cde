"""The application put together."""

from fastapi import FastAPI

from app.api import runbooks
from app.api.edge import Edge
from app.api.errors import install_errors
from app.api.metrics import Metrics
from app.api.state import State
from runbooks import __version__
from runbooks.settings import Settings

BASE = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    """Build it; nothing is opened before the first request. CORS stays closed: no other origin reads an answer."""
    app = FastAPI(
        title="Workflow runbooks",
        version=__version__,
        summary="Operational runbooks for every active workflow, before it fails.",
    )
    metrics = Metrics()
    app.state.runbooks = State(settings, metrics)
    app.include_router(runbooks.router, prefix=BASE)
    install_errors(app)
    app.add_middleware(Edge, metrics=metrics)
    return app
