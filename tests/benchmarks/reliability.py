"""Reliability over five million attempts. Bar: 300 MB in our process."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import URL, create_engine, make_url, text

from runbooks.adapters.catalogue_files import load_classifier
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.embedded_watcher import stop
from runbooks.adapters.history import refresh_history
from runbooks.adapters.metrics import read_history
from runbooks.adapters.schema import inspect_schema, upgrade
from runbooks.core.reliability_figures import WANTED_COLUMNS, reliabilities
from tests.benchmarks.table import Figure, at_most

ATTEMPTS = 5_000_000
WORKFLOWS = 2000
DAYS = 30
BATCH = 250
BAR_MB = 300.0

ROWS = """
    SET session_replication_role = replica;
    INSERT INTO workspaces (id, name, slug) VALUES (md5('workspace')::uuid, 'Bench', 'bench');
    INSERT INTO workflows (id, workspace_id, name, is_active, nodes, edges)
    SELECT md5('w' || w)::uuid, md5('workspace')::uuid, 'Workflow ' || w, true, '[]', '[]'
    FROM generate_series(0, {workflows} - 1) w;
    INSERT INTO executions (id, workflow_id, workspace_id, status, is_deterministic_replay, started_at, finished_at,
                            created_at)
    SELECT md5('e' || e)::uuid, md5('w' || e % {workflows})::uuid, md5('workspace')::uuid,
           CASE WHEN e % 20 = 0 THEN 'failed' ELSE 'completed' END, e % 100 = 7, at, at + interval '5 seconds', at
    FROM generate_series(1, {executions}) e,
         LATERAL (SELECT now() AT TIME ZONE 'UTC' - e * interval '{days} days' / {executions} AS at) t;
    INSERT INTO execution_nodes (id, execution_id, node_id, node_type, status, started_at, finished_at, duration_ms,
                                 error)
    SELECT md5('n' || e || '/' || n)::uuid, md5('e' || e)::uuid, 'node_' || n,
           CASE WHEN n = 5 THEN 'action_slack_message' ELSE 'action_http_request' END,
           CASE WHEN failed THEN 'failed' ELSE 'completed' END, at, at, 100 + (e::bigint * 7919 + n) % 2000,
           CASE WHEN failed THEN json_build_object('message', 'Slack error: invalid_auth, call ' || md5(e::text)) END
    FROM generate_series(1, {executions}) e, generate_series(1, 5) n,
         LATERAL (SELECT now() AT TIME ZONE 'UTC' - e * interval '{days} days' / {executions} AS at,
                         n = 5 AND e % 20 = 0 AS failed) t;
    INSERT INTO connector_call_attempts (id, execution_id, execution_node_id, workspace_id, workflow_id, connector_key,
        connector_operation, provider, attempt_no, is_retry, status, status_code, duration_ms, request_fingerprint,
        error_code, error_message, meta, happened_at)
    SELECT gen_random_uuid(), md5('e' || e)::uuid, md5('n' || e || '/' || 1 + a % 4)::uuid, md5('workspace')::uuid,
           md5('w' || e % {workflows})::uuid, 'action_http_request', 'request', 'http', 1 + (a = 5)::int, a = 5,
           CASE WHEN failed THEN 'server_error' ELSE 'success' END, CASE WHEN failed THEN 503 ELSE 200 END,
           100 + (e::bigint * 7919 + a) % 3000, repeat(md5('n' || e || a % 4), 2),
           CASE WHEN failed THEN 'HTTP_REQUEST_FAILED' END,
           CASE WHEN failed THEN 'server error: status 503 for https://api.example.com/v1/orders/' || e || '?trace='
                || md5(e::text) || ' from 10.1.2.3:' || 30000 + e % 30000 END,
           CASE WHEN e % 100 = 7 THEN '{{"replay_mode": true}}'::json ELSE '{{"region": "eu"}}' END, at
    FROM generate_series(1, {executions}) e, generate_series(1, 5) a,
         LATERAL (SELECT now() AT TIME ZONE 'UTC' - e * interval '{days} days' / {executions} AS at,
                         (e + a) % 20 = 0 AS failed) t;
    INSERT INTO connector_call_attempts (id, execution_id, execution_node_id, workspace_id, workflow_id, connector_key,
        connector_operation, provider, attempt_no, is_retry, status, status_code, duration_ms, request_fingerprint,
        error_code, error_message, meta, happened_at)
    SELECT gen_random_uuid(), execution_id, execution_node_id, workspace_id, workflow_id, connector_key,
           connector_operation, provider, attempt_no, is_retry, status, status_code, duration_ms, request_fingerprint,
           error_code, error_message, meta, happened_at
    FROM connector_call_attempts WHERE attempt_no = 2 LIMIT {executions} / 10;
    INSERT INTO connector_metrics_daily (workspace_id, connector_key, connector_operation, day, total_calls,
                                         success_calls, failure_calls)
    SELECT workspace_id, connector_key, connector_operation, happened_at::date, count(*),
           count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status <> 'success')
    FROM connector_call_attempts WHERE happened_at < (now() AT TIME ZONE 'UTC')::date GROUP BY 1, 2, 3, 4;
"""


def figures() -> Iterator[Figure]:
    """Fill a scratch database, aggregate it, and read it batch by batch: times and memory."""
    with scratch_database() as url:
        fill(url)
        engine = create_engine(url)
        for run in ("first", "second"):
            started = time.perf_counter()
            with engine.begin() as connection:
                nodes = refresh_history(connection, days=DAYS, now=datetime.now(UTC))
            took = time.perf_counter() - started
            yield Figure(f"{run} aggregation of {ATTEMPTS:,} attempts", f"{nodes:,} rows of nodes in {took:.1f} s")
        started = time.perf_counter()
        found = read_all(url)
        yield Figure(f"reliability of {found:,} integrations, read", f"{time.perf_counter() - started:.1f} s")
        yield at_most(BAR_MB, peak_mb(), "MB", "memory of the process that did it")
        engine.dispose()


def fill(url: URL) -> None:
    """Make the rows."""
    sql = ROWS.format(workflows=WORKFLOWS, executions=ATTEMPTS // 5, days=DAYS)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(sql)
        driver.execute("VACUUM ANALYZE")
    engine.dispose()


def read_all(url: URL) -> int:
    """Read what was aggregated as a sweep does; returns how many integrations have a history."""
    engine = create_engine(url)
    classify = load_classifier().classify
    found = 0
    with engine.begin() as connection:
        schema = inspect_schema(connection)
        ids = list(connection.execute(text("SELECT id::text FROM workflows")).scalars())
        workspace = connection.execute(text("SELECT id::text FROM workspaces")).scalar_one()
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            rows = [
                (
                    workflow,
                    workspace,
                    f"node_{node}",
                    "action_slack_message" if node == 5 else "action_http_request",
                    "",
                )
                for workflow in batch
                for node in range(1, 6)
            ]
            wanted = pd.DataFrame(rows, columns=list(WANTED_COLUMNS), dtype=object)
            history = read_history(connection, batch, [workspace], schema=schema)
            found += len(reliabilities(wanted, history, classify=classify, window_days=DAYS))
    engine.dispose()
    return found


def peak_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


@contextmanager
def scratch_database() -> Iterator[URL]:
    """A migrated database on an embedded server of its own, removed afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder))
        url = make_url(server.url("bench")).set(drivername="postgresql+psycopg")
        upgrade(url)
        yield url
        server.leave()
        stop(Path(folder) / "postgres")
