"""What history says, computed once more in plain Python, row by row, to hold the real computation against."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Any

from runbooks.core.classifier import ErrorFacts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.flags import Figures, flags_of
from runbooks.core.reliability import FailureGroup, Reliability, Scope
from runbooks.core.time_pattern import time_pattern
from runbooks.core.trend import trend

Classify = Callable[[ErrorFacts], FailureClass]
FAILED = ("client_error", "server_error", "timeout", "network_error")


@dataclass(frozen=True)
class Attempt:
    """A row of the platform's attempts; `node` None where it names no node's run."""

    execution: int
    replayed: bool
    node: str | None
    status: str
    at: datetime
    fingerprint: str = "a"
    attempt_no: int = 1
    is_retry: bool = False
    status_code: int | None = None
    error_code: str | None = None
    message: str | None = None
    duration_ms: int | None = None

    @property
    def failed(self) -> bool:
        return self.status in FAILED


@dataclass(frozen=True)
class Run:
    """A node's run in an execution."""

    replayed: bool
    node: str
    status: str
    at: datetime
    message: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class Call:
    """What counts once."""

    node: str
    failed: bool
    error: ErrorFacts
    at: datetime
    is_retry: bool
    duration_ms: int | None


def expected(
    attempts: Iterable[Attempt],
    runs: Iterable[Run],
    *,
    now: datetime,
    days: int,
    classify: Classify,
    timeouts: Mapping[str, float | None],
) -> dict[str, Reliability]:
    """Reliability by node, for all nodes of `timeouts`, which make HTTP calls unless their name begins with `s`."""
    since = now - timedelta(days=days)
    calls = _calls(attempts, since, now)
    found: dict[str, Reliability] = {}
    for node, timeout in timeouts.items():
        of_attempts = [call for call in calls if call.node == node]
        of_runs = [_as_call(run) for run in runs if run.node == node and since <= run.at <= now and _counts(run)]
        unnamed = [call for call in calls if call.node == ""]
        is_http = not node.startswith("s")
        if of_attempts:
            found[node] = _reliability(of_attempts, Scope.NODE, "attempts", now, days, classify, timeout)
        elif of_runs:
            found[node] = _reliability(of_runs, Scope.NODE, "executions", now, days, classify, timeout)
        elif is_http and unnamed:
            found[node] = _reliability(unnamed, Scope.WORKFLOW, "attempts", now, days, classify, timeout)
        elif is_http and (whole := [call for call in calls if call.at.date() > since.date()]):
            found[node] = _of_workspace(whole, now, days)
    return found


def _counts(run: Run) -> bool:
    return not run.replayed and run.status in ("completed", "failed")


def _calls(attempts: Iterable[Attempt], since: datetime, now: datetime) -> list[Call]:
    reports: dict[tuple[Any, ...], list[Attempt]] = defaultdict(list)
    for one in attempts:
        if since <= one.at <= now and one.status != "cancelled" and not one.replayed:
            reports[one.execution, one.node, one.attempt_no, one.fingerprint, one.at].append(one)
    return [_once(several) for several in reports.values()]


def _once(reports: Sequence[Attempt]) -> Call:
    """A failure wins; then what sorts first, with nothing after everything."""

    def order(one: Attempt) -> tuple[Any, ...]:
        values = (one.status, one.duration_ms, one.status_code, one.error_code, one.is_retry, one.message)
        return (not one.failed, *((value is None, value or 0 if value is None else value) for value in values))

    one = min(reports, key=order)
    error = ErrorFacts(_service(one.node or ""), one.status, one.status_code, one.error_code, one.message)
    return Call(one.node or "", one.failed, error, one.at, one.is_retry, one.duration_ms)


def _as_call(run: Run) -> Call:
    error = ErrorFacts(_service(run.node), None, None, None, run.message)
    return Call(run.node, run.status == "failed", error, run.at, False, run.duration_ms)


def _service(node: str) -> str:
    return "Slack" if node.startswith("s") else "an API"


