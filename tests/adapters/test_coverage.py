import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.catalogue_files import load_classifier
from runbooks.adapters.coverage import CoverageReader, save_snapshot
from runbooks.adapters.history import refresh_history
from runbooks.adapters.platform import find_one, read_workflows
from runbooks.adapters.schema import inspect_schema
from runbooks.adapters.store import upsert_runbooks
from runbooks.core.coverage import CoverageReport, Layer
from runbooks.core.definition import definition_hash
from runbooks.core.failure_classes import FailureClass
from runbooks.core.recall import Recall
from runbooks.core.runbook import Provenance, RunbookSection
from tests.support.history import NOW, add_attempt, add_execution, add_run, add_workflow, add_workspace
from tests.support.stored import REQUIRED, make_generated, make_runbook, make_section

NODES = [
    {"id": "in", "type": "trigger_webhook", "position": {"x": 1}},
    {"id": "pay", "type": "action_http_request", "data": {"config": {"url": "https://api.stripe.com/v1/charges"}}},
    {"id": "tell", "type": "action_slack", "data": {"config": {"channel": "#sales"}}},
]
SECTIONS = (
    make_section("pay", *REQUIRED, FailureClass.NETWORK),
    make_section("tell", *REQUIRED[:2], integration="Slack"),
)
CLASSIFIER = load_classifier()


class World:
    """A workspace of its own on a platform that may hold others."""

    def __init__(self, connection: Connection, slug: str = "ops") -> None:
        self.connection = connection
        self.schema = inspect_schema(connection)
        self.workspace = add_workspace(connection, slug)

    def workflow(self, **values: Any) -> str:
        return add_workflow(self.connection, self.workspace, **{"nodes": NODES, **values})

    def cover(self, workflow: str, *sections: RunbookSection, ai: bool = False) -> None:
        """Store a runbook of the definition as it is now."""
        (read,), _ = read_workflows(self.connection, [workflow], schema=self.schema)
        made = Provenance(fingerprint="f", definition_hash=definition_hash(read))
        runbook = make_runbook(*(sections or SECTIONS), ai_generated=ai, provenance=made)
        digest = find_one(self.connection, workflow, schema=self.schema).source_digest
        generated = make_generated(workflow, self.workspace, runbook, source_digest=digest)
        upsert_runbooks(self.connection, [generated], schema=self.schema)

    def update(self, workflow: str, assignment: str, **values: Any) -> None:
        self.connection.execute(
            text(f"UPDATE workflows SET {assignment} WHERE id::text = :workflow"), {"workflow": workflow, **values}
        )

    def fail(self, workflow: str, count: int, *, node: str | None = "pay", **values: Any) -> None:
        at = NOW - timedelta(days=1)
        execution = add_execution(self.connection, workflow, at, status="failed")
        run = add_run(self.connection, execution, at, node_id=node) if node else None
        for number in range(count):
            add_attempt(
                self.connection, execution, at, execution_node_id=run, request_fingerprint=f"{number:064}", **values
            )

    def report(self, *, everywhere: bool = False) -> CoverageReport:
        workspace = None if everywhere else self.workspace
        reader = CoverageReader(
            self.connection, schema=self.schema, classify=CLASSIFIER.classify, workspace_id=workspace
        )
        return reader.read(now=NOW, target=0.8, window_days=30)


@pytest.fixture
def world(connection: Connection) -> World:
    """On a database of each kind."""
    return World(connection)


@pytest.fixture
def one_world(standalone: Connection) -> World:
    return World(standalone)


def test_workspace_without_workflows_has_nothing_to_cover(world: World) -> None:
    report = world.report()
    assert (report.active_workflows, report.proactive_coverage, report.uncovered) == (0, 0.0, ())
    assert report.integrations == Layer(covered=0, total=0)


def test_workflows_integrations_and_scenarios_are_counted(world: World) -> None:
    covered, by_ai, _bare = world.workflow(), world.workflow(), world.workflow()
    world.workflow(is_active=False)
    world.workflow(deleted_at=NOW)
    world.cover(covered)
    world.cover(by_ai, ai=True)
    report = world.report()
    assert (report.active_workflows, report.with_proactive_runbook, report.with_ai_runbook) == (3, 2, 1)
    assert report.stale == 0
    assert report.integrations == Layer(covered=4, total=6)
    assert report.failure_classes == Layer(covered=12, total=24)
    (workspace,) = report.by_workspace
    assert (workspace.workspace_id, workspace.name, workspace.active_workflows) == (world.workspace, "Ops", 3)
    assert (workspace.with_proactive_runbook, workspace.with_ai_runbook, workspace.stale) == (2, 1, 0)


def test_changed_definition_makes_its_runbook_stale(world: World) -> None:
    changed, same = world.workflow(), world.workflow()
    world.cover(changed, ai=True)
    world.cover(same)
    world.update(changed, "nodes = CAST(:nodes AS json)", nodes=json.dumps(NODES[:2]))
    report = world.report()
    assert (report.with_proactive_runbook, report.with_ai_runbook, report.stale) == (1, 0, 1)
    assert report.integrations == Layer(covered=2, total=3)
    assert [(one.workflow_id, one.reason) for one in report.uncovered] == [(changed, "stale")]


@pytest.mark.parametrize(
    ("assignment", "values"),
    [
        ("nodes = CAST(:nodes AS json)", {"nodes": json.dumps([{**NODES[0], "position": {"x": 99}}, *NODES[1:]])}),
        ("execution_count = 500, updated_at = now()", {}),
    ],
)
def test_moved_boxes_and_counters_make_nothing_stale(one_world: World, assignment: str, values: dict[str, Any]) -> None:
    workflow = one_world.workflow()
    one_world.cover(workflow)
    one_world.update(workflow, assignment, **values)
    report = one_world.report()
    assert (report.stale, report.with_proactive_runbook, report.uncovered) == (0, 1, ())


