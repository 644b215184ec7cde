import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.catalogue_files import load_classifier
from runbooks.adapters.credentials import read_credentials
from runbooks.adapters.history import refresh_history
from runbooks.adapters.metrics import add_history
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import find_one, read_workflows
from runbooks.adapters.schema import inspect_schema
from runbooks.core.batch import Batch, with_integrations
from runbooks.core.credential import CredentialState
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.reliability import Scope
from tests.support.history import NOW, add_attempt, add_execution, add_run, add_workflow, add_workspace, insert_row

NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {"id": "pay", "type": "action_http_request", "data": {"config": {"url": "https://api.stripe.com/v1/charges"}}},
    {"id": "tell", "type": "action_slack", "data": {"config": {"channel": "#sales"}}},
    {"id": "save", "type": "database_postgres", "data": {"config": {"query": "INSERT INTO t VALUES (1)"}}},
]
YESTERDAY = NOW - timedelta(days=1)
SECRET = "sk_live_" + "notarealkeynotarealkey"


@pytest.fixture
def workflow(connection: Connection) -> str:
    """A workflow on a database of each kind: calls at one node, runs at another, a rollup for the third."""
    workspace = add_workspace(connection)
    query = text("UPDATE workspaces SET settings = CAST(:settings AS json) WHERE id::text = :id")
    connection.execute(query, {"id": workspace, "settings": '{"escalation": {"high": "Ann, 555"}}'})
    workflow = add_workflow(connection, workspace, nodes=NODES)
    execution = add_execution(connection, workflow, YESTERDAY)
    run = add_run(connection, execution, YESTERDAY, node_id="pay")
    for number in range(10):
        add_attempt(connection, execution, YESTERDAY, execution_node_id=run, request_fingerprint=f"{number:064}")
    add_attempt(
        connection, execution, YESTERDAY, execution_node_id=run, status="client_error", status_code=401,
        error_message=f"Invalid API Key provided: {SECRET}",
    )  # fmt: skip
    add_run(
        connection, execution, YESTERDAY, node_id="tell", node_type="action_slack", status="failed",
        error={"message": "Slack error: invalid_auth"},
    )  # fmt: skip
    insert_row(
        connection, "connector_metrics_daily", workspace_id=workspace, connector_key="database_postgres",
        connector_operation="query", day=YESTERDAY, total_calls=100, success_calls=75, failure_calls=25, retry_calls=0,
        timeout_calls=5,
    )  # fmt: skip
    return workflow


def facts_of(connection: Connection, workflow: str, **changes: Any) -> Facts:
    refresh_history(connection, days=30, now=NOW, workflow_ids=[workflow])
    schema = inspect_schema(connection)
    workflows, _ = read_workflows(connection, [workflow], schema=schema)
    batch = with_integrations(Batch(candidates={}, workflows=tuple(workflows)), load_node_knowledge(), {})
    given = {"classify": load_classifier().classify, "window_days": 30, "include_historical_data": True, **changes}
    (facts,) = add_history(connection, batch, schema=schema, **given).facts
    return facts


def test_each_integration_gets_the_most_specific_history(connection: Connection, workflow: str) -> None:
    facts = facts_of(connection, workflow)
    assert {key: (one.scope, one.source, one.calls, one.failures) for key, one in facts.reliability.items()} == {
        "pay": (Scope.NODE, "attempts", 11, 1),
        "tell": (Scope.NODE, "executions", 1, 1),
        "save": (Scope.WORKSPACE, "daily", 100, 25),
    }
    assert facts.history_included
    assert facts.reliability_of("in").scope is Scope.NONE


def test_failures_come_with_class_and_message_but_no_secret(connection: Connection, workflow: str) -> None:
    facts = facts_of(connection, workflow)
    (pay,), (tell,) = facts.reliability["pay"].groups, facts.reliability["tell"].groups
    assert (pay.failure_class, pay.count, pay.share) == (FailureClass.AUTH_FAILED, 1, 0.0909)
    assert pay.message.startswith("Invalid API Key provided: ")
    assert (tell.failure_class, tell.message) == (FailureClass.AUTH_FAILED, "Slack error: invalid_auth")
    assert SECRET not in facts.model_dump_json()
    stored = connection.execute(text("SELECT string_agg(message, ' ') FROM runbook_failure_groups")).scalar_one()
    assert SECRET not in stored


