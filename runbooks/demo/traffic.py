"""When the demo's workflows run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from runbooks.demo.company import Traffic

BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 12, 12, 12, 11, 11, 12, 13, 13, 11, 8, 5, 2)
"""How the runs of a day fall on its hours, as weights."""
WEEKEND = 0.7
"""Share of a weekday's runs that a Saturday or Sunday has."""


def run_times(traffic: Traffic, *, start: datetime, end: datetime, random: Random) -> list[datetime]:
    """Every start between `start` (a midnight) and `end`, earliest first."""
    times = _by_the_clock(traffic, start, end) if traffic.every_minutes else _by_day(traffic, start, end, random)
    return sorted(time for time in times if start <= time < end)


def _by_the_clock(traffic: Traffic, start: datetime, end: datetime) -> Iterator[datetime]:
    step = timedelta(minutes=traffic.every_minutes or 1)
    time = start + timedelta(minutes=traffic.first_minute)
    while time < end:
        if not traffic.weekdays_only or time.weekday() < 5:
            yield time
        time += step


def _by_day(traffic: Traffic, start: datetime, end: datetime, random: Random) -> Iterator[datetime]:
    day = start
    while day < end:
        usual = traffic.a_day * (WEEKEND if day.weekday() >= 5 else 1)
        for hour in random.choices(range(24), BY_HOUR, k=round(random.uniform(0.8, 1.2) * usual)):
            yield day + timedelta(hours=hour, seconds=random.randrange(3600))
        day += timedelta(days=1)
