"""What we read of the platform: which workflows changed, their definitions, their workspaces' settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from runbooks.adapters.history import signature_sql
from runbooks.adapters.schema import HostSchema
from runbooks.core.batch import Candidate, Failed
from runbooks.core.definition import parse_definition
from runbooks.core.integrations import NodeCatalogueEntry
from runbooks.core.shard import Shard
from runbooks.core.workflow import Workflow
from runbooks.errors import DefinitionError, WorkflowNotFound
from runbooks.migrations.catalog import read_columns

# The engine runs the row's own nodes; the current version's only count where the row has none. The stored size is
# known without unpacking the column.
ROW_HAS_NO_NODES = """(w.nodes IS NULL OR (pg_column_size(w.nodes) < 40
    AND regexp_replace(w.nodes::text, '\\s', '', 'g') IN ('[]', 'null', '{}')))"""

ACTIVE = f"""
    workflows w
    LEFT JOIN workflow_versions v ON v.id = w.current_version_id AND {ROW_HAS_NO_NODES}
    LEFT JOIN workspaces s ON s.id = w.workspace_id
"""

# Everything a runbook is made from, as it lies in the row: equal digests mean an equal definition, so that a sweep
# need not fetch and parse what did not change. Counters and `updated_at` are not in it.
SOURCE_DIGEST = """md5(concat_ws(chr(31), w.name, coalesce(w.description, ''), coalesce(w.trigger_type, ''),
    coalesce(w.trigger_config::text, ''), coalesce(v.nodes::text, w.nodes::text, ''),
    coalesce(v.edges::text, w.edges::text, ''), coalesce(w.settings::text, ''), coalesce(s.settings::text, '')))"""

IS_ACTIVE = "w.is_active AND w.deleted_at IS NULL"

# As core/shard.py reckons it; before the digest is, so that no shard unpacks another's definitions.
IN_SHARD = "AND ('x' || left(md5(w.id::text), 8))::bit(32)::bigint % CAST(:shards AS bigint) + 1 = :shard"


@dataclass(frozen=True)
class Wanted:
    """Which writer's work counts as current, so that the rest is found."""

    signature: str
    keep_llm: bool = False
    """A runbook that an LLM wrote counts as current whatever the signature: a sweep without LLM must not undo it."""


def count_active(connection: Connection, *, schema: HostSchema, workspace_id: str | None = None) -> int:
    """How many workflows are active."""
    query = f"SELECT count(*) FROM workflows w WHERE {IS_ACTIVE} {in_workspace(schema, workspace_id)}"  # noqa: S608 - constants
    return int(connection.execute(text(query), {"workspace_id": workspace_id}).scalar_one())


def find_changed(
    connection: Connection,
    *,
    schema: HostSchema,
    wanted: Wanted,
    workspace_id: str | None = None,
    full: bool = False,
    shard: Shard | None = None,
) -> list[Candidate]:
    """Find the active workflows whose definition, history or writer differs from what is stored, busiest first.

    One pass in the database: nothing but ids and hashes travels. A candidate's definition may still turn out to be
    the same but for its layout; that is told after parsing.
    """
    query = f"""
        SELECT w.id::text, w.digest, coalesce(h.signature, '')
        FROM (
            SELECT w.id, w.execution_count, {SOURCE_DIGEST} AS digest FROM {ACTIVE}
            WHERE {IS_ACTIVE} {in_workspace(schema, workspace_id)} {IN_SHARD if shard else ""}
            OFFSET 0 -- keeps the digest from being computed again for each comparison
        ) w
        LEFT JOIN runbook_generations g ON g.workflow_id = w.id
        LEFT JOIN ({signature_sql(credentials=schema.credentials_readable)}) h ON h.workflow_id = w.id
        WHERE CAST(:full AS boolean) OR g.workflow_id IS NULL OR g.source_digest <> w.digest
           OR (NOT (CAST(:keep_llm AS boolean) AND g.writer = 'llm')
               AND (g.history_signature <> coalesce(h.signature, '') OR g.writer_signature <> :signature))
        ORDER BY w.execution_count DESC NULLS LAST, w.id
    """  # noqa: S608 - constants and a type name read from the catalogue
    rows = connection.execute(
        text(query),
        {
            "workspace_id": workspace_id,
            "full": full,
            "signature": wanted.signature,
            "keep_llm": wanted.keep_llm,
            "shard": shard.number if shard else None,
            "shards": shard.of if shard else None,
        },
    )
    return [Candidate(*row) for row in rows]


