"""Earlier versions of runbooks: kept when they are replaced, listed, and read again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.batch import Generated
from runbooks.core.regeneration import REQUESTED, MadeOf, reasons
from runbooks.core.runbook import Runbook
from runbooks.core.runbook_diff import says_the_same

KEPT = 20
"""Versions of one runbook; the oldest go first."""
DOCUMENT = """g.details || jsonb_build_object(
    'title', r.title, 'summary', r.summary, 'sections', r.sections, 'ai_generated', r.ai_generated)"""
PROVENANCE = (
    "writer_signature", "prompt_version", "catalogue_version", "history_signature", "server", "calls", "prompt_tokens",
    "cached_tokens", "completion_tokens", "cost_usd", "duration_ms", "failed_checks", "scenarios", "scenarios_by_llm",
    "fallback_reason",
)  # fmt: skip


@dataclass(frozen=True)
class Version:
    """One version of a runbook, without its text."""

    version: int
    created_at: datetime
    reason: str
    writer: str
    model: str | None
    severity: str | None
    status: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    provenance: Mapping[str, Any]
    is_current: bool


@dataclass(frozen=True)
class Replacement:
    """A stored runbook that gets a successor."""

    workflow_id: str
    version: int
    """Of the successor."""
    reason: str
    reopened: bool = False
    """Somebody had acknowledged it, and the successor says something else."""


@dataclass(frozen=True)
class _Stored:
    version: int
    made: MadeOf
    acknowledged: Runbook | None


def plan_versions(connection: Connection, batch: Sequence[Generated], *, schema: HostSchema) -> list[Replacement]:
    """Say which runbooks of a batch are new versions, before they are stored, and why."""
    stored = _read_stored(connection, [one.workflow_id for one in batch], schema)
    plans = []
    for generated in batch:
        before, now = stored.get(generated.workflow_id), _made_of(generated)
        why = reasons(before.made if before else None, now)
        if before and why == (REQUESTED,) and now.writer == "catalogue":
            continue  # the catalogue writes the same from the same
        read = before.acknowledged if before else None
        reopened = read is not None and not says_the_same(read, generated.runbook)
        plans.append(Replacement(generated.workflow_id, before.version + 1 if before else 1, ", ".join(why), reopened))
    return plans


def keep_replaced(connection: Connection, plans: Sequence[Replacement], *, schema: HostSchema) -> None:
    """Move the texts that are about to be replaced, and what people said of them, to their versions."""
    columns = schema.runbook_columns
    people = ", ".join(
        f"{name} = r.{name}{'::text' if name == 'acknowledged_by' else ''}"
        for name in ("status", "acknowledged_by", "acknowledged_at")
        if name in columns
    )
    query = f"""
        UPDATE runbook_versions v SET document = {DOCUMENT}{f", {people}" if people else ""}
        FROM {_given(schema)} JOIN runbook_generations g ON g.workflow_id = x.workflow_id
            JOIN execution_runbooks r ON r.id = g.runbook_id
        WHERE v.workflow_id = x.workflow_id AND v.version = x.version - 1
    """  # noqa: S608 - constants and names and types read from the catalogue
    connection.execute(text(query), {"rows": _rows(plans)})


def add_versions(
    connection: Connection, plans: Sequence[Replacement], *, schema: HostSchema, reopened_status: str
) -> None:
    """Number what was just stored, open again what somebody must read again, and forget the oldest."""
    made = ", ".join(f"'{name}', g.{name}" for name in PROVENANCE)
    insert = f"""
        INSERT INTO runbook_versions (runbook_id, workflow_id, version, created_at, fingerprint, definition_hash,
            reason, writer, model, severity, provenance)
        SELECT g.runbook_id, g.workflow_id, x.version, g.generated_at, g.fingerprint, g.definition_hash,
            x.reason, g.writer, g.model, r.severity, jsonb_strip_nulls(jsonb_build_object({made}))
        FROM {_given(schema)} JOIN runbook_generations g ON g.workflow_id = x.workflow_id
            JOIN execution_runbooks r ON r.id = g.runbook_id
        ON CONFLICT (workflow_id, version) DO NOTHING
    """  # noqa: S608 - as above
    forget = f"""
        DELETE FROM runbook_versions v USING {_given(schema)}
        WHERE v.workflow_id = x.workflow_id AND v.version <= x.version - {KEPT}
    """  # noqa: S608 - as above
    connection.execute(text(insert), {"rows": _rows(plans)})
    connection.execute(text(forget), {"rows": _rows(plans)})
    reopened = [plan for plan in plans if plan.reopened]
    if reopened:
        _open_again(connection, reopened, schema, reopened_status)


def read_versions(connection: Connection, workflow_id: str, *, schema: HostSchema) -> list[Version]:
    """The versions of a workflow's runbook, the latest first; what is said of the current one is its row's."""
    columns = schema.runbook_columns
    by = "r.acknowledged_by::text" if "acknowledged_by" in columns else "NULL"
    at = "r.acknowledged_at" if "acknowledged_at" in columns else "NULL"
    query = f"""
        SELECT v.version, v.created_at, v.reason, v.writer, v.model, v.severity, v.provenance,
            v.document IS NULL AS is_current,
            CASE WHEN v.document IS NULL THEN r.status ELSE v.status END AS status,
            CASE WHEN v.document IS NULL THEN {by} ELSE v.acknowledged_by END AS acknowledged_by,
            CASE WHEN v.document IS NULL THEN {at} ELSE v.acknowledged_at END AS acknowledged_at
        FROM runbook_versions v JOIN execution_runbooks r ON r.id = v.runbook_id
        WHERE v.workflow_id = CAST(:workflow_id AS {schema.id_type}) ORDER BY v.version DESC
    """  # noqa: S608 - as above
    rows = connection.execute(text(query), {"workflow_id": workflow_id}).mappings()
    return [Version(**row) for row in rows]


def read_version(connection: Connection, workflow_id: str, version: int, *, schema: HostSchema) -> Runbook | None:
    """The text of one version, or None."""
    query = f"""
        SELECT coalesce(v.document, {DOCUMENT})
        FROM runbook_versions v JOIN runbook_generations g USING (workflow_id)
            JOIN execution_runbooks r ON r.id = g.runbook_id
        WHERE v.workflow_id = CAST(:workflow_id AS {schema.id_type}) AND v.version = :version
    """  # noqa: S608 - as above
    values = {"workflow_id": workflow_id, "version": version}
    document = connection.execute(text(query), values).scalar_one_or_none()
    return Runbook.model_validate(document) if document is not None else None


def _read_stored(connection: Connection, workflow_ids: Sequence[str], schema: HostSchema) -> dict[str, _Stored]:
    acknowledged = "r.status = 'acknowledged'" if "status" in schema.runbook_columns else "false"
    query = f"""
        SELECT g.workflow_id::text, coalesce(v.version, 0) AS version, g.fingerprint, g.definition_hash,
            g.history_signature, coalesce(g.catalogue_version, '') AS catalogue_version, g.prompt_version, g.model,
            g.writer, CASE WHEN {acknowledged} THEN {DOCUMENT} END AS acknowledged
        FROM runbook_generations g JOIN execution_runbooks r ON r.id = g.runbook_id
            LEFT JOIN LATERAL (
                SELECT max(version) AS version FROM runbook_versions WHERE workflow_id = g.workflow_id) v ON true
        WHERE g.workflow_id = ANY(CAST(:ids AS {schema.id_type}[]))
    """  # noqa: S608 - as above
    return {
        row[0]: _Stored(
            version=row.version,
            made=MadeOf(*row[2:9]),
            acknowledged=Runbook.model_validate(row.acknowledged) if row.acknowledged is not None else None,
        )
        for row in connection.execute(text(query), {"ids": list(workflow_ids)})
    }


def _made_of(generated: Generated) -> MadeOf:
    made = generated.runbook.provenance
    return MadeOf(
        fingerprint=made.fingerprint,
        definition_hash=made.definition_hash,
        history_signature=generated.history_signature,
        catalogue_version=made.catalogue_version,
        prompt_version=made.prompt_version,
        model=made.model,
        writer=made.writer,
    )


def _open_again(
    connection: Connection, reopened: Sequence[Replacement], schema: HostSchema, reopened_status: str
) -> None:
    columns = schema.runbook_columns
    cleared = "".join(f", {name} = NULL" for name in ("acknowledged_by", "acknowledged_at") if name in columns)
    query = f"""
        UPDATE execution_runbooks SET status = :status{cleared}
        WHERE type = 'proactive' AND workflow_id = ANY(CAST(:ids AS {schema.id_type}[]))
    """  # noqa: S608 - as above
    connection.execute(text(query), {"status": reopened_status, "ids": [plan.workflow_id for plan in reopened]})


def _given(schema: HostSchema) -> str:
    return f"""jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(
        workflow_id {schema.id_type}, version integer, reason text)"""


def _rows(plans: Sequence[Replacement]) -> str:
    return json.dumps([vars(plan) for plan in plans])
