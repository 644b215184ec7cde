from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from runbooks.adapters.catalogue_files import load_catalogue, load_classifier
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.failed_execution import (
    CallAttempt,
    EarlierFailure,
    Execution,
    Failure,
    NodeRun,
    completed_before,
    failed_run,
)
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.incident import Incident, explain
from runbooks.core.incident_page import incident_markdown, incident_steps, incident_tags
from runbooks.core.known_workflow import Known
from runbooks.core.recurrence import duration_words
from runbooks.core.runbook import Runbook
from runbooks.core.workflow import Node
from runbooks.errors import DefinitionError
from tests.support.runbook_facts import make_facts, make_integration, make_workflow

FAILED_AT = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
CHARGE = make_integration(repeats=("http_stripe",))
STORE = make_integration(
    node_key="store", node_label="Store order", service="Postgres", operation="insert", method=None, upstream=(),
    repeats=("store", "http_stripe"),
)  # fmt: skip
TELL = make_integration(node_key="tell", service="Slack", operation="", access="unknown", method=None, repeats=())
REFUSED = "Invalid API Key provided: <secret:stripe_key>"
UNTELLING = "something odd came of it"


@cache
def writer() -> CatalogueWriter:
    return CatalogueWriter(load_catalogue())


def write(facts: Facts) -> Runbook:
    return writer().write(facts)


def never(facts: Facts) -> Runbook:
    raise AssertionError("the stored runbook has it already")


def facts_of(**changes: Any) -> Facts:
    return make_facts(CHARGE, STORE, TELL, definition_hash="d1", **changes)


def known(**changes: Any) -> Known:
    facts = facts_of()
    return Known(**{"runbook": write(facts), "facts": facts, **changes})


def run(node_key: str, status: str = "completed", **changes: Any) -> NodeRun:
    return NodeRun(**{"id": f"{node_key}-{status}", "node_key": node_key, "status": status, **changes})


def attempt(status: str = "client_error", **changes: Any) -> CallAttempt:
    return CallAttempt(status=status, **changes)


def failure(
    node_key: str | None = "http_stripe", message: str = REFUSED, *, before: Iterable[str] = (), **changes: Any
) -> Failure:
    execution = Execution(id="e1", workflow_id="w-1", workspace_id="ws-1", failed_at=FAILED_AT, message=message)
    return Failure(
        **{
            "execution": execution,
            "run": run(node_key, "failed", message=message) if node_key else None,
            "before": tuple(run(key) for key in before),
            **changes,
        }
    )


def explained(of: Failure | None = None, knows: Known | None = None, writing: Any = write) -> Incident:
    return explain(of or failure(), knows or known(), load_classifier(), writing)


def earlier(days: float, *, took: float | None = 40, began: float | None = None, message: str = REFUSED) -> Any:
    """A failure so many days before; its incident took so many minutes, or still lasts."""
    at = FAILED_AT - timedelta(days=days)
    began_at = FAILED_AT - timedelta(days=began) if began is not None else at
    recovered = began_at + timedelta(minutes=took) if took is not None else None
    return EarlierFailure(at=at, began_at=began_at, recovered_at=recovered, message=message)


def classes(incident: Incident) -> list[FailureClass]:
    return [one.failure_class for one in incident.section.failure_scenarios]


# --- which scenario ---


def test_title_names_service_trouble_and_node() -> None:
    assert explained().title == "Stripe API: authentication failed at Charge card"


def test_scenario_of_the_errors_class_comes_first_and_the_unforeseen_last() -> None:
    found = explained()
    assert found.failure_class is FailureClass.AUTH_FAILED
    assert classes(found)[0] is FailureClass.AUTH_FAILED
    assert set(classes(found)) == {FailureClass.AUTH_FAILED, FailureClass.UNKNOWN}
    assert classes(found)[-1] is FailureClass.UNKNOWN
    assert found.section.node_key == "http_stripe"


def test_stored_runbook_is_enough_when_it_has_the_scenario() -> None:
    assert explained(writing=never).from_stored


def test_without_a_stored_runbook_the_section_comes_from_the_catalogue() -> None:
    found = explained(knows=known(runbook=None))
    assert not found.from_stored
    assert classes(found)[0] is FailureClass.AUTH_FAILED
    assert found.section.history == ()
    assert found.section.failure_scenarios[0].evidence == found.seen_before


def test_a_node_that_the_stored_runbook_does_not_have_gets_its_section_from_the_catalogue() -> None:
    stored = write(make_facts(STORE))
    found = explained(knows=known(runbook=stored))
    assert not found.from_stored
    assert found.section.integration == "Stripe API"


