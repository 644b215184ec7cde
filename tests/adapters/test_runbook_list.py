import json
from typing import Any

import pytest
from sqlalchemy import Connection

from runbooks.adapters.ratings import Rating, has_scenario, rate, read_ratings, useless_scenarios
from runbooks.adapters.requests import Asked, Outcome, finish_request, is_workflow_of, open_request, read_request
from runbooks.adapters.runbook_list import (
    Wanted,
    acknowledge,
    count_rows,
    count_versions,
    list_rows,
    list_versions,
    read_row,
    resolve,
)
from runbooks.adapters.schema import HostSchema, inspect_schema
from runbooks.adapters.store import upsert_runbooks
from runbooks.adapters.tokens import create_token, find_token, user_exists, workspace_exists
from runbooks.core.scopes import Scope
from tests.support.history import NOW, add_execution, add_workflow, add_workspace, insert_row
from tests.support.stored import make_generated


class Host:
    """A workspace with one workflow that has a proactive and a reactive row, on a database of some kind."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema: HostSchema = inspect_schema(connection)
        self.workspace = add_workspace(connection)
        self.workflow = add_workflow(connection, self.workspace)
        upsert_runbooks(connection, [make_generated(self.workflow, self.workspace)], schema=self.schema)
        self.reactive = insert_row(
            connection, "execution_runbooks", workspace_id=self.workspace, workflow_id=self.workflow,
            execution_id=add_execution(connection, self.workflow, NOW, status="failed"), severity="high",
            title="Execution Failure Runbook", summary="s", steps=[], tags=[], status="open", created_at=NOW,
            updated_at=NOW,
        )  # fmt: skip

    def rows(self, **wanted: Any) -> list[dict[str, Any]]:
        found = Wanted(self.workspace, **wanted)
        rows = list_rows(self.connection, found, schema=self.schema, limit=20, offset=0)
        assert count_rows(self.connection, found, schema=self.schema) == len(rows)
        return [json.loads(row) for row in rows]

    def row(self, runbook_id: str) -> dict[str, Any]:
        found = read_row(self.connection, self.workspace, runbook_id, schema=self.schema)
        assert found is not None
        row: dict[str, Any] = json.loads(found)
        return row

    @property
    def proactive(self) -> str:
        return str(self.rows(type="proactive")[0]["id"])


@pytest.fixture
def host(connection: Connection) -> Host:
    """On a database of each kind."""
    return Host(connection)


def test_rows_are_listed_with_ids_as_text_whatever_they_are_kept_as(host: Host) -> None:
    assert {row["type"] for row in host.rows(workflow_id=host.workflow)} == {"proactive", "reactive"}
    (row,) = host.rows(type="reactive", status="open", severity="high")
    assert (row["id"], row["workspace_id"], row["workflow_id"]) == (host.reactive, host.workspace, host.workflow)
    assert row["created_at"] == "2026-03-31T12:00:00Z"
    assert host.rows(status="acknowledged") == []


def test_another_workspace_sees_none_of_them(host: Host) -> None:
    other = add_workspace(host.connection, "other")
    assert list_rows(host.connection, Wanted(other), schema=host.schema, limit=20, offset=0) == []
    assert read_row(host.connection, other, host.reactive, schema=host.schema) is None
    assert not acknowledge(host.connection, other, host.reactive, schema=host.schema, user_id=None)
    resolve(host.connection, other, host.reactive, schema=host.schema)
    assert host.row(host.reactive)["status"] == "open"


def test_a_proactive_row_has_its_sections_and_what_is_beside_them(host: Host) -> None:
    row = host.row(host.proactive)
    assert row["sections"][0]["node_key"] == "http_stripe"
    assert row["general"][0]["failure_class"] == "unknown"
    assert row["severity"] == "high"
    assert row["workflow_id"] == host.workflow


def test_rows_are_acknowledged_for_a_user_and_resolved(host: Host) -> None:
    user = host.connection.exec_driver_sql("SELECT id::text FROM users LIMIT 1").scalar_one()
    assert user_exists(host.connection, user)
    assert user_exists(host.connection, "nobody") is False
    assert acknowledge(host.connection, host.workspace, host.reactive, schema=host.schema, user_id=user)
    assert (host.row(host.reactive)["status"], host.row(host.reactive)["acknowledged_by"]) == ("acknowledged", user)
    assert acknowledge(host.connection, host.workspace, host.proactive, schema=host.schema, user_id=None)
    resolve(host.connection, host.workspace, host.reactive, schema=host.schema)
    assert host.row(host.reactive)["resolved_at"] is not None
    assert not acknowledge(host.connection, host.workspace, host.reactive, schema=host.schema, user_id=user)


def test_versions_are_those_of_one_runbook(host: Host) -> None:
    count = count_versions(host.connection, host.workspace, host.proactive, schema=host.schema)
    rows = list_versions(host.connection, host.workspace, host.proactive, schema=host.schema, limit=20, offset=0)
    assert len(rows) == count
    assert count_versions(host.connection, host.workspace, host.reactive, schema=host.schema) == 0


def test_ratings_are_kept_once_a_person(host: Host) -> None:
    assert has_scenario(host.connection, host.proactive, "http_api.timeout", schema=host.schema)
    assert has_scenario(host.connection, host.proactive, "http_api.unknown", schema=host.schema)
    assert not has_scenario(host.connection, host.reactive, "http_api.timeout", schema=host.schema)
    for rater, rating in (("a", "useful"), ("a", "not_useful"), ("b", "very_useful")):
        given = Rating(rating, scenario_id="http_api.timeout", comment=f"{rater} says {rating}")
        rate(host.connection, host.proactive, rater, given, schema=host.schema)
    ratings = read_ratings(host.connection, host.workspace, schema=host.schema)
    assert (ratings.count, ratings.useful) == (2, 1)
    (useless,) = useless_scenarios(host.connection, host.workspace, schema=host.schema)
    assert (useless.scenario_id, useless.not_useful, useless.comments) == (
        "http_api.timeout", 1, ("a says not_useful",),
    )  # fmt: skip


def test_a_request_is_begun_once_and_its_result_is_kept(host: Host) -> None:
    asked = Asked(host.workspace, host.workflow, True)
    request, mine = open_request(host.connection, asked, schema=host.schema)
    assert mine
    assert open_request(host.connection, asked, schema=host.schema) == (request, False)
    finish_request(host.connection, request, Outcome(200, '{"b": 1, "a": 2}'))
    row = read_request(host.connection, request, schema=host.schema, workspace_id=host.workspace)
    assert row is not None
    assert row.outcome == Outcome(200, '{"b": 1, "a": 2}')
    other = add_workspace(host.connection, "other")
    assert read_request(host.connection, request, schema=host.schema, workspace_id=other) is None
    assert open_request(host.connection, asked, schema=host.schema)[1]
    assert is_workflow_of(host.connection, host.workspace, host.workflow, schema=host.schema)
    assert not is_workflow_of(host.connection, other, host.workflow, schema=host.schema)


def test_a_token_opens_its_workspace(host: Host) -> None:
    _, token = create_token(
        host.connection, schema=host.schema, scopes=[Scope.READ], workspace_id=host.workspace, expires_days=1
    )
    found = find_token(host.connection, token)
    assert found is not None
    assert (found.workspace_id, found.scopes, found.user_id) == (host.workspace, ("runbooks:read",), None)
    assert workspace_exists(host.connection, host.workspace, schema=host.schema)
    assert find_token(host.connection, token[:-1] + ("A" if token[-1] != "A" else "B")) is None
