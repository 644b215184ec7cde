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
        self._tokens = 0
        self._cost = 0.0

    def set_aside(self, tokens: Tokens) -> None:
        """Take what a request may need; BudgetReached when there is not so much left."""
        cost = self._cost_of(tokens)
        with self._lock:
            limit = self._allowance
            if limit.tokens is not None and self._tokens + tokens.total > limit.tokens:
                raise BudgetReached(f"{self._whose} allows {limit.tokens:,} tokens; the next request may need more")
            if limit.cost_usd is not None and self._cost + cost > limit.cost_usd:
                raise BudgetReached(f"{self._whose} allows ${limit.cost_usd:g}; the next request may cost more")
            self._tokens += tokens.total
            self._cost += cost

    def settle(self, set_aside: Tokens, used: Tokens) -> None:
        """Put back what was not needed."""
        with self._lock:
            self._tokens += used.total - set_aside.total
            self._cost += self._cost_of(used) - self._cost_of(set_aside)

    def _cost_of(self, tokens: Tokens) -> float:
        return self._prices.cost(tokens) if self._prices else 0.0
