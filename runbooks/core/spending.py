"""What asking a model costs, and how much may be spent on it."""

import threading
from dataclasses import dataclass

from runbooks.errors import BudgetReached

MILLION = 1_000_000


@dataclass(frozen=True)
class Tokens:
    """Tokens that a model read and wrote."""

    prompt: int = 0
    cached: int = 0
    """Of the prompt, those that the server had read before."""
    completion: int = 0

    @property
    def total(self) -> int:
        """Read and written."""
        return self.prompt + self.completion

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.prompt + other.prompt, self.cached + other.cached, self.completion + other.completion)

    def __sub__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.prompt - other.prompt, self.cached - other.cached, self.completion - other.completion)


NO_TOKENS = Tokens()


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """None: as any other input."""

    def cost(self, tokens: Tokens) -> float:
        """US dollars."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = max(tokens.prompt - tokens.cached, 0)
        return (fresh * self.input + tokens.cached * cached_price + tokens.completion * self.output) / MILLION


@dataclass(frozen=True)
class Allowance:
    """How much may be spent; None: as much as it takes."""

    tokens: int | None = None
    cost_usd: float | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it limits anything."""
        return self.tokens is not None or self.cost_usd is not None

    def share(self, part: float) -> "Allowance":
        """A part of it, rounded down, for those who cannot ask each other what is left."""
        return Allowance(
            tokens=None if self.tokens is None else int(self.tokens * part),
            cost_usd=None if self.cost_usd is None else self.cost_usd * part,
        )


UNLIMITED = Allowance()


class Purse:
    """An allowance and what is left of it. Shared by threads.

    What a request may cost is set aside before it is sent, so that many at once do not overspend together.
    """

    def __init__(self, allowance: Allowance, *, prices: Prices | None, whose: str) -> None:
        """`whose`: what the allowance is called in the reason that people read."""
        self._allowance = allowance
        self._prices = prices
        self._whose = whose
        self._lock = threading.Lock()
        self._spent, self._held = _Sum(), _Sum()

    def set_aside(self, tokens: Tokens) -> bool:
        """Take what a request may need; False while that depends on what the requests under way turn out to need.

        Raises:
            BudgetReached: there is not so much left, whatever they need.
        """
        cost, limit = self._cost_of(tokens), self._allowance
        with self._lock:
            if limit.tokens is not None and self._spent.tokens + tokens.total > limit.tokens:
                raise BudgetReached(f"{self._whose} allows {limit.tokens:,} tokens; the next request may need more")
            if limit.cost_usd is not None and self._spent.cost + cost > limit.cost_usd:
                raise BudgetReached(f"{self._whose} allows ${limit.cost_usd:g}; the next request may cost more")
            held = self._spent + self._held
            if limit.tokens is not None and held.tokens + tokens.total > limit.tokens:
                return False
            if limit.cost_usd is not None and held.cost + cost > limit.cost_usd:
                return False
            self._held += _Sum(tokens.total, cost)
            return True

    def settle(self, set_aside: Tokens, used: Tokens) -> None:
        """Pay what a request needed, and put the rest back."""
        with self._lock:
            self._held -= _Sum(set_aside.total, self._cost_of(set_aside))
            self._spent += _Sum(used.total, self._cost_of(used))

    def _cost_of(self, tokens: Tokens) -> float:
        return self._prices.cost(tokens) if self._prices else 0.0


@dataclass(frozen=True)
class _Sum:
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "_Sum") -> "_Sum":
        return _Sum(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "_Sum") -> "_Sum":
        return _Sum(self.tokens - other.tokens, self.cost - other.cost)
