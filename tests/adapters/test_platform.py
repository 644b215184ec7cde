import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.history import refresh_history
from runbooks.adapters.platform import (
    Wanted,
    count_active,
    find_changed,
    find_one,
    read_node_catalogue,
    read_workflows,
    read_workspace_settings,
)
from runbooks.adapters.schema import inspect_schema
from runbooks.adapters.store import mark_unchanged, upsert_runbooks
from runbooks.core.batch import Candidate
from runbooks.core.runbook import Provenance
from runbooks.core.shard import Shard, split
from runbooks.core.workflow import Workflow
from runbooks.errors import WorkflowNotFound
from tests.support.history import NOW, add_attempt, add_execution, add_run, add_workflow, add_workspace, insert_row
from tests.support.stored import make_generated, make_runbook

WRITER = "catalogue:c1"
NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {
        "id": "pay",
        "type": "action_http_request",
        "position": {"x": 1},
        "data": {"config": {"url": "https://a.example"}},
    },
]
EDGES = [{"source": "in", "target": "pay"}]


class World:
    """A workspace of its own on a platform that may hold others."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema = inspect_schema(connection)
        self.workspace = add_workspace(connection)

    def workflow(self, **values: Any) -> str:
        return add_workflow(self.connection, self.workspace, **{"nodes": NODES, "edges": EDGES, **values})

    def update(self, table: str, row_id: str, assignment: str, **values: Any) -> None:
        query = text(f"UPDATE {table} SET {assignment} WHERE id::text = :row_id")
        assert self.connection.execute(query, {"row_id": row_id, **values}).rowcount == 1

    def changed(self, signature: str = WRITER, *, keep_llm: bool = False, **changes: Any) -> list[str]:
        return [candidate.workflow_id for candidate in self.candidates(signature, keep_llm=keep_llm, **changes)]

    def candidates(self, signature: str = WRITER, *, keep_llm: bool = False, **changes: Any) -> list[Candidate]:
        given = {"workspace_id": self.workspace, **changes}
        return find_changed(self.connection, schema=self.schema, wanted=Wanted(signature, keep_llm), **given)

    def store(self, *, writer: str = "catalogue", **changes: Any) -> None:
        """Store a runbook for all that changed."""
        runbook = make_runbook(provenance=Provenance(fingerprint="f", definition_hash="d", writer=writer))
        batch = [
            make_generated(
                one.workflow_id, self.workspace, runbook, source_digest=one.source_digest,
                history_signature=one.history_signature, **{"writer_signature": WRITER, **changes},
            )
            for one in self.candidates()
        ]  # fmt: skip
        upsert_runbooks(self.connection, batch, schema=self.schema)

    def read(self, *ids: str) -> list[Workflow]:
        return read_workflows(self.connection, ids, schema=self.schema)[0]


@pytest.fixture
def world(standalone: Connection) -> World:
    return World(standalone)


def test_active_workflows_without_a_runbook_are_found_busiest_first_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    quiet, busy = world.workflow(), world.workflow(execution_count=50)
    world.workflow(is_active=False)
    world.workflow(deleted_at=NOW)
    other = World.__new__(World)
    other.__dict__.update(world.__dict__, workspace=add_workspace(connection, "other"))
    elsewhere = other.workflow(execution_count=20)
    assert world.changed() == [busy, quiet]
    everywhere = world.changed(workspace_id=None)
    assert [one for one in everywhere if one in {quiet, busy, elsewhere}] == [busy, elsewhere, quiet]
    assert len(everywhere) == count_active(connection, schema=world.schema)
    assert count_active(connection, schema=world.schema, workspace_id=world.workspace) == 2


def test_the_database_puts_each_workflow_into_the_shard_that_its_id_says_on_every_platform(
    connection: Connection,
) -> None:
    world = World(connection)
    for count in range(12):
        world.workflow(execution_count=count)
    everything = world.candidates()
    for of in (1, 3, 5):
        parts = split(everything, of)
        for number in range(1, of + 1):
            shard = Shard(number, of)
            assert world.candidates(shard=shard) == parts.get(shard, []), shard


def test_nothing_is_found_again_after_storing_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    found = world.workflow()
    world.store()
    assert world.changed() == []
    assert world.changed(full=True) == [found]


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("nodes = CAST(:value AS json)", json.dumps([*NODES, {"id": "x", "type": "action_slack"}])),
        ("edges = CAST(:value AS json)", "[]"),
        ("name = :value", "Another name"),
        ("description = :value", "What it is for"),
        ("trigger_type = :value", "schedule"),
        ("trigger_config = CAST(:value AS json)", '{"cron": "0 * * * *"}'),
        ("settings = CAST(:value AS json)", '{"timeout": {"node": 5}}'),
    ],
)
def test_change_of_the_definition_is_found(world: World, assignment: str, value: str) -> None:
    found = world.workflow()
    world.workflow()
    world.store()
    world.update("workflows", found, assignment, value=value)
    assert world.changed() == [found]


@pytest.mark.parametrize(
    "assignment",
    [
        "execution_count = 99, success_rate = 3.5, last_executed_at = now(), updated_at = now()",
        "viewport = '{\"zoom\": 2}'",
        "is_locked = true",
    ],
)
def test_counters_and_layout_of_the_canvas_are_no_change(connection: Connection, assignment: str) -> None:
    world = World(connection)
    found = world.workflow()
    world.store()
    world.update("workflows", found, assignment)
    assert world.changed() == []


def test_settings_of_the_workspace_are_part_of_its_workflows(world: World) -> None:
    found = world.workflow()
    world.store()
    world.update("workspaces", world.workspace, 'settings = \'{"escalation": {"high": "Ann"}}\'')
    assert world.changed() == [found]


def test_moved_box_is_looked_at_once(world: World) -> None:
    found = world.workflow()
    world.store()
    moved = json.dumps([NODES[0], {**NODES[1], "position": {"x": 500}}])
    world.update("workflows", found, "nodes = CAST(:value AS json)", value=moved)
    candidates = world.candidates()
    assert [one.workflow_id for one in candidates] == [found]
    mark_unchanged(world.connection, candidates, schema=world.schema)
    assert world.changed() == []
    mark_unchanged(world.connection, [], schema=world.schema)


def test_another_writer_makes_all_runbooks_old(world: World) -> None:
    found = world.workflow()
    world.store()
    assert world.changed("catalogue:c2") == [found]
    assert world.changed("llm:m1:c1") == [found]


def test_what_an_llm_wrote_is_kept_by_a_sweep_without_one_until_it_changes(world: World) -> None:
    found = world.workflow()
    world.store(writer="llm", writer_signature="llm:m1:c1")
    assert world.changed(keep_llm=True) == []
    assert world.changed(keep_llm=False) == [found]
    world.update("workflows", found, "name = 'Another'")
    assert world.changed(keep_llm=True) == [found]


def test_workflow_whose_history_changed_is_found(world: World) -> None:
    found = world.workflow()
    world.workflow()
    world.store()
    execution = add_execution(world.connection, found, NOW)
    run = add_run(world.connection, execution, NOW, node_id="pay")
    for number in range(30):
        add_attempt(
            world.connection,
            execution,
            NOW,
            execution_node_id=run,
            status="timeout",
            request_fingerprint=f"{number:064}",
        )
    refresh_history(world.connection, days=30, now=NOW)
    assert world.changed() == [found]
    world.store()
    refresh_history(world.connection, days=30, now=NOW)
    assert world.changed() == []


def test_workflow_whose_credential_comes_to_its_end_is_found(world: World) -> None:
    found = world.workflow()
    soon = datetime.now(UTC) + timedelta(days=13)
    query = "SELECT workspace_id::text FROM workflows WHERE id::text = :id"
    workspace = world.connection.execute(text(query), {"id": found}).scalar_one()
    credential = insert_row(
        world.connection, "credentials", workspace_id=workspace, name="k", type="t", data="", expires_at=soon
    )
    insert_row(world.connection, "workflow_credentials", workflow_id=found, credential_id=credential, node_id="pay")
    world.store()
    assert world.changed() == []
    world.update("credentials", credential, "updated_at = now()")  # its use may move that
    assert world.changed() == []
    for moved in ("+ interval '1 year'", "- interval '2 years'"):
        world.update("credentials", credential, f"expires_at = expires_at {moved}")
        assert world.changed() == [found]
        world.store()


def test_runbook_that_was_deleted_is_missed(world: World) -> None:
    found = world.workflow()
    world.store()
    world.connection.execute(text("DELETE FROM execution_runbooks"))
    assert world.changed() == [found]


def test_one_workflow_is_found_changed_or_not_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    found = world.workflow()
    (candidate,) = world.candidates()
    assert find_one(connection, found, schema=world.schema) == candidate
    world.store()
    assert find_one(connection, found, schema=world.schema) == candidate


@pytest.mark.parametrize("state", [{"is_active": False}, {"deleted_at": NOW}])
def test_workflow_that_does_not_run_is_not_found(world: World, state: dict[str, Any]) -> None:
    found = world.workflow(**state)
    with pytest.raises(WorkflowNotFound, match=found):
        find_one(world.connection, found, schema=world.schema)


def test_definition_that_runs_is_the_rows_own_even_when_another_is_published(connection: Connection) -> None:
    world = World(connection)
    found = world.workflow(trigger_type="webhook", description="Takes the money")
    version = insert_row(
        connection, "workflow_versions", workflow_id=found, version_number=7, trigger_type="manual",
        nodes=[{"id": "old", "type": "action_slack"}], edges=[],
    )  # fmt: skip
    world.update("workflows", found, f"current_version_id = CAST(:version AS {world.schema.id_type})", version=version)
    (workflow,) = world.read(found)
    assert [node.key for node in workflow.nodes] == ["in", "pay"]
    assert [(edge.source, edge.target) for edge in workflow.edges] == [("in", "pay")]
    assert (workflow.id, workflow.workspace_id, workflow.trigger_type) == (found, world.workspace, "webhook")
    assert (workflow.version, workflow.description) == ("7", "Takes the money")


@pytest.mark.parametrize("empty", ["[]", " [ ] ", "{}", "null"])
def test_row_without_nodes_runs_its_current_version_on_every_platform(connection: Connection, empty: str) -> None:
    world = World(connection)
    found = world.workflow(edges=[])
    version = insert_row(
        connection, "workflow_versions", workflow_id=found, version_number=3, trigger_type="manual", nodes=NODES,
        edges=EDGES,
    )  # fmt: skip
    assignment = f"nodes = CAST(:empty AS json), current_version_id = CAST(:version AS {world.schema.id_type})"
    world.update("workflows", found, assignment, version=version, empty=empty)
    (workflow,) = world.read(found)
    assert [node.key for node in workflow.nodes] == ["in", "pay"]
    assert workflow.version == "3"
    before = find_one(connection, found, schema=world.schema).source_digest
    world.update("workflow_versions", version, "nodes = CAST('[]' AS json)")
    assert find_one(connection, found, schema=world.schema).source_digest != before


def test_owner_is_the_person_who_created_it_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    found = world.workflow()
    named = "first_name = 'Zoë', last_name = 'Ng'" if world.schema.id_type == "bigint" else "name = 'Zoë Ng'"
    owner = connection.execute(
        text("SELECT created_by::text FROM workflows WHERE id::text = :id"), {"id": found}
    ).scalar_one()
    world.update("users", owner, named)
    assert world.read(found)[0].owner == "Zoë Ng"
    world.update("users", owner, named.replace("Zoë", "").replace("Ng", " "))
    assert "@example.com" in str(world.read(found)[0].owner)


LONG_NUMBER = '[{"id": "a", "type": "x", "v": 1' + "0" * 5000 + "}]"


@pytest.mark.parametrize("nodes", ['"text"', "17", '{"a": 1}', "[" * 5000 + "]" * 5000, LONG_NUMBER])
def test_definition_that_cannot_be_read_is_reported_and_the_others_come(connection: Connection, nodes: str) -> None:
    world = World(connection)
    good, bad = world.workflow(), world.workflow()
    world.update("workflows", bad, "nodes = CAST(:nodes AS json)", nodes=nodes)
    workflows, failed = read_workflows(connection, [bad, good], schema=world.schema)
    assert good in [workflow.id for workflow in workflows]
    for one in failed:
        assert (one.workflow_id, "\n" in one.reason) == (bad, False)
        assert one.reason
    assert len(workflows) + len(failed) == 2


def test_nul_characters_and_half_surrogates_are_read(world: World) -> None:
    found = world.workflow()
    world.update(
        "workflows",
        found,
        "nodes = CAST(:nodes AS json)",
        nodes='[{"id": "a\\u0000b", "type": "x", "label": "\\ud83d"}]',
    )
    (workflow,) = world.read(found)
    text_of_it = workflow.model_dump_json()
    assert "\\u0000" not in text_of_it
    assert "\0" not in workflow.nodes[0].key


def test_workflows_come_in_the_order_asked_for_and_missing_ones_do_not(world: World) -> None:
    ids = [world.workflow() for _ in range(5)]
    gone = world.workflow(is_active=False)
    assert [workflow.id for workflow in world.read(*reversed(ids), gone)] == list(reversed(ids))


def test_node_types_of_the_platform_are_read_on_every_platform(connection: Connection) -> None:
    connection.execute(text("DELETE FROM nodes"))
    assert read_node_catalogue(connection) == {}
    insert_row(
        connection, "nodes", type="integration_acme", name="Acme", node_kind="action", credential_type="acme_api",
        config_schema={},
    )  # fmt: skip
    (entry,) = read_node_catalogue(connection).values()
    assert (entry.name, entry.node_kind, entry.credential_type) == ("Acme", "action", "acme_api")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('{"escalation": {"high": "Ann"}}', {"escalation": {"high": "Ann"}}),
        (None, {}),
        ("[]", {}),
        ('"x"', {}),
        ("[" * 5000 + "]" * 5000, {}),
    ],
)
def test_settings_of_any_shape_are_read(connection: Connection, settings: str | None, expected: dict[str, Any]) -> None:
    world = World(connection)
    world.update("workspaces", world.workspace, "settings = CAST(:value AS json)", value=settings)
    assert read_workspace_settings(connection, [world.workspace], schema=world.schema) == {world.workspace: expected}
