"""What a sweep wrote, as a list that people can follow."""

from datetime import datetime

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.sweep_text import WrittenRunbook


def read_written(
    connection: Connection, *, schema: HostSchema, since: datetime, workspace_id: str | None, limit: int
) -> list[WrittenRunbook]:
    """The proactive runbooks that were stored since then, the worst and busiest first."""
    inside = f"AND r.workspace_id = CAST(:workspace_id AS {schema.id_type})" if workspace_id else ""
    query = f"""
        SELECT r.workflow_id::text, r.workspace_id::text, r.title, r.severity, r.ai_generated
        FROM execution_runbooks r JOIN workflows w ON w.id = r.workflow_id
        WHERE r.type = 'proactive' AND r.updated_at >= date_trunc('second', CAST(:since AS timestamp)) {inside}
        ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], CAST(r.severity AS text)),
                 w.execution_count DESC NULLS LAST, r.workflow_id
        LIMIT :limit
    """  # noqa: S608 - constants and a type name read from the catalogue
    values = {"since": since.replace(tzinfo=None), "workspace_id": workspace_id, "limit": limit}
    return [
        WrittenRunbook(workflow_id=row[0], workspace_id=row[1], title=row[2], severity=row[3], ai_generated=row[4])
        for row in connection.execute(text(query), values)
    ]
