import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.catalogue_files import load_classifier
from runbooks.adapters.failed_executions import find_failed, read_failure
from runbooks.adapters.hiding import WITHHELD, Hiding
from runbooks.adapters.known_workflows import read_known
from runbooks.adapters.schema import HostSchema, inspect_schema
from runbooks.adapters.store import upsert_runbooks
from runbooks.core.classifier import ErrorFacts
from runbooks.core.failed_execution import CallAttempt, Failure
from runbooks.core.failure_classes import FailureClass
from runbooks.core.redaction_rule import RedactionRule
from runbooks.errors import ExecutionNotFailed, ExecutionNotFound, WorkflowNotFound
from tests.support.history import NOW, add_attempt, add_execution, add_run, add_workflow, add_workspace, insert_row
from tests.support.stored import make_generated, make_runbook

STRIPE_KEY = "sk_" + "live_" + "Fake0Key1Of2Nobody3At4All5"
CHARGE = {
    "id": "charge",
    "type": "action_http_request",
    "data": {"label": "Charge", "config": {"url": "https://api.stripe.com/v1/charges", "method": "POST"}},
}


class Platform:
    """A workspace with one workflow, and what is read of its failed executions."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema: HostSchema = inspect_schema(connection)
        self.workspace = add_workspace(connection)
        self.workflow = add_workflow(connection, self.workspace, nodes=[CHARGE])

    def execution(self, at: datetime = NOW, **values: Any) -> str:
        return add_execution(self.connection, self.workflow, at, **{"status": "failed", **values})

    def failed_at(self, at: datetime, message: str = "boom", node: str = "charge") -> str:
        """A whole failed execution, with its node's run."""
        execution = self.execution(at)
        add_run(self.connection, execution, at, node_id=node, status="failed", error={"message": message}, sequence=2)
        return execution

    def read(self, execution: str, *, survived: tuple[str, ...] = (), days: int = 30) -> Failure:
        found = find_failed(self.connection, execution, schema=self.schema)
        return read_failure(self.connection, found, survived=survived, window_days=days, schema=self.schema)


@pytest.fixture
def platform(connection: Connection) -> Platform:
    """On a database of each kind."""
    return Platform(connection)


@pytest.fixture
def one_platform(standalone: Connection) -> Platform:
    return Platform(standalone)


def an_unused_id(platform: Platform) -> str:
    return "987654321" if platform.schema.id_type == "bigint" else "00000000-0000-4000-8000-000000000000"


def test_failed_node_its_error_and_what_ran_before_are_read(platform: Platform) -> None:
    execution = platform.execution(error={"message": "node charge failed"})
    add_run(platform.connection, execution, NOW, node_id="start", node_type="trigger_webhook", sequence=1)
    add_run(
        platform.connection, execution, NOW, node_id="charge", node_name="Charge", status="failed",
        error={"message": "client error: status 401", "code": "E1"}, sequence=2,
    )  # fmt: skip
    add_run(platform.connection, execution, NOW, node_id="later", sequence=3)
    found = platform.read(execution)
    assert found.execution.workflow_id == platform.workflow
    assert found.execution.workspace_id == platform.workspace
    assert found.execution.failed_at == NOW
    assert found.execution.message == "node charge failed"
    assert found.run is not None
    assert (found.run.node_key, found.run.node_name, found.run.message, found.run.error_code) == (
        "charge", "Charge", "client error: status 401", "E1",
    )  # fmt: skip
    assert [run.node_key for run in found.before] == ["start"]


