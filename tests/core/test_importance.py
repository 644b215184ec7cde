from runbooks.core.facts import Facts
from runbooks.core.failure_classes import Severity
from runbooks.core.importance import importance, most_important_first
from runbooks.core.reliability import Reliability, Scope
from tests.support.order_workflow import STRIPE, make_facts, make_integration


def facts(calls: int = 0, failures: int = 0, criticality: Severity = Severity.MEDIUM) -> Facts:
    return make_facts(
        integrations=(make_integration(criticality=criticality),),
        reliability={STRIPE: Reliability(scope=Scope.NODE, calls=calls, failures=failures)},
    )


def test_what_runs_fails_and_matters_comes_first() -> None:
    busy, failing, critical, idle = facts(1000, 5), facts(1000, 300), facts(1000, 300, Severity.CRITICAL), facts()
    assert most_important_first([idle, busy, failing, critical]) == [critical, failing, busy, idle]


def test_three_calls_without_a_failure_do_not_mean_that_nothing_fails() -> None:
    assert importance(facts(3, 0)) > importance(facts()) > 0


def test_without_integrations_there_is_nothing_to_ask_about() -> None:
    assert importance(make_facts(integrations=())) == 0


def test_equal_ones_stay_in_order() -> None:
    first, second = facts(10, 1), facts(10, 1).model_copy(update={"definition_hash": "other"})
    assert most_important_first([first, second]) == [first, second]
