from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters import backtest as reading
from runbooks.adapters.backtest import backtest, read_runbooks
from runbooks.adapters.catalogue_files import load_classifier
from runbooks.adapters.history import refresh_history
from runbooks.adapters.schema import inspect_schema
from runbooks.adapters.store import upsert_runbooks
from runbooks.core.backtest_report import BacktestReport, Reason
from runbooks.core.failure_classes import FailureClass
from runbooks.core.recall import Recall
from tests.support.history import NOW, add_attempt, add_execution, add_run, add_workflow, add_workspace
from tests.support.stored import make_generated, make_runbook, make_section

YESTERDAY = NOW - timedelta(days=1)
RUNBOOK = make_runbook(
    make_section("pay", FailureClass.TIMEOUT, FailureClass.RATE_LIMITED, node_type="action_http_request"),
    make_section("tell", FailureClass.AUTH_FAILED, integration="Slack", node_type="action_slack"),
)


class World:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema = inspect_schema(connection)
        self.workspace = add_workspace(connection)
        self.workflow = self.add()

    def add(self, **values: Any) -> str:
        return add_workflow(self.connection, self.workspace, **values)

    def cover(self, workflow: str | None = None) -> None:
        generated = make_generated(workflow or self.workflow, self.workspace, RUNBOOK)
        upsert_runbooks(self.connection, [generated], schema=self.schema)

    def call(self, *, node: str | None = "pay", workflow: str | None = None, at: Any = YESTERDAY, **values: Any) -> str:
        replay = values.pop("replay", False)
        execution = add_execution(self.connection, workflow or self.workflow, at, is_deterministic_replay=replay)
        run_status = values.pop("run", "completed")
        run = add_run(self.connection, execution, at, node_id=node, status=run_status) if node else None
        add_attempt(self.connection, execution, at, execution_node_id=run, **values)
        return execution

    def run(self, at: Any = YESTERDAY, **values: Any) -> None:
        execution = add_execution(self.connection, self.workflow, at)
        add_run(
            self.connection,
            execution,
            at,
            **{"node_id": "tell", "node_type": "action_slack", "status": "failed", **values},
        )

    def report(self, **changes: Any) -> BacktestReport:
        given = {"now": NOW, "days": 90, "workspace_id": self.workspace, **changes}
        return backtest(self.connection, schema=self.schema, classifier=load_classifier(), **given)


@pytest.fixture
def world(standalone: Connection) -> World:
    return World(standalone)


def test_failures_of_calls_and_runs_are_replayed_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    world.cover()
    for number in range(3):
        world.call(status="timeout", error_message=f"context deadline exceeded after {100000 + number}")
    world.call(status="client_error", status_code=429, node=None)
    world.call(status="server_error", status_code=503)
    world.run(error={"message": "Slack error: invalid_auth"})
    report = world.report()
    assert report.matched == Recall(failures=6, at_1=5, at_3=5)
    assert report.matched_distinct == Recall(failures=4, at_1=3, at_3=3)
    assert {one.name: one.matched.failures for one in report.by_service} == {"Stripe API": 5, "Slack": 1}
    assert report.reasons == {Reason.NO_SCENARIO: 1}
    assert (report.uncovered[0].failure_class, report.uncovered[0].status_code) == (FailureClass.SERVER_ERROR, 503)


def test_what_says_nothing_about_the_service_is_left_out(world: World) -> None:
    world.cover()
    world.call(status="timeout", replay=True)
    world.call(status="client_error", meta={"replay_mode": True})
    world.call(status="cancelled")
    world.call(status="timeout", at=NOW - timedelta(days=91))
    world.run(node_type="transform_set")
    world.call(status="timeout", workflow=world.add(is_active=False))
    world.call(status="timeout", workflow=world.add(deleted_at=NOW))
    assert world.report().matched.failures == 0


def test_failed_run_counts_once_with_its_failed_call_and_by_itself_where_its_calls_succeeded(world: World) -> None:
    world.cover()
    world.call(status="timeout", run="failed")
    assert world.report().matched.failures == 1
    world.call(run="failed")
    assert world.report().matched.failures == 2


def test_report_that_arrived_twice_counts_once(world: World) -> None:
    execution = world.call(node=None, status="timeout")
    add_attempt(world.connection, execution, YESTERDAY, status="timeout")
    assert world.report().matched.failures == 1


def test_calls_that_succeeded_are_controls_where_there_is_a_runbook(world: World) -> None:
    other = world.add()
    world.cover()
    world.call(status="timeout")
    for workflow, count in ((world.workflow, 4), (other, 3)):
        for number in range(count):
            world.call(workflow=workflow, status_code=200, at=YESTERDAY + timedelta(minutes=number))
    world.call(workflow=world.workflow, status_code=200, replay=True)
    controls = world.report().controls
    assert (controls.calls, controls.claimed) == (4, 0)


def test_success_that_reads_like_a_failure_is_a_false_alarm(world: World) -> None:
    world.cover()
    world.call(status="timeout")
    world.call(status_code=200, error_message="context deadline exceeded")
    assert world.report().controls.claimed == 1


def test_workspaces_are_kept_apart(world: World) -> None:
    world.call(status="timeout")
    other = World.__new__(World)
    other.connection, other.schema = world.connection, world.schema
    other.workspace = add_workspace(world.connection, "other")
    other.workflow = other.add()
    assert other.report().matched.failures == 0
    assert world.report(workspace_id=None).matched.failures >= 1


def test_many_workflows_are_read_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WORKFLOWS_AT_ONCE", 2)
    workflows = [world.add() for _ in range(5)]
    for number, workflow in enumerate(workflows):
        world.call(workflow=workflow, status="timeout")
        if number % 2:
            world.cover(workflow)
    report = world.report()
    assert report.matched == Recall(failures=5, at_1=2, at_3=2)
    assert report.reasons == {Reason.NO_RUNBOOK: 3}


def test_runbooks_come_with_the_moment_they_were_written(world: World) -> None:
    world.cover()
    found = read_runbooks(world.connection, [world.workflow, world.add()], schema=world.schema)
    assert list(found) == [world.workflow]
    assert [section.node_key for section in found[world.workflow].runbook.sections] == ["pay", "tell"]
    assert found[world.workflow].written_at == world.connection.execute(text("SELECT now()")).scalar_one()


def test_backtest_agrees_with_the_aggregated_history_on_what_failed(world: World) -> None:
    world.cover()
    for number in range(4):
        world.call(status="timeout", at=YESTERDAY + timedelta(minutes=number))
    world.call(status="client_error", status_code=429, is_retry=True)
    world.run(error={"message": "Slack error: invalid_auth"})
    refresh_history(world.connection, days=90, now=NOW)
    query = text("SELECT sum(failures) FROM runbook_failure_groups WHERE workflow_id::text = :id")
    counted = world.connection.execute(query, {"id": world.workflow}).scalar_one()
    assert world.report().matched.failures == counted == 6