def test_a_class_that_the_stored_section_lacks_comes_from_the_catalogue() -> None:
    stored = write(facts_of())
    sections = tuple(
        section.model_copy(
            update={
                "failure_scenarios": tuple(
                    one for one in section.failure_scenarios if one.failure_class is not FailureClass.AUTH_FAILED
                )
            }
        )
        for section in stored.sections
    )
    found = explained(knows=known(runbook=stored.model_copy(update={"sections": sections})))
    assert classes(found)[0] is FailureClass.AUTH_FAILED
    assert not found.from_stored


def test_an_error_that_tells_nothing_keeps_the_sections_order_and_ends_with_the_unforeseen() -> None:
    stored = write(facts_of())
    section = next(one for one in stored.sections if one.node_key == "http_stripe")
    found = explained(failure(message=UNTELLING), known(runbook=stored), never)
    assert found.failure_class is FailureClass.UNKNOWN
    shown = [one.scenario_id for one in found.section.failure_scenarios]
    assert shown[: len(section.failure_scenarios)] == [one.scenario_id for one in section.failure_scenarios]
    assert shown[-1] == stored.general[-1].scenario_id
    assert found.fitting is None
    assert found.title == "Stripe API: failed in an unknown way at Charge card"


def test_a_node_inside_the_platform_gets_the_general_scenarios_the_fitting_one_first() -> None:
    workflow = make_workflow(nodes=(*make_workflow().nodes, Node(key="js", type="transform_code", label="Sum up")))
    facts = facts_of(workflow=workflow)
    found = explained(failure("js", "TypeError: x is not a function"), Known(runbook=write(facts), facts=facts), never)
    assert found.section.failure_scenarios[0].scenario_id == "workflow.code"
    assert found.section.integration == "Order Processing Pipeline"
    assert found.title == "Order Processing Pipeline: script fails at Sum up"
    assert classes(found)[-1] is FailureClass.UNKNOWN


def test_an_execution_without_a_failed_node_is_told_by_its_own_error() -> None:
    found = explained(failure(None, "execution timed out after 3600s"))
    assert found.failure_class is FailureClass.TIMEOUT
    assert found.title.startswith("Order Processing Pipeline: ")
    assert " at " not in found.title.removeprefix("Order Processing Pipeline: ")
    assert "no runs of nodes" in found.section.rerun


def test_last_attempt_decides_and_every_attempt_is_told() -> None:
    attempts = (attempt("server_error", status_code=503), attempt("timeout"), attempt(status_code=429))
    found = explained(failure(message="request failed", attempts=attempts))
    assert found.failure_class is FailureClass.RATE_LIMITED
    assert found.attempts == "3 calls, ended with: server error 503, timeout, client error 429."


def test_a_call_that_succeeded_does_not_explain_the_failure_after_it() -> None:
    attempts = (attempt("server_error", status_code=503), attempt("success", status_code=200))
    assert explained(failure(attempts=attempts)).failure_class is FailureClass.AUTH_FAILED


def test_what_the_service_answered_stands_beside_the_nodes_own_error() -> None:
    said = attempt(status_code=402, error_code="card_declined", message="Your card was declined.")
    found = explained(failure(message="client error: status 402", attempts=(said,)))
    assert found.error == "“client error: status 402”, “Your card was declined.” (status 402, code card_declined)"


# --- severity, source, notes ---


def test_severity_is_that_of_the_fitting_scenario() -> None:
    found = explained()
    assert found.severity is found.section.failure_scenarios[0].severity is found.section.severity


def test_severity_of_an_unknown_failure_is_that_of_the_scenario_for_it() -> None:
    found = explained(failure(message=UNTELLING))
    assert found.severity is found.section.failure_scenarios[-1].severity


@pytest.mark.parametrize("source", ["llm", "catalogue"])
def test_ai_generated_only_if_a_model_wrote_what_is_shown(source: str) -> None:
    stored = write(facts_of())
    sections = tuple(
        section.model_copy(
            update={
                "failure_scenarios": tuple(
                    one.model_copy(
                        update={"source": source if one.failure_class is FailureClass.AUTH_FAILED else "llm"}
                    )
                    for one in section.failure_scenarios
                )
            }
        )
        for section in stored.sections
    )
    found = explained(knows=known(runbook=stored.model_copy(update={"sections": sections, "ai_generated": True})))
    assert found.ai_generated == (source == "llm")
    assert ("ai-generated" in incident_tags(found)) == (source == "llm")


