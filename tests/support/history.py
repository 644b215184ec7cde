"""Putting executions and calls into a platform database of any generation, row by row."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from runbooks.migrations.catalog import read_columns

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
"""The moment at which the tests look back."""


def insert_row(connection: Connection, table: str, **values: Any) -> str:
    """Insert one row and return its id; the id is made where the database makes none. Times are stored as UTC."""
    columns = read_columns(connection, table)
    names = list(values)
    given = [f"CAST(:{name} AS {columns[name].sql_type})" for name in names]
    if "id" not in values and not columns["id"].has_default:
        names.append("id")
        given.append("gen_random_uuid()")
    query = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(given)}) RETURNING id::text"
    return str(connection.execute(text(query), {name: _stored(value) for name, value in values.items()}).scalar_one())


def add_workspace(connection: Connection, slug: str = "ops") -> str:
    """A workspace with an owner; returns its id."""
    names = {name: "Eve" for name in ("first_name", "last_name", "name") if name in read_columns(connection, "users")}
    owner = insert_row(connection, "users", email=f"{slug}@example.com", **names)
    return insert_row(connection, "workspaces", name=slug.title(), slug=slug, owner_id=owner)


def add_workflow(connection: Connection, workspace_id: str, **values: Any) -> str:
    """An active workflow of the workspace; returns its id."""
    owner = connection.execute(text("SELECT id::text FROM users LIMIT 1")).scalar_one()
    given = {"name": "Workflow", "is_active": True, "trigger_type": "manual", "nodes": [], "edges": [], **values}
    return insert_row(connection, "workflows", workspace_id=workspace_id, created_by=owner, **given)


def add_execution(connection: Connection, workflow_id: str, at: datetime, **values: Any) -> str:
    """An execution that began and ended at one moment; completed if nothing else is said. Returns its id."""
    query = "SELECT workspace_id::text FROM workflows WHERE id::text = :id"
    workspace = connection.execute(text(query), {"id": workflow_id}).scalar_one()
    given = {"status": "completed", "mode": "webhook", "started_at": at, "finished_at": at, "created_at": at, **values}
    return insert_row(connection, "executions", workflow_id=workflow_id, workspace_id=workspace, **given)


def add_run(connection: Connection, execution_id: str, at: datetime, **values: Any) -> str:
    """A node's run in an execution; returns its id."""
    given = {
        "node_id": "n1", "node_type": "action_http_request", "status": "completed", "started_at": at, "finished_at": at,
        "duration_ms": 100, **values,
    }  # fmt: skip
    return insert_row(connection, "execution_nodes", execution_id=execution_id, **given)


def add_attempt(connection: Connection, execution_id: str, at: datetime, **values: Any) -> str:
    """A call attempt of an execution, successful if nothing else is said."""
    query = "SELECT workflow_id::text, workspace_id::text FROM executions WHERE id::text = :id"
    workflow, workspace = connection.execute(text(query), {"id": execution_id}).one()
    given = {
        "connector_key": "action_http_request", "connector_operation": "request", "provider": "http",
        "status": "success", "duration_ms": 100, "request_fingerprint": "a" * 64, "happened_at": at, **values,
    }  # fmt: skip
    return insert_row(
        connection,
        "connector_call_attempts",
        execution_id=execution_id,
        workflow_id=workflow,
        workspace_id=workspace,
        **given,
    )


def _stored(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
