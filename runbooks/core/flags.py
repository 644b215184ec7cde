"""Flags: in one word what is wrong with an integration's history, by rules that a handful of calls cannot fulfil."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from runbooks.core.proportion import wilson_interval

FEWEST_FAILURES = 3
FAILING_RATE = 0.1
FEWEST_RECENT = 5
"""With fewer calls in the last quarter of the window, the whole window tells whether it fails."""
FEWEST_CALLS_FOR_P95 = 20
NEAR_TIMEOUT = 0.8
SLOW_MS = 10_000
FEWEST_OUTAGES = 3
FEWEST_DAYS = 3
SHORTEST_SILENCE = 3
"""Days; a weekend is no silence."""
LONGER_THAN_EVER = 2
DAYS_OF_A_NEW_ONE = 2
RECENT_SHARE = 4


class Flag(StrEnum):
    """What is wrong; several may hold at once, and each has its rule in `flags_of`."""

    FAILING = "failing"
    DEGRADING = "degrading"
    FLAPPING = "flapping"
    SLOW = "slow"
    SILENT = "silent"
    NEW = "new"


@dataclass(frozen=True)
class Figures:
    """What the rules look at."""

    calls: int
    failures: int
    recent_calls: int
    """In the last quarter of the window."""
    recent_failures: int
    trend: str
    window_days: int
    p95_ms: float | None = None
    timeout_s: float | None = None
    """After which the node gives up; None when nobody knows."""
    outages: int = 0
    """Runs of hours in each of which two calls or more, and at least half of all, failed."""
    active_days: int = 0
    """Bit n is set when there were calls n days ago."""


def flags_of(figures: Figures) -> tuple[Flag, ...]:
    """The flags that hold, worst first.

    - failing: three failures or more, and a failure rate that is with 95% certainty (Wilson) at least 10%; looked at in
      the last quarter of the window where that has five calls, so that what was mended is not called failing.
    - degrading: the trend is `worse`: clearly more failures in the last quarter than before (see `trend`).
    - flapping: three outages or more, with hours between them in which it worked.
    - slow: of twenty calls or more, 5% took at least 80% of the time after which the node gives up; ten seconds, where
      nobody knows that time.
    - silent: no call for three days or more, and for more than twice the longest pause between the days with calls, of
      which there are three or more.
    - new: calls on two days or more, all of them in the last quarter of the window.
    """
    rules = {
        Flag.FAILING: _is_failing,
        Flag.DEGRADING: lambda one: one.trend == "worse",
        Flag.FLAPPING: lambda one: one.outages >= FEWEST_OUTAGES,
        Flag.SLOW: _is_slow,
        Flag.SILENT: _is_silent,
        Flag.NEW: _is_new,
    }
    return tuple(flag for flag, holds in rules.items() if figures.calls and holds(figures))


def days_ago(active_days: int) -> list[int]:
    """The days with calls, latest first, as days before now."""
    return [day for day in range(active_days.bit_length()) if active_days >> day & 1]


def near_timeout_ms(timeout_s: float | None) -> float:
    """The duration in milliseconds from which calls count as slow."""
    return NEAR_TIMEOUT * 1000 * timeout_s if timeout_s else SLOW_MS


def _is_failing(figures: Figures) -> bool:
    calls, failures = figures.calls, figures.failures
    if figures.recent_calls >= FEWEST_RECENT:
        calls, failures = figures.recent_calls, figures.recent_failures
    low, _ = wilson_interval(failures, calls)
    return failures >= FEWEST_FAILURES and low >= FAILING_RATE


def _is_slow(figures: Figures) -> bool:
    if figures.p95_ms is None or figures.calls < FEWEST_CALLS_FOR_P95:
        return False
    return figures.p95_ms >= near_timeout_ms(figures.timeout_s)


def _is_silent(figures: Figures) -> bool:
    days = days_ago(figures.active_days)
    if len(days) < FEWEST_DAYS:
        return False
    longest_pause = max(later - earlier for earlier, later in pairwise(days))
    return days[0] >= SHORTEST_SILENCE and days[0] > LONGER_THAN_EVER * longest_pause


def _is_new(figures: Figures) -> bool:
    days = days_ago(figures.active_days)
    return len(days) >= DAYS_OF_A_NEW_ONE and days[-1] < figures.window_days / RECENT_SHARE
