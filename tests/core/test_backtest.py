from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbooks.core import backtest
from runbooks.core.backtest import PastCall, Stored, Tally, is_claimed, replay
from runbooks.core.backtest_report import BacktestReport, Chance, Reason
from runbooks.core.classifier import Classifier, Rule
from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import compile_phrase
from runbooks.core.recall import Recall
from tests.support.stored import make_runbook, make_scenario, make_section

RATE, AUTH, TIMEOUT, TLS = (
    FailureClass.RATE_LIMITED, FailureClass.AUTH_FAILED, FailureClass.TIMEOUT, FailureClass.TLS,
)  # fmt: skip
CLASSIFIER = Classifier(
    [
        Rule(kind.value, kind, "test", phrases=(compile_phrase(kind.value.replace("_", " ")),))
        for kind in (RATE, AUTH, TIMEOUT, TLS)
    ]
)
WRITTEN = datetime(2026, 3, 10, tzinfo=UTC)
SECTION = make_section("pay", TIMEOUT, AUTH, RATE, RATE, node_type="action_http_request")
RUNBOOK = make_runbook(SECTION)


def failure(message: str, **changes: Any) -> PastCall:
    given = {"workflow_id": "w1", "node_key": "pay", "connector_key": "action_http_request", "message": message}
    return PastCall(**{**given, **changes})


def tally(*failures: PastCall, stored: bool = True) -> BacktestReport:
    found = Tally()
    for one in failures:
        found.add(one, Stored(RUNBOOK, WRITTEN) if stored else None, CLASSIFIER)
    return found.report(taken_at=WRITTEN, workspace_id=None, days=90)


def test_failure_is_found_first_by_its_error_and_at_its_place_by_reading() -> None:
    outcome = replay(failure("rate limited"), RUNBOOK, CLASSIFIER)
    assert (outcome.failure_class, outcome.service) == (RATE, "Stripe API")
    assert (outcome.matched, outcome.as_read, outcome.scenarios, outcome.fitting) == (1, 3, 4, 2)
    assert outcome.reason is None


@pytest.mark.parametrize(
    ("found", "runbook", "reason"),
    [
        (failure("rate limited"), None, Reason.NO_RUNBOOK),
        (failure("rate limited", node_key="another"), RUNBOOK, Reason.NO_SECTION),
        (failure("rate limited", node_key="", connector_key="slack"), RUNBOOK, Reason.NO_SECTION),
        (failure("odd"), RUNBOOK, Reason.UNKNOWN_CLASS),
        (failure("tls"), RUNBOOK, Reason.NO_SCENARIO),
    ],
)
def test_what_is_not_found_has_a_reason(found: PastCall, runbook: Any, reason: Reason) -> None:
    outcome = replay(found, runbook, CLASSIFIER)
    assert (outcome.matched, outcome.as_read, outcome.reason) == (None, None, reason)


def test_the_scenario_for_everything_finds_nothing() -> None:
    assert any(one.failure_class is FailureClass.UNKNOWN for one in RUNBOOK.general)
    assert replay(failure("odd"), RUNBOOK, CLASSIFIER).matched is None


def test_error_of_unknown_class_is_found_where_a_scenario_quotes_it() -> None:
    quoting = make_scenario(TLS, symptoms=('The error says "the moon is full"',))
    section = SECTION.model_copy(update={"failure_scenarios": (*SECTION.failure_scenarios[:2], quoting)})
    outcome = replay(failure("odd: the moon is full"), make_runbook(section), CLASSIFIER)
    assert (outcome.failure_class, outcome.matched, outcome.as_read) == (FailureClass.UNKNOWN, 3, None)


def test_call_that_names_no_node_is_held_against_the_section_of_its_connector() -> None:
    assert replay(failure("timeout", node_key=""), RUNBOOK, CLASSIFIER).matched == 1


def test_node_without_section_may_be_found_among_the_workflows_own_scenarios() -> None:
    runbook = make_runbook(SECTION, general=(make_scenario(TLS), make_scenario(FailureClass.UNKNOWN)))
    outcome = replay(failure("tls", node_key="code"), runbook, CLASSIFIER)
    assert (outcome.matched, outcome.as_read, outcome.scenarios) == (1, 1, 2)


