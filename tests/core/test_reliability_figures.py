from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pandas as pd
import pytest

from runbooks.core.classifier import ErrorFacts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.flags import Flag
from runbooks.core.reliability import Reliability, Scope
from runbooks.core.reliability_figures import (
    CONNECTOR_COLUMNS,
    GROUP_COLUMNS,
    NODE_COLUMNS,
    WANTED_COLUMNS,
    History,
    reliabilities,
    score,
)

HTTP = "action_http_request"
DAY = datetime(2026, 3, 30, tzinfo=UTC)


def table(columns: Sequence[str], defaults: dict[str, Any], rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{**defaults, **row} for row in rows], columns=list(columns), dtype=object)


def nodes(*rows: dict[str, Any]) -> pd.DataFrame:
    counts = dict.fromkeys(
        ("calls", "failures", "timeouts", "retries", "recovered", "recent_calls", "recent_failures"), 0
    )
    names = {"workflow_id": "w1", "history_key": "n1", "connector_key": HTTP, "source": "attempts"}
    return table(NODE_COLUMNS, {**counts, **names}, rows)


def connectors(*rows: dict[str, Any]) -> pd.DataFrame:
    counts = dict.fromkeys(CONNECTOR_COLUMNS[2:], 0)
    return table(CONNECTOR_COLUMNS, {**counts, "workspace_id": "ws", "connector_key": HTTP}, rows)


def groups(*rows: dict[str, Any]) -> pd.DataFrame:
    names = {"workflow_id": "w1", "history_key": "n1", "connector_key": HTTP, "source": "attempts", "last_at": DAY}
    return table(GROUP_COLUMNS, names, rows)


def wanted(node_key: str = "n1", node_type: str = HTTP, service: str = "Stripe API") -> pd.DataFrame:
    return pd.DataFrame([("w1", "ws", node_key, node_type, service)], columns=list(WANTED_COLUMNS), dtype=object)


def by_message(error: ErrorFacts) -> FailureClass:
    """Takes the message for the class."""
    return FailureClass(error.message) if error.message else FailureClass.UNKNOWN


def reliability(
    history_nodes: pd.DataFrame | None = None,
    history_connectors: pd.DataFrame | None = None,
    history_groups: pd.DataFrame | None = None,
    *,
    integration: pd.DataFrame | None = None,
) -> Reliability | None:
    history = History(
        nodes=nodes() if history_nodes is None else history_nodes,
        connectors=connectors() if history_connectors is None else history_connectors,
        groups=groups() if history_groups is None else history_groups,
    )
    given = wanted() if integration is None else integration
    found = reliabilities(given, history, classify=by_message, window_days=30)
    return next(iter(found.values()), None)


NODE = {"calls": 10, "failures": 1}
UNNAMED = {"history_key": "", "calls": 20, "failures": 2}
CONNECTOR = {"calls": 3000, "failures": 600}


@pytest.mark.parametrize(
    ("node_rows", "connector_rows", "scope", "calls"),
    [
        ([NODE, UNNAMED], [CONNECTOR], Scope.NODE, 10),
        ([UNNAMED], [CONNECTOR], Scope.WORKFLOW, 20),
        ([], [CONNECTOR], Scope.WORKSPACE, 3000),
        ([{**NODE, "history_key": "another"}], [CONNECTOR], Scope.WORKSPACE, 3000),
        ([{**UNNAMED, "connector_key": "slack"}], [CONNECTOR], Scope.WORKSPACE, 3000),
    ],
)
def test_the_most_specific_history_is_taken_and_named(
    node_rows: list[dict[str, Any]], connector_rows: list[dict[str, Any]], scope: Scope, calls: int
) -> None:
    found = reliability(nodes(*node_rows), connectors(*connector_rows))
    assert found is not None
    assert (found.scope, found.calls) == (scope, calls)


def test_without_history_of_any_scope_there_is_no_reliability() -> None:
    assert reliability() is None
    assert reliability(nodes({**NODE, "workflow_id": "w2"}), connectors({**CONNECTOR, "workspace_id": "other"})) is None


def test_node_that_changed_its_type_is_judged_by_the_present_one() -> None:
    rows = nodes({**NODE, "calls": 900, "connector_key": "slack"}, NODE)
    found = reliability(rows)
    assert found is not None
    assert found.calls == 10


def test_rollup_gives_no_percentiles_and_no_score() -> None:
    found = reliability(None, connectors(CONNECTOR))
    assert found is not None
    assert (found.source, found.failure_rate) == ("daily", 0.2)
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.score) == (None, None, None, None)


def test_failures_are_grouped_by_class_most_frequent_first() -> None:
    found = reliability(
        nodes({"calls": 100, "failures": 11}),
        None,
        groups(
            {"message": "rate_limited", "count": 4, "last_at": DAY},
            {"message": "timeout", "status": "timeout", "count": 3},
            {"message": "timeout", "status": "network_error", "count": 2},
            {"message": None, "count": 2},
        ),
    )
    assert found is not None
    assert [(group.failure_class, group.count, group.share) for group in found.groups] == [
        (FailureClass.TIMEOUT, 5, 0.05),
        (FailureClass.RATE_LIMITED, 4, 0.04),
        (FailureClass.UNKNOWN, 2, 0.02),
    ]
    assert found.groups[1].last_seen == DAY
    assert found.groups[2].message == ""


def test_most_frequent_message_of_a_class_is_shown_on_one_line_without_secrets() -> None:
    secret = "sk_live_" + "0notarealkey0" * 2
    rows = groups(
        {"status": "client_error", "message": "seldom", "count": 1},
        {"status": "client_error", "message": f"Invalid API Key provided:\n {secret} " + "x" * 500, "count": 5},
    )
    history = History(nodes=nodes({"calls": 50, "failures": 6}), connectors=connectors(), groups=rows)
    found = reliabilities(wanted(), history, classify=lambda _: FailureClass.AUTH_FAILED, window_days=30)
    message = found["w1", "n1"].groups[0].message
    assert message.startswith("Invalid API Key provided: ")
    assert secret not in message
    assert "\n" not in message
    assert len(message) <= 200


