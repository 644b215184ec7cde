"""Storing and reading proactive runbooks. Rows of other types are never touched."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.adapters.versions import add_versions, keep_replaced, plan_versions
from runbooks.core.batch import Candidate, Generated
from runbooks.core.coverage import class_coverage
from runbooks.core.markdown import to_markdown
from runbooks.core.runbook import Runbook
from runbooks.core.spending import NO_TOKENS, Tokens
from runbooks.core.steps import to_steps

TITLE_LENGTH = 255  # the platform's column
STATEMENT_LENGTH = 4_000_000
"""Characters of rows in one statement, some thirty ordinary runbooks: more is no faster, and costs us and the server
several times its length in memory."""


@dataclass(frozen=True)
class MadeFrom:
    """What a stored runbook was made from."""

    fingerprint: str
    definition_hash: str
    writer: str


@dataclass(frozen=True)
class Draft:
    """A model's answer that was paid for but is not yet stored as a runbook."""

    text: str
    tokens: Tokens = NO_TOKENS
    cost_usd: float | None = None


def upsert_runbooks(
    connection: Connection,
    batch: Sequence[Generated],
    *,
    schema: HostSchema,
    status: str = "resolved",
    reopened_status: str = "open",
) -> int:
    """Store a batch, all rows or none when the caller's transaction holds.

    Returns how many workflows were still there to take one.

    Only columns that the host's table has are written. A row that is already there keeps its id, status and
    acknowledgement: those belong to people. But what somebody acknowledged is not replaced in silence: when the new
    text says something else, the row takes `reopened_status`. Texts that are replaced are kept as versions.
    """
    if not batch:
        return 0
    columns = _runbook_columns(schema)
    shared = [name for name in columns if name not in {"id", "created_at", "updated_at", "status"}]
    names = [*shared, "status", "created_at", "updated_at"]
    values = [*(f"r.{name}" for name in shared), ":status", "n.now", "n.now"]
    if not schema.runbook_id_default:
        names.append("id")
        values.append("r.new_id")
    given = [*shared, "new_id"] if not schema.runbook_id_default else shared
    types = {**schema.runbook_columns, "new_id": schema.runbook_columns["id"]}
    recordset = ", ".join(f"{name} {types[name]}" for name in given)
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in [*shared, "updated_at"] if name != "workflow_id")
    query = f"""
        WITH n AS (SELECT date_trunc('second', now() AT TIME ZONE 'UTC') AS now),
        given AS (
            SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb))
                AS r({recordset}, generation jsonb)
            JOIN workflows w ON w.id = r.workflow_id
        ),
        stored AS (
            INSERT INTO execution_runbooks ({", ".join(names)})
            SELECT {", ".join(values)} FROM given r, n ORDER BY r.workflow_id
            ON CONFLICT (workflow_id) WHERE type = 'proactive' DO UPDATE SET {updates}
            RETURNING id, workflow_id
        )
        INSERT INTO runbook_generations (workflow_id, runbook_id, {", ".join(GENERATION_COLUMNS)}, generated_at)
        SELECT stored.workflow_id, stored.id, {", ".join(f"x.{name}" for name in GENERATION_COLUMNS)}, now()
        FROM stored JOIN given USING (workflow_id),
            jsonb_to_record(given.generation) AS x({", ".join(f"{k} {v}" for k, v in GENERATION_COLUMNS.items())})
        ORDER BY stored.workflow_id
        ON CONFLICT (workflow_id) DO UPDATE SET
            {", ".join(f"{name} = EXCLUDED.{name}" for name in ("runbook_id", *GENERATION_COLUMNS, "generated_at"))}
    """  # noqa: S608 - column names and types come from the catalogue and from below
    plans = plan_versions(connection, batch, schema=schema)
    keep_replaced(connection, plans, schema=schema)
    stored = 0
    for rows in portions(_dumps(_row(generated, columns)) for generated in batch):
        stored += connection.execute(text(query), {"rows": rows, "status": status}).rowcount
    add_versions(connection, plans, schema=schema, reopened_status=reopened_status)
    _delete_drafts(connection, [generated.workflow_id for generated in batch], schema=schema)
    return stored


def mark_unchanged(connection: Connection, batch: Iterable[Candidate], *, schema: HostSchema) -> None:
    """Remember the new digests of workflows that only look changed, so that they are not parsed again next time."""
    rows = [asdict(unchanged) for unchanged in batch]
    if not rows:
        return
    query = f"""
        UPDATE runbook_generations g
        SET source_digest = r.source_digest, history_signature = r.history_signature
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
            workflow_id {schema.id_type}, source_digest text, history_signature text)
        WHERE g.workflow_id = r.workflow_id
    """  # noqa: S608 - as above
    connection.execute(text(query), {"rows": json.dumps(rows)})


