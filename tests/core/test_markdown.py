import re
from datetime import UTC, datetime
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import IntegrationKind
from runbooks.core.markdown import MANY_SECTIONS, MOST_SECTIONS, escape, escape_cell, to_markdown, without_picture
from runbooks.core.runbook import Runbook, by_risk
from runbooks.core.workflow import Node
from tests.support.runbook_facts import make_facts, make_group, make_integration, make_reliability, make_workflow


@cache
def writer() -> CatalogueWriter:
    return CatalogueWriter(load_catalogue())


def written(**changes: object) -> Runbook:
    tell = make_integration(
        node_key="tell", service="Slack", service_id="slack", kind=IntegrationKind.MESSAGING, criticality=Severity.LOW
    )
    store = make_integration(
        node_key="store",
        service="PostgreSQL",
        service_id="postgres",
        kind=IntegrationKind.DATABASE,
        criticality=Severity.CRITICAL,
    )
    return writer().write(make_facts(tell, store, **changes))


def test_the_page_has_everything_in_the_order_in_which_it_is_needed() -> None:
    page = to_markdown(written())
    places = [
        page.index(text) for text in ("# Runbook: Order Processing Pipeline", "## At a glance", "## 1. Store order")
    ]
    assert places == sorted(places)
    assert page.index("## 1. Store order: PostgreSQL") < page.index("## 2. Tell sales: Slack")
    assert page.index("## 3. The workflow as a whole") < page.index("## Escalation")
    assert page.rstrip().endswith("Not reviewed by a person unless marked so.")


def test_every_scenario_is_on_the_page_with_all_its_steps() -> None:
    runbook = written()
    page = to_markdown(runbook)
    for section in runbook.sections:
        for scenario in section.failure_scenarios:
            assert f" {escape(scenario.scenario)}\n" in page
            for text in (*scenario.symptoms, *scenario.diagnosis, *scenario.remediation, *scenario.verification):
                assert escape(text) in page
            assert escape(scenario.escalation) in page


def test_every_link_inside_the_page_leads_somewhere() -> None:
    page = to_markdown(written())
    targets = re.findall(r"\]\(#([^)]+)\)", page)
    anchors = re.findall(r'<a id="([^"]+)"></a>', page)
    assert len(targets) > 10
    assert set(targets) <= set(anchors)
    assert len(anchors) == len(set(anchors))


def test_the_riskiest_integration_comes_first_and_failures_on_record_break_a_tie() -> None:
    reliability = {"tell": make_reliability(make_group(FailureClass.TIMEOUT, 5))}
    assert [one.node_key for one in by_risk(written(reliability=reliability).sections)] == ["store", "tell"]
    same = written()
    low = [one.model_copy(update={"severity": Severity.LOW}) for one in same.sections]
    seen = low[1].model_copy(
        update={"failure_scenarios": (low[1].failure_scenarios[0].model_copy(update={"evidence": ("5 failures",)}),)}
    )
    assert by_risk([low[0], seen]) == [seen, low[0]]


def test_evidence_and_history_are_on_the_page() -> None:
    reliability = {"store": make_reliability(make_group(FailureClass.TIMEOUT, 5, message="statement timeout"))}
    page = to_markdown(written(reliability=reliability))
    assert "5 failures of this kind in 200 calls" in page
    assert "“statement timeout”" in page
    assert "No history: the last 30 days have no recorded call" in page


def test_foreign_text_cannot_become_markup() -> None:
    label = "<script>alert(1)</script> **b** [x](https://evil.example) # | `rm` _i_"
    nodes = tuple(
        node.model_copy(update={"label": label}) if node.key == "tell" else node for node in make_workflow().nodes
    )
    group = make_group(FailureClass.TIMEOUT, 5, message="<img src=x onerror=y> ![a](https://evil.example/b) ``c``")
    runbook = written(
        workflow=make_workflow(name="<b>x</b>\n# Title", nodes=nodes), reliability={"tell": make_reliability(group)}
    )
    page = to_markdown(runbook)
    assert not re.search(r"<(script|img|b)\b", page)
    assert not re.search(r"(?<!\\)\[x\]|(?<!\\)\[a\]|(?<!\\)\*\*b", page)
    assert "://evil" not in page
    assert "\n# Title" not in page


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    nodes = tuple(node.model_copy(update={"label": f"{node.label} | x"}) for node in make_workflow().nodes)
    page = to_markdown(written(workflow=make_workflow(nodes=nodes)))
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    assert rows
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)


