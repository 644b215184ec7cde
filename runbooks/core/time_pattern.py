"""When failures come: the hours or days of the week that have most of them, when that is no chance.

Failures come in bursts, so hours are weighed: of all hours with calls, those with failures. Three hundred failures in
one outage say no more about Mondays than one does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import exp, lgamma, log

from runbooks.core.workflow import Frozen

HOURS_A_DAY = 24
HOURS_A_WEEK = 168
MONDAY = 72
"""Hours to add to an hour counted from 1970, which began on a Thursday, to count from a Monday."""
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
WEEKEND = (5, 6)

FEWEST_FAILURES = 10
FEWEST_DATES = 3
"""Fewer days with failures in the window are incidents, not a pattern."""
CLEAR_SHARE = 0.5
"""More than so many of all failures lie in the window: `most` of them."""
CLEAR_RATIO = 2
"""Their share is so many times the share of the calls: a workflow that runs at nine fails at nine."""
LONGEST_RUN = 3
"""Hours in a row that are tried as one window."""
CHANCE = 0.001
"""That any of all windows tried looks like a pattern though there is none."""

Hours = Mapping[int, tuple[int, int]]
"""Hour of the week, 0 for Monday 00:00 UTC → how often, and the weeks in which, as bits."""


class TimePattern(Frozen):
    """Most failures of a class fall into these hours. All times are UTC."""

    weekdays: tuple[int, ...] = ()
    """0 for Monday to 6; empty for every day."""
    first_hour: int = 0
    hours: int = HOURS_A_DAY
    failures: int
    """In these hours."""
    of: int
    """In all hours."""
    dates: int
    """Different days on which failures came in these hours."""
    calls_share: float
    """Of all calls, 0 to 1, those made in these hours."""

    @property
    def words(self) -> str:
        """`on Mondays 09:00 to 10:00 UTC`, `daily 02:00 to 04:00 UTC`, `on Saturdays and Sundays (UTC)`."""
        days = f"on {' and '.join(WEEKDAYS[day] for day in self.weekdays)}" if self.weekdays else "daily"
        if self.hours == HOURS_A_DAY:
            return f"{days} (UTC)"
        end = (self.first_hour + self.hours) % HOURS_A_DAY or HOURS_A_DAY
        return f"{days} {self.first_hour:02}:00 to {end:02}:00 UTC"


def time_pattern(failures: Hours, calls: Hours) -> TimePattern | None:
    """Find the window that has most failures where chance, and the calls, do not explain it.

    A window is one to three hours of a weekday, the same of every day, a weekday, or the weekend. It must have more
    than half of the failures and twice its share of the calls, on three days or more; and so many of the hours with
    failures that, were these spread by chance over the hours with calls, one past in a thousand would have such a
    window. The least likely window is taken. `calls` include the failed ones.
    """
    if _count(failures) < FEWEST_FAILURES or not calls:
        return None
    found = [one for window in _windows() if (one := _weigh(window, failures, calls)) is not None]
    # Ties go to the shorter window, then to the earlier one: the order of the rows must not matter.
    best = min(found, key=lambda one: (one[0], one[1].hours, one[1].weekdays, one[1].first_hour), default=None)
    return best[1] if best else None


@dataclass(frozen=True)
class _Window:
    weekdays: tuple[int, ...]
    first_hour: int
    hours: int
    slots: frozenset[int]


@cache
def _windows() -> tuple[_Window, ...]:
    return tuple(_all_windows())


def _all_windows() -> Iterator[_Window]:
    days = tuple((day,) for day in range(7))
    for length in range(1, LONGEST_RUN + 1):
        for first in range(HOURS_A_DAY):
            yield _window((), first, length)
            if first + length <= HOURS_A_DAY:
                yield from (_window(day, first, length) for day in days)
    yield from (_window(day, 0, HOURS_A_DAY) for day in (*days, WEEKEND))


def _window(weekdays: tuple[int, ...], first: int, hours: int) -> _Window:
    of_day = [(first + number) % HOURS_A_DAY for number in range(hours)]
    slots = frozenset(HOURS_A_DAY * day + hour for day in weekdays or range(7) for hour in of_day)
    return _Window(weekdays, first, hours, slots)


def _weigh(window: _Window, failures: Hours, calls: Hours) -> tuple[float, TimePattern] | None:
    """How likely chance makes the window as bad as it is, with the pattern; None for what is none."""
    inside = _inside(window, failures)
    count, total = _count(inside), _count(failures)
    if count <= CLEAR_SHARE * total:
        return None
    calls_inside = _inside(window, calls)
    share, dates = _count(calls_inside) / _count(calls), _dates(inside)
    if dates < FEWEST_DATES or count / total < CLEAR_RATIO * share:
        return None
    chance = _distinct(calls_inside) / _distinct(calls)
    likelihood = _at_least(_distinct(inside), of=_distinct(failures), chance=chance)
    if likelihood > CHANCE / len(_windows()):
        return None
    return likelihood, TimePattern(
        weekdays=window.weekdays,
        first_hour=window.first_hour,
        hours=window.hours,
        failures=count,
        of=total,
        dates=dates,
        calls_share=round(share, 4),
    )


def _inside(window: _Window, hours: Hours) -> dict[int, tuple[int, int]]:
    return {slot: hours[slot] for slot in window.slots & hours.keys()}


def _count(hours: Hours) -> int:
    return sum(times for times, _ in hours.values())


def _distinct(hours: Hours) -> int:
    """How many hours, each week's counted for itself."""
    return sum(weeks.bit_count() for _, weeks in hours.values())


def _dates(hours: Hours) -> int:
    by_weekday = [0] * 7
    for slot, (_, weeks) in hours.items():
        by_weekday[slot // HOURS_A_DAY] |= weeks
    return sum(weeks.bit_count() for weeks in by_weekday)


def _at_least(successes: int, *, of: int, chance: float) -> float:
    """The binomial probability of so many or more."""
    if chance <= 0:
        return 0.0
    if chance >= 1:
        return 1.0
    return sum(
        exp(lgamma(of + 1) - lgamma(n + 1) - lgamma(of - n + 1) + n * log(chance) + (of - n) * log(1 - chance))
        for n in range(successes, of + 1)
    )
