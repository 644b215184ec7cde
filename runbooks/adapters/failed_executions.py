"""What the platform recorded about a failed execution. Texts are redacted as they are read."""

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from runbooks.adapters.hiding import Hiding, read_hiding
from runbooks.adapters.history_sql import ATTEMPT_KEY, IS_FAILURE, IS_REPLAY
from runbooks.adapters.schema import HostSchema
from runbooks.core.failed_execution import (
    CallAttempt,
    EarlierFailure,
    Execution,
    Failure,
    NodeRun,
    completed_before,
    failed_run,
)
from runbooks.errors import ExecutionNotFailed, ExecutionNotFound

LONGEST_READ = 20_000
"""Characters of an error that are read."""
LONGEST_TEXT = 4000
"""Characters of it that are kept after redaction: cut before, half a secret would not be known as one."""
MOST_RUNS = 5000
MOST_ATTEMPTS = 200
MOST_EARLIER = 300
NODE_NAMES = ("node_id", "node_key", "nodeId", "node")
CODE_NAMES = ("code", "error_code", "errorCode")

ENDED = "coalesce(e.finished_at, e.started_at, e.created_at)"
BEGUN = "coalesce(e.started_at, e.created_at)"


def find_failed(connection: Connection, execution_id: str, *, schema: HostSchema) -> Execution:
    """The execution, when there is a failure to explain.

    ExecutionNotFound when no execution has that id, ExecutionNotFailed when it did not fail or only replayed.
    """
    query = f"""
        SELECT e.id::text, e.workflow_id::text, e.workspace_id::text, e.status, e.mode, {ENDED} AS failed_at,
               left(e.error::text, {LONGEST_READ}) AS error, e.is_deterministic_replay AS is_replay,
               e.replay_of_execution_id::text AS replay_of
        FROM executions e WHERE e.id = CAST(:id AS {schema.id_type})
    """  # noqa: S608 - constants and a type name read from the catalogue
    row = connection.execute(text(query), {"id": execution_id}).mappings().one_or_none()
    if row is None:
        raise ExecutionNotFound(
            f"no execution has the id {execution_id!r}; the platform's Executions page shows the ids"
        )
    if row["is_replay"]:
        original = f"; the execution that it replays is {row['replay_of']}" if row["replay_of"] else ""
        raise ExecutionNotFailed(f"execution {execution_id} is a deterministic replay, which calls nothing{original}")
    if row["status"] != "failed":
        raise ExecutionNotFailed(f"execution {execution_id} is {row['status']}; only a failed one can be explained")
    message, code, node = _error(row["error"], read_hiding(connection, row["workspace_id"], schema=schema))
    return Execution(
        id=row["id"],
        workflow_id=row["workflow_id"],
        workspace_id=row["workspace_id"],
        failed_at=_aware(row["failed_at"]) or datetime.now(UTC),
        mode=row["mode"] or "",
        message=message,
        error_code=code,
        named_node=node,
    )


def read_failure(
    connection: Connection,
    execution: Execution,
    *,
    survived: Collection[str],
    window_days: int,
    schema: HostSchema,
) -> Failure:
    """Where it failed and how, what had run before, and the earlier failures of that node in the window before."""
    hiding = read_hiding(connection, execution.workspace_id, schema=schema)
    runs = _runs(connection, execution.id, schema, hiding)
    run = failed_run(runs, survived=survived, named_node=execution.named_node)
    earlier = _earlier(connection, execution, run, window_days, schema, hiding) if run else []
    return Failure(
        execution=execution,
        run=run,
        before=completed_before(runs, run),
        attempts=_attempts(connection, execution.id, run, schema, hiding) if run else (),
        earlier=tuple(earlier[:MOST_EARLIER]),
        earlier_cut=len(earlier) > MOST_EARLIER,
        window_days=window_days,
    )


def _runs(connection: Connection, execution_id: str, schema: HostSchema, hiding: Hiding) -> list[NodeRun]:
    query = f"""
        SELECT n.id::text, n.node_id, n.node_type, n.node_name, n.status, left(n.error::text, {LONGEST_READ}) AS error
        FROM execution_nodes n WHERE n.execution_id = CAST(:id AS {schema.id_type})
        ORDER BY n.sequence, n.started_at, n.id LIMIT {MOST_RUNS}
    """  # noqa: S608 - as above
    found = []
    for row in connection.execute(text(query), {"id": execution_id}).mappings():
        message, code, _ = _error(row["error"], hiding)
        found.append(
            NodeRun(
                id=row["id"],
                node_key=row["node_id"],
                node_type=row["node_type"] or "",
                node_name=hiding.name(row["node_name"] or "") or "",
                status=row["status"],
                message=message,
                error_code=code,
            )
        )
    return found


# A call whose node the platform did not note is that of the failed run when no other run is of its type.
OF_RUN = """(a.execution_node_id = CAST(:run AS {id}) OR (a.execution_node_id IS NULL AND a.connector_key = :type
    AND NOT EXISTS (SELECT FROM execution_nodes o WHERE o.execution_id = a.execution_id AND o.node_type = :type
        AND o.id <> CAST(:run AS {id}))))"""


