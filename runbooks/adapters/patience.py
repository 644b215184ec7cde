"""Waiting for a database that is away or full, while what was paid for is kept in memory."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from runbooks.errors import DatabaseUnreachable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
PATIENCE_S = 600.0
"""A failover takes a minute or two, a restart with recovery several; a disk is grown by somebody who has to wake up."""


Tell = Callable[[str], None]
"""Says a line to whoever watches."""


async def persist(
    action: Callable[[], None],
    *,
    patience_s: float,
    meanwhile: Callable[[], AbstractContextManager[bool]],
    tell: Tell,
) -> None:
    """Run something in a thread, and again until there is a database to do it in.

    Args:
        action: What is to be done; safe to do twice, since a connection may break after it was done.
        patience_s: After so long the last DatabaseUnreachable is raised, marked as waited for.
        meanwhile: Entered as long as the database is away; says whether we are the first to wait.
        tell: Is told at once why nothing goes on.
    """
    try:
        await asyncio.to_thread(action)
    except DatabaseUnreachable as error:
        with meanwhile() as first:
            if first:
                tell(waiting(error, patience_s))
            await _persist(action, time.monotonic() + patience_s)


def waiting(error: DatabaseUnreachable, patience_s: float) -> str:
    """Why nothing goes on, and for how long at most."""
    how_long = f"{patience_s / 60:.0f} min" if patience_s >= 90 else f"{patience_s:.0f} s"
    return f"{error}; trying again for {how_long}"


async def _persist(action: Callable[[], None], deadline: float) -> None:
    pause = FIRST_PAUSE_S
    while True:
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        try:
            return await asyncio.to_thread(action)
        except DatabaseUnreachable as error:
            if time.monotonic() > deadline:
                error.waited_for = True
                raise
        pause = min(2 * pause, LONGEST_PAUSE_S)
