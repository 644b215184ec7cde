"""Reading and reviewing the rows of `execution_runbooks`, of a workspace or of one workflow, reactive and proactive.

A row comes as JSON text made by the database: a page of them is passed on without being taken apart.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.migrations.catalog import read_columns


@dataclass(frozen=True)
class Wanted:
    """Which rows; None is any."""

    workspace_id: str
    workflow_id: str | None = None
    type: str | None = None
    status: str | None = None
    severity: str | None = None


TIMES = ("acknowledged_at", "resolved_at", "created_at", "updated_at")
PLAIN = ("severity", "title", "summary", "steps", "tags", "status", "type", "ai_generated")
_VERSIONS = "runbook_versions v JOIN execution_runbooks r ON r.id = v.runbook_id"
IDS = ("id", "workspace_id", "workflow_id", "execution_id", "acknowledged_by")


def count_rows(connection: Connection, wanted: Wanted, *, schema: HostSchema) -> int:
    """How many rows are wanted."""
    query = f"SELECT count(*) FROM execution_runbooks r WHERE {_condition(wanted, schema)}"  # noqa: S608 - constants and type names
    return int(connection.execute(text(query), vars(wanted)).scalar_one())


def list_rows(connection: Connection, wanted: Wanted, *, schema: HostSchema, limit: int, offset: int) -> list[str]:
    """A page of rows as JSON, newest first."""
    query = f"""
        SELECT CAST({_resource(schema)} AS text) FROM (
            SELECT r.* FROM execution_runbooks r WHERE {_condition(wanted, schema)}
            ORDER BY r.created_at DESC NULLS LAST, r.id DESC LIMIT :limit OFFSET :offset
        ) r ORDER BY r.created_at DESC NULLS LAST, r.id DESC
    """  # noqa: S608 - as above
    values = {**vars(wanted), "limit": limit, "offset": offset}
    return list(connection.execute(text(query), values).scalars())


def read_row(connection: Connection, workspace_id: str, runbook_id: str, *, schema: HostSchema) -> str | None:
    """One row as JSON with its sections; for a proactive one also what the runbook has beside them."""
    query = f"""
        SELECT CAST(to_jsonb({_resource(schema)}) || jsonb_build_object('sections', coalesce(r.sections, '[]'))
                    || coalesce(g.details - ARRAY['severity', 'workflow_id'], '{{}}') AS text)
        FROM execution_runbooks r
        LEFT JOIN runbook_generations g ON g.runbook_id = r.id AND r.type = 'proactive'
        WHERE {_is(schema)}
    """  # noqa: S608 - as above
    return _one(connection, query, workspace_id=workspace_id, runbook_id=runbook_id)


def count_versions(connection: Connection, workspace_id: str, runbook_id: str, *, schema: HostSchema) -> int:
    """How many versions a proactive runbook has had; a reactive one has none."""
    query = f"SELECT count(*) FROM {_VERSIONS} WHERE {_is(schema)}"  # noqa: S608 - as above
    return int(connection.execute(text(query), {"workspace_id": workspace_id, "runbook_id": runbook_id}).scalar_one())


def list_versions(
    connection: Connection, workspace_id: str, runbook_id: str, *, schema: HostSchema, limit: int, offset: int
) -> list[str]:
    """A page of its versions as JSON, the present one first; of those before, what people had said of them."""
    query = f"""
        SELECT CAST(json_build_object(
            'version', v.version, 'created_at', {_iso("v.created_at AT TIME ZONE 'UTC'")}, 'reason', v.reason,
            'writer', v.writer, 'model', v.model, 'severity', v.severity, 'definition_hash', v.definition_hash,
            'fingerprint', v.fingerprint, 'status', v.status, 'acknowledged_by', v.acknowledged_by,
            'acknowledged_at', {_iso("v.acknowledged_at")}) AS text)
        FROM {_VERSIONS} WHERE {_is(schema)} ORDER BY v.version DESC LIMIT :limit OFFSET :offset
    """  # noqa: S608 - as above
    values = {"workspace_id": workspace_id, "runbook_id": runbook_id, "limit": limit, "offset": offset}
    return list(connection.execute(text(query), values).scalars())


def has_row(connection: Connection, workspace_id: str, runbook_id: str, *, schema: HostSchema) -> bool:
    """Whether the workspace has such a row."""
    return _status(connection, workspace_id, runbook_id, schema) is not None


def acknowledge(
    connection: Connection, workspace_id: str, runbook_id: str, *, schema: HostSchema, user_id: str | None
) -> bool:
    """Say that somebody looks after it; who did so first stays. False when somebody has resolved it already.

    A proactive row starts as `resolved` although nobody resolved it: only `resolved_at` tells that somebody did.
    """
    by = ""
    if user_id is not None and _has_users(connection, schema):
        by = f", acknowledged_by = CAST(:user_id AS {schema.runbook_columns['acknowledged_by']})"
    query = f"""
        UPDATE execution_runbooks r
        SET status = 'acknowledged', acknowledged_at = {NOW}, updated_at = {NOW} {by}
        WHERE {_is(schema)} AND status <> 'acknowledged' AND NOT (status = 'resolved' AND resolved_at IS NOT NULL)
    """  # noqa: S608 - as above
    values = {"workspace_id": workspace_id, "runbook_id": runbook_id, "user_id": user_id}
    if connection.execute(text(query), values).rowcount:
        return True
    return _status(connection, workspace_id, runbook_id, schema) == "acknowledged"


def resolve(connection: Connection, workspace_id: str, runbook_id: str, *, schema: HostSchema) -> None:
    """Say that it is over. One that is resolved keeps its time; a row that was opened again gets a new one."""
    query = f"""
        UPDATE execution_runbooks r SET status = 'resolved', resolved_at = {NOW}, updated_at = {NOW}
        WHERE {_is(schema)} AND NOT (status = 'resolved' AND resolved_at IS NOT NULL)
    """  # noqa: S608 - as above
    connection.execute(text(query), {"workspace_id": workspace_id, "runbook_id": runbook_id})


NOW = "date_trunc('second', now() AT TIME ZONE 'UTC')"


def _status(connection: Connection, workspace_id: str, runbook_id: str, schema: HostSchema) -> str | None:
    query = f"SELECT r.status FROM execution_runbooks r WHERE {_is(schema)}"  # noqa: S608 - as above
    return _one(connection, query, workspace_id=workspace_id, runbook_id=runbook_id)


def _has_users(connection: Connection, schema: HostSchema) -> bool:
    return "acknowledged_by" in schema.runbook_columns and "id" in read_columns(connection, "users")


def _is(schema: HostSchema) -> str:
    return (
        f"r.id = CAST(:runbook_id AS {schema.runbook_columns['id']})"
        f" AND r.workspace_id = CAST(:workspace_id AS {schema.id_type})"
    )


def _condition(wanted: Wanted, schema: HostSchema) -> str:
    parts = [f"r.workspace_id = CAST(:workspace_id AS {schema.id_type})"]
    if wanted.workflow_id is not None:
        parts.append(f"r.workflow_id = CAST(:workflow_id AS {schema.id_type})")
    parts += [f"r.{name} = :{name}" for name in ("type", "status", "severity") if vars(wanted)[name] is not None]
    return " AND ".join(parts)


def _resource(schema: HostSchema) -> str:
    """SQL for a row as the platform's API shows it: ids as text, times in UTC."""
    shown = [f"'{name}', r.{name}::text" for name in IDS if name in schema.runbook_columns]
    shown += [f"'{name}', r.{name}" for name in PLAIN if name in schema.runbook_columns]
    shown += [f"'{name}', {_iso('r.' + name)}" for name in TIMES if name in schema.runbook_columns]
    return f"json_build_object({', '.join(shown)})"


def _iso(moment: str) -> str:
    return f"""to_char({moment}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _one(connection: Connection, query: str, **values: Any) -> str | None:
    found: str | None = connection.execute(text(query), values).scalar_one_or_none()
    return found
