from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.failure_classes import Severity
from runbooks.core.steps import LONGEST_DESCRIPTION, MOST_STEPS, to_steps
from tests.support.runbook_facts import make_facts, make_integration, many_integrations


def test_one_step_a_scenario_the_worst_first_and_the_unknown_failure_last() -> None:
    runbook = CatalogueWriter(load_catalogue()).write(make_facts(make_integration(criticality=Severity.CRITICAL)))
    steps = to_steps(runbook)
    assert len(steps) == len(runbook.sections[0].failure_scenarios) + len(runbook.general)
    ranks = [Severity(step["title"][1:].partition("]")[0]).rank for step in steps[:-1]]
    assert ranks == sorted(ranks, reverse=True)
    assert "A failure that nothing here describes" in steps[-1]["title"]
    assert all(set(step) == {"title", "description"} for step in steps)


def test_a_step_says_how_it_looks_what_to_check_and_what_to_do() -> None:
    (first, *_) = to_steps(CatalogueWriter(load_catalogue()).write(make_facts()))
    assert first["title"].startswith("[critical] Charge card: ") or first["title"].startswith("[high] Charge card: ")
    for word in ("Looks like: ", "Check: ", "Fix: ", "Verify: "):
        assert word in first["description"]


def test_the_list_is_bounded_however_large_the_workflow() -> None:
    runbook = CatalogueWriter(load_catalogue()).write(make_facts(*many_integrations()[:60]))
    steps = to_steps(runbook)
    assert len(steps) == MOST_STEPS
    assert "nothing here describes" in steps[-1]["title"]
    assert all(len(step["description"]) <= LONGEST_DESCRIPTION for step in steps)