def test_classifier_is_told_all_that_is_known() -> None:
    seen: list[ErrorFacts] = []

    def remember(error: ErrorFacts) -> FailureClass:
        seen.append(error)
        return FailureClass.SERVER_ERROR

    row = {
        "status": "server_error",
        "status_code": 503,
        "error_code": "HTTP_REQUEST_FAILED",
        "message": "m",
        "count": 1,
    }
    history = History(nodes=nodes({"calls": 2, "failures": 1}), connectors=connectors(), groups=groups(row))
    reliabilities(wanted(), history, classify=remember, window_days=30)
    assert seen == [ErrorFacts("Stripe API", "server_error", 503, "HTTP_REQUEST_FAILED", "m")]


def test_runs_tell_of_timeouts_by_their_messages() -> None:
    rows = nodes({"source": "executions", "connector_key": "slack", "calls": 40, "failures": 5, "mean_ms": 100.0})
    failures = groups({"source": "executions", "connector_key": "slack", "message": "timeout", "count": 3})
    found = reliability(rows, None, failures, integration=wanted(node_type="slack"))
    assert found is not None
    assert (found.source, found.timeouts) == ("executions", 3)
    assert found.score is None  # the platform has none for a node without attempts


def test_groups_of_another_source_are_not_counted_in() -> None:
    found = reliability(nodes({"calls": 40}), None, groups({"source": "executions", "message": "timeout", "count": 3}))
    assert found is not None
    assert found.groups == ()


def test_result_does_not_depend_on_the_order_of_rows() -> None:
    rows = [
        {"status": "a", "message": "timeout", "count": 2},
        {"status": "b", "message": "network", "count": 2},
        {"status": "c", "message": "tls", "count": 2},
    ]
    found = {reliability(nodes(NODE, UNNAMED), None, groups(*order)) for order in permutations(rows)}
    assert len(found) == 1


def test_no_integrations_need_no_history() -> None:
    empty = pd.DataFrame([], columns=list(WANTED_COLUMNS), dtype=object)
    assert reliabilities(empty, History(nodes(NODE), connectors(), groups()), classify=by_message, window_days=30) == {}


@pytest.mark.parametrize(
    ("calls", "failures", "retries", "mean_ms", "expected"),
    [
        (0, 0, 0, None, None),
        (10, 0, 0, None, None),  # no latency, no score
        (100, 0, 0, 0.0, 80),
        (100, 0, 0, 100_000.0, 50),  # latency costs at most 30
        (100, 50, 0, 1000.0, 35),
        (100, 100, 100, 9000.0, 0),  # never below nothing
        (1000, 0, 25, 0.0, 80),  # 79.5: half is rounded up
        (1000, 0, 26, 0.0, 79),
    ],
)
def test_score_is_the_platforms(
    calls: int, failures: int, retries: int, mean_ms: float | None, expected: int | None
) -> None:
    assert score(calls=calls, failures=failures, retries=retries, mean_ms=mean_ms) == expected


def test_first_and_last_seen_of_a_class_span_its_groups() -> None:
    rows = groups(
        {"message": "timeout", "status": "a", "count": 3, "first_at": DAY - timedelta(days=9), "last_at": DAY},
        {"message": "timeout", "status": "b", "count": 2, "first_at": DAY - timedelta(days=3), "last_at": DAY},
    )
    found = reliability(nodes({"calls": 100, "failures": 5}), None, rows)
    assert found is not None
    assert (found.groups[0].first_seen, found.groups[0].last_seen) == (DAY - timedelta(days=9), DAY)


def test_the_hours_of_a_class_add_up_over_its_groups() -> None:
    calls = {str(hour): [40, 0b1111] for hour in range(168)}
    rows = groups(
        {"message": "rate_limited", "status": "a", "count": 6, "by_hour": {"9": [6, 0b0011]}},
        {"message": "rate_limited", "status": "b", "count": 6, "by_hour": {"9": [5, 0b0110], "100": [1, 1]}},
        {"message": "timeout", "count": 12, "by_hour": {str(hour): [1, 1] for hour in range(0, 168, 14)}},
    )
    found = reliability(nodes({"calls": 6720, "failures": 24, "calls_by_hour": calls}), None, rows)
    assert found is not None
    patterns = {group.failure_class: group.pattern for group in found.groups}
    assert patterns[FailureClass.TIMEOUT] is None
    pattern = patterns[FailureClass.RATE_LIMITED]
    assert pattern is not None
    assert (pattern.words, pattern.failures, pattern.of, pattern.dates) == ("on Mondays 09:00 to 10:00 UTC", 11, 12, 3)


def test_flags_need_figures_of_the_node_or_the_workflow() -> None:
    bad = {"calls": 40, "failures": 30, "recent_calls": 20, "recent_failures": 20}
    of_node, of_workspace = reliability(nodes(bad)), reliability(None, connectors(bad))
    assert of_node is not None
    assert of_workspace is not None
    assert Flag.FAILING in of_node.flags
    assert of_workspace.flags == ()


def test_slow_is_told_by_the_nodes_own_time_limit() -> None:
    rows = nodes({"calls": 40, "p95_ms": 9000.0})
    for timeout, flags in ((10, (Flag.SLOW,)), (60, ()), (None, ())):
        found = reliability(rows, integration=wanted().assign(timeout_s=timeout))
        assert found is not None
        assert found.flags == flags
