"""From aggregated rows to the reliability of each integration: the last mile, in pandas.

Each integration takes the most specific history that has calls: its node's own, else that of its connector in the
workflow (calls that name no node), else that of its connector in the workspace.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from math import floor
from typing import Any

import pandas as pd

from runbooks.core.classifier import ErrorFacts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.flags import Figures, flags_of
from runbooks.core.redaction import redact
from runbooks.core.reliability import FailureGroup, Reliability, Scope
from runbooks.core.time_pattern import Hours, TimePattern, time_pattern
from runbooks.core.trend import trend

Classify = Callable[[ErrorFacts], FailureClass]

LONGEST_MESSAGE = 200
INTEGRATION = ["workflow_id", "node_key"]
HISTORY = ["workflow_id", "history_key", "connector_key", "source"]
"""What names one history: `history_key` is the node's key, or empty where the calls name no node."""

WANTED_COLUMNS = ("workflow_id", "workspace_id", "node_key", "node_type", "service")
TIMEOUT_COLUMN = "timeout_s"
"""A further column of what is wanted: after how many seconds the node gives up, where somebody knows."""
NODE_COLUMNS = (
    "workflow_id", "history_key", "connector_key", "source", "calls", "failures", "timeouts", "retries", "recovered",
    "mean_ms", "p50_ms", "p95_ms", "p99_ms", "first_at", "last_at", "last_failure_at", "recent_calls",
    "recent_failures", "active_days", "outages", "calls_by_hour",
)  # fmt: skip
CONNECTOR_COLUMNS = (
    "workspace_id", "connector_key", "calls", "failures", "timeouts", "retries", "recent_calls", "recent_failures",
)  # fmt: skip
GROUP_COLUMNS = (
    "workflow_id", "history_key", "connector_key", "source", "status", "status_code", "error_code", "message", "count",
    "first_at", "last_at", "by_hour",
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """Aggregated rows, with the columns named above."""

    nodes: pd.DataFrame
    connectors: pd.DataFrame
    groups: pd.DataFrame


def reliabilities(
    wanted: pd.DataFrame, history: History, *, classify: Classify, window_days: int
) -> dict[tuple[str, str], Reliability]:
    """Reliability by (workflow id, node key) of the wanted integrations that have a history of any scope."""
    chosen = _most_specific(wanted, history)
    groups = _failure_groups(chosen, history.groups, classify)
    return {
        (row["workflow_id"], row["node_key"]): _reliability(row, groups, window_days)
        for row in chosen.to_dict("records")
    }


def score(*, calls: int, failures: int, retries: int, mean_ms: float | None) -> int | None:
    """The platform's quality score of a connector, 0 to 100; None where the platform could not compute one."""
    if not calls or mean_ms is None:
        return None
    success_rate, retry_rate = 100 * (calls - failures) / calls, 100 * retries / calls
    raw = 0.8 * success_rate - 0.2 * retry_rate - min(30.0, mean_ms / 200)
    return min(100, max(0, floor(raw + 0.5)))  # half is rounded up, as the platform's language does it


def _most_specific(wanted: pd.DataFrame, history: History) -> pd.DataFrame:
    """One row an integration: the history that it takes."""
    by_node = wanted.merge(history.nodes, left_on=INTEGRATION, right_on=["workflow_id", "history_key"])
    unnamed = history.nodes[history.nodes["history_key"] == ""]
    by_workflow = wanted.merge(unnamed, left_on=["workflow_id", "node_type"], right_on=["workflow_id", "connector_key"])
    by_workspace = wanted.merge(
        history.connectors, left_on=["workspace_id", "node_type"], right_on=["workspace_id", "connector_key"]
    )
    found = [
        by_node.assign(scope=Scope.NODE.value, order=0),
        by_workflow.assign(scope=Scope.WORKFLOW.value, order=1),
        by_workspace.assign(scope=Scope.WORKSPACE.value, order=2, source="daily", history_key=None),
    ]
    rows = pd.concat([frame.astype(object) for frame in found if not frame.empty] or [found[0]], ignore_index=True)
    rows = rows[rows["calls"].astype(float) > 0]
    # A node that changed its type has two histories: the present type's comes first.
    rows = rows.assign(other=rows["connector_key"] != rows["node_type"])
    rows = rows.sort_values(["order", "other", "source", "calls"], ascending=[True, True, True, False], kind="stable")
    return rows.drop_duplicates(INTEGRATION)


def _failure_groups(
    chosen: pd.DataFrame, groups: pd.DataFrame, classify: Classify
) -> Mapping[Hashable, list[dict[Hashable, Any]]]:
    """Failures by class of each integration, most frequent first, with the most frequent message of each class."""
    rows = chosen[[*INTEGRATION, "service", *(name for name in HISTORY if name != "workflow_id")]].merge(
        groups, on=HISTORY
    )
    if rows.empty:
        return {}
    known = cache(classify)
    rows["failure_class"] = [known(_error(row)) for row in rows.to_dict("records")]
    rows = rows.sort_values(["count", "message"], ascending=[False, True], kind="stable", na_position="last")
    by_class = (
        rows.groupby([*INTEGRATION, "failure_class"], sort=False)
        .agg(
            count=("count", "sum"),
            first_seen=("first_at", "min"),
            last_seen=("last_at", "max"),
            message=("message", "first"),
            by_hour=("by_hour", list),
        )
        .reset_index()
        .sort_values(["count", "failure_class"], ascending=[False, True])
    )
    return {key: frame.to_dict("records") for key, frame in by_class.groupby(INTEGRATION, sort=False)}


def _error(row: Mapping[Hashable, Any]) -> ErrorFacts:
    code = _given(row["status_code"])
    return ErrorFacts(
        service=_given(row["service"]),
        status=_given(row["status"]),
        status_code=None if code is None else int(code),
        error_code=_given(row["error_code"]),
        message=_given(row["message"]),
    )


def _reliability(
    row: Mapping[Hashable, Any], groups: Mapping[Hashable, list[dict[Hashable, Any]]], window_days: int
) -> Reliability:
    calls_by_hour = _hours([row.get("calls_by_hour")])
    classes = tuple(
        _group(one, int(row["calls"]), calls_by_hour) for one in groups.get((row["workflow_id"], row["node_key"]), ())
    )
    timeouts = int(row["timeouts"])
    if row["source"] == "executions":  # a node's run tells only by its message that it was a timeout
        timeouts = sum(group.count for group in classes if group.failure_class is FailureClass.TIMEOUT)
    figures = _figures(row, window_days)
    retries, mean_ms = int(row["retries"]), _given(row.get("mean_ms"))
    return Reliability(
        scope=Scope(row["scope"]),
        source=row["source"],
        window_days=window_days,
        calls=figures.calls,
        failures=figures.failures,
        timeouts=timeouts,
        retries=retries,
        recovered=int(_given(row.get("recovered")) or 0),
        p50_ms=_given(row.get("p50_ms")),
        p95_ms=figures.p95_ms,
        p99_ms=_given(row.get("p99_ms")),
        score=score(calls=figures.calls, failures=figures.failures, retries=retries, mean_ms=mean_ms)
        if row["source"] == "attempts"
        else None,
        trend=figures.trend,
        first_at=_moment(row.get("first_at")),
        last_at=_moment(row.get("last_at")),
        last_failure_at=_moment(row.get("last_failure_at")),
        outages=figures.outages,
        flags=() if row["scope"] == Scope.WORKSPACE else flags_of(figures),
        groups=classes,
    )


def _figures(row: Mapping[Hashable, Any], window_days: int) -> Figures:
    calls, failures = int(row["calls"]), int(row["failures"])
    recent_calls, recent_failures = int(row["recent_calls"]), int(row["recent_failures"])
    return Figures(
        calls=calls,
        failures=failures,
        recent_calls=recent_calls,
        recent_failures=recent_failures,
        trend=trend(recent_calls, recent_failures, calls - recent_calls, failures - recent_failures),
        window_days=window_days,
        p95_ms=_given(row.get("p95_ms")),
        timeout_s=_given(row.get(TIMEOUT_COLUMN)),
        outages=int(_given(row.get("outages")) or 0),
        active_days=int(_given(row.get("active_days")) or 0),
    )


def _group(row: Mapping[Hashable, Any], calls: int, calls_by_hour: Hours) -> FailureGroup:
    count = int(row["count"])
    return FailureGroup(
        failure_class=FailureClass(row["failure_class"]),
        count=count,
        share=round(count / calls, 4),
        first_seen=_moment(row["first_seen"]),
        last_seen=_moment(row["last_seen"]),
        message=" ".join(redact(_given(row["message"]) or "").split())[:LONGEST_MESSAGE],
        pattern=_pattern(row, calls_by_hour),
    )


def _pattern(row: Mapping[Hashable, Any], calls_by_hour: Hours) -> TimePattern | None:
    """When the failures of one class come. Unlike failures have no common cause, so the unknown ones have none."""
    if not calls_by_hour or row["failure_class"] == FailureClass.UNKNOWN:
        return None
    return time_pattern(_hours(row["by_hour"]), calls_by_hour)


def _hours(stored: Iterable[Any]) -> dict[int, tuple[int, int]]:
    """Add up what is stored of several groups."""
    found: dict[int, tuple[int, int]] = {}
    for by_hour in stored:
        for name, (times, weeks) in (_given(by_hour) or {}).items():
            before = found.get(int(name), (0, 0))
            found[int(name)] = (before[0] + int(times), before[1] | int(weeks))
    return found


def _moment(value: Any) -> datetime | None:
    given = _given(value)
    return None if given is None else pd.Timestamp(given).to_pydatetime()


def _given(value: Any) -> Any:
    """None for each of pandas' ways to say that there is nothing."""
    return None if value is None or value is pd.NaT or value != value else value
