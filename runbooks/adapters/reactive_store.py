"""Storing the runbook of a failed execution in the platform's row for it, which may come before ours or after it.

The platform writes its own text on `execution_id` whenever the execution fails, over ours too; writing again restores
ours. What people did with a row stays: its status, who acknowledged it, when it was resolved. A row whose text is
neither the platform's nor what we last wrote was edited by a person, and is left alone.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.adapters.store import TITLE_LENGTH, cleaned
from runbooks.core.failure_classes import Severity
from runbooks.core.incident import Incident
from runbooks.core.incident_page import incident_markdown, incident_steps, incident_tags
from runbooks.errors import DatabaseError

PLATFORM_TITLE = "Execution Failure Runbook"
PLATFORM_TAG = "auto-generated"
CREATED, UPDATED, UNCHANGED, EDITED = "created", "updated", "unchanged", "edited"
OURS = ("severity", "title", "summary", "content", "steps", "tags", "sections", "ai_generated", "workflow_id", "type")
"""Columns that we write, where the host has them."""
JSON_COLUMNS = frozenset({"steps", "tags", "sections"})
NOW = "date_trunc('second', now() AT TIME ZONE 'UTC')"
TRIES = 3


def upsert_incident(connection: Connection, incident: Incident, *, schema: HostSchema) -> Incident:
    """Store an incident on its execution's row, or make that row; returns it with the row's id and what was done."""
    for _ in range(TRIES):
        row = _read(connection, incident.execution_id, schema)
        if row is not None:
            return _stored(incident, row["id"], _update(connection, row, incident, schema))
        created = _insert(connection, incident, schema)
        if created is not None:
            return _stored(incident, created, CREATED)
    raise DatabaseError(f"the row of execution {incident.execution_id} comes and goes; try again")


def _stored(incident: Incident, runbook_id: str, outcome: str) -> Incident:
    return incident.model_copy(update={"runbook_id": runbook_id, "outcome": outcome})


def content_hash(row: Mapping[str, Any]) -> str:
    """Hash of a row's text and judgement: of the columns that we write and a person may change."""
    judged = {name: row[name] for name in sorted(row) if name in OURS and name not in {"workflow_id", "type"}}
    return hashlib.sha256(json.dumps(judged, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _columns(schema: HostSchema) -> list[str]:
    return [name for name in OURS if name in schema.runbook_columns]


def _read(connection: Connection, execution_id: str, schema: HostSchema) -> dict[str, Any] | None:
    """The row of an execution, locked, with what we remember of it."""
    columns = ", ".join(
        f"r.{name}::text" if name in JSON_COLUMNS or name == "workflow_id" else f"r.{name}" for name in _columns(schema)
    )
    query = f"""
        SELECT r.id::text AS id, {columns}, i.content_hash
        FROM execution_runbooks r LEFT JOIN runbook_incidents i ON i.runbook_id = r.id
        WHERE r.execution_id = CAST(:execution AS {schema.runbook_columns["execution_id"]})
        FOR UPDATE OF r
    """  # noqa: S608 - column names and types come from the catalogue
    found = connection.execute(text(query), {"execution": execution_id}).mappings().one_or_none()
    if found is None:
        return None
    return {**found, **{name: _parsed(found[name]) for name in _columns(schema) if name in JSON_COLUMNS}}


def _update(connection: Connection, row: Mapping[str, Any], incident: Incident, schema: HostSchema) -> str:
    if not _may_replace(row):
        return EDITED
    wanted = _wanted(incident, schema, tags=row.get("tags"), severity=row["severity"])
    if all(row[name] == wanted[name] for name in wanted) and row["content_hash"] is not None:
        return UNCHANGED
    assignments = ", ".join(f"{name} = {_given(name, schema)}" for name in wanted)
    query = f"""
        UPDATE execution_runbooks SET {assignments}, updated_at = {NOW}
        WHERE id = CAST(:id AS {schema.runbook_columns["id"]})
    """  # noqa: S608 - as above
    connection.execute(text(query), {**_encoded(wanted), "id": row["id"]})
    _remember(connection, row["id"], wanted, incident, schema)
    return UPDATED


def _may_replace(row: Mapping[str, Any]) -> bool:
    if row["content_hash"] is not None and row["content_hash"] == content_hash(row):
        return True
    tags = row.get("tags")
    return row["title"] == PLATFORM_TITLE and isinstance(tags, list) and PLATFORM_TAG in tags


def _insert(connection: Connection, incident: Incident, schema: HostSchema) -> str | None:
    """Make the row and return its id; None when the platform made it in the same moment."""
    wanted = _wanted(incident, schema)
    values = {name: _given(name, schema) for name in wanted}
    given = {**_encoded(wanted), "workspace_id": incident.workspace_id, "execution_id": incident.execution_id}
    for name in ("workspace_id", "execution_id"):
        values[name] = _given(name, schema)
    values |= {"status": "'open'", "created_at": NOW, "updated_at": NOW}
    if not schema.runbook_id_default:
        values["id"] = _given("id", schema)
        given["id"] = str(uuid.uuid4())
    query = f"""
        INSERT INTO execution_runbooks ({", ".join(values)}) VALUES ({", ".join(values.values())})
        ON CONFLICT (execution_id) DO NOTHING RETURNING id::text
    """  # noqa: S608 - as above
    runbook_id = connection.execute(text(query), given).scalar_one_or_none()
    if runbook_id is None:
        return None
    _remember(connection, runbook_id, wanted, incident, schema)
    return str(runbook_id)


def _wanted(incident: Incident, schema: HostSchema, *, tags: Any = None, severity: str | None = None) -> dict[str, Any]:
    """What the row shall say, in the columns that it has: never less severe than it was, with all tags that it had."""
    kept = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    found = [Severity(severity)] if severity in list(Severity) else []
    row = {
        "severity": Severity.worst([incident.severity, *found]).value,
        "title": incident.title[:TITLE_LENGTH],
        "summary": incident.summary,
        "content": incident_markdown(incident),
        "steps": incident_steps(incident),
        "tags": list(dict.fromkeys([*kept, *incident_tags(incident)])),
        "sections": [incident.section.model_dump(mode="json")],
        "ai_generated": incident.ai_generated,
        "workflow_id": incident.workflow_id,
        "type": "reactive",
    }
    return {name: cleaned(row[name]) for name in _columns(schema)}


def _given(name: str, schema: HostSchema) -> str:
    return f"CAST(:{name} AS {schema.runbook_columns[name]})"


def _encoded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in JSON_COLUMNS else value for name, value in row.items()}


def _remember(
    connection: Connection, runbook_id: str, row: Mapping[str, Any], incident: Incident, schema: HostSchema
) -> None:
    scenarios = incident.section.failure_scenarios
    query = f"""
        INSERT INTO runbook_incidents (runbook_id, content_hash, node_key, failure_class, scenario_id, written_at)
        VALUES (CAST(:id AS {schema.runbook_columns["id"]}), :hash, :node_key, :failure_class, :scenario_id, now())
        ON CONFLICT (runbook_id) DO UPDATE SET content_hash = EXCLUDED.content_hash, node_key = EXCLUDED.node_key,
            failure_class = EXCLUDED.failure_class, scenario_id = EXCLUDED.scenario_id, written_at = EXCLUDED.written_at
    """  # noqa: S608 - as above
    connection.execute(
        text(query),
        {
            "id": runbook_id,
            "hash": content_hash(row),
            "node_key": cleaned(incident.section.node_key) or None,
            "failure_class": incident.failure_class.value,
            "scenario_id": scenarios[0].scenario_id if scenarios else None,
        },
    )


def _parsed(value: str | None) -> Any:
    try:
        return json.loads(value, strict=False) if value is not None else None
    except (ValueError, RecursionError):
        return value