def test_definition_that_cannot_be_read_any_more_is_stale_and_one_without_runbook_uncovered(one_world: World) -> None:
    once, never = one_world.workflow(), one_world.workflow()
    one_world.cover(once)
    for workflow in (once, never):
        one_world.update(workflow, "nodes = '17'")
    report = one_world.report()
    assert {one.workflow_id: one.reason for one in report.uncovered} == {once: "stale", never: "none"}
    assert report.integrations == Layer(covered=0, total=0)


def test_uncovered_are_listed_worst_first_with_their_failures(world: World) -> None:
    quiet, busy, failing = (world.workflow(execution_count=count) for count in (1, 90, 90))
    world.fail(failing, 1, status="timeout")
    add_execution(world.connection, failing, NOW - timedelta(days=40), status="failed")
    report = world.report()
    assert [(one.workflow_id, one.executions, one.failures) for one in report.uncovered] == [
        (failing, 90, 1), (busy, 90, 0), (quiet, 1, 0),
    ]  # fmt: skip


def test_observed_failures_are_held_against_the_section_of_their_node(world: World) -> None:
    covered, bare = world.workflow(), world.workflow()
    world.cover(covered)
    world.fail(covered, 4, status="timeout")  # has its scenario
    world.fail(
        covered, 3, node="tell", connector_key="action_slack", status="client_error", status_code=429
    )  # has none
    world.fail(bare, 2, status="timeout")  # has no runbook
    refresh_history(world.connection, days=30, now=NOW)
    assert world.report().observed_failures == Layer(covered=4, total=9)


def test_failures_that_name_no_node_are_held_against_the_whole_runbook(one_world: World) -> None:
    workflow = one_world.workflow()
    one_world.cover(workflow)
    one_world.fail(workflow, 2, node=None, status="network_error", error_message="connection refused")
    one_world.fail(workflow, 1, node=None, status="client_error", status_code=409)
    refresh_history(one_world.connection, days=30, now=NOW)
    assert one_world.report().observed_failures == Layer(covered=2, total=3)


def test_scenarios_are_found_at_their_place_in_the_section_of_their_node(world: World) -> None:
    workflow, bare = world.workflow(), world.workflow()
    world.cover(workflow)  # its first scenarios are about timeouts, logins and rate limits
    world.fail(workflow, 4, status="timeout")
    world.fail(workflow, 3, status="client_error", status_code=429)
    world.fail(workflow, 2, status="network_error", error_message="connection refused")
    world.fail(workflow, 5, node=None, status="timeout")
    world.fail(bare, 1, status="timeout")
    refresh_history(world.connection, days=30, now=NOW)
    assert world.report().scenario_recall == Recall(failures=10, at_1=4, at_3=7)


def test_stale_runbook_covers_no_observed_failure(one_world: World) -> None:
    workflow = one_world.workflow()
    one_world.cover(workflow)
    one_world.fail(workflow, 2, status="timeout")
    refresh_history(one_world.connection, days=30, now=NOW)
    one_world.update(workflow, "nodes = CAST(:nodes AS json)", nodes=json.dumps(NODES[:2]))
    assert one_world.report().observed_failures == Layer(covered=0, total=2)


def test_workspaces_are_counted_apart_and_together(one_world: World) -> None:
    other = World(one_world.connection, "other")
    one_world.cover(one_world.workflow())
    for _ in range(2):
        other.workflow()
    assert one_world.report().active_workflows == 1
    together = one_world.report(everywhere=True)
    assert (together.workspace_id, together.active_workflows, together.with_proactive_runbook) == (None, 3, 1)
    assert [(one.name, one.active_workflows) for one in together.by_workspace] == [("Other", 2), ("Ops", 1)]


def test_incidents_of_the_workspace_are_compared(one_world: World) -> None:
    workflow = one_world.workflow()
    for minutes, status in enumerate(["completed", "failed", "completed"]):
        add_execution(one_world.connection, workflow, NOW - timedelta(days=2, minutes=-minutes), status=status)
    report = one_world.report()
    assert (report.mttr.without_runbook.resolved, report.mttr.without_runbook.median_s) == (1, 60)
    assert report.mttr.verdict == "too few"


def test_ratings_are_counted_useful_or_better(one_world: World) -> None:
    workflow = one_world.workflow()
    one_world.cover(workflow)
    runbook = one_world.connection.execute(
        text("SELECT id::text FROM execution_runbooks WHERE workflow_id::text = :id"), {"id": workflow}
    ).scalar_one()
    for number, rating in enumerate(("not_useful", "somewhat_useful", "useful", "very_useful", "very_useful")):
        insert_rating(one_world, runbook, f"rater {number}", rating)
    ratings = one_world.report().ratings
    assert (ratings.count, ratings.useful, ratings.share, ratings.verdict) == (5, 3, 0.6, "not met")


def insert_rating(world: World, runbook: str, rater: str, rating: str) -> None:
    query = f"""
        INSERT INTO runbook_ratings (runbook_id, rater, rating)
        VALUES (CAST(:runbook AS {world.schema.id_type}), :rater, :rating)
    """
    world.connection.execute(text(query), {"runbook": runbook, "rater": rater, "rating": rating})


def test_snapshot_is_kept(world: World) -> None:
    world.cover(world.workflow())
    report = world.report()
    save_snapshot(world.connection, report, schema=world.schema)
    query = text("SELECT taken_at, report FROM runbook_coverage_snapshots WHERE workspace_id::text = :id")
    taken_at, stored = world.connection.execute(query, {"id": world.workspace}).one()
    assert taken_at == NOW
    assert stored == json.loads(report.model_dump_json())
