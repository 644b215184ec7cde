import pytest

from runbooks.core.evaluation import evaluation_of, score
from runbooks.core.runbook import Runbook
from tests.support.order_workflow import make_facts, make_runbook, make_scenario, make_section

BASE = make_runbook()


def written(*diagnosis: str) -> Runbook:
    scenario = make_scenario(diagnosis=diagnosis, source="llm")
    return make_runbook(sections=(make_section(failure_scenarios=(scenario,)), BASE.sections[1]))


def test_the_catalogues_own_runbook_claims_nothing_that_is_not_known() -> None:
    result = score(make_facts(), BASE, BASE)
    assert (result.grounding, result.unsupported_claims, result.scenarios_by_llm) == (1.0, 0, 0)


def test_an_invented_figure_is_an_unsupported_claim() -> None:
    result = score(make_facts(), BASE, written("If more than 98765 orders wait at the node, stop the intake."))
    assert result.unsupported_claims == 1
    assert result.grounding == pytest.approx(0.5)
    assert result.failed_checks["grounded"] == 1
    assert result.scenarios_by_llm == 1


def test_empty_advice_is_not_actionable_and_names_nothing() -> None:
    good, bad = score(make_facts(), BASE, BASE), score(make_facts(), BASE, written("Check the logs.", "Try again."))
    assert bad.actionability < good.actionability == 1.0
    assert bad.specificity < good.specificity


def test_a_missing_section_is_not_complete() -> None:
    complete = score(make_facts(), BASE, BASE).completeness
    assert score(make_facts(), BASE, make_runbook(sections=BASE.sections[:1])).completeness < complete


def test_a_line_that_is_said_twice_is_redundant() -> None:
    twice = "Open the newest failed execution and read the error body."
    assert score(make_facts(), BASE, written(twice, twice)).redundancy > score(make_facts(), BASE, BASE).redundancy


def test_long_sentences_are_hard_to_read() -> None:
    endless = "Look " + "at the node and then " * 12 + "at its error."
    assert score(make_facts(), BASE, written(endless)).readability < score(make_facts(), BASE, BASE).readability


def test_figures_are_summed_up() -> None:
    one = score(make_facts(), BASE, BASE).model_copy(update={"cost_usd": 0.25, "tokens": 100, "seconds": 1.0})
    other = score(make_facts(), BASE, written("If 98765 orders wait, stop.")).model_copy(
        update={"tokens": 50, "seconds": 3.0, "fallback_reason": "down"}
    )
    total = evaluation_of("m", [one, other])
    assert (total.workflows, total.tokens, total.cost_usd, total.seconds) == (2, 150, 0.25, 2.0)
    assert total.unsupported_claims == 1
    assert total.fallbacks == {"down": 1}
    assert total.averages["grounding"] == pytest.approx(0.75)
