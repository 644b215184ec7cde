"""A database with as many workflows as a benchmark wants: the demo's, cloned with small differences."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from runbooks.demo.load import load_demo
from runbooks.migrations.catalog import read_columns

WORKSPACES = 50
"""Clones are spread over so many workspaces."""

ADD_WORKSPACES = """
    INSERT INTO workspaces (name, slug, settings, owner_id, created_at, updated_at)
    SELECT name || ' ' || number, slug || '-' || number, settings, owner_id, created_at, updated_at
    FROM workspaces, generate_series(1, :workspaces) number WHERE id = CAST(:demo AS uuid)
"""
# The company's name stands in hosts and addresses, so no two clones have the same definition.
ADD_WORKFLOWS = """
    WITH models AS (
        SELECT *, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS models FROM workflows
        WHERE workspace_id = CAST(:demo AS uuid) AND is_active AND deleted_at IS NULL
    ), targets AS (
        SELECT id, row_number() OVER (ORDER BY slug) - 1 AS place FROM workspaces WHERE id <> CAST(:demo AS uuid)
    )
    INSERT INTO workflows (workspace_id, created_by, name, description, is_active, trigger_type, trigger_config,
                           nodes, edges, viewport, settings, execution_count, created_at, updated_at)
    SELECT t.id, m.created_by, m.name || ' ' || number, m.description, true, m.trigger_type, m.trigger_config,
           replace(m.nodes::text, 'tidewell', 'shop-' || number)::json, m.edges, m.viewport, m.settings,
           m.execution_count / (1 + number % 10), m.created_at, m.updated_at
    FROM generate_series(0, :missing - 1) number
    JOIN models m ON m.place = number % m.models
    JOIN targets t ON t.place = number % :workspaces
"""
# Only clones are copied: what history says about a workflow of the demo is about that one alone.
TWINS = """
    CREATE TEMPORARY TABLE twins ON COMMIT DROP AS
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS runbook_id, m.id AS model FROM (
        SELECT w.id, row_number() OVER (ORDER BY w.id) - 1 AS place, count(*) OVER () AS models
        FROM workflows w JOIN runbook_generations g ON g.workflow_id = w.id
        WHERE w.is_active AND w.deleted_at IS NULL AND g.history_signature = ''
    ) m, generate_series(0, :missing - 1) number WHERE m.place = number % m.models
"""


def scale(connection: Connection, *, workflows: int) -> None:
    """Load the demo and clone its workflows until so many are active; clones have no history. The caller commits."""
    demo = load_demo(connection, now=datetime.now(UTC))
    values = {"demo": demo.workspace_id, "workspaces": WORKSPACES, "missing": max(0, workflows - demo.workflows)}
    connection.execute(text(ADD_WORKSPACES), values)
    connection.execute(text(ADD_WORKFLOWS), values)
    connection.execute(text("ANALYZE workflows, workspaces"))


def add_twins(connection: Connection, *, missing: int) -> None:
    """Copy swept workflows with all that a sweep stored for them, which is what it would store for the copies.

    A copy has its model's definition, workspace and name under another id, so that its runbook and digests are the
    same. Sweeping a hundred thousand takes a quarter of an hour; this takes minutes. The caller commits.
    """
    connection.execute(text(TWINS), {"missing": missing})
    connection.execute(text("ANALYZE twins"))
    runbook = {"workflow_id": "twins.id", "runbook_id": "twins.runbook_id"}
    _copy(connection, "workflows", "id", {"id": "twins.id"})
    _copy(connection, "execution_runbooks", "workflow_id", {"id": "twins.runbook_id", "workflow_id": "twins.id"})
    _copy(connection, "runbook_generations", "workflow_id", runbook)
    _copy(connection, "runbook_versions", "workflow_id", runbook)


def _copy(connection: Connection, table: str, model: str, changed: Mapping[str, str]) -> None:
    columns = [name for name in read_columns(connection, table) if (table, name) != ("runbook_versions", "id")]
    values = ", ".join(changed.get(name, f"t.{name}") for name in columns)
    rows = f"SELECT {values} FROM twins JOIN {table} t ON t.{model} = twins.model"
    connection.execute(text(f"INSERT INTO {table} ({', '.join(columns)}) {rows}"))
