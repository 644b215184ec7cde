"""What all requests share: settings, database, limits, runs."""

import asyncio
import time
from contextlib import suppress
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
        self.wait_s = settings.api_wait_s
        secrets = settings.webhook_secrets.get_secret_value() if settings.webhook_secrets is not None else ""
        self.webhook_secrets = tuple(secret.strip() for secret in secrets.split(",") if secret.strip())
        secrets = settings.webhook_secrets.get_secret_value() if settings.webhook_secrets is not None else ""
        self.webhook_secrets = tuple(secret.strip() for secret in secrets.split(",") if secret.strip())
        self.rate_limit = RateLimit(settings.api_rate_per_minute, clock=time.monotonic)
        self.runs = Runs(lambda: self.database, metrics, at_once=settings.api_runs, queue=settings.api_queue)

        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self.stopping = asyncio.Event()

    def stop(self) -> None:
        """Have what goes on in the background come to its end."""
        self.stopping.set()
        self._woken.set()

    def wake(self) -> None:
        """Have pending events looked at now; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def sleep(self, seconds: float) -> None:
        """Wait until `wake` is called, at most so long."""
        self._loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()

    @property
    def database(self) -> Database:
        """Opened when first needed, so that the API starts, and says so, while there is no database."""
        return open_database(self.settings)


def _state(request: Request) -> State:
    state: State = request.app.state.runbooks
    return state


Shared = Annotated[State, Depends(_state)]
