from runbooks.core.answer import Answer
from runbooks.core.judging import Judge
from runbooks.core.merge import merge
from tests.support.order_workflow import (
    AUTH,
    SLACK,
    STRIPE,
    TIMEOUT,
    make_answer,
    make_facts,
    make_runbook,
    make_scenario,
    make_section,
)

ASKED = [(STRIPE, AUTH), (STRIPE, TIMEOUT)]


def judge(**changes: object) -> Judge:
    return Judge(make_facts(), make_runbook(**changes), shown={}, steps='3. "Tell sales" slack {channel="#sales"}')


def test_a_good_scenario_is_accepted_and_a_missing_one_is_named() -> None:
    verdict = judge().judge(Answer(scenarios=(make_answer(),)), ASKED)
    assert dict(verdict.accepted) == {(STRIPE, AUTH): make_answer()}
    assert verdict.rejected[STRIPE, TIMEOUT].checks == ("missing",)


def test_what_was_not_asked_for_is_dropped() -> None:
    foreign = [make_answer(node_key="another"), make_answer(scenario_id="stripe.invented"), make_answer(node_key=SLACK)]
    verdict = judge().judge(Answer(scenarios=tuple(foreign)), ASKED)
    assert not verdict.accepted
    assert set(verdict.rejected) == set(ASKED)


def test_a_faulty_scenario_comes_back_with_its_reasons() -> None:
    verdict = judge().judge(Answer(scenarios=(make_answer(remediation=["Check the logs."]),)), ASKED[:1])
    why = verdict.rejected[STRIPE, AUTH]
    assert {"concrete", "way_back"} <= set(why.checks)
    assert len(why.reasons) == len(why.checks)


def test_a_malformed_scenario_comes_back_with_what_is_wrong_with_its_form() -> None:
    verdict = judge().judge(Answer(malformed={(STRIPE, AUTH): "symptoms: Field required"}), ASKED[:1])
    assert verdict.rejected[STRIPE, AUTH].reasons == ("symptoms: Field required",)


def test_another_nodes_facts_do_not_ground_a_text() -> None:
    other = make_section(node_key=SLACK, node_label="Tell sales", history=("99 calls in the last 30 days.",))
    answer = make_answer(symptoms=['At node "Charge card" 99 calls fail with 401 in the error text'])
    runbook = judge(sections=(make_section(), other))
    assert runbook.judge(Answer(scenarios=(answer,)), ASKED[:1]).rejected[STRIPE, AUTH].checks == ("grounded",)


def test_what_the_workflows_steps_say_grounds_a_text() -> None:
    line = 'Orders stop with 401 at "Charge card", and the channel #sales hears nothing from "Tell sales"'
    answer = make_answer(symptoms=[line])
    assert judge().judge(Answer(scenarios=(answer,)), ASKED[:1]).accepted


def test_an_answer_replaces_the_text_and_nothing_else() -> None:
    base = make_runbook()
    merged = merge(base, {(STRIPE, AUTH): make_answer()})
    scenario = merged.sections[0].failure_scenarios[0]
    assert scenario.symptoms == tuple(make_answer().symptoms)
    assert scenario.source == "llm"
    kept = {"symptoms", "diagnosis", "remediation", "source"}
    assert scenario.model_dump(exclude=kept) == make_scenario().model_dump(exclude=kept)
    assert merged.ai_generated
    assert merged.sections[0].failure_scenarios[1] == base.sections[0].failure_scenarios[1]
    assert merged.model_dump(exclude={"sections", "ai_generated"}) == base.model_dump(
        exclude={"sections", "ai_generated"}
    )


def test_without_answers_the_runbook_is_the_catalogues() -> None:
    assert merge(make_runbook(), {}) == make_runbook()


def test_a_copy_of_the_catalogues_text_stays_the_catalogues() -> None:
    own = {name: list(getattr(make_scenario(), name)) for name in ("symptoms", "diagnosis", "remediation")}
    assert merge(make_runbook(), {(STRIPE, AUTH): make_answer(**own)}) == make_runbook()
