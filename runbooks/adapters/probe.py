"""Finding out how a server can be asked, while others wait no longer than they have to."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

Payer = TypeVar("Payer")

REFUSES_WITHIN_S = 0.5
"""What a server does not understand it refuses at once; who takes longer than this is thinking of an answer."""


class Probe(Generic[Payer]):
    """A request of a few words, sent once for all who wait in one event loop; one of them pays for it."""

    def __init__(self, send: Callable[[Payer], Awaitable[None]]) -> None:
        """`send` asks until the server has understood; what it raises is for the one who pays."""
        self._send = send
        self._payer: Payer | None = None
        self._task: asyncio.Future[None] | None = None
        self._thinks_since: float | None = None

    @contextmanager
    def on_its_way(self) -> Iterator[None]:
        """The server has the request meanwhile."""
        self._thinks_since = time.monotonic()
        try:
            yield
        finally:
            self._thinks_since = None

    async def wait(self, payer: Payer, *, known: Callable[[], bool]) -> None:
        """Wait until the server is known, or has thought for so long that it must have understood."""
        mine: asyncio.Future[None] | None = None
        while not known() and self._patience_s() > 0:
            if self._task is None or self._task.done():
                self._payer = payer
                self._task = mine = asyncio.ensure_future(self._send(payer))
            await asyncio.wait({self._task}, timeout=self._patience_s())
            if mine is not None and mine.done():
                mine.result()

    def _patience_s(self) -> float:
        """How long the server may still take to refuse, from when it was last asked."""
        if self._thinks_since is None:
            return REFUSES_WITHIN_S
        return self._thinks_since + REFUSES_WITHIN_S - time.monotonic()

    async def ended(self) -> None:
        """Wait for the one that is under way."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def settle(self, payer: Payer) -> None:
        """What it cost is paid with the answer that it was sent for."""
        if self._payer is payer:
            await self.ended()

    async def forget(self) -> None:
        """Leave nothing behind that still asks."""
        if self._task is not None:
            self._task.cancel()
            await self.ended()
            with suppress(asyncio.CancelledError):
                self._task.exception()  # whoever it concerned has been told
