"""Reading incidents out of the platform's executions."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, text

from runbooks.core.mttr import Incident
from runbooks.migrations.catalog import read_columns

ROWS_AT_ONCE = 5000

# Runs count when they end. Deterministic replays call nothing, so they neither break nor mend a workflow.
QUERY = """
    WITH ended AS (
        SELECT e.workflow_id, e.status = 'failed' AS failed, e.id,
               coalesce(e.finished_at, e.started_at, e.created_at) AS at,
               coalesce(e.started_at, e.created_at) AS begun
        FROM executions e
        WHERE e.status IN ('completed', 'failed') AND e.is_deterministic_replay IS NOT TRUE
          AND coalesce(e.finished_at, e.started_at, e.created_at) >= CAST(:since AS timestamptz) AT TIME ZONE 'UTC'
          {scope}
    ), compared AS (
        SELECT *, lag(failed) OVER (PARTITION BY workflow_id ORDER BY at, begun, id) AS failed_before FROM ended
    ), turns AS (
        SELECT workflow_id, failed, at, lead(at) OVER (PARTITION BY workflow_id ORDER BY at, begun, id) AS recovered_at
        FROM compared WHERE failed <> failed_before
    )
    SELECT coalesce(r.created_at <= t.at, false), extract(epoch FROM t.recovered_at - t.at)::double precision
    FROM turns t
    LEFT JOIN execution_runbooks r ON r.workflow_id = t.workflow_id AND r.type = 'proactive'
    WHERE t.failed
"""


def read_incidents(connection: Connection, *, since: datetime, workspace_id: str | None) -> Iterator[Incident]:
    """The incidents that began since then, streamed. What failed from its first run on is not known to have worked.

    An incident counts as one with a runbook when the proactive row was created before it began.
    """
    scope = ""
    if workspace_id is not None:
        id_type = read_columns(connection, "executions")["workspace_id"].sql_type
        scope = f"AND e.workspace_id = CAST(:workspace_id AS {id_type})"
    query = text(QUERY.format(scope=scope))
    parameters = {"since": since, "workspace_id": workspace_id}
    # A server-side cursor: there may be more incidents than one wants to hold.
    for row in connection.execute(query, parameters, execution_options={"yield_per": ROWS_AT_ONCE}):
        yield Incident.model_construct(with_runbook=row[0], duration_s=row[1])
