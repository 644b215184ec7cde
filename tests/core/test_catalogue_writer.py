import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.coverage import REQUIRED_CLASSES
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.graph import LONGEST_LIST
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.reliability import Scope
from runbooks.core.runbook import FailureScenario, Runbook
from runbooks.core.selection import FIRST_STEPS, MANY, VERY_MANY
from runbooks.core.workflow import Dialect, Edge, Node
from tests.support.runbook_facts import (
    DIALECTS,
    make_facts,
    make_group,
    make_integration,
    make_reliability,
    make_workflow,
    many_integrations,
)

VAGUE = re.compile(
    r"check the logs?\b|as appropriate|if needed|\bTBD\b|\bTODO\b|verify (that )?it works", re.IGNORECASE
)
CHANGING = re.compile(
    r"^(create|enter|set|raise|switch|add|remove|restore|choose|reconnect|deactivate|activate)\b", re.I
)


@pytest.fixture(scope="module")
def writer() -> CatalogueWriter:
    return CatalogueWriter(load_catalogue())


@pytest.fixture(scope="module")
def runbooks(writer: CatalogueWriter) -> list[Runbook]:
    written = []
    for dialect in DIALECTS:
        workflow = make_workflow(dialect=dialect)
        for integration in many_integrations():
            written.append(writer.write(make_facts(integration, workflow=workflow)))
    return written


def scenarios_of(runbook: Runbook) -> Iterator[FailureScenario]:
    for section in runbook.sections:
        yield from section.failure_scenarios
    yield from runbook.general


def texts_of(scenario: FailureScenario) -> tuple[str, ...]:
    return (
        *scenario.symptoms,
        *scenario.diagnosis,
        *scenario.remediation,
        *scenario.verification,
        *scenario.prevention,
        scenario.escalation,
    )


def test_every_integration_has_a_scenario_for_each_required_failure(runbooks: list[Runbook]) -> None:
    assert len(runbooks) > 500
    for runbook in runbooks:
        (section,) = runbook.sections
        classes = {scenario.failure_class for scenario in section.failure_scenarios}
        assert all(required & classes for required in REQUIRED_CLASSES), (section.kind, classes)


def test_no_part_of_a_scenario_is_empty_and_no_placeholder_is_left(runbooks: list[Runbook]) -> None:
    for runbook in runbooks:
        for scenario in scenarios_of(runbook):
            for part in ("symptoms", "diagnosis", "remediation", "verification", "prevention", "escalation"):
                assert getattr(scenario, part), (scenario.scenario_id, part)
            for text in texts_of(scenario):
                assert not re.search(r"[{}]|%\(", text), (scenario.scenario_id, text)
                assert text == text.strip()
                assert text[0].isupper() or not text[0].isalpha(), text


def test_every_diagnosis_branches_and_no_step_is_vague(runbooks: list[Runbook]) -> None:
    for runbook in runbooks:
        for scenario in scenarios_of(runbook):
            joined = " ".join(scenario.diagnosis)
            assert re.search(r"\b(if|else|means?|which|whether)\b|;", joined, re.IGNORECASE), scenario.scenario_id
            assert len(scenario.diagnosis) <= 7
            assert len(scenario.remediation) <= 7
            assert not VAGUE.search(" ".join(texts_of(scenario))), scenario.scenario_id


def test_a_step_that_changes_something_says_how_to_undo_it(runbooks: list[Runbook]) -> None:
    for runbook in runbooks:
        for scenario in scenarios_of(runbook):
            for step in scenario.remediation:
                assert not CHANGING.match(step) or "Undo: " in step, (scenario.scenario_id, step)


def test_every_escalation_names_the_contact_of_its_severity_and_what_to_hand_over(runbooks: list[Runbook]) -> None:
    for runbook in runbooks:
        for scenario in scenarios_of(runbook):
            assert runbook.escalation_matrix[scenario.severity.value] in scenario.escalation
            assert "Hand over: " in scenario.escalation
            assert re.search(r"not fixed in |At once", scenario.escalation)