def test_attempts_are_read_in_order_and_each_once(platform: Platform) -> None:
    execution = platform.execution()
    run = add_run(platform.connection, execution, NOW, node_id="charge", status="failed", sequence=1)
    other = add_run(platform.connection, execution, NOW, node_id="other", sequence=0)
    second = NOW + timedelta(seconds=2)
    for _ in range(2):  # with the progress callback and with the final one
        add_attempt(
            platform.connection, execution, second, execution_node_id=run, status="client_error", status_code=401,
            attempt_no=2, error_code="E1", error_message="no",
        )  # fmt: skip
        add_attempt(platform.connection, execution, NOW, execution_node_id=run, status="timeout", attempt_no=1)
    add_attempt(platform.connection, execution, NOW, execution_node_id=other, status="server_error")
    add_attempt(
        platform.connection, execution, second, execution_node_id=run, status="client_error", attempt_no=3,
        meta={"replay_mode": True},
    )  # fmt: skip
    assert platform.read(execution).attempts == (
        CallAttempt(status="timeout"),
        CallAttempt(status="client_error", status_code=401, error_code="E1", message="no"),
    )


def test_an_attempt_without_node_is_that_of_the_only_run_of_its_type(platform: Platform) -> None:
    execution = platform.execution()
    add_run(platform.connection, execution, NOW, node_id="charge", status="failed", sequence=1)
    add_attempt(platform.connection, execution, NOW, status="timeout")
    assert len(platform.read(execution).attempts) == 1
    add_run(platform.connection, execution, NOW, node_id="other", sequence=0)
    assert platform.read(execution).attempts == ()


def test_a_failure_that_the_workflow_lives_with_is_not_the_one(platform: Platform) -> None:
    execution = platform.execution()
    add_run(platform.connection, execution, NOW, node_id="tolerated", status="failed", sequence=1)
    add_run(platform.connection, execution, NOW, node_id="charge", status="failed", sequence=2)
    assert platform.read(execution).node_key == "tolerated"
    assert platform.read(execution, survived=("tolerated",)).node_key == "charge"


