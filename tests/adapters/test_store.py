import json
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from runbooks.adapters.schema import HostSchema, inspect_schema
from runbooks.adapters.store import (
    Draft,
    MadeFrom,
    portions,
    read_drafts,
    read_made_from,
    read_runbook,
    save_draft,
    upsert_runbooks,
)
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.runbook import Provenance, Runbook
from runbooks.core.spending import Tokens
from tests.support.history import NOW, add_execution, add_workflow, add_workspace, insert_row
from tests.support.stored import REQUIRED, make_generated, make_runbook, make_scenario, make_section


class Store:
    """A workspace with one workflow, and the store."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema: HostSchema = inspect_schema(connection)
        self.workspace = add_workspace(connection)
        self.workflow = add_workflow(connection, self.workspace)

    def put(self, runbook: Runbook | None = None, *, status: str = "resolved", **changes: Any) -> int:
        generated = make_generated(self.workflow, self.workspace, runbook, **changes)
        return upsert_runbooks(self.connection, [generated], schema=self.schema, status=status)

    def rows(self, kind: str = "proactive") -> list[dict[str, Any]]:
        query = text("SELECT * FROM execution_runbooks WHERE type = :kind AND workspace_id::text = :id ORDER BY title")
        found = self.connection.execute(query, {"kind": kind, "id": self.workspace}).mappings()
        return [dict(row) for row in found]

    def row(self) -> dict[str, Any]:
        (row,) = self.rows()
        return row

    def generation(self) -> dict[str, Any]:
        query = text("SELECT * FROM runbook_generations WHERE workflow_id::text = :id")
        return dict(self.connection.execute(query, {"id": self.workflow}).mappings().one())


@pytest.fixture
def store(connection: Connection) -> Store:
    """On a database of each kind."""
    return Store(connection)


@pytest.fixture
def one_store(standalone: Connection) -> Store:
    return Store(standalone)


def test_proactive_row_is_complete(store: Store) -> None:
    assert store.put() == 1
    row = store.row()
    assert str(row["workflow_id"]) == store.workflow
    assert (row["execution_id"], row["severity"], row["status"], row["ai_generated"]) == (
        None,
        "high",
        "resolved",
        False,
    )
    assert row["title"] == "Runbook: Order Processing Pipeline"
    assert [section["node_key"] for section in row["sections"]] == ["http_stripe"]
    assert {"title", "description"} == set(row["steps"][0])
    assert row["tags"] == ["proactive", "catalogue", "Stripe API"]
    assert row["created_at"] == row["updated_at"] is not None


def test_page_is_stored_where_the_host_has_a_place_for_it(store: Store) -> None:
    store.put()
    row = store.row()
    assert ("content" in row) == ("content" in store.schema.runbook_columns)
    assert row.get("content", "# ").startswith("# ")


def test_sections_have_the_agreed_shape(store: Store) -> None:
    store.put()
    (section,) = store.row()["sections"]
    assert {"integration", "node_key", "failure_scenarios"} <= set(section)
    assert {"scenario", "symptoms", "diagnosis", "remediation", "severity"} <= set(section["failure_scenarios"][0])


def test_stored_runbook_is_read_back_as_it_was(store: Store) -> None:
    runbook = make_runbook(make_section(), make_section("tell", FailureClass.TLS, integration="Slack"), notes=("Odd.",))
    store.put(runbook)
    assert read_runbook(store.connection, store.workflow, schema=store.schema) == runbook


def test_workflow_without_runbook_has_none(store: Store) -> None:
    assert read_runbook(store.connection, store.workflow, schema=store.schema) is None


def test_second_runbook_replaces_the_first_and_keeps_what_belongs_to_people(store: Store) -> None:
    store.put()
    query = text("""
        UPDATE execution_runbooks SET status = 'acknowledged', acknowledged_at = now(), created_at = '2026-01-01'
        WHERE type = 'proactive' AND workspace_id::text = :id
    """)
    store.connection.execute(query, {"id": store.workspace})
    before = store.row()
    store.put(make_runbook(title="Second", severity=Severity.LOW, ai_generated=True), status="open")
    after = store.row()
    for kept in ("id", "status", "acknowledged_at", "created_at", "workflow_id"):
        assert after[kept] == before[kept]
    assert (after["title"], after["severity"], after["ai_generated"]) == ("Second", "low", True)
    assert after["tags"][1] == "ai-generated"


@pytest.mark.parametrize("status", ["open", "acknowledged", "resolved"])
def test_status_of_a_new_row_is_the_setting(one_store: Store, status: str) -> None:
    one_store.put(status=status)
    assert one_store.row()["status"] == status


def test_reactive_rows_are_never_touched(store: Store) -> None:
    execution = add_execution(store.connection, store.workflow, NOW, status="failed")
    insert_row(
        store.connection, "execution_runbooks", workspace_id=store.workspace, workflow_id=store.workflow,
        execution_id=execution, severity="high", title="Execution Failure Runbook", summary="s", steps=[], tags=[],
        status="open", created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    before = store.rows("reactive")
    store.put()
    store.put(make_runbook(title="Second"))
    assert store.rows("reactive") == before
    assert len(before) == len(store.rows()) == 1


def test_workflow_that_was_deleted_meanwhile_is_left_out(store: Store) -> None:
    gone = add_workflow(store.connection, store.workspace)
    store.connection.execute(text("DELETE FROM workflows WHERE id::text = :id"), {"id": gone})
    batch = [make_generated(one, store.workspace) for one in (gone, store.workflow)]
    assert upsert_runbooks(store.connection, batch, schema=store.schema) == 1
    assert len(store.rows()) == 1


def test_batch_is_stored_as_a_whole_or_not_at_all(store: Store) -> None:
    other = add_workflow(store.connection, store.workspace)
    bad = make_runbook(provenance=Provenance(writer="nobody we know"))
    batch = [make_generated(store.workflow, store.workspace), make_generated(other, store.workspace, bad)]
    with pytest.raises(DBAPIError), store.connection.begin_nested():
        upsert_runbooks(store.connection, batch, schema=store.schema)
    assert store.rows() == []


def test_batch_is_stored_in_one_statement(one_store: Store) -> None:
    ids = [add_workflow(one_store.connection, one_store.workspace) for _ in range(20)]
    batch = [make_generated(one, one_store.workspace) for one in ids]
    assert upsert_runbooks(one_store.connection, batch, schema=one_store.schema) == 20
    assert len({row["id"] for row in one_store.rows()}) == 20
    assert upsert_runbooks(one_store.connection, [], schema=one_store.schema) == 0


def test_text_that_postgresql_cannot_hold_is_cleaned(store: Store) -> None:
    scenario = make_scenario(FailureClass.TIMEOUT, symptoms=("nul \0", "half \ud83d", "whole \U0001f600"))
    section = make_section().model_copy(update={"failure_scenarios": (scenario,)})
    store.put(make_runbook(section, title="nul \0"))
    assert store.row()["title"] == "nul "
    symptoms = store.row()["sections"][0]["failure_scenarios"][0]["symptoms"]
    assert symptoms == ["nul ", "half ?", "whole \U0001f600"]


def test_title_fits_the_platforms_column(store: Store) -> None:
    store.put(make_runbook(title="x" * 300))
    assert store.row()["title"] == "x" * 255


def test_what_it_was_made_from_is_remembered(store: Store) -> None:
    made = Provenance(fingerprint="f2", definition_hash="d2", writer="llm", model="m1", prompt_version="p1")
    store.put(
        make_runbook(ai_generated=True, provenance=made), tokens=Tokens(10, 0, 5), duration_ms=7,
        source_digest="s2", history_signature="h2", writer_signature="llm:m1",
    )  # fmt: skip
    assert read_made_from(store.connection, [store.workflow], schema=store.schema) == {
        store.workflow: MadeFrom("f2", "d2", "llm")
    }
    row = store.generation()
    names = (
        "source_digest", "history_signature", "writer_signature", "model", "prompt_tokens", "completion_tokens",
        "duration_ms",
    )  # fmt: skip
    assert [row[name] for name in names] == ["s2", "h2", "llm:m1", "m1", 10, 5, 7]
    assert str(row["runbook_id"]) == str(store.row()["id"])


def test_covered_classes_are_remembered_by_node(store: Store) -> None:
    store.put(make_runbook(make_section("a", *REQUIRED), make_section("b", FailureClass.TLS, FailureClass.TIMEOUT)))
    row = store.generation()
    assert row["covered"]["b"] == {"service": "Stripe API", "classes": ["timeout", "tls"]}
    assert (row["integrations"], row["required_covered"]) == (2, 5)


def test_order_of_the_scenarios_is_remembered_by_node(store: Store) -> None:
    store.put(make_runbook(make_section("b", FailureClass.TLS, FailureClass.TIMEOUT, FailureClass.TLS)))
    assert store.generation()["scenario_order"] == {"b": ["tls", "timeout", "tls"]}


def test_runbook_without_integrations_covers_none(store: Store) -> None:
    runbook = make_runbook().model_copy(update={"sections": ()})
    store.put(runbook)
    assert (store.generation()["integrations"], store.generation()["required_covered"]) == (0, 0)
    assert store.row()["sections"] == []


def test_paid_answer_is_kept_until_its_runbook_is_stored(store: Store) -> None:
    answer = Draft("{}", Tokens(100, 60, 20), 0.125)
    for _ in range(2):
        save_draft(store.connection, store.workflow, "f1", answer, schema=store.schema)
    assert read_drafts(store.connection, ["f1", "f2"]) == {"f1": answer}
    store.put()
    assert read_drafts(store.connection, ["f1"]) == {}


def test_answers_of_other_workflows_are_kept(store: Store) -> None:
    other = add_workflow(store.connection, store.workspace)
    save_draft(store.connection, other, "f9", Draft("{}", Tokens(1, 0, 1)), schema=store.schema)
    store.put()
    assert set(read_drafts(store.connection, ["f9"])) == {"f9"}


def test_stored_json_is_what_the_platform_reads(store: Store) -> None:
    store.put()
    query = text("SELECT steps::text, tags::text FROM execution_runbooks WHERE workspace_id::text = :id")
    steps, tags = store.connection.execute(query, {"id": store.workspace}).one()
    assert all(set(step) == {"title", "description"} for step in json.loads(steps))
    assert all(isinstance(tag, str) for tag in json.loads(tags))


@pytest.mark.parametrize(
    ("length", "expected"),
    [(100, ['["a","bb","ccc"]']), (8, ['["a","bb"]', '["ccc"]']), (1, ['["a"]', '["bb"]', '["ccc"]'])],
)
def test_a_huge_batch_is_split_and_no_row_is_lost(length: int, expected: list[str]) -> None:
    assert list(portions(['"a"', '"bb"', '"ccc"'], length=length)) == expected


def test_no_rows_are_no_statement() -> None:
    assert list(portions([])) == []
