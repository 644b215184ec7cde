import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.core.time_pattern import HOURS_A_WEEK, TimePattern, time_pattern

EVEN = dict.fromkeys(range(HOURS_A_WEEK), (50, 0b11111))
"""Ten calls in every hour of five weeks."""
MONDAY_9 = 9
TUESDAY_14 = 38
FOUR_WEEKS = 0b1111


def test_monday_mornings_are_found() -> None:
    found = time_pattern({MONDAY_9: (12, FOUR_WEEKS), TUESDAY_14: (3, 1)}, EVEN)
    assert found is not None
    assert found.words == "on Mondays 09:00 to 10:00 UTC"
    assert (found.failures, found.of, found.dates, found.calls_share) == (12, 15, 4, 0.006)


def test_the_same_hour_of_every_day_is_found() -> None:
    found = time_pattern({24 * day + 2: (3, 0b11) for day in range(7)}, EVEN)
    assert found is not None
    assert found.words == "daily 02:00 to 03:00 UTC"
    assert found.dates == 14


def test_hours_around_midnight_are_one_window() -> None:
    failures = {24 * day + hour: (3, 0b11) for day in range(7) for hour in (23, 0)}
    found = time_pattern(failures, EVEN)
    assert found is not None
    assert found.words == "daily 23:00 to 01:00 UTC"


def test_whole_days_are_found() -> None:
    failures = {24 * day + hour: (1, 0b11) for day in (5, 6) for hour in range(0, 24, 2)}
    found = time_pattern(failures, EVEN)
    assert found is not None
    assert found.words == "on Saturdays and Sundays (UTC)"


@pytest.mark.parametrize(
    ("failures", "calls", "why"),
    [
        ({MONDAY_9: (3, 0b111)}, EVEN, "three failures"),
        ({MONDAY_9: (9, FOUR_WEEKS)}, EVEN, "one too few"),
        ({MONDAY_9: (500, 0b1)}, EVEN, "one outage on one Monday"),
        ({MONDAY_9: (500, 0b11)}, EVEN, "two of them"),
        ({MONDAY_9: (40, FOUR_WEEKS)}, {MONDAY_9: (900, 15)}, "the workflow runs on Monday mornings only"),
        ({MONDAY_9: (40, FOUR_WEEKS)}, {**EVEN, MONDAY_9: (9000, 31)}, "most of the calls are made then"),
        ({MONDAY_9: (40, FOUR_WEEKS)}, {9 + 24 * day: (40, 15) for day in range(7)}, "one of few hours by chance"),
        ({MONDAY_9: (10, FOUR_WEEKS), TUESDAY_14: (10, FOUR_WEEKS)}, EVEN, "half is not most"),
        ({24 * day + 2: (4, 0b1) for day in range(3)}, EVEN, "three nights by chance"),
        ({}, EVEN, "no failures"),
        ({MONDAY_9: (40, FOUR_WEEKS)}, {}, "nobody knows when the calls are made"),
    ],
)
def test_what_chance_or_the_calls_explain_is_no_pattern(
    failures: dict[int, tuple[int, int]], calls: dict[int, tuple[int, int]], why: str
) -> None:
    assert time_pattern(failures, calls) is None, why


def test_random_failures_almost_never_make_a_pattern() -> None:
    chance = random.Random(11)
    found = 0
    for _ in range(300):
        failures: dict[int, tuple[int, int]] = {}
        for _ in range(chance.choice([10, 15, 30, 100])):
            slot = chance.randrange(HOURS_A_WEEK)
            times, weeks = failures.get(slot, (0, 0))
            failures[slot] = (times + 1, weeks | 1 << chance.randrange(4))
        found += time_pattern(failures, EVEN) is not None
    assert found <= 1


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        st.integers(0, HOURS_A_WEEK - 1), st.tuples(st.integers(1, 30), st.integers(1, 31)), min_size=1, max_size=12
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_hours_does_not_matter(failures: dict[int, tuple[int, int]], chance: random.Random) -> None:
    shuffled = list(failures.items())
    chance.shuffle(shuffled)
    assert time_pattern(dict(shuffled), EVEN) == time_pattern(failures, EVEN)


def test_the_last_hour_of_a_day_ends_at_24() -> None:
    pattern = TimePattern(weekdays=(4,), first_hour=22, hours=2, failures=1, of=1, dates=1, calls_share=0)
    assert pattern.words == "on Fridays 22:00 to 24:00 UTC"