def test_contacts_come_from_the_workspace(connection: Connection, workflow: str) -> None:
    matrix = facts_of(connection, workflow).escalation_matrix
    assert matrix["high"] == "Ann, 555"
    assert set(matrix) == {"low", "medium", "high", "critical"}


def test_history_is_left_out_on_request_and_contacts_are_not(connection: Connection, workflow: str) -> None:
    facts = facts_of(connection, workflow, include_historical_data=False)
    assert facts.reliability == {}
    assert not facts.history_included
    assert facts.escalation_matrix["high"] == "Ann, 555"


def test_empty_batch_stays_empty(standalone: Connection) -> None:
    schema = inspect_schema(standalone)
    batch = add_history(
        standalone, Batch(candidates={}), schema=schema, classify=load_classifier().classify, window_days=30,
        include_historical_data=True,
    )  # fmt: skip
    assert batch.facts == ()


def use_credential(connection: Connection, workflow: str, node_key: str, **values: Any) -> None:
    query = text("SELECT workspace_id::text FROM workflows WHERE id::text = :id")
    workspace = connection.execute(query, {"id": workflow}).scalar_one()
    given = {"name": "stripe_live", "type": "stripe", "data": "never to be read", **values}
    credential = insert_row(connection, "credentials", workspace_id=workspace, **given)
    insert_row(connection, "workflow_credentials", workflow_id=workflow, credential_id=credential, node_id=node_key)


def test_credential_of_a_node_comes_with_its_dates_and_nothing_else(connection: Connection, workflow: str) -> None:
    changed = NOW - timedelta(days=100)
    use_credential(
        connection, workflow, "pay", expires_at=NOW + timedelta(days=6), created_at=changed, updated_at=changed
    )
    use_credential(connection, workflow, "pay", name="spare")
    use_credential(connection, workflow, "in", name="of no integration")
    facts = facts_of(connection, workflow, now=NOW)
    assert set(facts.credentials) == {"pay"}
    found = facts.credentials["pay"]
    assert (found.name, found.state, found.days_left, found.age_days) == (
        "stripe_live", CredentialState.EXPIRING, 6, 100,
    )  # fmt: skip
    assert "never to be read" not in facts.model_dump_json()


def test_secret_in_the_name_of_a_credential_is_redacted(standalone: Connection) -> None:
    workflow = add_workflow(standalone, add_workspace(standalone), nodes=NODES)
    use_credential(standalone, workflow, "pay", name=SECRET)
    assert SECRET not in facts_of(standalone, workflow).credentials["pay"].name


def test_credentials_are_left_out_with_the_history(connection: Connection, workflow: str) -> None:
    use_credential(connection, workflow, "pay")
    assert facts_of(connection, workflow, include_historical_data=False).credentials == {}


def test_user_who_may_not_read_credentials_does_without(connection: Connection, workflow: str) -> None:
    use_credential(connection, workflow, "pay", expires_at=NOW)
    role = f"guest_{uuid.uuid4().hex}"
    connection.execute(text(f"CREATE ROLE {role}"))
    connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
    connection.execute(text(f"REVOKE ALL ON credentials FROM {role}"))
    connection.execute(text(f"SET LOCAL ROLE {role}"))
    schema = inspect_schema(connection)
    assert not schema.credentials_readable
    assert read_credentials(connection, [workflow], schema=schema) == {}
    assert find_one(connection, workflow, schema=schema).workflow_id == workflow
    # The columns that are needed are enough; what is in a credential may stay closed.
    connection.execute(text("RESET ROLE"))
    connection.execute(
        text(f"GRANT SELECT (id, name, type, expires_at, created_at, updated_at) ON credentials TO {role}")
    )
    connection.execute(text(f"SET LOCAL ROLE {role}"))
    schema = inspect_schema(connection)
    assert set(read_credentials(connection, [workflow], schema=schema)) == {(workflow, "pay")}
    assert find_one(connection, workflow, schema=schema).history_signature
