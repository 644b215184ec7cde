import pytest

from runbooks.core.evidence import evidence_sentences, history_sentences
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.reliability import Reliability, Scope
from runbooks.core.severity import severity_of
from tests.support.runbook_facts import make_group, make_integration, make_reliability


def history(reliability: Reliability, timeout_s: float | None = None) -> str:
    return " ".join(
        history_sentences(reliability, node='"A"', connector="action_x", included=True, timeout_s=timeout_s)
    )


def test_every_figure_comes_with_count_window_and_scope() -> None:
    text = history(make_reliability(make_group(FailureClass.TIMEOUT, 8), window_days=14))
    assert '200 calls in the last 14 days, 8 failed (4.0%); measured at node "A".' in text
    assert "Most frequent: timeouts 8×." in text


def test_node_runs_are_called_so() -> None:
    assert "200 node runs in the last 30 days, none failed" in history(make_reliability(source="executions"))


def test_a_share_of_a_handful_of_calls_is_not_shown() -> None:
    text = history(make_reliability(make_group(FailureClass.TIMEOUT, 1), calls=2))
    assert "2 calls in the last 30 days, 1 failed;" in text
    assert "%" not in text


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope.WORKFLOW, "over all action_x nodes of this workflow, not this node alone"),
        (Scope.WORKSPACE, "over all action_x calls of the whole workspace"),
    ],
)
def test_a_wider_scope_is_named(scope: Scope, words: str) -> None:
    reliability = make_reliability(make_group(FailureClass.TIMEOUT, 8), scope=scope)
    assert words in history(reliability)
    (first, *_) = evidence_sentences(reliability.groups[0], reliability, node='"A"', connector="action_x")
    assert words in first


def test_a_slow_node_is_held_against_its_own_time_limit() -> None:
    slow = make_reliability(p95_ms=28_000)
    assert "the node gives up at 30 s" in history(slow, timeout_s=30)
    assert "gives up" not in history(slow, timeout_s=300)
    assert "gives up" not in history(slow.model_copy(update={"scope": Scope.WORKSPACE}), timeout_s=30)


def test_a_node_that_reaches_its_limit_is_said_to_be_cut_off() -> None:
    text = history(make_reliability(p95_ms=120_000), timeout_s=120)
    assert "95% of the calls took at most 120 s – the node gives up at 120 s, so the slowest are cut off." in text
    assert "there is little room" in history(make_reliability(p95_ms=28_000), timeout_s=30)


def test_a_trend_is_told_only_where_there_is_one() -> None:
    assert "a clearly larger share failed" in history(make_reliability(trend="worse"))
    assert "a clearly smaller share failed" in history(make_reliability(trend="better"))
    assert "steady" not in history(make_reliability(trend="steady"))


def test_retries_tell_whether_they_helped() -> None:
    assert "3 retries: 2 calls then succeeded." in history(make_reliability(retries=3, recovered=2))
    assert "1 retry: no call then succeeded." in history(make_reliability(retries=1))
    assert "retr" not in history(make_reliability())


def test_failures_of_unknown_class_are_counted_and_sent_to_the_last_scenario() -> None:
    text = history(make_reliability(make_group(FailureClass.UNKNOWN, 3, message="Something went wrong")))
    assert "3 of the failures could not be told apart (typically “Something went wrong”)" in text
    assert "the last scenario of this runbook" in text


def test_a_trend_that_is_not_known_is_not_mentioned() -> None:
    assert "worse" in history(make_reliability(trend="worse"))
    assert "It is" not in history(make_reliability(trend="unknown"))


@pytest.mark.parametrize(
    ("severity", "failure_class", "changes", "expected"),
    [
        ("high", "auth_failed", {"criticality": "critical"}, "critical"),
        ("medium", "timeout", {"criticality": "critical"}, "high"),
        ("medium", "timeout", {"criticality": "high"}, "high"),
        ("high", "auth_failed", {"criticality": "high"}, "high"),
        ("low", "conflict", {"criticality": "high"}, "low"),
        ("medium", "timeout", {"criticality": "medium"}, "medium"),
        ("high", "auth_failed", {"criticality": "low"}, "medium"),
        ("low", "conflict", {"criticality": "low"}, "low"),
        ("critical", "auth_failed", {"criticality": "critical"}, "critical"),
        ("medium", "timeout", {"criticality": "medium", "max_attempts": 3, "access": "read"}, "low"),
        ("medium", "timeout", {"criticality": "medium", "max_attempts": 3, "access": "write"}, "medium"),
        ("medium", "rate_limited", {"criticality": "medium", "max_attempts": 3, "access": "write"}, "low"),
        ("high", "auth_failed", {"criticality": "medium", "max_attempts": 3}, "high"),
        ("high", "auth_failed", {"criticality": "critical", "continue_on_error": True}, "medium"),
    ],
)
def test_severity_is_moved_by_what_hangs_on_the_integration(
    severity: str, failure_class: str, changes: dict[str, object], expected: str
) -> None:
    integration = make_integration(**changes)
    assert severity_of(Severity(severity), FailureClass(failure_class), integration) == expected


def test_going_on_after_an_error_does_not_help_where_the_node_completes() -> None:
    integration = make_integration(continue_on_error=True)
    assert severity_of(Severity.HIGH, FailureClass.UNEXPECTED_RESPONSE, integration, node_fails=False) == "high"
