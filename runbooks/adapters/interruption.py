"""Coroutines that run in threads beside others, and stopping all of them at once.

A signal reaches the main thread only. Whoever is told there to stop calls `interrupt`; calls to a language model that
are on their way end at once, instead of when the model has answered.
"""

import asyncio
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

TURN_S = 0.0005

_lock = threading.Lock()
_running: set["tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]"] = set()


def run_interruptible(coroutine: Coroutine[Any, Any, T], *, timeout_s: float) -> T:
    """Run a coroutine in this thread; CancelledError after `interrupt`, TimeoutError when it takes too long."""

    async def registered() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is running
        entry = (asyncio.get_running_loop(), task)
        with _lock:
            _running.add(entry)
        try:
            return await asyncio.wait_for(coroutine, timeout_s)
        finally:
            with _lock:
                _running.discard(entry)

    return asyncio.run(registered())


def interrupt() -> int:
    """Stop what runs now, from any thread; returns how many were told."""
    with _lock:  # so that no loop of these is closed before it was told
        for loop, task in _running:
            loop.call_soon_threadsafe(task.cancel)
        return len(_running)


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take short turns: a loop gives its turn away at every send and receive, and is to have it back soon.

    With Python's usual turns one request would take 50 ms as long as another thread renders runbooks.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
