from typing import Any

from runbooks.core.classifier import NO_RULE, Classifier, ErrorFacts, Rule
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.matching import Matching, match
from runbooks.core.phrases import compile_phrase
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection

RATE, BILLING, NETWORK = FailureClass.RATE_LIMITED, FailureClass.QUOTA_OR_BILLING, FailureClass.NETWORK

CLASSIFIER = Classifier(
    [
        Rule("pace", RATE, "test", phrases=(compile_phrase("too many requests"), compile_phrase("per minute"))),
        Rule("money", BILLING, "test", phrases=(compile_phrase("billing"),)),
        Rule("status", RATE, "test", status_codes=frozenset({429})),
    ]
)


def scenario(name: str, failure_class: FailureClass, *symptoms: str) -> FailureScenario:
    return FailureScenario(
        scenario=name,
        symptoms=symptoms,
        diagnosis=("look",),
        remediation=("mend",),
        severity=Severity.MEDIUM,
        failure_class=failure_class,
        scenario_id=name,
    )


SECTION = RunbookSection(
    integration="Sheets",
    node_key="append",
    node_label="Append row",
    failure_scenarios=(
        scenario("unreachable", NETWORK, 'Node "Append row" shows ECONNREFUSED or "no such host"'),
        scenario("pace", RATE, "Status 429"),
        scenario("pace of writes", RATE, 'The error names "write requests per minute"', "Status 429"),
    ),
)
RUNBOOK = Runbook(
    title="Orders",
    summary="",
    sections=(SECTION,),
    escalation_matrix={},
    workflow_name="Orders",
    general=(scenario("time limit", FailureClass.TIMEOUT), scenario("unforeseen", FailureClass.UNKNOWN)),
)


def names(found: Matching) -> list[str]:
    return [one.scenario.scenario for one in found.matches]


def matched(node: str = "append", **error: Any) -> Matching:
    return match(RUNBOOK, node, ErrorFacts(**error), CLASSIFIER)


def test_of_two_scenarios_of_the_class_the_one_that_quotes_the_error_comes_first() -> None:
    found = matched(status_code=429, message="Quota for write requests per minute exceeded")
    assert names(found) == ["pace of writes", "pace", "unforeseen"]
    assert found.matches[0].seen == ("write requests per minute", "429")
    assert "rule pace" in found.matches[0].why


def test_without_a_quoted_text_the_runbooks_order_decides() -> None:
    assert names(matched(message="Too many requests")) == ["pace", "pace of writes", "unforeseen"]


def test_an_unknown_class_gives_the_ranked_list_and_not_a_guess() -> None:
    found = matched(message="no such host")
    assert found.classification.rule == NO_RULE
    assert names(found) == ["unreachable", "pace", "pace of writes", "time limit", "unforeseen"]
    assert "does not tell" in found.matches[0].why


def test_a_class_that_no_scenario_covers_says_so_and_prefers_what_quotes_the_error() -> None:
    found = matched(status_code=429, message="billing problem, status 429")
    assert found.classification.failure_class is BILLING
    assert names(found) == ["pace", "pace of writes", "unreachable", "time limit", "unforeseen"]
    assert "no scenario is of that class" in found.matches[0].why


def test_a_node_without_a_section_gets_the_scenarios_of_the_workflow() -> None:
    found = matched("set fields", message="Too many requests")
    assert found.section is None
    assert names(found) == ["time limit", "unforeseen"]


def test_the_names_of_the_workflow_are_no_sign_of_the_failure() -> None:
    found = matched(message="Append row failed")
    assert all("Append row" not in one.seen for one in found.matches)


def test_the_scenario_for_the_unforeseen_is_always_last() -> None:
    for message in ("Too many requests", "billing", "odd", ""):
        assert names(matched(message=message))[-1] == "unforeseen"


def test_a_status_code_is_found_in_symptoms_though_the_message_has_none() -> None:
    assert matched(status_code=429).matches[0].seen == ("429",)


def test_a_runbook_without_scenarios_matches_nothing() -> None:
    empty = Runbook(title="", summary="", sections=(), escalation_matrix={})
    assert match(empty, "append", ErrorFacts(message="billing"), CLASSIFIER).matches == ()