def test_code_of_ours_stays_code_and_its_content_as_it_is() -> None:
    text = "Run `curl -sS https://api.example.com/*_x_` and *look* at a_b_c"
    assert escape(text) == "Run `curl -sS https://api.example.com/*_x_` and \\*look\\* at a_b_c"


def test_a_line_never_starts_like_a_list_or_a_heading() -> None:
    assert escape("# not a title") == "\\# not a title"
    assert escape("- not a list") == "\\- not a list"
    assert escape("404. Not found") == "404\\. Not found"
    assert escape("404, not found") == "404, not found"
    assert escape_cell("> a | b") == "\\> a \\| b"


def test_a_documentation_link_is_shown_only_when_it_is_one() -> None:
    runbook = written()
    (first, *_) = runbook.sections
    bad = first.failure_scenarios[0].model_copy(update={"docs_url": "https://x.example/> <script>"})
    page = to_markdown(
        runbook.model_copy(update={"sections": (first.model_copy(update={"failure_scenarios": (bad,)}),)})
    )
    assert "<https://docs.slack.dev/apis/web-api/rate-limits>" in to_markdown(runbook)
    assert "<script>" not in page


def test_the_foot_says_what_the_runbook_was_made_from() -> None:
    runbook = written()
    made = runbook.provenance.model_copy(
        update={
            "definition_hash": "0123456789abcdef",
            "version": "7",
            "generated_at": datetime(2026, 3, 1, 2, 3, tzinfo=UTC),
        }
    )
    page = to_markdown(runbook.model_copy(update={"provenance": made}))
    assert "definition 0123456789ab" in page
    assert "version 7 of the workflow" in page
    assert "2026-03-01 02:03 UTC" in page
    by_ai = made.model_copy(update={"model": "small-model"})
    page = to_markdown(runbook.model_copy(update={"ai_generated": True, "provenance": by_ai}))
    assert "Written by an AI (small-model) with the failure catalogue" in page


def test_a_runbook_without_integrations_is_a_page_too() -> None:
    runbook = CatalogueWriter(load_catalogue()).write(make_facts().model_copy(update={"integrations": ()}))
    page = to_markdown(runbook)
    assert "## 1. The workflow as a whole" in page
    assert "calls nothing outside" in page


def test_the_picture_is_on_the_page_and_a_terminal_does_without_it() -> None:
    runbook = written().model_copy(update={"diagram": 'flowchart LR\n    i0["Store"]\n    i0 --> i1'})
    page = to_markdown(runbook)
    assert f"```mermaid\n{runbook.diagram}\n```\n" in page
    bare = without_picture(page)
    assert "flowchart" not in bare
    assert "```" not in bare
    assert "The picture shows" not in bare
    assert bare == to_markdown(runbook.model_copy(update={"diagram": ""}))


def test_a_workflow_that_does_not_start_has_a_place_to_look_at() -> None:
    page = to_markdown(written())
    silent = re.search(r"If no execution starts at all, go to \[3\.(\d)\]\(#s3-\1\)", page)
    assert silent
    assert f"### 3.{silent[1]} Webhook calls start no execution" in page
    inbound = make_integration(direction="inbound", access="read", upstream=(), downstream=())
    page = to_markdown(writer().write(make_facts(inbound, workflow=make_workflow(trigger_type="event"))))
    assert "If no execution starts at all, go to [1](#s1) or [2." in page


def test_an_owner_that_nobody_named_is_asked_for_once() -> None:
    page = to_markdown(writer().write(make_facts(workflow=make_workflow(owner=None))))
    assert page.count("Owner required: the platform names nobody") == 1
    assert "**Owner:**" not in page


