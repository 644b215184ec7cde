"""The application put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api import coverage, generate, operations, ratings, runbooks, webhooks
from app.api.background import Background
from app.api.edge import Edge
from app.api.errors import install_errors
from app.api.events import Events
from app.api.metrics import Metrics
from app.api.state import State
from runbooks import __version__
from runbooks.settings import Settings

BASE = "/api/v1"
GRACE_S = 20


def create_app(settings: Settings) -> FastAPI:
    """Build it; nothing is opened before the first request. CORS stays closed: no other origin reads an answer."""
    metrics = Metrics()
    state = State(settings, metrics)
    app = FastAPI(
        title="Workflow runbooks",
        version=__version__,
        summary="Operational runbooks for every active workflow, before it fails.",
        lifespan=_lifespan,
    )
    app.state.runbooks = state
    for module in (generate, runbooks, ratings, coverage, webhooks):
        app.include_router(module.router, prefix=BASE)
    app.include_router(operations.router)
    install_errors(app)
    app.add_middleware(Edge, metrics=metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.runbooks
    events = Events(state)
    tasks = [asyncio.create_task(work) for work in (Background(state, events).run(), events.run())]
    yield
    state.stop()
    await asyncio.gather(*tasks)
    await asyncio.gather(state.runs.close(GRACE_S), events.close(GRACE_S))
