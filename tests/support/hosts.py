"""Databases of the host platform, of both generations, with a few rows; and workflows to put into them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.engine import Connection

from runbooks.migrations.catalog import read_columns
from tests.support.postgres import create_database, drop_database

HERE = Path(__file__).parent


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """A connection of its own; committed at the end, closed for good."""
    with create_engine(url, poolclass=NullPool).begin() as connection:
        yield connection


def run_sql(url: URL, sql: str) -> None:
    """Run several statements in one go, as psql would with `-f`."""
    with connected(url) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(sql)


def _load(server: URL, file: str) -> Iterator[URL]:
    url = create_database(server)
    try:
        run_sql(url, (HERE / file).read_text())
        yield url
    finally:
        drop_database(server, url)


@pytest.fixture
def older_host(postgres_server: URL) -> Iterator[URL]:
    """A platform database of the older generation, not migrated: bigint ids."""
    yield from _load(postgres_server, "older_host.sql")


@pytest.fixture
def newer_host(postgres_server: URL) -> Iterator[URL]:
    """A platform database of the newer generation, not migrated: uuid ids without defaults."""
    yield from _load(postgres_server, "newer_host.sql")


def insert_workflow(
    url: URL,
    *,
    nodes: Sequence[Any] | str,
    edges: Sequence[Any] | str = (),
    name: str = "Workflow",
    is_active: bool = True,
    workspace: str = "shop",
) -> str:
    """Put a workflow into a workspace (named by its slug) of either host; returns its id. Text is stored as it is."""
    values = {
        "name": name,
        "is_active": is_active,
        "nodes": nodes if isinstance(nodes, str) else json.dumps(nodes),
        "edges": edges if isinstance(edges, str) else json.dumps(edges),
        "workspace": workspace,
    }
    with connected(url) as connection:
        made = "" if read_columns(connection, "workflows")["id"].has_default else "id, "
        query = f"""
            INSERT INTO workflows ({made} workspace_id, created_by, name, is_active, trigger_type, nodes, edges,
                                   created_at, updated_at)
            SELECT {made and "gen_random_uuid(), "} id, owner_id, :name, :is_active, 'manual',
                   CAST(:nodes AS json), CAST(:edges AS json), now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
            FROM workspaces WHERE slug = :workspace
            RETURNING id::text
        """
        return str(connection.execute(text(query), values).scalar_one())


def insert_slack_workflows(url: URL, count: int, *, workspace: str = "shop", name: str = "Workflow") -> None:
    """Put so many numbered workflows, each of which tells a channel, into a workspace."""
    for number in range(count):
        nodes = [
            {"id": "in", "type": "trigger_webhook"},
            {"id": f"slack{number}", "type": "slack", "label": f"Tell {number}", "config": {"channel": "#ops"}},
        ]
        edges = [{"id": "e", "source": "in", "target": f"slack{number}"}]
        insert_workflow(url, workspace=workspace, name=f"{name} {number}", nodes=nodes, edges=edges)


def insert_workspace(url: URL, *, slug: str, settings: Any = None) -> str:
    """Put a workspace with an owner into a standalone database; returns its id."""
    query = """
        WITH owner AS (
            INSERT INTO users (name, email) VALUES ('Ada Moreau', :slug || '@example.com') RETURNING id
        )
        INSERT INTO workspaces (name, slug, owner_id, settings)
        SELECT initcap(:slug), :slug, id, CAST(:settings AS json) FROM owner RETURNING id::text
    """
    with connected(url) as connection:
        values = {"slug": slug, "settings": json.dumps(settings) if settings is not None else None}
        return str(connection.execute(text(query), values).scalar_one())


def insert_execution(
    url: URL, workflow_id: str, *, node_key: str, error: str | None = None, node_type: str = "action_http_request"
) -> None:
    """Let a node of a workflow in a standalone database run once, just now: failed with that error, else completed."""
    query = """
        WITH ran AS (
            INSERT INTO executions (workflow_id, workspace_id, status, mode, started_at, finished_at, duration_ms,
                                    error, created_at)
            SELECT id, workspace_id, :status, 'webhook', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', 900,
                   CAST(:error AS json), now() AT TIME ZONE 'UTC'
            FROM workflows WHERE id = CAST(:workflow_id AS uuid) RETURNING id, workspace_id
        ), node AS (
            INSERT INTO execution_nodes (execution_id, node_id, node_type, status, started_at, finished_at, duration_ms,
                                         error, sequence, created_at)
            SELECT id, :node_key, :node_type, :status, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', 900,
                   CAST(:error AS json), 1, now() AT TIME ZONE 'UTC'
            FROM ran RETURNING id, execution_id
        )
        INSERT INTO connector_call_attempts (execution_id, execution_node_id, workspace_id, workflow_id, connector_key,
                                             connector_operation, provider, status, status_code, duration_ms,
                                             request_fingerprint, error_message, happened_at)
        SELECT ran.id, node.id, ran.workspace_id, CAST(:workflow_id AS uuid), :node_type, 'request', 'http', :attempt,
               :code, 900, md5(node.id::text) || md5(ran.id::text), :message, now() AT TIME ZONE 'UTC'
        FROM ran JOIN node ON node.execution_id = ran.id
    """
    values = {
        "workflow_id": workflow_id,
        "node_key": node_key,
        "node_type": node_type,
        "status": "failed" if error else "completed",
        "attempt": "client_error" if error else "success",
        "code": 401 if error else 200,
        "error": json.dumps({"message": error}) if error else None,
        "message": error,
    }
    with connected(url) as connection:
        connection.execute(text(query), values)
