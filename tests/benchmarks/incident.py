"""From a failed execution to its row, in a workflow of 100,000 executions in the window. Bar: 1 s, without an LLM."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from runbooks.adapters.database import Database
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.embedded_watcher import stop
from runbooks.adapters.schema import upgrade
from runbooks.demo.load import load_demo
from tests.benchmarks.measure import measure
from tests.benchmarks.table import Figure, at_most

EXECUTIONS = 100_000
EVENTS = 25
BAR = 1.0
MORE = """
    INSERT INTO executions (workflow_id, workspace_id, status, mode, started_at, finished_at, created_at)
    SELECT w.id, w.workspace_id, CASE WHEN number % 50 = 0 THEN 'failed' ELSE 'completed' END, 'webhook', at, at, at
    FROM workflows w, generate_series(1, :executions) number,
         LATERAL (SELECT now() AT TIME ZONE 'UTC' - number * interval '29 days' / :executions AS at) t
    WHERE w.name = 'Order Processing Pipeline'
"""
RUNS = """
    INSERT INTO execution_nodes (execution_id, node_id, node_type, status, started_at, finished_at, error, sequence)
    SELECT e.id, 'http_stripe', 'action_http_request', e.status, e.started_at, e.finished_at,
           CASE WHEN e.status = 'failed' THEN '{"message": "client error: status 429"}'::json END, 2
    FROM executions e JOIN workflows w ON w.id = e.workflow_id
    WHERE w.name = 'Order Processing Pipeline'
      AND NOT EXISTS (SELECT FROM execution_nodes n WHERE n.execution_id = e.id)
"""
FAILED = """
    SELECT e.id::text FROM executions e JOIN workflows w ON w.id = e.workflow_id
    WHERE w.name = 'Order Processing Pipeline' AND e.status = 'failed' AND NOT e.is_deterministic_replay
    ORDER BY e.created_at DESC LIMIT :events
"""


def figures() -> Iterator[Figure]:
    """The time from event to row with the catalogue, with a stored runbook, and of the command."""
    with _platform() as (failed, workflow):
        from flows.execution_failed import meet_incident

        def seconds(execution_id: str) -> float:
            started = time.perf_counter()
            meet_incident(execution_id, step=lambda task: task.fn)
            return time.perf_counter() - started

        yield at_most(BAR, seconds(failed[0]), "s", "failed execution to row, a process's first, catalogue loaded")
        yield _worst("without a stored runbook", [seconds(one) for one in failed])
        yield Figure("`runbooks generate`", f"{measure('generate', workflow, '--writer', 'catalogue')}")
        yield _worst("with one", [seconds(one) for one in failed])
        yield Figure("`runbooks incident`", f"{measure('incident', failed[0])}")


def _worst(name: str, times: list[float]) -> Figure:
    half = f"half within {statistics.median(times):.2f} s"
    return at_most(BAR, max(times), "s", f"failed execution to row, {name}, the worst of {len(times)}", half)


@contextmanager
def _platform() -> Iterator[tuple[list[str], str]]:
    """The demo with a much busier flagship; yields its latest failed executions and the workflow's id."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder) / "home")
        url = server.url("runbooks")
        database = Database(url)
        upgrade(database.url)
        with database.begin() as connection:
            load_demo(connection, now=datetime.now(UTC))
            connection.execute(text(MORE), {"executions": EXECUTIONS})
            connection.execute(text(RUNS))
            connection.execute(text("ANALYZE"))
            failed = list(connection.execute(text(FAILED), {"events": EVENTS}).scalars())
            workflow = connection.execute(
                text("SELECT id::text FROM workflows WHERE name = 'Order Processing Pipeline'")
            ).scalar_one()
        database.close()
        os.environ |= {"RUNBOOKS_DATABASE_URL": url, "PREFECT_HOME": str(Path(folder) / "prefect")}
        try:
            yield failed, workflow
        finally:
            server.leave()
            stop(Path(folder) / "home" / "postgres")