def test_without_a_failed_run_the_executions_own_error_counts(platform: Platform) -> None:
    bare = platform.read(platform.execution(error={"message": "worker lost"}))
    assert (bare.run, bare.execution.message, bare.attempts, bare.earlier) == (None, "worker lost", (), ())
    named = platform.read(platform.execution(error={"message": "no", "node_id": "charge"}))
    assert named.node_key == "charge"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ('{"message": "plain"}', "plain"),
        ('"only text"', "only text"),
        ('{"reason": "other shape"}', '{"reason": "other shape"}'),
        ("null", ""),
        ('{"message": "nul \\u0000 in it"}', "nul \0 in it"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_errors_of_every_shape_are_read(one_platform: Platform, error: str, message: str) -> None:
    execution = one_platform.execution()
    query = text("UPDATE executions SET error = CAST(:error AS json) WHERE id::text = :id")
    one_platform.connection.execute(query, {"error": error, "id": execution})
    assert one_platform.read(execution).execution.message == message


def test_no_secret_is_read_out(platform: Platform) -> None:
    said = f"Invalid API Key provided: {STRIPE_KEY}"
    execution = platform.execution(error={"message": said, "code": STRIPE_KEY})
    run = add_run(
        platform.connection, execution, NOW, node_id="charge", status="failed", error={"message": "x " * 9000 + said},
        node_name=STRIPE_KEY, sequence=1,
    )  # fmt: skip
    add_attempt(platform.connection, execution, NOW, execution_node_id=run, status="client_error", error_message=said)
    platform.failed_at(NOW - timedelta(days=1), said)
    assert STRIPE_KEY[8:20] not in repr(platform.read(execution))


def test_what_the_workspace_wants_hidden_is_hidden(platform: Platform) -> None:
    if platform.connection.execute(text("SELECT to_regclass('workspace_policies') IS NULL")).scalar_one():
        pytest.skip("this generation has no policies")
    insert_row(
        platform.connection, "workspace_policies", workspace_id=platform.workspace, enabled=True,
        redaction_rules=[{"pattern": "CUST-[0-9]+"}],
    )  # fmt: skip
    execution = platform.failed_at(NOW, "no such customer CUST-4711")
    shown = platform.read(execution)
    assert shown.run is not None
    assert re.search("CUST-4711", repr(shown)) is None
    assert "no such customer" in shown.run.message


@pytest.mark.parametrize("rules", [["(unclosed"], [{"nonsense": 1}], [7]])
def test_rules_that_cannot_be_applied_let_no_text_through(platform: Platform, rules: Any) -> None:
    if platform.connection.execute(text("SELECT to_regclass('workspace_policies') IS NULL")).scalar_one():
        pytest.skip("this generation has no policies")
    insert_row(
        platform.connection, "workspace_policies", workspace_id=platform.workspace, enabled=True, redaction_rules=rules
    )
    said = f"no such customer CUST-4711 {'a' * 3000}"
    execution = platform.execution(NOW, error={"message": said, "code": said, "node": "charge"})
    run = add_run(
        platform.connection, execution, NOW, node_id="charge", status="failed", error={"message": said, "code": said},
        node_name=said, sequence=1,
    )  # fmt: skip
    add_attempt(
        platform.connection, execution, NOW, execution_node_id=run, status="server_error", status_code=503,
        error_message=said, error_code="CUST-4711" + "a" * 60,
    )  # fmt: skip
    platform.failed_at(NOW - timedelta(days=1), said)
    shown = platform.read(execution)
    assert "CUST-4711" not in repr(shown)
    assert shown.run is not None
    assert (shown.run.node_key, shown.run.message) == ("charge", WITHHELD)
    assert shown.attempts[0].status_code == 503
    assert len(shown.earlier) == 1


def test_a_text_that_a_rule_takes_too_long_over_is_withheld() -> None:
    hiding = Hiding((RedactionRule(r"(?:x+x+)+y"),))
    assert hiding.text("x" * 5000 + " CUST-4711") == WITHHELD
    assert hiding.name("x" * 5000 + " CUST-4711") is None
    assert hiding.text("") == ""


def test_a_policy_that_is_wrong_elsewhere_still_tells_what_to_hide(platform: Platform) -> None:
    if platform.connection.execute(text("SELECT to_regclass('workspace_policies') IS NULL")).scalar_one():
        pytest.skip("this generation has no policies")
    insert_row(
        platform.connection, "workspace_policies", workspace_id=platform.workspace, enabled=True,
        allowed_ai_models={"not": "a list"}, redaction_rules=[{"pattern": "CUST-[0-9]+"}],
    )  # fmt: skip
    shown = platform.read(platform.failed_at(NOW, "no such customer CUST-4711"))
    assert shown.run is not None
    assert shown.run.message.startswith("no such customer <")


def test_a_text_that_is_withheld_is_no_evidence() -> None:
    assert load_classifier().classify(ErrorFacts(message=WITHHELD)) is FailureClass.UNKNOWN


# --- earlier failures ---


def test_earlier_failures_come_with_their_incident_and_its_end(platform: Platform) -> None:
    hour = timedelta(hours=1)
    platform.failed_at(NOW - 10 * hour, "first")
    platform.failed_at(NOW - 9 * hour, "second")
    platform.execution(NOW - 8 * hour, status="completed")
    platform.failed_at(NOW - 2 * hour, "third")
    found = platform.read(platform.failed_at(NOW))
    assert [(one.message, one.at, one.began_at, one.recovered_at) for one in found.earlier] == [
        ("third", NOW - 2 * hour, NOW - 2 * hour, None),
        ("second", NOW - 9 * hour, NOW - 10 * hour, NOW - 8 * hour),
        ("first", NOW - 10 * hour, NOW - 10 * hour, NOW - 8 * hour),
    ]


def test_what_came_later_does_not_count(platform: Platform) -> None:
    execution = platform.failed_at(NOW)
    platform.failed_at(NOW + timedelta(hours=1))
    platform.execution(NOW + timedelta(hours=2), status="completed")
    assert platform.read(execution).earlier == ()


def test_only_this_node_of_this_workflow_in_the_window_counts(platform: Platform) -> None:
    platform.failed_at(NOW - timedelta(days=1), node="other")
    platform.failed_at(NOW - timedelta(days=8))
    replay = platform.failed_at(NOW - timedelta(days=2))
    query = text("UPDATE executions SET is_deterministic_replay = true WHERE id::text = :id")
    platform.connection.execute(query, {"id": replay})
    elsewhere = Platform.__new__(Platform)
    elsewhere.__dict__ = {**platform.__dict__, "workflow": add_workflow(platform.connection, platform.workspace)}
    elsewhere.failed_at(NOW - timedelta(days=1))
    assert platform.read(platform.failed_at(NOW), days=7).earlier == ()


def test_an_earlier_failure_knows_its_last_attempt(platform: Platform) -> None:
    at = NOW - timedelta(days=1)
    execution = platform.execution(at)
    run = add_run(platform.connection, execution, at, node_id="charge", status="failed", sequence=1)
    add_attempt(platform.connection, execution, at, execution_node_id=run, status="timeout", attempt_no=1)
    later = at + timedelta(seconds=1)
    add_attempt(
        platform.connection, execution, later, execution_node_id=run, status="client_error", status_code=401,
        attempt_no=2,
    )  # fmt: skip
    (found,) = platform.read(platform.failed_at(NOW)).earlier
    assert found.last_attempt == CallAttempt(status="client_error", status_code=401)


# --- which execution, which workflow ---


def test_unknown_execution_is_told(platform: Platform) -> None:
    with pytest.raises(ExecutionNotFound, match="no execution has the id"):
        platform.read(an_unused_id(platform))


@pytest.mark.parametrize("status", ["pending", "running", "completed", "cancelled", "waiting"])
def test_an_execution_that_did_not_fail_is_told(one_platform: Platform, status: str) -> None:
    with pytest.raises(ExecutionNotFailed, match=f"is {status}; only a failed one"):
        one_platform.read(one_platform.execution(status=status))


def test_a_replay_is_told_with_what_it_replays(platform: Platform) -> None:
    original = platform.execution()
    replay = platform.execution(is_deterministic_replay=True, replay_of_execution_id=original)
    with pytest.raises(ExecutionNotFailed, match=f"deterministic replay.*{original}"):
        platform.read(replay)


def test_what_is_known_of_the_workflow_is_read(platform: Platform) -> None:
    known = read_known(platform.connection, platform.workflow, schema=platform.schema)
    assert known.runbook is None
    assert known.facts is not None
    assert [one.service for one in known.facts.integrations] == ["Stripe API"]
    runbook = make_runbook(workflow_id=platform.workflow)
    upsert_runbooks(
        platform.connection, [make_generated(platform.workflow, platform.workspace, runbook)], schema=platform.schema
    )
    assert read_known(platform.connection, platform.workflow, schema=platform.schema).runbook == runbook


def test_contacts_of_the_workspace_are_read(platform: Platform) -> None:
    query = text("UPDATE workspaces SET settings = CAST(:s AS json) WHERE id::text = :id")
    settings = '{"escalation_matrix": {"high": "Call the operator"}}'
    platform.connection.execute(query, {"s": settings, "id": platform.workspace})
    known = read_known(platform.connection, platform.workflow, schema=platform.schema)
    assert known.facts is not None
    assert known.facts.escalation_matrix["high"] == "Call the operator"


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
def test_an_inactive_workflow_is_told(one_platform: Platform, change: str) -> None:
    one_platform.connection.execute(text(f"UPDATE workflows SET {change}"))
    with pytest.raises(WorkflowNotFound, match="is not active"):
        read_known(one_platform.connection, one_platform.workflow, schema=one_platform.schema)


def test_an_unreadable_definition_is_told_and_does_not_stop_the_reading(platform: Platform) -> None:
    platform.connection.execute(
        text("UPDATE workflows SET nodes = '\"nothing\"' WHERE id::text = :id"), {"id": platform.workflow}
    )
    known = read_known(platform.connection, platform.workflow, schema=platform.schema)
    assert known.facts is None
    assert platform.workflow in known.problem
