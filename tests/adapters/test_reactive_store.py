import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import URL, Connection, create_engine, text

from runbooks.adapters.reactive_store import CREATED, EDITED, UNCHANGED, UPDATED, upsert_incident
from runbooks.adapters.schema import HostSchema, inspect_schema
from runbooks.adapters.store import upsert_runbooks
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.incident import Incident
from tests.support.history import NOW, add_execution, add_workflow, add_workspace, insert_row
from tests.support.stored import make_generated, make_scenario, make_section

PEOPLE = ("status", "acknowledged_by", "acknowledged_at", "resolved_at", "created_at", "id", "workspace_id")


class Row:
    """A failed execution, the row that the platform shows for it, and the store."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema: HostSchema = inspect_schema(connection)
        self.workspace = add_workspace(connection)
        self.workflow = add_workflow(connection, self.workspace)
        self.execution = add_execution(connection, self.workflow, NOW, status="failed")

    def incident(self, **changes: Any) -> Incident:
        scenarios = (make_scenario(FailureClass.AUTH_FAILED), make_scenario(FailureClass.UNKNOWN))
        given: dict[str, Any] = {
            "execution_id": self.execution,
            "workflow_id": self.workflow,
            "workspace_id": self.workspace,
            "workflow_name": "Orders",
            "title": "Stripe API: authentication failed at Charge card",
            "summary": "It failed.",
            "severity": Severity.HIGH,
            "section": make_section().model_copy(update={"failure_scenarios": scenarios}),
            "failure_class": FailureClass.AUTH_FAILED,
            "rule": "r1",
            "why": ("the error is auth_failed by rule r1", "for when none fits"),
            "error": "“no”",
            "attempts": "",
            "seen_before": (),
            "done_before": ("Safe.",),
            "escalation_matrix": {"high": "on-call"},
        }
        return Incident(**{**given, **changes})

    def put(self, **changes: Any) -> str:
        return upsert_incident(self.connection, self.incident(**changes), schema=self.schema).outcome

    def platform_writes(self, severity: str = "medium", message: str = "client error: status 401") -> None:
        """What the platform's own service does when an execution fails."""
        values = {
            "workspace_id": self.workspace, "severity": severity, "title": "Execution Failure Runbook",
            "summary": message, "steps": [{"title": "Inspect failed node", "description": "Open it."}],
            "tags": ["auto-generated", "execution-failure", "action_http_request"], "status": "open",
        }  # fmt: skip
        if self.rows():
            assignments = ", ".join(f"{name} = CAST(:{name} AS {self.schema.runbook_columns[name]})" for name in values)
            given = {name: json.dumps(one) if isinstance(one, list) else one for name, one in values.items()}
            self.change(f"{assignments}", **given)
        else:
            insert_row(
                self.connection, "execution_runbooks", execution_id=self.execution, created_at=NOW, updated_at=NOW,
                **({"workflow_id": self.workflow} if self.schema.id_type == "bigint" else {}), **values,
            )  # fmt: skip

    def change(self, assignments: str, **given: Any) -> None:
        query = text(f"UPDATE execution_runbooks SET {assignments} WHERE execution_id::text = :execution")
        self.connection.execute(query, {"execution": self.execution, **given})

    def rows(self) -> list[dict[str, Any]]:
        query = text("SELECT * FROM execution_runbooks WHERE execution_id::text = :id")
        return [dict(row) for row in self.connection.execute(query, {"id": self.execution}).mappings()]

    def row(self) -> dict[str, Any]:
        (row,) = self.rows()
        return row

    def people(self) -> dict[str, Any]:
        return {name: self.row()[name] for name in PEOPLE}


@pytest.fixture
def row(connection: Connection) -> Row:
    """On a database of each kind."""
    return Row(connection)


@pytest.fixture
def one_row(standalone: Connection) -> Row:
    return Row(standalone)


def test_a_new_row_is_complete(row: Row) -> None:
    assert row.put() == CREATED
    found = row.row()
    assert (found["type"], found["status"], found["severity"], found["ai_generated"]) == (
        "reactive", "open", "high", False,
    )  # fmt: skip
    assert (str(found["workflow_id"]), str(found["workspace_id"])) == (row.workflow, row.workspace)
    assert found["title"] == "Stripe API: authentication failed at Charge card"
    assert [section["node_key"] for section in found["sections"]] == ["http_stripe"]
    assert found["sections"][0]["failure_scenarios"][0]["failure_class"] == "auth_failed"
    assert {"title", "description"} == set(found["steps"][0])
    assert found["tags"] == ["reactive", "auth_failed", "catalogue", "Stripe API"]
    assert found["created_at"] == found["updated_at"] is not None
    assert found.get("content", "# ").startswith("# ")
    assert ("content" in found) == ("content" in row.schema.runbook_columns)


def test_the_platforms_row_that_came_first_is_extended(row: Row) -> None:
    row.platform_writes()
    row.change("status = 'acknowledged', acknowledged_at = '2026-04-01', resolved_at = '2026-04-02'")
    before = row.people()
    assert row.put() == UPDATED
    found = row.row()
    assert found["title"] == "Stripe API: authentication failed at Charge card"
    assert found["tags"][:3] == ["auto-generated", "execution-failure", "action_http_request"]
    assert "auth_failed" in found["tags"]
    assert str(found["workflow_id"]) == row.workflow
    assert found["type"] == "reactive"
    assert row.people() == before


