"""Loads the demo workspace into a standalone database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.database import driver_errors
from runbooks.adapters.schema import inspect_schema
from runbooks.demo.company import Company, read_company
from runbooks.demo.company_rows import company_rows, count, version_id
from runbooks.demo.history import History, make_history
from runbooks.demo.rows import Attempt, DailyMetric, Execution, ExecutionNode, ReactiveRunbook
from runbooks.errors import DatabaseError

LOCK = 7_216_354_408
"""Key of the advisory lock under which the demo is loaded: two at once load it once."""


class NotStandalone(DatabaseError):
    """The database belongs to a real platform: no demo goes in there."""


@dataclass(frozen=True)
class DemoSummary:
    """What the demo workspace holds."""

    workspace_id: str
    workflows: int
    """Active ones."""
    executions: int
    attempts: int
    created: bool
    """False when it was there already, and nothing was written."""


def load_demo(connection: Connection, *, now: datetime, seed: int = 7) -> DemoSummary:
    """Load company and history; does nothing when the workspace is there. `now` is aware; the caller commits.

    Raises NotStandalone on a database whose platform tables are not ours.
    """
    if not inspect_schema(connection).standalone:
        raise NotStandalone(
            "this database belongs to a platform, the demo goes into a database of its own: unset RUNBOOKS_DATABASE_URL"
        )
    company = read_company()
    with driver_errors():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        created = not _is_there(connection, company)
        if created:
            _write(connection, company, make_history(company, now=now, seed=seed), now)
        return _summary(connection, company, created=created)


def _is_there(connection: Connection, company: Company) -> bool:
    query = text("SELECT EXISTS (SELECT FROM workspaces WHERE id = CAST(:id AS uuid))")
    return bool(connection.execute(query, {"id": company.workspace.id}).scalar_one())


def _write(connection: Connection, company: Company, history: History, now: datetime) -> None:
    for table, rows in company_rows(company, count(history.executions), now):
        _copy(connection, table, list(rows[0]), [list(row.values()) for row in rows])
    current = [{"id": one.id, "version": version_id(one, one.version)} for one in company.workflows]
    connection.execute(
        text("UPDATE workflows SET current_version_id = CAST(:version AS uuid) WHERE id = CAST(:id AS uuid)"), current
    )
    _copy(connection, "executions", Execution._fields, history.executions)
    _copy(connection, "execution_nodes", ExecutionNode._fields, history.nodes)
    _copy(connection, "connector_call_attempts", Attempt._fields, history.attempts)
    _copy(connection, "connector_metrics_daily", DailyMetric._fields, history.daily)
    _copy(connection, "execution_runbooks", ReactiveRunbook._fields, history.runbooks)


def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows with COPY; their times are aware UTC, of which a column without zone keeps just the time."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - an open connection has one
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _summary(connection: Connection, company: Company, *, created: bool) -> DemoSummary:
    query = """
        SELECT (SELECT count(*) FROM workflows WHERE workspace_id = w.id AND is_active AND deleted_at IS NULL),
               (SELECT count(*) FROM executions WHERE workspace_id = w.id),
               (SELECT count(*) FROM connector_call_attempts WHERE workspace_id = w.id)
        FROM workspaces w WHERE w.id = CAST(:id AS uuid)
    """
    workflows, executions, attempts = connection.execute(text(query), {"id": company.workspace.id}).one()
    return DemoSummary(company.workspace.id, workflows, executions, attempts, created)