def read_made_from(connection: Connection, workflow_ids: Sequence[str], *, schema: HostSchema) -> dict[str, MadeFrom]:
    """What each workflow's stored runbook was made from, by workflow id."""
    query = f"""
        SELECT workflow_id::text, fingerprint, definition_hash, writer FROM runbook_generations
        WHERE workflow_id = ANY(CAST(:ids AS {schema.id_type}[]))
    """  # noqa: S608 - as above
    rows = connection.execute(text(query), {"ids": list(workflow_ids)})
    return {row[0]: MadeFrom(row[1], row[2], row[3]) for row in rows}


def read_runbook(connection: Connection, workflow_id: str, *, schema: HostSchema) -> Runbook | None:
    """The stored proactive runbook of a workflow, or None."""
    query = f"""
        SELECT g.details || jsonb_build_object(
            'title', r.title, 'summary', r.summary, 'sections', r.sections, 'ai_generated', r.ai_generated)
        FROM runbook_generations g JOIN execution_runbooks r ON r.id = g.runbook_id
        WHERE g.workflow_id = CAST(:workflow_id AS {schema.id_type})
    """  # noqa: S608 - as above
    document = connection.execute(text(query), {"workflow_id": workflow_id}).scalar_one_or_none()
    return Runbook.model_validate(document) if document is not None else None


def read_fallback_reason(connection: Connection, workflow_id: str, *, schema: HostSchema) -> str | None:
    """Why the catalogue wrote a workflow's stored runbook although a model was asked for; None when that is not so."""
    query = f"""
        SELECT fallback_reason FROM runbook_generations WHERE workflow_id = CAST(:workflow_id AS {schema.id_type})
    """  # noqa: S608 - as above
    reason = connection.execute(text(query), {"workflow_id": workflow_id}).scalar_one_or_none()
    return str(reason) if reason is not None else None


def save_draft(connection: Connection, workflow_id: str, fingerprint: str, draft: Draft, *, schema: HostSchema) -> None:
    """Keep a model's answers until their runbook is stored: a sweep that is killed must not pay for them again."""
    save_drafts(connection, {fingerprint: (workflow_id, draft)}, schema=schema)


def save_drafts(connection: Connection, drafts: Mapping[str, tuple[str, Draft]], *, schema: HostSchema) -> None:
    """The same for several, given as workflow id and draft by fingerprint."""
    columns = "fingerprint, workflow_id, draft, prompt_tokens, cached_tokens, completion_tokens, cost_usd"
    # In order, as others do who save the same ones: so nobody waits for one who waits for them.
    query = f"""
        INSERT INTO runbook_drafts ({columns})
        SELECT {columns} FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
            fingerprint text, workflow_id {schema.id_type}, draft jsonb,
            prompt_tokens integer, cached_tokens integer, completion_tokens integer, cost_usd numeric)
        ORDER BY fingerprint
        ON CONFLICT (fingerprint) DO UPDATE SET draft = EXCLUDED.draft, prompt_tokens = EXCLUDED.prompt_tokens,
            cached_tokens = EXCLUDED.cached_tokens, completion_tokens = EXCLUDED.completion_tokens,
            cost_usd = EXCLUDED.cost_usd
    """  # noqa: S608 - as above
    rows = [
        {
            "fingerprint": fingerprint,
            "workflow_id": workflow_id,
            "draft": draft.text,
            "prompt_tokens": draft.tokens.prompt,
            "cached_tokens": draft.tokens.cached,
            "completion_tokens": draft.tokens.completion,
            "cost_usd": draft.cost_usd,
        }
        for fingerprint, (workflow_id, draft) in drafts.items()
    ]
    connection.execute(text(query), {"rows": _dumps(rows)})


def read_drafts(connection: Connection, fingerprints: Sequence[str]) -> dict[str, Draft]:
    """Kept answers, by fingerprint."""
    query = """
        SELECT fingerprint, draft, prompt_tokens, cached_tokens, completion_tokens, cost_usd
        FROM runbook_drafts WHERE fingerprint = ANY(:f)
    """
    rows = connection.execute(text(query), {"f": list(fingerprints)})
    return {
        row[0]: Draft(
            row[1],
            Tokens(row[2] or 0, row[3] or 0, row[4] or 0),
            float(row[5]) if row[5] is not None else None,
        )
        for row in rows
    }


def _delete_drafts(connection: Connection, workflow_ids: Sequence[str], *, schema: HostSchema) -> None:
    query = f"DELETE FROM runbook_drafts WHERE workflow_id = ANY(CAST(:ids AS {schema.id_type}[]))"  # noqa: S608 - as above
    connection.execute(text(query), {"ids": list(workflow_ids)})


