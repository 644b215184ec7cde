"""The daily rollup of call attempts, as the platform makes it: replays and double rows counted like all others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from math import floor

from runbooks.demo.company import stable_id
from runbooks.demo.rows import Attempt, DailyMetric


def daily_metrics(attempts: Iterable[Attempt], *, now: datetime) -> Iterator[DailyMetric]:
    """One row a connector, operation and day, up to yesterday: today is rolled up tomorrow."""
    groups: dict[tuple[date, str, str, str], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        day = attempt.happened_at.date()
        if day < now.date():
            groups[day, attempt.workspace_id, attempt.connector_key, attempt.connector_operation].append(attempt)
    for (day, workspace_id, key, operation), calls in sorted(groups.items()):
        latencies = sorted(call.duration_ms for call in calls if call.duration_ms is not None)
        successes = sum(call.status == "success" for call in calls)
        written = datetime.combine(day + timedelta(days=1), time(0, 15), tzinfo=now.tzinfo)
        yield DailyMetric(
            id=stable_id("daily", workspace_id, key, operation, day.isoformat()),
            workspace_id=workspace_id,
            connector_key=key,
            connector_operation=operation,
            day=day,
            total_calls=len(calls),
            success_calls=successes,
            failure_calls=len(calls) - successes,
            retry_calls=sum(call.is_retry for call in calls),
            timeout_calls=sum(call.status == "timeout" for call in calls),
            p50_latency_ms=percentile(latencies, 0.50),
            p95_latency_ms=percentile(latencies, 0.95),
            p99_latency_ms=percentile(latencies, 0.99),
            created_at=written,
            updated_at=written,
        )


def percentile(values: Sequence[int], share: float) -> int | None:
    """The platform's percentile of sorted values: the nearest rank, rounded down."""
    return values[floor(share * (len(values) - 1))] if values else None