def test_a_runbook_of_another_definition_says_so() -> None:
    assert explained().notes == ()
    changed = facts_of().model_copy(update={"definition_hash": "d2"})
    (note,) = explained(knows=known(facts=changed)).notes
    assert "changed after this runbook was written" in note


def test_an_unreadable_definition_leaves_the_stored_runbook() -> None:
    found = explained(failure(before=["trigger_1"]), known(facts=None, problem="column nodes holds no readable JSON"))
    assert classes(found)[0] is FailureClass.AUTH_FAILED
    assert "column nodes" in found.notes[0]
    assert "not known" in found.section.rerun


def test_neither_definition_nor_runbook_is_an_error_that_says_why() -> None:
    with pytest.raises(DefinitionError, match="column nodes"):
        explained(knows=Known(problem="workflow w-1: column nodes holds no readable JSON"))


# --- what ran before ---


def test_what_a_rerun_would_repeat_is_what_really_ran() -> None:
    found = explained(failure("store", "deadlock detected", before=["trigger_1", "http_stripe"]))
    assert 'Done already: "Charge card" (POST /v1/charges, Stripe API).' in found.done_before
    assert 'make "Charge card" act a second time' in found.section.rerun
    skipped = explained(failure("store", "deadlock detected", before=["trigger_1"]))
    assert "Charge card" not in skipped.section.rerun
    assert 'Node "Store order"' in skipped.section.rerun


def test_a_node_of_which_nobody_knows_what_it_did_is_named() -> None:
    found = explained(failure("store", "deadlock detected", before=["tell", "gone"]))
    assert 'Whether "Tell sales" and "gone" have changed anything elsewhere' in found.section.rerun


def test_iterations_that_completed_before_are_counted() -> None:
    found = explained(failure(before=["http_stripe", "http_stripe"]))
    assert 'Node "Charge card" itself had completed 2 times before it failed.' in found.done_before
    assert '"Charge card" (POST /v1/charges, Stripe API), 2 times' in found.section.rerun


def test_inside_the_platform_a_rerun_is_safe_when_nothing_was_changed() -> None:
    safe = explained(failure("trigger_1", "TypeError", before=[]))
    assert "Safe to run again" in safe.section.rerun
    unsafe = explained(failure("trigger_1", "TypeError", before=["http_stripe"]))
    assert "Safe" not in unsafe.section.rerun
    assert "A full re-run would repeat that" in unsafe.section.rerun


# --- what was before ---


def test_third_time_this_week_and_how_long_it_took_last_time() -> None:
    found = explained(failure(earlier=(earlier(1), earlier(3, took=200), earlier(12))))
    assert found.seen_before == (
        'Third time in 7 days that node "Charge card" fails this way.',
        "Last time, on 2026-03-30 12:00 UTC, it took 40 minutes until an execution completed again.",
        "In all 3 earlier executions failed this way in 30 days.",
    )
    assert found.section.failure_scenarios[0].evidence[:3] == found.seen_before
    assert "Third time in 7 days" in found.summary


def test_failures_of_one_incident_count_as_one_time() -> None:
    one_incident = [earlier(days, began=2.2, took=600) for days in (2.0, 2.1, 2.2)]
    found = explained(failure(earlier=tuple(one_incident)))
    assert found.seen_before[0] == 'Second time in 7 days that node "Charge card" fails this way.'
    assert found.seen_before[2] == "In all 3 earlier executions failed this way in 30 days."


def test_an_incident_that_still_lasts_is_told_as_such() -> None:
    lasting = (earlier(0.1, took=None, began=0.2), earlier(0.2, took=None, began=0.2))
    found = explained(failure(earlier=lasting))
    assert found.seen_before == (
        "It has been going on since 2026-03-31 07:12 UTC: 2 earlier executions have failed at this node since then, "
        "and none has completed.",
    )


def test_failures_of_another_kind_are_not_the_same_trouble() -> None:
    found = explained(failure(earlier=(earlier(1, message="context deadline exceeded"),)))
    assert found.seen_before == (
        'No failure of this kind at node "Charge card" in the 30 days before.',
        "One earlier execution failed at this node in another way.",
    )


def test_an_older_failure_is_counted_in_the_whole_window() -> None:
    found = explained(failure(earlier=(earlier(20, took=3 * 24 * 60),)))
    assert found.seen_before == (
        'Second time in 30 days that node "Charge card" fails this way.',
        "Last time, on 2026-03-11 12:00 UTC, it took 3 days until an execution completed again.",
    )