def _attempts(
    connection: Connection, execution_id: str, run: NodeRun, schema: HostSchema, hiding: Hiding
) -> tuple[CallAttempt, ...]:
    if not run.id:
        return ()
    query = f"""
        SELECT * FROM (
            SELECT DISTINCT ON (key) * FROM (
                SELECT {ATTEMPT_KEY} AS key, a.status, a.status_code, a.error_code, a.attempt_no, a.happened_at,
                       left(a.error_message, {LONGEST_READ}) AS message, a.{IS_FAILURE} AS failed
                FROM connector_call_attempts a
                WHERE a.execution_id = CAST(:execution AS {schema.id_type})
                  AND {OF_RUN.format(id=schema.id_type)} AND NOT {IS_REPLAY}
            ) reported ORDER BY key, failed DESC, status
        ) attempts ORDER BY happened_at DESC, attempt_no DESC LIMIT {MOST_ATTEMPTS}
    """  # noqa: S608 - as above
    rows = connection.execute(text(query), {"execution": execution_id, "run": run.id, "type": run.node_type})
    return tuple(reversed([_attempt(row, hiding) for row in rows.mappings()]))


def _earlier(
    connection: Connection, execution: Execution, run: NodeRun, window_days: int, schema: HostSchema, hiding: Hiding
) -> list[EarlierFailure]:
    """Earlier failures at the same node, latest first, one more than are wanted when there are too many.

    An incident ends with the next completed execution: the running minimum, looking from the latest one back.
    """
    query = f"""
        WITH ended AS (
            SELECT e.id, e.status = 'failed' AS failed, {ENDED} AS at, {BEGUN} AS begun
            FROM executions e
            WHERE e.workflow_id = CAST(:workflow AS {schema.id_type}) AND e.status IN ('completed', 'failed')
              AND e.is_deterministic_replay IS NOT TRUE AND {ENDED} BETWEEN :since AND :until
              AND e.id <> CAST(:execution AS {schema.id_type})
        ), marked AS (
            SELECT *, min(at) FILTER (WHERE NOT failed) OVER (ORDER BY at DESC, begun DESC, id DESC) AS recovered_at
            FROM ended
        ), failures AS (
            SELECT *, min(at) OVER (PARTITION BY recovered_at) AS began_at FROM marked WHERE failed
        )
        SELECT f.at, f.began_at, f.recovered_at, left(n.error::text, {LONGEST_READ}) AS error, a.*
        FROM failures f
        JOIN LATERAL (
            SELECT n.id, n.error FROM execution_nodes n
            WHERE n.execution_id = f.id AND n.node_id = :node AND n.status = 'failed'
            ORDER BY n.sequence DESC LIMIT 1
        ) n ON true
        LEFT JOIN LATERAL (
            SELECT a.status, a.status_code, a.error_code, left(a.error_message, {LONGEST_READ}) AS message
            FROM connector_call_attempts a
            WHERE a.execution_id = f.id AND a.execution_node_id = n.id
            ORDER BY a.happened_at DESC, a.attempt_no DESC, a.{IS_FAILURE} DESC LIMIT 1
        ) a ON true
        ORDER BY f.at DESC, f.begun DESC, f.id DESC LIMIT {MOST_EARLIER + 1}
    """  # noqa: S608 - as above
    until = execution.failed_at.astimezone(UTC).replace(tzinfo=None)
    given = {
        "workflow": execution.workflow_id,
        "execution": execution.id,
        "node": run.node_key,
        "since": until - timedelta(days=window_days),
        "until": until,
    }
    return [_earlier_failure(row, hiding) for row in connection.execute(text(query), given).mappings()]


def _earlier_failure(row: RowMapping, hiding: Hiding) -> EarlierFailure:
    message, code, _ = _error(row["error"], hiding)
    at = row["at"].replace(tzinfo=UTC)
    return EarlierFailure(
        at=at,
        began_at=_aware(row["began_at"]) or at,
        recovered_at=_aware(row["recovered_at"]),
        message=message,
        node_error_code=code,
        last_attempt=_attempt(row, hiding) if row["status"] else None,
    )


def _attempt(row: RowMapping, hiding: Hiding) -> CallAttempt:
    return CallAttempt(
        status=row["status"],
        status_code=row["status_code"],
        error_code=hiding.name(row["error_code"] or ""),
        message=_shown(row["message"] or "", hiding),
    )


def _error(raw: str | None, hiding: Hiding) -> tuple[str, str | None, str | None]:
    """Message, code and node of an error column: an object as the engine writes it, or whatever else is there."""
    try:
        value: Any = json.loads(raw, strict=False) if raw else None
    except (ValueError, RecursionError):  # cut, or never JSON
        value = raw
    if not isinstance(value, dict):
        said = value if isinstance(value, str) else json.dumps(value) if value is not None else ""
        return _shown(said, hiding), None, None
    message = value.get("message")
    said = message if isinstance(message, str) and message.strip() else json.dumps(value) if value else ""
    code, node = _first(value, CODE_NAMES), _first(value, NODE_NAMES)
    return _shown(said, hiding), hiding.name(code or ""), hiding.name(node or "")


def _shown(said: str, hiding: Hiding) -> str:
    return hiding.text(said[:LONGEST_READ])[:LONGEST_TEXT]


def _first(value: dict[str, Any], names: Collection[str]) -> str | None:
    found = (value.get(name) for name in names)
    return next((str(one)[:200] for one in found if isinstance(one, str | int) and str(one)), None)


def _aware(at: datetime | None) -> datetime | None:
    """The platform's times have no zone and hold UTC."""
    return at.replace(tzinfo=UTC) if at is not None else None
