"""The tables of node types, credentials and hosts as they are shipped."""

import csv
from importlib.resources import files

import pytest
import yaml

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.integration import IntegrationKind

TABLES = {
    "node_types.csv": "type",
    "linkflow_types.csv": "type",
    "credential_types.csv": "credential",
    "hosts.csv": "host",
}


def rows(table: str) -> list[dict[str, str]]:
    with (files("prompts") / table).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize(("table", "key"), TABLES.items())
def test_no_row_stands_twice(table: str, key: str) -> None:
    keys = [row[key] for row in rows(table)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("table", [*TABLES, "shared_hosts.csv"])
def test_every_service_has_a_name_a_slug_and_a_known_kind(table: str) -> None:
    for row in rows(table):
        if row.get("external") != "no":
            assert row["service"]
            assert row["service_id"] == row["service_id"].lower().strip()
            assert row["kind"] in list(IntegrationKind), row


def test_hosts_are_lower_case_names_without_scheme_or_path() -> None:
    for row in rows("hosts.csv"):
        assert row["host"] == row["host"].lower()
        assert not set(row["host"]) & set("/:@ ")
        assert "." in row["host"]


def test_services_that_the_catalogue_knows_are_called_by_its_slugs() -> None:
    slugs = {row["service_id"] for table in TABLES for row in rows(table)}
    scenario_files = [file for file in (files("prompts") / "scenarios").iterdir() if file.name.endswith(".yaml")]
    assert scenario_files
    for file in scenario_files:
        named = yaml.safe_load(file.read_text(encoding="utf-8")).get("services", [])
        assert not named or slugs & set(named), f"no node type or host leads to {file.name}"


def test_the_tables_are_read_once() -> None:
    assert load_node_knowledge() is load_node_knowledge()


def test_the_table_covers_what_n8n_publishes() -> None:
    knowledge = load_node_knowledge()
    assert len(knowledge.node_types) > 570
    assert sum(1 for one in knowledge.node_types.values() if one.external == "no") > 100
