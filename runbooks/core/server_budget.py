"""How much a server still takes until its limits are reset, so that it need not refuse anything."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

from runbooks.core.rate_headers import Left, Unit
from runbooks.core.spending import NO_TOKENS, Tokens

LONGEST_RESET_S = 60.0
"""A reset further away is not waited for: it may be the day's, and the server's refusal says what it means."""

MARGIN_S = 0.05
"""Servers round, and clocks differ."""


@dataclass(frozen=True)
class Sent:
    """All that was sent up to one request, that request included."""

    requests: int = 0
    tokens: Tokens = NO_TOKENS

    def amount(self, unit: Unit) -> float:
        """So much of a unit."""
        counted = {Unit.REQUESTS: self.requests, Unit.INPUT_TOKENS: self.tokens.prompt, Unit.TOKENS: self.tokens.total}
        return counted.get(unit, self.tokens.completion)


@dataclass
class _Window:
    unit: Unit
    left: float
    full: float
    since: Sent
    """`left` counts what was sent until then."""
    resets_at: float
    period_s: float
    """The longest time to a reset that was heard of."""


class ServerBudget:
    """What the server last said is left of each budget, less what was sent since. Shared by threads."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._sent = Sent()
        self._windows: dict[str, _Window] = {}

    def take(self, tokens: Tokens) -> Sent | float:
        """Take what a request may need; else after how many seconds there will be so much, unless more is heard."""
        with self._lock:
            then = Sent(self._sent.requests + 1, self._sent.tokens + tokens)
            wait = max((self._wait(window, then) for window in self._windows.values()), default=0.0)
            if wait > 0:
                return wait
            self._sent = then
            return then

    def hear(self, budgets: Iterable[Left], sent: Sent) -> None:
        """Take note of what the answer to a request says. `sent` came with that request's turn."""
        now = self._clock()
        with self._lock:
            for told in budgets:
                known = self._windows.get(told.name)
                if known is not None and sent.requests <= known.since.requests:
                    continue  # answers overtake one another, and resets
                if told.resets_in_s > LONGEST_RESET_S:
                    self._windows.pop(told.name, None)
                    continue
                period = max(told.resets_in_s, known.period_s if known else 0.0)
                resets_at = now + told.resets_in_s + MARGIN_S
                self._windows[told.name] = _Window(told.unit, told.left, told.full or inf, sent, resets_at, period)

    def _wait(self, window: _Window, then: Sent) -> float:
        now = self._clock()
        if now >= window.resets_at:  # full again; when it is reset next, the next answer says better
            window.left, window.since, window.resets_at = window.full, self._sent, now + window.period_s
        needed = min(then.amount(window.unit) - self._sent.amount(window.unit), window.full)
        used = self._sent.amount(window.unit) - window.since.amount(window.unit)
        return window.resets_at - now if used + needed > window.left else 0.0
