"""A semaphore that several event loops in several threads share: batches run side by side, the limit is one."""

import asyncio
import threading
from collections import deque
from types import TracebackType


class Slots:
    """So many may be inside at once; who waits longest is next, whichever loop it waits in."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = count
        """Below zero while more are inside than there may be since `resize`."""
        self._lock = threading.Lock()
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            waiting = (loop, loop.create_future())
            self._waiting.append(waiting)
        try:
            await waiting[1]
        except asyncio.CancelledError:
            self._give_up(waiting)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def resize(self, count: int) -> None:
        """Let so many be inside from now on. Nobody is thrown out: with fewer, who leaves is not followed at first."""
        with self._lock:
            more = count - self._count
            self._count = count
            self._free += min(more, 0)
        for _ in range(more):
            self._release()

    def _give_up(self, waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]) -> None:
        with self._lock:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                return
        if not waiting[1].cancelled():  # the turn had come already, and nobody will use it
            self._release()

    def _release(self) -> None:
        with self._lock:
            if self._free < 0 or not self._waiting:
                self._free += 1
                return
            loop, turn = self._waiting.popleft()
        try:
            loop.call_soon_threadsafe(self._grant, turn)
        except RuntimeError:  # that loop is closed
            self._release()

    def _grant(self, turn: "asyncio.Future[None]") -> None:
        if turn.done():
            self._release()
        else:
            turn.set_result(None)