def test_the_platforms_text_over_ours_is_replaced_again(row: Row) -> None:
    row.put()
    row.platform_writes()
    assert row.row()["title"] == "Execution Failure Runbook"
    assert row.put() == UPDATED
    assert row.row()["title"].startswith("Stripe API")
    assert row.row()["tags"][0] == "auto-generated"


def test_the_same_again_writes_nothing(row: Row) -> None:
    row.put()
    version = "SELECT xmin::text, ctid::text FROM execution_runbooks WHERE execution_id::text = :id"
    before = row.connection.execute(text(version), {"id": row.execution}).one()
    assert row.put() == UNCHANGED
    assert row.connection.execute(text(version), {"id": row.execution}).one() == before


def test_what_is_new_is_written_over_what_we_wrote(row: Row) -> None:
    row.put()
    before = row.people()
    assert row.put(summary="It failed again.") == UPDATED
    assert row.row()["summary"] == "It failed again."
    assert row.people() == before


@pytest.mark.parametrize(
    "edit",
    [
        "title = 'Ask Mara'",
        "summary = summary || ' Fixed by Ben.'",
        "steps = '[]'",
        "tags = '[\"mine\"]'",
        "severity = 'low'",
    ],
)
def test_a_row_that_a_person_edited_is_left_alone(row: Row, edit: str) -> None:
    row.put()
    row.change(edit)
    before = row.row()
    assert row.put(summary="It failed again.") == EDITED
    assert row.row() == before


def test_a_platforms_row_that_a_person_retitled_is_left_alone(row: Row) -> None:
    row.platform_writes()
    row.change("title = 'Ask Mara'")
    before = row.row()
    assert row.put() == EDITED
    assert row.row() == before


def test_acknowledging_is_no_edit(row: Row) -> None:
    row.put()
    row.change("status = 'acknowledged', acknowledged_at = now(), updated_at = now()")
    assert row.put(summary="It failed again.") == UPDATED
    assert row.row()["status"] == "acknowledged"


@pytest.mark.parametrize(
    ("there", "ours", "stored"),
    [
        ("critical", "medium", "critical"),
        ("low", "high", "high"),
        ("high", "high", "high"),
        ("medium", "low", "medium"),
    ],
)
def test_severity_never_falls(one_row: Row, there: str, ours: str, stored: str) -> None:
    one_row.platform_writes(severity=there)
    one_row.put(severity=Severity(ours))
    assert one_row.row()["severity"] == stored
    one_row.put(severity=Severity.LOW)
    assert one_row.row()["severity"] == stored


def test_ai_generated_follows_the_text(row: Row) -> None:
    row.put()
    section = make_section()
    written = tuple(one.model_copy(update={"source": "llm"}) for one in section.failure_scenarios)
    row.put(section=section.model_copy(update={"failure_scenarios": written}))
    assert row.row()["ai_generated"] is True
    assert "ai-generated" in row.row()["tags"]


def test_rows_of_others_are_not_touched(row: Row) -> None:
    generated = make_generated(row.workflow, row.workspace)
    upsert_runbooks(row.connection, [generated], schema=row.schema)
    query = text("SELECT * FROM execution_runbooks WHERE workflow_id::text = :id AND type = 'proactive'")
    before = row.connection.execute(query, {"id": row.workflow}).mappings().all()
    row.put()
    row.put(summary="again")
    assert row.connection.execute(query, {"id": row.workflow}).mappings().all() == before
    assert len(row.rows()) == 1


def test_what_was_handed_out_is_remembered(row: Row) -> None:
    row.put()
    query = text("""
        SELECT i.node_key, i.failure_class, i.scenario_id FROM runbook_incidents i
        JOIN execution_runbooks r ON r.id = i.runbook_id WHERE r.execution_id::text = :id
    """)
    assert row.connection.execute(query, {"id": row.execution}).one() == (
        "http_stripe", "auth_failed", "http_api.auth_failed",
    )  # fmt: skip


def test_text_that_postgresql_cannot_hold_is_cleaned(row: Row) -> None:
    row.put(title="nul \0" + "x" * 300, summary="half \ud83d", error="nul \0")
    found = row.row()
    assert found["title"].startswith("nul x")
    assert len(found["title"]) <= 255
    assert found["summary"] == "half ?"
    assert row.put(title="nul \0" + "x" * 300, summary="half \ud83d", error="nul \0") == UNCHANGED


def test_a_row_with_odd_json_is_read(one_row: Row) -> None:
    one_row.platform_writes()
    one_row.change('tags = \'["auto-generated", 7, {"a": 1}]\', steps = \'"\\u0000"\'')
    assert one_row.put() == UPDATED
    assert one_row.row()["tags"] == ["auto-generated", "reactive", "auth_failed", "catalogue", "Stripe API"]


@pytest.fixture
def two_connections(database: URL) -> Iterator[tuple[Connection, Connection]]:
    engine = create_engine(database)
    with engine.connect() as first, engine.connect() as second:
        yield first, second
    engine.dispose()


def test_a_row_that_the_platform_makes_in_the_same_moment_is_extended(
    two_connections: tuple[Connection, Connection],
) -> None:
    ours, theirs = two_connections
    row = Row(theirs)
    theirs.commit()
    mine = Row.__new__(Row)
    mine.__dict__ = {**row.__dict__, "connection": ours}
    row.platform_writes()  # not committed yet: our insert has to wait for it
    with ThreadPoolExecutor() as pool:
        putting = pool.submit(mine.put)
        with pytest.raises(TimeoutError):
            putting.result(timeout=0.5)
        theirs.commit()
        assert putting.result(timeout=10) == UPDATED
    ours.commit()
    assert row.row()["title"].startswith("Stripe API")
