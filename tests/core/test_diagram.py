"""The dependency picture."""

import re
from typing import Any

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.definition import parse_definition
from runbooks.core.diagram import MOST_ARROWS, MOST_BOXES, mermaid
from runbooks.core.integrations import extract_integrations


def picture(*nodes: tuple[str, str], edges: list[tuple[str, ...]]) -> str:
    connections: dict[str, Any] = {}
    for source, target, *kind in edges:
        name = kind[0] if kind else "main"
        connections.setdefault(source, {}).setdefault(name, [[]])[0].append({"node": target})
    workflow = parse_definition(
        {
            "name": "w",
            "nodes": [{"name": name, "type": f"n8n-nodes-base.{kind}", "parameters": {}} for name, kind in nodes],
            "connections": connections,
        }
    )
    return mermaid(workflow, extract_integrations(workflow, knowledge=load_node_knowledge()))


def test_internal_nodes_are_folded() -> None:
    text = picture(
        ("Hook", "webhook"),
        ("Read", "googleSheets"),
        ("If", "if"),
        ("Set", "set"),
        ("Tell", "slack"),
        edges=[("Hook", "Read"), ("Read", "If"), ("If", "Set"), ("Set", "Tell")],
    )
    assert "start --> i0" in text
    assert "i0 --> i1" in text
    assert 'i0["Read<br/>Google Sheets"]:::low' in text or 'i0["Read<br/>Google Sheets"]:::medium' in text
    assert "If" not in text


def test_a_start_by_hand_for_testing_does_not_hide_how_the_workflow_starts() -> None:
    text = picture(
        ("Try it", "manualTrigger"),
        ("Called", "executeWorkflowTrigger"),
        ("Read", "googleSheets"),
        edges=[("Try it", "Read"), ("Called", "Read")],
    )
    assert 'start(["another workflow"])' in text


def test_error_branches_and_serving_nodes_have_arrows_of_their_own() -> None:
    text = picture(
        ("Read", "googleSheets"),
        ("Alarm", "slack"),
        ("Agent", "openAi"),
        ("Tool", "gmail"),
        edges=[("Read", "Alarm", "error"), ("Read", "Agent"), ("Tool", "Agent", "ai_tool")],
    )
    assert "i0 -. on error .-> i1" in text
    assert "i0 --> i2" in text
    assert "i3 -.-> i2" in text


def test_loops_end() -> None:
    text = picture(("A", "slack"), ("B", "if"), edges=[("A", "B"), ("B", "A"), ("B", "B")])
    assert text.count("-->") == 0


def test_labels_cannot_break_the_picture() -> None:
    text = picture(('x"]; click a "javascript:1" <b>&end', "slack"), ("B", "gmail"), edges=[])
    assert "click a #34;javascript#58;1#34;" in text
    assert "<b>" not in text
    labels = re.findall(r'"([^"]*)"', text)
    assert len(labels) == 2
    assert all(set(label.replace("<br/>", "")).isdisjoint('"<>[](){}|') for label in labels)


def test_a_workflow_without_integrations_has_no_picture() -> None:
    assert picture(("Hook", "webhook"), edges=[]) == ""


def test_a_huge_workflow_shows_its_most_critical_part() -> None:
    names = [(f"n{number}", "googleSheets") for number in range(300)] + [("Charge", "stripe")]
    edges = [(f"n{number}", f"n{other}") for number in range(100) for other in range(100, 110)]
    text = picture(*names, edges=edges)
    assert text.count(":::") == MOST_BOXES
    assert text.count("-->") <= MOST_ARROWS
    assert "261 less critical integrations" in text