GENERATION_COLUMNS: Mapping[str, str] = {
    "fingerprint": "text",
    "definition_hash": "text",
    "source_digest": "text",
    "history_signature": "text",
    "writer": "text",
    "writer_signature": "text",
    "model": "text",
    "prompt_version": "text",
    "catalogue_version": "text",
    "server": "text",
    "calls": "integer",
    "prompt_tokens": "integer",
    "cached_tokens": "integer",
    "completion_tokens": "integer",
    "cost_usd": "numeric",
    "failed_checks": "jsonb",
    "scenarios": "integer",
    "scenarios_by_llm": "integer",
    "duration_ms": "integer",
    "fallback_reason": "text",
    "integrations": "integer",
    "required_covered": "integer",
    "covered": "jsonb",
    "scenario_order": "jsonb",
    "details": "jsonb",
}


def _runbook_columns(schema: HostSchema) -> list[str]:
    ours = (
        "id", "workspace_id", "workflow_id", "type", "ai_generated", "severity", "title", "summary", "content",
        "steps", "tags", "sections", "status", "created_at", "updated_at",
    )  # fmt: skip
    return [name for name in ours if name in schema.runbook_columns]


def _row(generated: Generated, columns: Sequence[str]) -> dict[str, Any]:
    runbook = generated.runbook
    row: dict[str, Any] = {
        "workspace_id": generated.workspace_id,
        "workflow_id": generated.workflow_id,
        "type": "proactive",
        "ai_generated": runbook.ai_generated,
        "severity": runbook.severity.value,
        "title": runbook.title[:TITLE_LENGTH],
        "summary": runbook.summary,
        "steps": to_steps(runbook),
        "tags": tags(runbook),
        "sections": [section.model_dump(mode="json") for section in runbook.sections],
        "new_id": str(uuid.uuid4()),
        "generation": _generation(generated),
    }
    if "content" in columns:
        row["content"] = generated.page or to_markdown(runbook)
    return row


def _generation(generated: Generated) -> dict[str, Any]:
    runbook, made = generated.runbook, generated.runbook.provenance
    covered = covered_sections(runbook)
    sources = [scenario.source for section in runbook.sections for scenario in section.failure_scenarios]
    return {
        "fingerprint": made.fingerprint,
        "definition_hash": made.definition_hash,
        "source_digest": generated.source_digest,
        "history_signature": generated.history_signature,
        "writer": made.writer,
        "writer_signature": generated.writer_signature,
        "model": made.model,
        "prompt_version": made.prompt_version,
        "catalogue_version": made.catalogue_version,
        "server": generated.server,
        "calls": generated.calls,
        "prompt_tokens": generated.tokens.prompt,
        "cached_tokens": generated.tokens.cached,
        "completion_tokens": generated.tokens.completion,
        "cost_usd": generated.cost_usd,
        "failed_checks": dict(generated.failed_checks),
        "scenarios": len(sources),
        "scenarios_by_llm": sources.count("llm"),
        "duration_ms": generated.duration_ms,
        "fallback_reason": generated.fallback_reason,
        "integrations": generated.integrations,
        "required_covered": class_coverage(section["classes"] for section in covered.values()).covered
        if generated.integrations
        else 0,
        "covered": covered,
        "scenario_order": scenario_order(runbook),
        "details": runbook.model_dump(mode="json", exclude={"title", "summary", "sections", "ai_generated"}),
    }


def tags(runbook: Runbook) -> list[str]:
    """Tags of the stored row: what it is, and which services it is about."""
    services = sorted({section.integration for section in runbook.sections})
    return ["proactive", "ai-generated" if runbook.ai_generated else "catalogue", *services[:10]]


def covered_sections(runbook: Runbook) -> dict[str, dict[str, Any]]:
    """Service and failure classes of each section, by node key: what a failure is held against."""
    return {
        section.node_key: {
            "service": section.integration,
            "classes": sorted({scenario.failure_class.value for scenario in section.failure_scenarios}),
        }
        for section in runbook.sections
    }


def scenario_order(runbook: Runbook) -> dict[str, list[str]]:
    """Failure class of each scenario in the order of its section, by node key."""
    return {
        section.node_key: [scenario.failure_class.value for scenario in section.failure_scenarios]
        for section in runbook.sections
    }


def portions(rows: Iterable[str], *, length: int = STATEMENT_LENGTH) -> Iterator[str]:
    """JSON arrays of rows, each small enough for PostgreSQL, whose jsonb arrays end at 256 MB, and for our memory."""
    portion: list[str] = []
    size = 0
    for row in rows:
        if portion and size + len(row) > length:
            yield f"[{','.join(portion)}]"
            portion, size = [], 0
        portion.append(row)
        size += len(row)
    if portion:
        yield f"[{','.join(portion)}]"


def _dumps(value: Any) -> str:
    # PostgreSQL's text holds no NUL; and a lone surrogate is no character.
    encoded = json.dumps(value, ensure_ascii=True)
    return encoded if "\\u0000" not in encoded and "\\ud" not in encoded else json.dumps(cleaned(value))


def cleaned(value: Any) -> Any:
    """A JSON value without the characters that PostgreSQL cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value
