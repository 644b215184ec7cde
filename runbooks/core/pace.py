"""So many requests and tokens a minute, spread evenly."""

import threading
from collections.abc import Callable


class Pace:
    """Gives each request its moment. Shared by threads; without limits all of them may go at once."""

    def __init__(
        self, *, requests_per_minute: int | None, tokens_per_minute: int | None, clock: Callable[[], float]
    ) -> None:
        """`clock` gives seconds."""
        self._seconds_a_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._seconds_a_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0
        self._share = 1.0

    def take_share(self, share: float) -> None:
        """Keep to this part of the limits from now on; others have the rest."""
        self._share = share

    def wait(self, tokens: int) -> float:
        """Take a place in the row; returns after how many seconds it is this request's turn."""
        now = self._clock()
        with self._lock:
            turn = max(now, self._next)
            self._next = turn + max(self._seconds_a_request, tokens * self._seconds_a_token) / self._share
        return turn - now
