"""What the process does beside answering: show that it is alive, and forget what is kept no longer."""

import asyncio
import logging
import time
from contextlib import suppress

from fastapi.concurrency import run_in_threadpool

from app.api.edge import where
from app.api.events import Events
from app.api.state import State
from runbooks.adapters.pending_events import forget_old_signatures
from runbooks.adapters.requests import forget_old_requests
from runbooks.errors import RunbooksError

log = logging.getLogger("app.api.background")

EVERY_S = 10
FORGET_EVERY_S = 3600


class Background:
    """One an application."""

    def __init__(self, state: State, events: Events) -> None:
        self.state = state
        self.events = events
        self._forget_at = 0.0

    async def run(self) -> None:
        """Work until stopped; a database that is away is waited for."""
        while not self.state.stopping.is_set():
            try:
                await self._once()
            except RunbooksError as error:
                log.warning("%s", error)
            except Exception as error:  # the next round may succeed; without it nobody would look after the rest
                log.error("%s", where(error))  # noqa: TRY400 - a traceback may quote rows
            with suppress(TimeoutError):
                await asyncio.wait_for(self.state.stopping.wait(), EVERY_S)

    async def _once(self) -> None:
        await self.state.runs.keep_alive()
        await self.events.keep_alive()
        if time.monotonic() >= self._forget_at:
            await run_in_threadpool(self._forget)
            self._forget_at = time.monotonic() + FORGET_EVERY_S

    def _forget(self) -> None:
        with self.state.database.begin() as connection:
            forget_old_requests(connection)
            forget_old_signatures(connection)