def find_one(connection: Connection, workflow_id: str, *, schema: HostSchema) -> Candidate:
    """The same for one workflow, changed or not; WorkflowNotFound when it is not there or not active."""
    query = f"""
        SELECT w.id::text, {SOURCE_DIGEST}, coalesce(h.signature, '')
        FROM {ACTIVE}
        LEFT JOIN ({signature_sql(credentials=schema.credentials_readable)}) h ON h.workflow_id = w.id
        WHERE {IS_ACTIVE} AND w.id = CAST(:workflow_id AS {schema.id_type})
    """  # noqa: S608 - as above
    row = connection.execute(text(query), {"workflow_id": workflow_id}).one_or_none()
    if row is None:
        raise WorkflowNotFound(f"no active workflow has the id {workflow_id!r}; see `runbooks coverage` for the ids")
    return Candidate(*row)


def read_workflows(
    connection: Connection, ids: Sequence[str], *, schema: HostSchema
) -> tuple[list[Workflow], list[Failed]]:
    """Read and parse the definitions that run; those that cannot be read come apart, with the reason."""
    owner = _owner(connection)
    join = "LEFT JOIN users u ON u.id = w.created_by" if owner != "NULL" else ""
    query = f"""
        SELECT w.id::text AS workflow_id, w.workspace_id::text AS workspace_id, w.name, w.description,
               w.trigger_type, w.trigger_config::text AS trigger_config, w.settings::text AS settings,
               coalesce(v.nodes::text, w.nodes::text) AS nodes, coalesce(v.edges::text, w.edges::text) AS edges,
               coalesce(v.version_number, c.version_number)::text AS version, {owner} AS owner
        FROM {ACTIVE} {join}
        LEFT JOIN workflow_versions c ON c.id = w.current_version_id
        WHERE w.id = ANY(CAST(:ids AS {schema.id_type}[])) AND {IS_ACTIVE}
    """  # noqa: S608 - as above
    rows = connection.execute(text(query), {"ids": list(ids)}, execution_options={"stream_results": True})
    workflows: list[Workflow] = []
    unreadable: list[Failed] = []
    for row in rows.mappings():
        try:
            workflows.append(_parse(row))
        except DefinitionError as error:
            unreadable.append(Failed(workflow_id=row["workflow_id"], reason=str(error)))
    order = {value: position for position, value in enumerate(ids)}
    workflows.sort(key=lambda workflow: order[workflow.id])
    return workflows, unreadable


def read_node_catalogue(connection: Connection) -> dict[str, NodeCatalogueEntry]:
    """The platform's own list of node types; empty when it keeps none."""
    if connection.execute(text("SELECT to_regclass('nodes') IS NULL")).scalar_one():
        return {}
    rows = connection.execute(text("SELECT type, name, node_kind, credential_type FROM nodes"))
    return {row.type: NodeCatalogueEntry(row.name, row.node_kind, row.credential_type) for row in rows}


def read_workspace_settings(
    connection: Connection, workspace_ids: Sequence[str], *, schema: HostSchema
) -> dict[str, Mapping[str, Any]]:
    """Settings of the workspaces, by id; what is no JSON object counts as none."""
    query = f"SELECT id::text, settings::text FROM workspaces WHERE id = ANY(CAST(:ids AS {schema.id_type}[]))"  # noqa: S608 - as above
    found: dict[str, Mapping[str, Any]] = {}
    for workspace_id, raw in connection.execute(text(query), {"ids": list(workspace_ids)}):
        try:
            settings = _json(raw, "settings")
        except DefinitionError:  # somebody's settings must not cost their workflows the runbooks
            settings = None
        found[workspace_id] = settings if isinstance(settings, dict) else {}
    return found


def _parse(row: RowMapping) -> Workflow:
    return parse_definition(
        {key: _json(row[key], key) for key in ("nodes", "edges", "settings", "trigger_config")},
        workflow_id=row["workflow_id"],
        workspace_id=row["workspace_id"] or "",
        name=row["name"],
        description=row["description"] or "",
        trigger_type=row["trigger_type"] or "",
        version=row["version"],
        owner=row["owner"],
    )


def _json(raw: str | None, column: str) -> Any:
    if raw is None:
        return None
    try:
        return json.loads(raw, strict=False)
    except (ValueError, RecursionError) as error:
        raise DefinitionError(f"column {column} holds no readable JSON: {type(error).__name__}") from error


def in_workspace(schema: HostSchema, workspace_id: str | None) -> str:
    """SQL that narrows `w` to one workspace, bound as :workspace_id; nothing when none is asked for."""
    return f"AND w.workspace_id = CAST(:workspace_id AS {schema.id_type})" if workspace_id is not None else ""


def _owner(connection: Connection) -> str:
    """SQL for who created a workflow: the generations of the platform name their users differently."""
    columns = read_columns(connection, "users")
    names = [f"u.{name}" for name in ("first_name", "last_name", "name") if name in columns]
    name = f"nullif(trim(concat_ws(' ', {', '.join(names)})), '')" if names else "NULL"
    return f"coalesce({name}, u.email)" if "email" in columns else name
