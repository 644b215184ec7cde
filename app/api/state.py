"""What all requests share: settings, database, limits, runs."""

import time
from typing import Annotated

from fastapi import Depends, Request

from app.api.metrics import Metrics
from app.api.runs import Runs
from runbooks.adapters.database import Database
from runbooks.bootstrap import open_database
from runbooks.core.rate_limit import RateLimit
from runbooks.settings import Settings


class State:
    """One an application."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.rate_limit = RateLimit(settings.api_rate_per_minute, clock=time.monotonic)
        self.runs = Runs(lambda: self.database, metrics, at_once=settings.api_runs, queue=settings.api_queue)

    @property
    def database(self) -> Database:
        """Opened when first needed, so that the API starts, and says so, while there is no database."""
        return open_database(self.settings)


def _state(request: Request) -> State:
    state: State = request.app.state.runbooks
    return state


Shared = Annotated[State, Depends(_state)]