def test_a_service_called_after_its_node_is_not_named_twice() -> None:
    (section,) = writer().write(make_facts(make_integration(service='HTTP endpoint of "Charge card"'))).sections
    page = to_markdown(written().model_copy(update={"sections": (section,)}))
    assert "## 1. Charge card: HTTP endpoint\n" in page


def test_a_long_page_writes_the_same_steps_out_only_once() -> None:
    nodes = tuple(Node(key=f"n{n}", type="action_slack", label=f"Tell team {n}") for n in range(MANY_SECTIONS))
    calls = [
        make_integration(node_key=node.key, node_label=node.label, credential="Slack", upstream=(), downstream=())
        for node in nodes
    ]
    runbook = writer().write(make_facts(*calls, workflow=make_workflow(nodes=nodes)))
    page = to_markdown(runbook)
    (first, *_, last) = runbook.sections
    timeout = first.failure_scenarios[0]
    assert page.count(escape(timeout.diagnosis[0])) == 1
    assert 'as in [1.1](#s1-1), with node "Tell team 4" in place of "Tell team 0".' in page
    for text in (*last.failure_scenarios[0].symptoms, last.failure_scenarios[0].escalation):
        assert escape(text) in page[page.index('<a id="s5-1">') :]
    short = to_markdown(runbook.model_copy(update={"sections": runbook.sections[:-1]}))
    assert "in place of" not in short


def test_steps_that_differ_in_more_than_the_nodes_name_are_written_out() -> None:
    nodes = tuple(Node(key=f"n{n}", type="action_slack", label=f"Tell team {n}") for n in range(MANY_SECTIONS))
    calls = [
        make_integration(node_key=node.key, node_label=node.label, credential=f"Token {number}")
        for number, node in enumerate(nodes)
    ]
    page = to_markdown(writer().write(make_facts(*calls, workflow=make_workflow(nodes=nodes))))
    for number in range(MANY_SECTIONS):
        assert f'Open credential "Token {number}" on the Credentials page' in page


def test_a_huge_page_writes_out_the_riskiest_sections_and_says_where_the_others_are() -> None:
    one = written().sections[0].model_copy(update={"severity": Severity.LOW})
    many = [one.model_copy(update={"node_key": f"n{n}", "node_label": f"Node {n}"}) for n in range(MOST_SECTIONS + 20)]
    many[-1] = many[-1].model_copy(update={"severity": Severity.CRITICAL})
    page = to_markdown(written().model_copy(update={"sections": tuple(many)}))
    assert f"## 1. Node {MOST_SECTIONS + 19}: Slack" in page
    assert len(re.findall(r"^## \d+\. Node", page, re.MULTILINE)) == MOST_SECTIONS
    assert "| 101 | low | Node 99 | Slack |" in page
    assert "the sections of the other 20 are in the runbook's JSON" in page
    assert f"## {MOST_SECTIONS + 21}. The workflow as a whole" in page
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(re.findall(r'<a id="([^"]+)"></a>', page))


TEXT = st.text(max_size=60)


@settings(max_examples=60, deadline=None)
@given(name=TEXT, label=TEXT, service=TEXT, operation=TEXT, message=TEXT)
def test_whatever_people_wrote_the_page_keeps_its_shape(
    name: str, label: str, service: str, operation: str, message: str
) -> None:
    nodes = tuple(node.model_copy(update={"label": label}) for node in make_workflow().nodes)
    group = make_group(FailureClass.TIMEOUT, 5, message=message)
    facts = make_facts(
        make_integration(service=service, operation=operation, host=message or None),
        workflow=make_workflow(name=name, nodes=nodes),
        reliability={"http_stripe": make_reliability(group)},
    )
    runbook = writer().write(facts)
    page = to_markdown(runbook)
    headings = [line for line in page.splitlines() if re.match(r"#{1,3} ", line)]
    scenarios = len(runbook.sections[0].failure_scenarios) + len(runbook.general)
    assert len(headings) == scenarios + len(("title", "at a glance", "section", "workflow", "escalation"))
    assert not re.search(r"<(?!a id=\"s|/a>|https://)", re.sub(r"`[^`]*`", "", page))