def _reliability(
    calls: Sequence[Call],
    scope: Scope,
    source: str,
    now: datetime,
    days: int,
    classify: Classify,
    timeout: float | None,
) -> Reliability:
    failures = [call for call in calls if call.failed]
    recent = [call for call in calls if call.at >= now - timedelta(days=days / 4)]
    recent_failures = [call for call in recent if call.failed]
    durations = sorted(call.duration_ms for call in calls if call.duration_ms is not None)
    retries = sum(call.is_retry for call in calls)
    of_class: dict[FailureClass, list[Call]] = defaultdict(list)
    for call in failures:
        of_class[classify(call.error)].append(call)
    moved = trend(len(recent), len(recent_failures), len(calls) - len(recent), len(failures) - len(recent_failures))
    figures = Figures(
        calls=len(calls),
        failures=len(failures),
        recent_calls=len(recent),
        recent_failures=len(recent_failures),
        trend=moved,
        window_days=days,
        p95_ms=_nearest_rank_down(durations, 0.95),
        timeout_s=timeout,
        outages=_outages(calls),
        active_days=sum({1 << (now - call.at) // timedelta(days=1) for call in calls}),
    )
    timeouts = [call for call in calls if call.error.status == "timeout"]
    return Reliability(
        scope=scope,
        source=source,
        window_days=days,
        calls=len(calls),
        failures=len(failures),
        timeouts=len(timeouts) if source == "attempts" else len(of_class[FailureClass.TIMEOUT]),
        retries=retries,
        recovered=sum(call.is_retry and not call.failed for call in calls),
        p50_ms=_nearest_rank_down(durations, 0.5),
        p95_ms=_nearest_rank_down(durations, 0.95),
        p99_ms=_nearest_rank_down(durations, 0.99),
        score=_score(len(calls), len(failures), retries, durations) if source == "attempts" else None,
        trend=moved,
        first_at=min(call.at for call in calls),
        last_at=max(call.at for call in calls),
        last_failure_at=max((call.at for call in failures), default=None),
        outages=figures.outages,
        flags=flags_of(figures),
        groups=_groups(of_class, calls),
    )


def _groups(of_class: Mapping[FailureClass, Sequence[Call]], calls: Sequence[Call]) -> tuple[FailureGroup, ...]:
    groups = [
        FailureGroup(
            failure_class=failure_class,
            count=len(failures),
            share=round(len(failures) / len(calls), 4),
            first_seen=min(call.at for call in failures),
            last_seen=max(call.at for call in failures),
            message=_commonest(failures),
            pattern=None
            if failure_class is FailureClass.UNKNOWN or sum(call.failed for call in calls) < 10
            else time_pattern(_hours(failures), _hours(calls)),
        )
        for failure_class, failures in of_class.items()
        if failures
    ]
    return tuple(sorted(groups, key=lambda group: (-group.count, group.failure_class)))


def _commonest(failures: Sequence[Call]) -> str:
    """The message of the most frequent kind of error; of equally frequent ones the first that has one."""
    times: dict[ErrorFacts, int] = defaultdict(int)
    for call in failures:
        times[call.error] += 1
    with_text = [(-count, error.message) for error, count in times.items() if error.message is not None]
    return min(with_text)[1] if with_text else ""


def _hours(calls: Sequence[Call]) -> dict[int, tuple[int, int]]:
    """Hour of the week → how many, and a bit for each week; which bit is no matter."""
    weeks = sorted({_monday(call.at) for call in calls})
    found: dict[int, tuple[int, int]] = {}
    for call in calls:
        slot = 24 * call.at.weekday() + call.at.hour
        times, bits = found.get(slot, (0, 0))
        found[slot] = (times + 1, bits | 1 << weeks.index(_monday(call.at)))
    return found


def _monday(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day, tzinfo=UTC) - timedelta(days=at.weekday())


def _outages(calls: Sequence[Call]) -> int:
    if sum(call.failed for call in calls) < 10:
        return 0
    hours: dict[datetime, list[Call]] = defaultdict(list)
    for call in calls:
        hours[call.at.replace(minute=0, second=0, microsecond=0)].append(call)
    found, was_down = 0, False
    for hour in sorted(hours):
        failed = sum(call.failed for call in hours[hour])
        down = failed >= 2 and failed >= len(hours[hour]) / 2
        found += down and not was_down
        was_down = down
    return found


def _nearest_rank_down(values: Sequence[int], share: float) -> float | None:
    return values[floor(share * (len(values) - 1))] if values else None


def _score(calls: int, failures: int, retries: int, durations: Sequence[int]) -> int | None:
    if not durations:
        return None
    latency = min(30, sum(durations) / len(durations) / 200)
    score = 0.8 * 100 * (calls - failures) / calls - 0.2 * 100 * retries / calls - latency
    return max(0, min(100, floor(score + 0.5)))


def _of_workspace(calls: Sequence[Call], now: datetime, days: int) -> Reliability:
    """From whole days, as the rollup has them."""
    recent = [call for call in calls if call.at.date() >= (now - timedelta(days=days / 4)).date()]
    failures, recent_failures = sum(call.failed for call in calls), sum(call.failed for call in recent)
    return Reliability(
        scope=Scope.WORKSPACE,
        source="daily",
        window_days=days,
        calls=len(calls),
        failures=failures,
        timeouts=sum(call.error.status == "timeout" for call in calls),
        retries=sum(call.is_retry for call in calls),
        trend=trend(len(recent), recent_failures, len(calls) - len(recent), failures - recent_failures),
    )
