"""A circuit breaker: a provider that is down is not asked again and again."""

import threading

from runbooks.errors import LLMUnavailable

FAILURES_IN_A_ROW = 10
"""High enough that a server that fails every third request at random stays in use."""


class Breaker:
    """Opens after so many failures in a row, for the rest of the run. Shared by threads."""

    def __init__(self, limit: int = FAILURES_IN_A_ROW) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._failures = 0
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why it is open; None while it is closed."""
        return self._reason

    def check(self) -> None:
        """Raise LLMUnavailable when it is open."""
        if self._reason is not None:
            raise LLMUnavailable(self._reason)

    def succeeded(self) -> None:
        """An answer came."""
        with self._lock:
            self._failures = 0

    def failed(self, reason: str) -> None:
        """No answer came."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit and self._reason is None:
                self._reason = reason

    def open(self, reason: str) -> None:
        """Give up at once: what is wrong is wrong for all requests, and waiting does not mend it."""
        with self._lock:
            self._reason = self._reason or reason
