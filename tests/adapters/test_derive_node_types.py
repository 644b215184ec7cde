"""Deriving the tables of node types from metadata like that which n8n publishes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from prompts.derive_node_types import main


def described(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "displayName": name, "version": 1, "group": ["transform"], "properties": [], **rest}


def choice(name: str, default: str, *, resource: str = "") -> dict[str, Any]:
    shown = {"displayOptions": {"show": {"resource": [resource]}}} if resource else {}
    return {"name": name, "default": default, **shown}


ACME = described(
    "acme",
    displayName="Acme Desk",
    codex={"categories": ["Sales"]},
    credentials=[{"name": "acmeApi"}],
    properties=[
        choice("resource", "ticket"),
        choice("operation", "create", resource="ticket"),
        choice("operation", "getAll", resource="user"),
    ],
)
BASE = [
    ACME,
    {**ACME, "version": [2, 2.1], "properties": [choice("operation", "reply", resource="ticket")]},
    described("acmeTrigger", displayName="Acme Desk Trigger", group=["trigger"], credentials=[{"name": "acmeApi"}])
    | {"codex": {"categories": ["Sales"]}},
    described("set"),
    described("crypto", credentials=[{"name": "crypto"}]),
]
CREDENTIALS = [
    {
        "name": "acmeApi",
        "displayName": "Acme API",
        "supportedNodes": ["acme", "acmeTrigger"],
        "properties": [{"name": "apiToken"}],
        "test": {"request": {"baseURL": "https://api.acme.example/v1"}},
    },
    {"name": "httpHeaderAuth", "displayName": "Header Auth", "properties": []},
]


@pytest.fixture
def derived(tmp_path: Path) -> dict[str, dict[str, dict[str, str]]]:
    assert run(tmp_path, BASE) == 0
    tables = {"node_types": "type", "credential_types": "credential"}
    return {name: {row[key]: row for row in read(tmp_path / f"{name}.csv")} for name, key in tables.items()}


def run(folder: Path, base: list[dict[str, Any]]) -> int:
    paths = []
    for package, nodes, credentials in (("base", base, CREDENTIALS), ("langchain", [described("lmChatX")], [])):
        (folder / package).mkdir()
        (folder / package / "nodes.json").write_text(json.dumps(nodes))
        (folder / package / "credentials.json").write_text(json.dumps(credentials))
        paths.append(str(folder / package / "nodes.json"))
    return main(paths, folder)


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as lines:
        return list(csv.DictReader(lines))


def test_a_node_with_credentials_is_external_with_its_facts(derived: dict[str, dict[str, dict[str, str]]]) -> None:
    row = derived["node_types"]["n8n-nodes-base.acme"]
    assert (row["external"], row["service"], row["service_id"], row["kind"]) == ("yes", "Acme Desk", "acme_desk", "crm")
    assert (row["direction"], row["host"], row["resource"]) == ("outbound", "api.acme.example", "ticket")


def test_a_default_on_which_versions_disagree_is_left_out(derived: dict[str, dict[str, dict[str, str]]]) -> None:
    assert derived["node_types"]["n8n-nodes-base.acme"]["operations"] == "user.getAll"


def test_a_trigger_is_inbound_and_has_its_node_s_service(derived: dict[str, dict[str, dict[str, str]]]) -> None:
    row = derived["node_types"]["n8n-nodes-base.acmeTrigger"]
    assert (row["service"], row["direction"], row["access"]) == ("Acme Desk", "inbound", "read")


@pytest.mark.parametrize("name", ["set", "crypto"])
def test_no_credentials_or_judged_credentials_are_no_integration(
    derived: dict[str, dict[str, dict[str, str]]], name: str
) -> None:
    assert derived["node_types"][f"n8n-nodes-base.{name}"]["external"] == "no"


def test_a_credential_leads_to_the_service_that_it_opens(derived: dict[str, dict[str, dict[str, str]]]) -> None:
    assert set(derived["credential_types"]) == {"acmeApi"}
    row = derived["credential_types"]["acmeApi"]
    assert (row["service"], row["authentication"], row["host"]) == ("Acme Desk", "token", "api.acme.example")


def test_a_node_that_nobody_judged_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, [described("newThing", credentials=[{"name": "acmeApi"}])]) == 1
    assert "n8n-nodes-base.newThing: say its kind" in capsys.readouterr().err


def test_without_both_files_the_usage_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["only-one"]) == 2
    assert "python -m prompts.derive_node_types" in capsys.readouterr().err
