"""SQL about when calls were made and when they failed. Hours count from 1970 in UTC, so no session's zone matters.

- An hour of the week is 0 for Monday 00:00 to 167 for Sunday 23:00, as `time_pattern` has it.
- A week is a bit: bit n for the n-th calendar week of the window; the last one stands for all that follow.
- An outage is a run of hours with calls in each of which two calls or more, and at least half of all, failed.
"""

from datetime import datetime, timedelta

from runbooks.core.time_pattern import FEWEST_FAILURES, HOURS_A_WEEK, MONDAY

ENOUGH_FAILURES = FEWEST_FAILURES
"""With fewer, neither a pattern nor outages are looked for, and the hours of the calls are not kept."""
LAST_BIT = 62  # of a bigint that stays positive
FAILED_IN_AN_OUTAGE = 2

HOUR = "floor(date_part('epoch', at) / 3600)::integer"


def hour_of_week(hour: str) -> str:
    """SQL for the hour of the week of an hour counted from 1970."""
    return f"(({hour} + {MONDAY}) % {HOURS_A_WEEK})"


def week_bit(hour: str) -> str:
    """SQL for the bit of the calendar week that an hour lies in; binds :first_week."""
    return f"(1::bigint << least({LAST_BIT}, ({hour} + {MONDAY}) / {HOURS_A_WEEK} - :first_week))"


def first_week(since: datetime) -> int:
    """The number of the week that the window begins in, counted from 1970."""
    return (int(since.timestamp() // timedelta(hours=1).total_seconds()) + MONDAY) // HOURS_A_WEEK


# One number a call: its hour, and whether it failed. A node's calls are in memory one node at a time.
CALLS_SEEN = f"array_agg(2 * {HOUR} + failed::integer)"
ACTIVE_DAYS = f"""bit_or(1::bigint << least({LAST_BIT}, floor(
    date_part('epoch', CAST(:now AS timestamptz) - at) / 86400)::integer))"""
"""Bit n is set when there were calls n days ago; the last bit is for all that are longer ago."""

_HOURLY = """
    SELECT seen / 2 AS hour, count(*) AS calls, count(*) FILTER (WHERE seen % 2 = 1) AS failed
    FROM unnest(seen) seen GROUP BY hour
"""

CALLS_BY_HOUR = f"""CASE WHEN failures >= {ENOUGH_FAILURES} THEN (
    SELECT jsonb_object_agg(slot, jsonb_build_array(calls, weeks)) FROM (
        SELECT {hour_of_week("hour")} AS slot, sum(calls) AS calls, bit_or({week_bit("hour")}) AS weeks
        FROM ({_HOURLY}) hourly GROUP BY slot
    ) slots) END"""  # noqa: S608 - constants

OUTAGES = f"""CASE WHEN failures >= {ENOUGH_FAILURES} THEN (
    SELECT count(*) FILTER (WHERE down AND before IS NOT TRUE) FROM (
        SELECT down, lag(down) OVER (ORDER BY hour) AS before FROM (
            SELECT hour, failed >= {FAILED_IN_AN_OUTAGE} AND 2 * failed >= calls AS down FROM ({_HOURLY}) hourly
        ) hours
    ) turns) END"""  # noqa: S608 - constants
