from typing import Any

import pytest

from runbooks.core.flags import Figures, Flag, flags_of
from runbooks.core.proportion import wilson_interval

EVERY_DAY = (1 << 31) - 1
HEALTHY = Figures(
    calls=300,
    failures=2,
    recent_calls=75,
    recent_failures=0,
    trend="steady",
    window_days=30,
    p95_ms=400,
    timeout_s=30,
    active_days=EVERY_DAY,
)


def days(*ago: int) -> int:
    return sum(1 << day for day in ago)


def flags(**changes: Any) -> set[Flag]:
    return set(flags_of(Figures(**{**vars(HEALTHY), **changes})))


def few(calls: int, failures: int) -> dict[str, int]:
    """All of them recent."""
    return {"calls": calls, "failures": failures, "recent_calls": calls, "recent_failures": failures}


def test_a_healthy_integration_has_no_flag() -> None:
    assert flags() == set()


def test_without_calls_nothing_is_said() -> None:
    assert flags(calls=0, failures=0, trend="worse", outages=9) == set()


@pytest.mark.parametrize(
    ("calls", "failures", "failing"),
    [
        (1, 1, False),
        (2, 1, False),  # not "50% failing"
        (2, 2, False),
        (3, 3, True),
        (10, 3, True),
        (12, 3, False),  # as little as 9% may be behind it
        (1000, 100, False),
        (1000, 130, True),
    ],
)
def test_failing_needs_three_failures_and_a_rate_that_is_surely_high(calls: int, failures: int, failing: bool) -> None:
    assert (Flag.FAILING in flags(**few(calls, failures))) is failing


def test_what_was_mended_is_not_failing_any_more() -> None:
    assert flags(calls=300, failures=150, recent_calls=75, recent_failures=0) == set()
    assert Flag.FAILING in flags(calls=300, failures=150, recent_calls=4, recent_failures=0)  # too few to tell
    assert Flag.FAILING in flags(calls=300, failures=20, recent_calls=20, recent_failures=20)


def test_degrading_is_a_trend_to_the_worse() -> None:
    assert flags(trend="worse") == {Flag.DEGRADING}
    assert flags(trend="unknown") == flags(trend="better") == set()


@pytest.mark.parametrize(
    ("changes", "slow"),
    [
        ({"p95_ms": 24_000}, True),
        ({"p95_ms": 23_999}, False),
        ({"p95_ms": 28_000, "calls": 19}, False),
        ({"p95_ms": 900, "timeout_s": 1}, True),
        ({"p95_ms": 24_000, "timeout_s": 300}, False),
        ({"p95_ms": 10_000, "timeout_s": None}, True),
        ({"p95_ms": 9_999, "timeout_s": None}, False),
        ({"p95_ms": None}, False),
    ],
)
def test_slow_is_measured_against_the_nodes_own_time_limit(changes: dict[str, Any], slow: bool) -> None:
    assert (flags(**changes) == {Flag.SLOW}) is slow


def test_flapping_is_three_outages() -> None:
    assert flags(outages=3) == {Flag.FLAPPING}
    assert flags(outages=2) == set()


@pytest.mark.parametrize(
    ("active", "silent"),
    [
        (days(3, 4, 5, 6, 7), True),
        (days(2, 3, 4, 5, 6), False),  # a weekend
        (days(7, 14, 21, 28), False),  # once a week, and due today
        (days(13, 20, 27), False),
        (days(15, 22, 29), True),
        (days(9, 10, 14), True),
        (days(8, 9, 13), False),  # its longest pause was four days
        (days(20, 21), False),  # two days tell nothing about pauses
    ],
)
def test_silent_is_held_against_the_pauses_that_it_had(active: int, silent: bool) -> None:
    assert (Flag.SILENT in flags(active_days=active)) is silent


@pytest.mark.parametrize(
    ("active", "new"), [(days(0, 1), True), (days(0, 7), True), (days(0, 8), False), (days(0), False), (0, False)]
)
def test_new_is_what_began_in_the_last_quarter_of_the_window(active: int, new: bool) -> None:
    assert (flags(active_days=active) == {Flag.NEW}) is new


def test_flags_come_worst_first() -> None:
    found = flags_of(Figures(**{**vars(HEALTHY), **few(30, 20), "trend": "worse", "p95_ms": 29_000, "outages": 3}))
    assert found == (Flag.FAILING, Flag.DEGRADING, Flag.FLAPPING, Flag.SLOW)


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    # Worked out by hand from the formula of Wilson's interval.
    [(0, 0, 0.0, 1.0), (1, 2, 0.0945, 0.9055), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_interval_of_a_share_respects_small_numbers(successes: int, of: int, low: float, high: float) -> None:
    assert wilson_interval(successes, of) == pytest.approx((low, high), abs=5e-5)
