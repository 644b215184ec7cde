"""Requests for a runbook: one a workflow at a time, whatever process works on it, and what became of each."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.errors import DatabaseError

DEAD_AFTER_S = 60
"""A request that nobody has been seen working on for so long is given up."""
TRIES = 20
KEPT_HOURS = 24
"""How long results and idempotency keys are kept."""
ABANDONED = "The process that worked on it ended; ask again."


@dataclass(frozen=True)
class Asked:
    """What a request asks for; equal ones are one."""

    workspace_id: str
    workflow_id: str
    include_historical_data: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a request: an HTTP status, and the answer's text or why there is none."""

    status: int
    result: str | None = None
    message: str = ""


@dataclass(frozen=True)
class RequestRow:
    """A request as it is now."""

    id: str
    workflow_id: str
    include_historical_data: bool
    created_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    """None while it runs."""


def open_request(connection: Connection, asked: Asked, *, schema: HostSchema) -> tuple[str, bool]:
    """Begin a request, or find the one that runs already: its id, and whether it is for the caller to work on."""
    values = {
        "id": str(uuid.uuid4()),
        "workspace_id": asked.workspace_id,
        "workflow_id": asked.workflow_id,
        "history": asked.include_historical_data,
        "dead": DEAD_AFTER_S,
        "abandoned": ABANDONED,
    }
    same = f"workflow_id = CAST(:workflow_id AS {schema.id_type}) AND include_historical_data = :history"
    bury = f"""
        UPDATE runbook_requests SET state = 'failed', status = 503, message = :abandoned, finished_at = now()
        WHERE {same} AND state = 'running' AND alive_at < now() - make_interval(secs => :dead)
    """  # noqa: S608 - constants and a type name read from the catalogue
    begin = f"""
        INSERT INTO runbook_requests (id, workspace_id, workflow_id, include_historical_data)
        VALUES (CAST(:id AS uuid), CAST(:workspace_id AS {schema.id_type}), CAST(:workflow_id AS {schema.id_type}),
                :history)
        ON CONFLICT (workflow_id, include_historical_data) WHERE state = 'running' DO NOTHING
        RETURNING id::text
    """  # noqa: S608 - as above
    find = f"SELECT id::text FROM runbook_requests WHERE {same} AND state = 'running'"  # noqa: S608 - as above
    connection.execute(text(bury), values)
    for _ in range(TRIES):  # the one that was in the way may be finished before it is found
        mine = connection.execute(text(begin), values).scalar_one_or_none()
        if mine is not None:
            return mine, True
        others = connection.execute(text(find), values).scalar_one_or_none()
        if others is not None:
            return others, False
    raise DatabaseError(f"the request for workflow {asked.workflow_id} could neither be begun nor joined")


def read_request(
    connection: Connection, request_id: str, *, schema: HostSchema, workspace_id: str | None = None
) -> RequestRow | None:
    """A request, if it is the workspace's; one that nobody works on any more counts as failed."""
    own = f"AND workspace_id = CAST(:workspace_id AS {schema.id_type})" if workspace_id is not None else ""
    query = f"""
        SELECT id::text, workflow_id::text, include_historical_data, created_at, finished_at, state, status, message,
               result::text, alive_at < now() - make_interval(secs => :dead) AS dead
        FROM runbook_requests
        WHERE id = CAST(:id AS uuid) {own}
    """  # noqa: S608 - as above
    values = {"id": request_id, "workspace_id": workspace_id, "dead": DEAD_AFTER_S}
    row = connection.execute(text(query), values).one_or_none()
    if row is None:
        return None
    outcome = None
    if row.state != "running":
        outcome = Outcome(row.status, row.result, row.message or "")
    elif row.dead:
        outcome = Outcome(503, message=ABANDONED)
    return RequestRow(row[0], row[1], row[2], row[3], row[4], outcome)


def finish_request(connection: Connection, request_id: str, outcome: Outcome) -> None:
    """Keep what became of it."""
    query = """
        UPDATE runbook_requests SET state = :state, status = :status, message = :message,
               result = CAST(:result AS json), finished_at = now()
        WHERE id = CAST(:id AS uuid)
    """
    values = {"id": request_id, "state": "completed" if outcome.status == 200 else "failed", **vars(outcome)}
    connection.execute(text(query), values)


def keep_alive(connection: Connection, request_ids: Sequence[str]) -> None:
    """Show that somebody still works on them."""
    query = "UPDATE runbook_requests SET alive_at = now() WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'running'"
    connection.execute(text(query), {"ids": list(request_ids)})


def read_key(connection: Connection, token_id: str, key: str) -> tuple[str, str] | None:
    """What an idempotency key of a token stands for: the request's id, and what was asked with it."""
    query = """
        SELECT request_id::text, asked FROM runbook_request_keys
        WHERE token_id = CAST(:token AS bigint) AND key = :key
    """
    row = connection.execute(text(query), {"token": token_id, "key": key}).one_or_none()
    return (row[0], row[1]) if row is not None else None


def save_key(connection: Connection, token_id: str, key: str, *, request_id: str, asked: str) -> None:
    """Let the key stand for this request; replaces what it stood for."""
    query = """
        INSERT INTO runbook_request_keys (token_id, key, request_id, asked)
        VALUES (CAST(:token AS bigint), :key, CAST(:request AS uuid), :asked)
        ON CONFLICT (token_id, key) DO UPDATE SET request_id = EXCLUDED.request_id, asked = EXCLUDED.asked
    """
    values: dict[str, Any] = {"token": token_id, "key": key, "request": request_id, "asked": asked}
    connection.execute(text(query), values)


def forget_old_requests(connection: Connection) -> int:
    """Delete what is kept no longer; returns how many requests that were."""
    query = (
        "DELETE FROM runbook_requests WHERE created_at < now() - make_interval(hours => :hours) AND state <> 'running'"
    )
    return connection.execute(text(query), {"hours": KEPT_HOURS}).rowcount


def is_workflow_of(connection: Connection, workspace_id: str, workflow_id: str, *, schema: HostSchema) -> bool:
    """Whether the workspace has such an active workflow."""
    query = f"""
        SELECT EXISTS (SELECT FROM workflows
            WHERE id = CAST(:workflow AS {schema.id_type}) AND workspace_id = CAST(:workspace AS {schema.id_type})
              AND is_active AND deleted_at IS NULL)
    """  # noqa: S608 - as above
    return bool(connection.execute(text(query), {"workflow": workflow_id, "workspace": workspace_id}).scalar_one())