def test_recall_is_weighed_by_count_and_by_different_failures() -> None:
    report = tally(failure("rate limited", count=8), failure("timeout", count=1), failure("odd", count=1))
    assert report.matched == Recall(failures=10, at_1=9, at_3=9)
    assert report.matched_distinct == Recall(failures=3, at_1=2, at_3=2)
    assert report.as_read == Recall(failures=10, at_1=1, at_3=9)
    assert report.as_read_distinct == Recall(failures=3, at_1=1, at_3=2)
    assert (report.matched.share_at_1, report.as_read.share_at_3) == (0.9, 0.9)
    assert report.reasons == {Reason.UNKNOWN_CLASS: 1}


def test_chance_is_that_of_a_random_order() -> None:
    # One of four is first once in four, and among three of four three times in four.
    assert tally(failure("timeout")).by_chance == Chance(share_at_1=0.25, share_at_3=0.75)
    assert tally(failure("timeout"), failure("odd")).by_chance == Chance(share_at_1=0.125, share_at_3=0.375)
    assert tally(failure("rate limited")).by_chance == Chance(share_at_1=0.5, share_at_3=1.0)


def test_slices_add_up_and_the_most_frequent_comes_first() -> None:
    report = tally(failure("timeout", count=2), failure("rate limited", count=5), failure("odd", node_key="x"))
    assert [(one.name, one.matched.failures) for one in report.by_class] == [
        ("rate_limited", 5), ("timeout", 2), ("unknown", 1),
    ]  # fmt: skip
    assert [(one.name, one.matched, one.distinct.failures) for one in report.by_service] == [
        ("Stripe API", Recall(failures=7, at_1=7, at_3=7), 2),
        ("action_http_request", Recall(failures=1), 1),
    ]


def test_failures_newer_than_their_runbook_are_told_apart() -> None:
    report = tally(
        failure("timeout", count=3, first_at=WRITTEN + timedelta(days=1)),
        failure("tls", first_at=WRITTEN + timedelta(days=1)),
        failure("timeout", count=50, first_at=WRITTEN - timedelta(days=1)),
    )
    assert report.unseen == Recall(failures=4, at_1=3, at_3=3)


def test_uncovered_failures_are_grouped_over_nodes_and_redacted() -> None:
    secret = "sk_live_" + "0notarealkey0" * 2
    report = tally(
        failure("odd", count=2), failure("odd", count=3, workflow_id="w2"), failure(f"odd {secret}", status_code=400)
    )
    first = report.uncovered[0]
    assert (first.message, first.failures, first.nodes) == ("odd", 5, 2)
    assert (report.uncovered[1].status_code, report.uncovered[1].reason) == (400, Reason.UNKNOWN_CLASS)
    assert secret not in report.model_dump_json()


def test_memory_is_bounded_and_the_frequent_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "MOST_REMEMBERED", 10)
    report = tally(failure("often", count=99), *(failure(f"odd {number}") for number in range(200)))
    assert report.uncovered[0].message == "often"
    assert len(report.uncovered) <= 10
    assert (report.matched.failures, report.reasons[Reason.UNKNOWN_CLASS]) == (299, 299)


def test_calls_that_succeeded_are_claimed_only_where_a_rule_or_a_quote_fires() -> None:
    found = Tally()
    stored = Stored(RUNBOOK, WRITTEN)
    for message, count in ((None, 90), ("OK", 5), ("timeout", 2)):
        found.add_control(failure(message or "", status="success", status_code=200, count=count), stored, CLASSIFIER)
    assert (found.controls.calls, found.controls.claimed) == (97, 2)
    assert not is_claimed(failure("", status="success", status_code=200), RUNBOOK, CLASSIFIER)


def test_nothing_to_test_with_has_no_share() -> None:
    report = tally()
    assert (report.matched.share_at_1, report.matched.share_at_3) == (None, None)


def test_without_a_runbook_the_class_is_told_all_the_same() -> None:
    report = tally(failure("timeout", count=4), stored=False)
    assert report.reasons == {Reason.NO_RUNBOOK: 4}
    assert [one.name for one in report.by_class] == ["timeout"]
