import json
from pathlib import Path

import pytest

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.definition import parse_definition
from runbooks.core.integrations import extract_integrations
from runbooks.core.redaction import contains_secret
from runbooks.core.workflow import Dialect

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SERVICES = {
    "n8n-feedback-to-slack": (Dialect.N8N, ["openai", "google_sheets", "slack"]),
    "n8n-invoices-to-stripe": (Dialect.N8N, ["postgres", "stripe", "postgres", "smtp"]),
    "linkflow-welcome-customers": (Dialect.LINKFLOW, ["hubspot", "smtp", "postgres", "slack"]),
}


def test_every_example_is_known_here() -> None:
    assert {file.stem for file in EXAMPLES.glob("*.json")} == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_an_example_is_read_without_a_problem_and_its_services_are_found(name: str) -> None:
    dialect, services = SERVICES[name]
    workflow = parse_definition(json.loads((EXAMPLES / f"{name}.json").read_text()))
    assert workflow.dialect is dialect
    assert workflow.problems == ()
    found = extract_integrations(workflow, knowledge=load_node_knowledge())
    assert [integration.service_id for integration in found] == services


@pytest.mark.parametrize("name", SERVICES)
def test_an_example_holds_no_secret(name: str) -> None:
    assert not contains_secret((EXAMPLES / f"{name}.json").read_text())
