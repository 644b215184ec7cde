"""Whether an integration fails more often than it used to."""

from math import sqrt

from runbooks.core.proportion import NORMAL

FEWEST_CALLS = 20
"""On each side; with fewer, chance alone makes any difference."""
FEWEST_FAILURES = 3
"""On the worse side: two failures are no trend."""
CLEAR_RATIO = 1.5
"""The worse rate over the better one."""


def trend(recent_calls: int, recent_failures: int, earlier_calls: int, earlier_failures: int) -> str:
    """Compare the last part of a window with the rest: `worse`, `better`, `steady`, or `unknown` with too few calls.

    A difference counts when it is both large (half as much again) and hardly chance (two proportions, 95%).
    """
    if min(recent_calls, earlier_calls) < FEWEST_CALLS:
        return "unknown"
    recent, earlier = recent_failures / recent_calls, earlier_failures / earlier_calls
    pooled = (recent_failures + earlier_failures) / (recent_calls + earlier_calls)
    noise = sqrt(pooled * (1 - pooled) * (1 / recent_calls + 1 / earlier_calls))
    if recent > earlier:
        worse, failures, low, high = "worse", recent_failures, earlier, recent
    else:
        worse, failures, low, high = "better", earlier_failures, recent, earlier
    clear = failures >= FEWEST_FAILURES and high >= CLEAR_RATIO * low and high - low > NORMAL * noise
    return worse if clear else "steady"
