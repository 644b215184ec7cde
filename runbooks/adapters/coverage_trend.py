"""Coverage as it was measured before."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.workflow import Frozen

LOCK = 7_237_716_202_502
"""Key of the advisory lock: one measurement of a workspace at a time."""


class TrendPoint(Frozen):
    """Coverage of one workspace at the end of a day."""

    day: date
    active_workflows: int
    with_proactive_runbook: int
    with_ai_runbook: int
    stale: int


COUNTED = [name for name in TrendPoint.model_fields if name != "day"]


def latest_snapshot(
    connection: Connection, workspace_id: str, *, since: datetime, schema: HostSchema
) -> dict[str, Any] | None:
    """The workspace's newest report, unless it is older than that."""
    query = f"""
        SELECT report FROM runbook_coverage_snapshots
        WHERE workspace_id = CAST(:workspace_id AS {schema.id_type}) AND taken_at >= :since
        ORDER BY taken_at DESC LIMIT 1
    """  # noqa: S608 - a type name read from the catalogue
    found: dict[str, Any] | None = connection.execute(
        text(query), {"workspace_id": workspace_id, "since": since}
    ).scalar_one_or_none()
    return found


def measure_alone(connection: Connection, workspace_id: str) -> None:
    """Wait until nobody else measures this workspace, and keep others from it until the transaction ends."""
    query = "SELECT pg_advisory_xact_lock(:lock + hashtext(:workspace_id))"
    connection.execute(text(query), {"lock": LOCK, "workspace_id": workspace_id})


def coverage_trend(connection: Connection, workspace_id: str, *, days: int, schema: HostSchema) -> Sequence[TrendPoint]:
    """One point a day that was measured, oldest first: of the workspace's own reports, and of those of all."""
    query = f"""
        SELECT DISTINCT ON (day) day, figures FROM (
            SELECT (taken_at AT TIME ZONE 'UTC')::date AS day, taken_at, report AS figures
            FROM runbook_coverage_snapshots
            WHERE workspace_id = CAST(:workspace_id AS {schema.id_type})
              AND taken_at >= now() - make_interval(days => :days)
            UNION ALL
            SELECT (taken_at AT TIME ZONE 'UTC')::date, taken_at, one
            FROM runbook_coverage_snapshots, jsonb_array_elements(report -> 'by_workspace') AS one
            WHERE workspace_id IS NULL AND taken_at >= now() - make_interval(days => :days)
              AND one ->> 'workspace_id' = CAST(CAST(:workspace_id AS {schema.id_type}) AS text)
        ) points ORDER BY day, taken_at DESC
    """  # noqa: S608 - as above
    rows = connection.execute(text(query), {"workspace_id": workspace_id, "days": days})
    return [TrendPoint(day=row.day, **{name: row.figures[name] for name in COUNTED}) for row in rows]
