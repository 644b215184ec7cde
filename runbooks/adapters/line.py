"""A line of coroutines, in the order in which they came."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """Who comes first asks first, in whichever order the requests are ready: a budget is for what matters most."""

    def __init__(self) -> None:
        self._last: asyncio.Future[None] | None = None

    @contextmanager
    def place(self) -> Iterator["asyncio.Future[None]"]:
        """The last place; what it yields is done when all before have asked or given up."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        reached, self._last = self._last, mine
        if reached is None:
            reached = asyncio.get_running_loop().create_future()
            reached.set_result(None)
        try:
            yield reached
        finally:
            if not mine.done():  # cancelled with the one who waited for it
                mine.set_result(None)