def test_an_unauthenticated_call_has_no_credential_to_expire(writer: CatalogueWriter) -> None:
    facts = make_facts(
        make_integration(
            service_id="http",
            kind=IntegrationKind.HTTP_API,
            authentication=Authentication.NONE,
            credential=None,
            access="read",
        )
    )
    (section,) = writer.write(facts).sections
    ids = [scenario.scenario_id for scenario in section.failure_scenarios]
    assert "http_api.auth_required" in ids
    assert "http_api.auth_failed" not in ids
    text = " ".join(text for scenario in section.failure_scenarios for text in texts_of(scenario))
    assert "expired" not in text
    assert "Credentials page as a new credential" in text


def test_scenarios_keep_the_id_of_the_file_that_says_most(writer: CatalogueWriter) -> None:
    (section,) = writer.write(make_facts()).sections
    ids = [scenario.scenario_id for scenario in section.failure_scenarios]
    assert {"stripe.auth_failed", "payments.payment_state", "http_api.server_error"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_what_history_shows_comes_first_with_its_figures(writer: CatalogueWriter) -> None:
    reliability = make_reliability(
        make_group(FailureClass.RATE_LIMITED, 12, message="Request rate limit exceeded"),
        make_group(FailureClass.NETWORK, 3),
    )
    (section,) = writer.write(make_facts(reliability={"http_stripe": reliability})).sections
    first, second, third = section.failure_scenarios[:3]
    assert [first.failure_class, second.failure_class] == [FailureClass.RATE_LIMITED, FailureClass.NETWORK]
    assert first.evidence[0] == (
        '12 failures of this kind in 200 calls (6.0%) in the last 30 days, measured at node "Charge card"; '
        "last seen 2026-03-01 14:05 UTC."
    )
    assert "Request rate limit exceeded" in first.evidence[1]
    assert third.evidence == ()


def test_without_history_the_order_is_by_prior(writer: CatalogueWriter) -> None:
    (section,) = writer.write(make_facts()).sections
    knowledge = writer.catalogue.knowledge("stripe", IntegrationKind.PAYMENTS)
    priors = {scenario.id: scenario.prior for scenario in knowledge.scenarios}
    order = [priors[scenario.scenario_id] for scenario in section.failure_scenarios]
    assert order == sorted(order, reverse=True)


def test_a_failure_that_was_seen_has_a_scenario_although_it_is_not_usual(writer: CatalogueWriter) -> None:
    integration = make_integration(service_id="http", kind=IntegrationKind.HTTP_API, access="read")
    plain = writer.write(make_facts(integration)).sections[0]
    assert FailureClass.CONFLICT not in {one.failure_class for one in plain.failure_scenarios}
    reliability = make_reliability(make_group(FailureClass.CONFLICT, 2), make_group(FailureClass.TLS, 1))
    seen = writer.write(make_facts(integration, reliability={"http_stripe": reliability})).sections[0]
    assert [one.failure_class for one in seen.failure_scenarios[:2]] == [FailureClass.CONFLICT, FailureClass.TLS]


def test_evidence_goes_to_the_scenario_whose_symptoms_the_message_has(writer: CatalogueWriter) -> None:
    group = make_group(FailureClass.INVALID_REQUEST, 4, message="Your card was declined: card_declined")
    (section,) = writer.write(make_facts(reliability={"http_stripe": make_reliability(group)})).sections
    with_evidence = [one.scenario_id for one in section.failure_scenarios if one.evidence]
    assert with_evidence == ["stripe.card_declined"]


def test_a_workspace_figure_is_never_shown_as_the_nodes_own(writer: CatalogueWriter) -> None:
    reliability = make_reliability(make_group(FailureClass.NETWORK, 20), scope=Scope.WORKSPACE, source="daily")
    (section,) = writer.write(make_facts(reliability={"http_stripe": reliability})).sections
    evidence = [sentence for one in section.failure_scenarios for sentence in one.evidence]
    for sentence in [section.history[0], evidence[0]]:
        assert "whole workspace" in sentence
        assert "not this node's own figure" in sentence
        assert "measured at node" not in sentence


def test_no_history_is_said_plainly_and_history_left_out_differently(writer: CatalogueWriter) -> None:
    none = writer.write(make_facts())
    left_out = writer.write(make_facts(history_included=False))
    assert none.sections[0].history[0].startswith("No history: the last 30 days have no recorded call")
    assert "left out on request" in left_out.sections[0].history[0]
    assert "No history" not in json.dumps(left_out.model_dump(mode="json"))


def test_the_last_general_scenario_is_for_the_failure_nobody_foresaw(runbooks: list[Runbook]) -> None:
    for runbook in runbooks:
        assert runbook.general[-1].scenario_id == "workflow.unknown"
        assert [one.scenario_id for one in runbook.general].count("workflow.unknown") == 1


def test_a_workflow_without_integrations_gets_a_short_runbook_of_what_is_inside(writer: CatalogueWriter) -> None:
    nodes = (
        Node(key="t", type="trigger_schedule", label="Every night"),
        Node(key="a", type="action_approval", label="Boss says yes"),
        Node(key="l", type="logic_loop", label="Each row"),
        Node(key="c", type="transform_code", label="Sum up"),
    )
    workflow = make_workflow(nodes=nodes, trigger_type="schedule", timeout_s=3600)
    runbook = writer.write(make_facts(workflow=workflow).model_copy(update={"integrations": ()}))
    ids = [one.scenario_id for one in runbook.general]
    assert runbook.sections == ()
    assert {"workflow.schedule_silent", "workflow.approval", "workflow.loop", "workflow.code"} <= set(ids)
    assert "workflow.webhook_silent" not in ids
    assert "calls nothing outside the platform" in runbook.summary
    text = " ".join(" ".join(texts_of(one)) for one in runbook.general)
    assert '"Boss says yes"' in text
    assert "about 1 h" in text


def test_title_and_summary_name_the_workflow_and_what_it_depends_on(writer: CatalogueWriter) -> None:
    database = make_integration(
        node_key="store", service="PostgreSQL", service_id="postgres", kind=IntegrationKind.DATABASE
    )
    runbook = writer.write(make_facts(make_integration(), database))
    assert runbook.title == "Runbook: Order Processing Pipeline"
    assert "Stripe API and PostgreSQL" in runbook.summary
    assert 2 <= len(re.findall(r"[.] |[.]$", runbook.summary)) <= 3


def test_impact_and_rerun_name_the_nodes_that_stop_and_that_would_act_twice(writer: CatalogueWriter) -> None:
    tell = make_integration(
        node_key="tell",
        service="Slack",
        service_id="slack",
        kind=IntegrationKind.MESSAGING,
        repeats=("http_stripe", "store"),
        downstream=(),
        method=None,
    )
    runbook = writer.write(make_facts(make_integration(), tell))
    charge, message = runbook.sections
    assert '"Store order" and "Tell sales" do not run' in charge.impact
    assert "a second charge" in charge.rerun
    assert '"Charge card" and "Store order" act a second time' in message.rerun
    assert "a second message" in message.rerun


def test_an_error_output_takes_over_where_the_node_fails(writer: CatalogueWriter) -> None:
    handled = make_integration(error_branch=("tell",), downstream=("store",))
    (section,) = writer.write(make_facts(handled)).sections
    assert "goes on at its error output" in section.impact
    assert '"Tell sales" runs, "Store order" does not run' in section.impact
    assert "ends as failed" not in section.impact


def test_an_error_output_that_leads_nowhere_hides_the_failure(writer: CatalogueWriter) -> None:
    nodes = tuple(
        node.model_copy(update={"has_error_output": node.key == "http_stripe"}) for node in make_workflow().nodes
    )
    (section,) = writer.write(make_facts(workflow=make_workflow(nodes=nodes))).sections
    assert "Nothing is connected to its error output" in section.impact
    assert '"Store order" and "Tell sales" do not run' in section.impact
    assert "ends as completed" in section.impact


def test_a_list_of_nodes_that_was_cut_has_no_count(writer: CatalogueWriter) -> None:
    nodes = tuple(Node(key=f"n{number}", type="action_slack", label=f"n{number}") for number in range(40))
    first = make_integration(node_key="n0", downstream=tuple(f"n{number}" for number in range(1, LONGEST_LIST + 1)))
    (section,) = writer.write(make_facts(first, workflow=make_workflow(nodes=nodes))).sections
    assert '"n1", "n2", "n3" and many more do not run' in section.impact


def facts_of_many(number: int, **changes: Any) -> Facts:
    nodes = tuple(Node(key=f"n{place}", type="integration_stripe", label=f"Charge {place}") for place in range(number))
    edges = tuple(Edge(source=f"n{place}", target=f"n{place + 1}") for place in range(number - 1))
    integrations = [make_integration(node_key=node.key, node_label=node.label) for node in nodes]
    return make_facts(*integrations, workflow=make_workflow(nodes=nodes, edges=edges), **changes)


def test_with_very_many_integrations_each_keeps_the_required_failures_and_those_seen(writer: CatalogueWriter) -> None:
    seen = make_reliability(make_group(FailureClass.CONFLICT, 3), make_group(FailureClass.SERVER_ERROR, 9))
    runbook = writer.write(facts_of_many(MANY, reliability={"n7": seen}))
    assert len(runbook.sections) == MANY
    for section in runbook.sections:
        classes = {scenario.failure_class for scenario in section.failure_scenarios}
        assert all(required & classes for required in REQUIRED_CLASSES)
        assert len(section.failure_scenarios) == len(REQUIRED_CLASSES) or section.node_key == "n7"
    classes = {scenario.failure_class for scenario in runbook.sections[7].failure_scenarios}
    assert {FailureClass.CONFLICT, FailureClass.SERVER_ERROR} < classes
    assert [note for note in runbook.notes if "150 integrations are too many" in note]
    assert len(writer.write(facts_of_many(MANY - 1)).sections[0].failure_scenarios) > len(REQUIRED_CLASSES)


def test_thousands_of_integrations_stay_a_few_kilobytes_each(writer: CatalogueWriter) -> None:
    started = time.perf_counter()
    runbook = writer.write(facts_of_many(VERY_MANY))
    assert time.perf_counter() - started < 2
    for scenario in (scenario for section in runbook.sections for scenario in section.failure_scenarios):
        assert 1 <= len(scenario.symptoms) <= FIRST_STEPS
        assert 1 <= len(scenario.diagnosis) <= FIRST_STEPS
        assert 1 <= len(scenario.remediation) <= FIRST_STEPS
        assert scenario.verification
    assert len(runbook.model_dump_json()) < 7_000 * VERY_MANY
    assert "first steps" in " ".join(runbook.notes)


def test_the_runbook_has_the_dependency_picture(writer: CatalogueWriter) -> None:
    tell = make_integration(node_key="tell", node_label="Tell sales", service="Slack", service_id="slack")
    edges = (Edge(source="trigger_1", target="http_stripe"), Edge(source="http_stripe", target="tell"))
    runbook = writer.write(make_facts(make_integration(), tell, workflow=make_workflow(edges=edges)))
    assert "start --> i0" in runbook.diagram
    assert "i0 --> i1" in runbook.diagram
    assert writer.write(make_facts().model_copy(update={"integrations": ()})).diagram == ""


def test_boxes_without_an_arrow_are_no_picture(writer: CatalogueWriter) -> None:
    tell = make_integration(node_key="tell", node_label="Tell sales")
    assert writer.write(make_facts(make_integration(), tell)).diagram == ""


def test_the_summary_names_the_likeliest_failure_and_the_worst(writer: CatalogueWriter) -> None:
    tell = make_integration(
        node_key="tell",
        service="Slack",
        service_id="slack",
        kind=IntegrationKind.MESSAGING,
        criticality=Severity.LOW,
        method=None,
    )
    seen = make_reliability(make_group(FailureClass.CONFLICT, 3), source="executions")
    facts = make_facts(make_integration(criticality=Severity.CRITICAL), tell, reliability={"tell": seen})
    summary = writer.write(facts).summary
    assert 'Likeliest to fail: "Tell sales" (Slack, medium), 3 of 200 node runs failed in the last 30 days' in summary
    assert "first suspect: Channel is archived (is_archived)." in summary
    assert 'The worst to lose is "Charge card" (Stripe API, critical).' in summary
    alone = writer.write(make_facts()).summary
    assert 'No failure of its nodes is on record. The worst to lose is "Charge card" (Stripe API, critical)' in alone


def test_addresses_that_only_their_nodes_name_are_counted(writer: CatalogueWriter) -> None:
    first = make_integration(service='HTTP endpoint of "Charge card"')
    second = make_integration(node_key="store", node_label="Store order", service='HTTP endpoint of "Store order"')
    assert "depends on 2 HTTP endpoints." in writer.write(make_facts(first, second)).summary


def test_a_form_is_no_webhook_with_a_caller(writer: CatalogueWriter) -> None:
    nodes = (Node(key="form", type="n8n-nodes-base.formTrigger", label="Sign up"),)
    runbook = writer.write(make_facts(workflow=make_workflow(nodes=nodes, dialect=Dialect.N8N)))
    assert "starts when somebody sends its form" in runbook.summary
    titles = [scenario.scenario for scenario in runbook.general]
    assert "Form or chat starts no execution" in titles
    assert "Webhook calls start no execution" not in titles


def test_only_calls_that_move_money_or_send_are_said_to(writer: CatalogueWriter) -> None:
    coupon = make_integration(operation="coupon.create", method=None)
    (section,) = writer.write(make_facts(coupon)).sections
    assert "payments.payment_state" not in [one.scenario_id for one in section.failure_scenarios]
    assert "second charge" not in section.rerun
    mail = {"kind": IntegrationKind.EMAIL, "service": "Gmail", "service_id": "gmail", "method": None}
    for operation, sent in (("message.send", True), ("message.markAsRead", False), ("message.addLabels", False)):
        (section,) = writer.write(make_facts(make_integration(**mail, operation=operation))).sections
        symptoms = " ".join(line for one in section.failure_scenarios for line in one.symptoms)
        assert ("may have gone out" in symptoms) is sent
        assert ("a second mail" in section.rerun) is sent


def test_only_a_node_with_an_address_of_its_own_is_asked_for_it(writer: CatalogueWriter) -> None:
    hidden = make_integration(
        kind=IntegrationKind.PRODUCTIVITY, service="Somebody", service_id="somebody", host=None, method=None
    )
    for integration, asked in ((hidden, False), (hidden.model_copy(update={"method": "POST"}), True)):
        (section,) = writer.write(make_facts(integration)).sections
        text = " ".join(line for one in section.failure_scenarios for line in (*one.diagnosis, *one.remediation))
        assert ("correct the URL in node" in text) is asked
        assert ("the expression that builds it" in text) is asked


def test_only_a_model_that_answers_in_words_is_asked_for_shorter_answers(writer: CatalogueWriter) -> None:
    model = make_integration(kind=IntegrationKind.AI_MODEL, service="Acme AI", service_id="acme_ai", access="read")
    for operation, in_words in (("POST /v1/chat", True), ("POST /v1/embeddings", False), ("image.generate", False)):
        (section,) = writer.write(make_facts(model.model_copy(update={"operation": operation}))).sections
        text = " ".join(line for one in section.failure_scenarios for line in (*one.diagnosis, *one.remediation))
        assert ("structured output" in text) is in_words
        assert ("conversation memory" in text) is in_words
        assert ("vectors of two models" in text) is not in_words


def test_a_call_that_only_reads_sends_no_text_that_could_be_refused(writer: CatalogueWriter) -> None:
    chat = {"kind": IntegrationKind.MESSAGING, "service": "Telegram", "service_id": "telegram", "method": None}
    for access, operation, refused in (
        ("read", "file.get", "messaging.read_refused"),
        ("write", "message.send", "telegram.invalid_request"),
    ):
        (section,) = writer.write(make_facts(make_integration(**chat, access=access, operation=operation))).sections
        ids = [one.scenario_id for one in section.failure_scenarios if one.failure_class == "invalid_request"]
        assert ids == [refused]


def test_a_query_that_only_writes_returns_no_other_data_than_before(writer: CatalogueWriter) -> None:
    store = {"kind": IntegrationKind.DATABASE, "service": "Postgres", "service_id": "postgres", "method": None}
    for access, told in (("read", True), ("write", False)):
        (section,) = writer.write(make_facts(make_integration(**store, access=access, operation="query"))).sections
        assert ("database.unexpected_response" in [one.scenario_id for one in section.failure_scenarios]) is told


@pytest.mark.parametrize(
    ("service_id", "kind", "failure_class", "message", "title"),
    [
        ("slack", "messaging", "conflict", "Slack error: is_archived", "Channel is archived (is_archived)"),
        ("smtp", "email", "not_found", "550 5.1.1 User unknown", "Receiver does not exist (550 5.1.1)"),
    ],
)
def test_what_a_service_calls_by_its_own_code_has_its_own_words(
    writer: CatalogueWriter, service_id: str, kind: str, failure_class: str, message: str, title: str
) -> None:
    node = make_integration(service_id=service_id, service=service_id, kind=IntegrationKind(kind), method=None)
    seen = make_reliability(make_group(FailureClass(failure_class), 3, message=message))
    (section,) = writer.write(make_facts(node, reliability={"http_stripe": seen})).sections
    assert section.failure_scenarios[0].scenario == title


def test_a_model_of_our_own_has_no_account_to_pay_for(writer: CatalogueWriter) -> None:
    for host, billed in (("llm.internal", False), ("api.acme.example", True)):
        model = make_integration(kind=IntegrationKind.AI_MODEL, service="Acme AI", service_id="acme_ai", host=host)
        (section,) = writer.write(make_facts(model)).sections
        classes = [scenario.failure_class for scenario in section.failure_scenarios]
        assert (FailureClass.QUOTA_OR_BILLING in classes) is billed


def test_a_service_without_a_name_is_not_named_after_its_node_in_every_sentence(writer: CatalogueWriter) -> None:
    nameless = make_integration(
        kind=IntegrationKind.HTTP_API, service='HTTP endpoint of "Charge card"', service_id="http", host=None
    )
    (section,) = writer.write(make_facts(nameless)).sections
    text = " ".join(line for one in section.failure_scenarios for line in texts_of(one))
    assert "HTTP endpoint of" not in text
    assert "the called service" in text
    assert section.integration == 'HTTP endpoint of "Charge card"'


def test_names_with_braces_percent_signs_and_line_breaks_stay_text(writer: CatalogueWriter) -> None:
    label = "Pay {node} %(service)s 100%\nnow `rm -rf`"
    nodes = (Node(key="http_stripe", type="integration_stripe", label=label),)
    facts = make_facts(
        make_integration(credential="{secret} %s", service="API {host}"),
        workflow=make_workflow(nodes=nodes, name="{workflow} %d"),
    )
    runbook = writer.write(facts)
    text = runbook.model_dump_json()
    assert "Pay {node} %(service)s 100% now 'rm -rf'" in text
    assert "{secret} %s" in text
    assert runbook.title == "Runbook: {workflow} %d"


def test_a_host_that_could_do_harm_in_a_shell_never_reaches_a_command(writer: CatalogueWriter) -> None:
    facts = make_facts(make_integration(service_id="http", kind=IntegrationKind.HTTP_API, host="x;curl evil.example"))
    scenarios = writer.write(facts).sections[0].failure_scenarios
    assert not any("curl" in step or "evil" in step for one in scenarios for step in texts_of(one))


def test_a_variable_part_of_a_path_does_not_look_like_a_gap(writer: CatalogueWriter) -> None:
    facts = make_facts(
        make_integration(service_id="http", kind=IntegrationKind.HTTP_API, operation="POST /orders/{id}")
    )
    (section,) = writer.write(facts).sections
    assert section.operation == "POST /orders/{id}"
    texts = " ".join(text for one in section.failure_scenarios for text in texts_of(one))
    assert "POST /orders/:id" in texts
    assert "{id}" not in texts


def test_nodes_of_one_name_are_told_apart_by_their_keys(writer: CatalogueWriter) -> None:
    nodes = tuple(Node(key=key, type="http_request", label="HTTP Request") for key in ("n1", "n2"))
    facts = make_facts(make_integration(node_key="n2", upstream=("n1",)), workflow=make_workflow(nodes=nodes))
    text = writer.write(facts).model_dump_json()
    assert '\\"HTTP Request\\" (n2)' in text
    assert '\\"HTTP Request\\" (n1)' in text


def test_notes_tell_of_open_secrets_and_of_what_was_odd(writer: CatalogueWriter) -> None:
    workflow = make_workflow(owner=None, problems=("an edge leads nowhere",))
    integration = make_integration(inline_secret=True, credential=None, host_note="the host is built at run time")
    notes = " ".join(writer.write(make_facts(integration, workflow=workflow)).notes)
    assert 'clear text in the settings of "Charge card"' in notes
    assert "an edge leads nowhere" in notes
    assert "the host is built at run time" in notes
    assert "Owner required" in notes


def test_dialects_are_told_of_in_their_own_error_texts(writer: CatalogueWriter) -> None:
    integration = make_integration(service_id="http", kind=IntegrationKind.HTTP_API)
    ours = writer.write(make_facts(integration, workflow=make_workflow(dialect=Dialect.LINKFLOW))).model_dump_json()
    n8n = writer.write(make_facts(integration, workflow=make_workflow(dialect=Dialect.N8N))).model_dump_json()
    assert "context deadline exceeded" in ours
    assert "context deadline exceeded" not in n8n
    assert "ETIMEDOUT" in n8n


def test_the_same_facts_always_give_the_same_runbook() -> None:
    facts = make_facts(*[one for one in many_integrations() if one.service_id == "stripe"][:1])
    first, second = (CatalogueWriter(load_catalogue()).write(facts) for _ in range(2))
    assert first == second


def test_the_runbook_is_as_severe_as_its_worst_section(runbooks: list[Runbook]) -> None:
    for runbook in runbooks:
        for section in runbook.sections:
            assert section.severity is Severity.worst([one.severity for one in section.failure_scenarios])
        assert runbook.severity is Severity.worst([section.severity for section in runbook.sections])


def test_two_thousand_workflows_of_eight_nodes_take_seconds(writer: CatalogueWriter) -> None:
    integrations = [one for one in many_integrations() if one.kind is IntegrationKind.HTTP_API][:8]
    facts = make_facts(*(one.model_copy(update={"node_key": f"n{n}"}) for n, one in enumerate(integrations)))
    writer.write(facts)
    started = time.perf_counter()
    for _ in range(50):
        writer.write(facts)
    assert (time.perf_counter() - started) / 50 < 0.01


def test_a_site_is_no_code_host(writer: CatalogueWriter) -> None:
    site = make_integration(
        kind=IntegrationKind.DEVELOPER,
        service="WordPress",
        service_id="wordpress",
        method=None,
        operation="post.create",
    )
    (section,) = writer.write(make_facts(site)).sections
    text = " ".join(line for one in section.failure_scenarios for line in (one.scenario, *texts_of(one)))
    assert "content.permission_denied" in [one.scenario_id for one in section.failure_scenarios]
    for word in ("repository", "Branch", "merge"):
        assert word not in text