def test_errors_of_unknown_class_are_the_same_when_their_words_are() -> None:
    before = (earlier(1, message="odd thing 17 at row 3"), earlier(2, message="a wholly different matter"))
    found = explained(failure(message="odd thing 99 at row 4", earlier=before))
    assert found.failure_class is FailureClass.UNKNOWN
    assert found.seen_before[0].startswith("Second time in 7 days")


def test_more_than_could_be_looked_at_is_at_least_so_many() -> None:
    found = explained(failure(earlier=tuple(earlier(day) for day in range(1, 13)), earlier_cut=True))
    assert found.seen_before[0].startswith("At least the 7th time in 7 days")
    assert found.seen_before[2].startswith("In all at least 12 earlier executions")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0.5, "30 seconds"), (1.5, "90 seconds"), (40, "40 minutes"), (150, "150 minutes"), (180, "3 hours"),
     (47 * 60, "47 hours"), (72 * 60, "3 days")],
)  # fmt: skip
def test_durations_are_as_exact_as_one_speaks(minutes: float, said: str) -> None:
    assert duration_words(timedelta(minutes=minutes)) == said


# --- which run failed ---


def test_first_failed_node_counts_with_its_last_run() -> None:
    runs = [run("a"), run("b", "failed", id="1"), run("b", "failed", id="2"), run("c", "failed")]
    found = failed_run(runs)
    assert found is not None
    assert found.id == "2"


def test_a_failure_that_the_workflow_lives_with_is_not_the_one() -> None:
    runs = [run("a", "failed"), run("b", "failed")]
    assert failed_run(runs, survived={"a"}) == runs[1]
    assert failed_run(runs[:1], survived={"a"}) == runs[0]


def test_a_failed_run_that_was_made_good_is_not_the_one() -> None:
    runs = [run("a", "failed"), run("a"), run("b", "failed")]
    assert failed_run(runs) == runs[2]


def test_without_a_failed_run_the_error_or_what_was_running_tells_the_node() -> None:
    runs = [run("a"), run("b", "running")]
    assert failed_run(runs) == runs[1]
    named = failed_run(runs, named_node="x")
    assert named is not None
    assert named.node_key == "x"
    assert failed_run([run("a")]) is None


def test_only_what_completed_before_the_failure_ran_before_it() -> None:
    runs = [run("a"), run("b", "failed"), run("c")]
    assert completed_before(runs, runs[1]) == (runs[0],)
    assert completed_before(runs, None) == (runs[0], runs[2])


# --- how it is shown ---


def test_steps_lead_from_what_happened_to_the_fix_and_to_what_else_it_may_be() -> None:
    found = explained(failure(earlier=(earlier(1),)))
    titles = [one["title"] for one in incident_steps(found)]
    assert titles[:2] == ["What happened", "Seen before"]
    order = [
        next(place for place, title in enumerate(titles) if title.startswith(start))
        for start in ("[", "Diagnose", "Fix", "Before you run it again", "Verify", "Escalate", "If that is not it")
    ]
    assert order == sorted(order)
    assert all(set(one) == {"title", "description"} and len(one["description"]) <= 900 for one in incident_steps(found))


def test_steps_of_an_unknown_failure_are_its_candidates() -> None:
    titles = [one["title"] for one in incident_steps(explained(failure(message=UNTELLING)))]
    assert len([title for title in titles if title.startswith("It may be: ")]) > 3
    assert not any(title.startswith("Fix") for title in titles)


def test_page_has_the_facts_before_the_scenario_and_the_contacts() -> None:
    found = explained(failure("store", "deadlock detected", before=["http_stripe"], earlier=(earlier(1),)))
    page = incident_markdown(found)
    places = [page.index(part) for part in ("# Postgres", "Error:", "Run it again?", "## What fits", "## Escalation")]
    assert places == sorted(places)
    assert found.section.failure_scenarios[0].scenario in page


def test_page_keeps_its_shape_whatever_the_error_says() -> None:
    page = incident_markdown(explained(failure(message="boom\n# Not a heading\n<script>alert(1)</script> | x")))
    assert "\n# Not a heading" not in page
    assert "<script>" not in page


def test_tags_say_what_it_is_about() -> None:
    assert incident_tags(explained()) == ["reactive", "auth_failed", "catalogue", "Stripe API"]


def test_a_scenario_worse_than_medium_stays_so() -> None:
    critical = make_integration(repeats=("http_stripe",), criticality=Severity.CRITICAL)
    facts = make_facts(critical)
    assert explained(knows=Known(runbook=write(facts), facts=facts)).severity is Severity.CRITICAL
