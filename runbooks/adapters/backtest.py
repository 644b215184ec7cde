"""Reading what the back-test needs: past failures and successes, counted, and the runbooks of their workflows.

Rows are streamed, ordered by workflow, and a hundred workflows' runbooks are in memory at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.folding import FOLD_PARAMETERS
from runbooks.adapters.history import GROUPS_KEPT, INTERNAL_TYPES, WORK_MEM
from runbooks.adapters.history_hours import first_week
from runbooks.adapters.history_sql import IS_FAILURE, attempts_by_node, failure_groups, node_runs
from runbooks.adapters.platform import IS_ACTIVE, in_workspace
from runbooks.adapters.schema import HostSchema
from runbooks.core.backtest import PastCall, Stored, Tally
from runbooks.core.backtest_report import BacktestReport
from runbooks.core.classifier import Classifier
from runbooks.core.runbook import Runbook

WORKFLOWS_AT_ONCE = 100

_SAID = "node_key, connector_key, status, status_code, error_code, message"


def backtest(
    connection: Connection,
    *,
    schema: HostSchema,
    classifier: Classifier,
    now: datetime,
    days: int,
    workspace_id: str | None = None,
) -> BacktestReport:
    """Hold the failures of active workflows in the last `days` days against the runbooks as they stand."""
    connection.execute(text(f"SET LOCAL work_mem TO '{WORK_MEM}'"))
    reader = _Reader(connection, schema, now=now, days=days, workspace_id=workspace_id)
    tally = Tally()
    for failure, stored in reader.with_runbooks(reader.failures()):
        tally.add(failure, stored, classifier)
    if tally.matched.failures:
        for call, stored in reader.with_runbooks(reader.successes()):
            if stored is not None:
                tally.add_control(call, stored, classifier)
    return tally.report(taken_at=now, workspace_id=workspace_id, days=days)


class _Reader:
    def __init__(
        self, connection: Connection, schema: HostSchema, *, now: datetime, days: int, workspace_id: str | None
    ) -> None:
        self.connection = connection
        self.schema = schema
        since = now - timedelta(days=days)
        self.parameters: dict[str, Any] = {
            "now": now,
            "since": since,
            "first_week": first_week(since),
            "kept": GROUPS_KEPT,
            "internal": list(INTERNAL_TYPES),
            "workspace_id": workspace_id,
            **FOLD_PARAMETERS,
        }
        self.active = f"(SELECT w.id FROM workflows w WHERE {IS_ACTIVE} {in_workspace(schema, workspace_id)})"  # noqa: S608 - constants

    def failures(self) -> Iterator[PastCall]:
        """Failed calls, and failed runs of nodes none of whose calls failed; by what they say, folded.

        An attempt that failed before a retry succeeded counts: somebody may have to look at it.
        """
        attempts = attempts_by_node(f"a.workflow_id IN {self.active} AND a.{IS_FAILURE}", message="error_message")
        runs = node_runs(f"""n.status = 'failed' AND e.workflow_id IN {self.active} AND NOT EXISTS (
            SELECT FROM connector_call_attempts a
            WHERE a.execution_id = e.id AND a.execution_node_id = n.id AND a.{IS_FAILURE})""")
        return self._calls(f"""
            SELECT workflow_id::text AS workflow_id, {_SAID}, failures::bigint, first_at, last_at
            FROM (SELECT * FROM ({failure_groups(attempts)}) a UNION ALL SELECT * FROM ({failure_groups(runs)}) r) f
            ORDER BY 1, 2, failures DESC, message COLLATE "C", status_code, error_code COLLATE "C", status COLLATE "C"
        """)  # noqa: S608 - constants

    def successes(self) -> Iterator[PastCall]:
        """Calls that succeeded, by what the platform stored of them."""
        attempts = attempts_by_node(
            f"a.workflow_id IN {self.active} AND a.status = 'success'", message="left(error_message, 1000)"
        )
        return self._calls(f"""
            SELECT workflow_id::text AS workflow_id, {_SAID}, count(*), min(at), max(at)
            FROM ({attempts}) a GROUP BY 1, {_SAID} ORDER BY 1, 2, status_code, error_code COLLATE "C"
        """)  # noqa: S608 - constants

    def with_runbooks(self, calls: Iterable[PastCall]) -> Iterator[tuple[PastCall, Stored | None]]:
        """Each call with its workflow's runbook."""
        by_workflow = ((key, list(group)) for key, group in groupby(calls, key=lambda call: call.workflow_id))
        while portion := dict(islice(by_workflow, WORKFLOWS_AT_ONCE)):
            stored = read_runbooks(self.connection, list(portion), schema=self.schema)
            for workflow_id, of_workflow in portion.items():
                for call in of_workflow:
                    yield call, stored.get(workflow_id)

    def _calls(self, query: str) -> Iterator[PastCall]:
        rows = self.connection.execute(text(query), self.parameters, execution_options={"stream_results": True})
        return (PastCall(*row) for row in rows)


def read_runbooks(connection: Connection, workflow_ids: Sequence[str], *, schema: HostSchema) -> dict[str, Stored]:
    """The stored proactive runbooks of workflows, by workflow id."""
    query = f"""
        SELECT g.workflow_id::text, g.generated_at, g.details || jsonb_build_object(
            'title', r.title, 'summary', r.summary, 'sections', r.sections, 'ai_generated', r.ai_generated)
        FROM runbook_generations g JOIN execution_runbooks r ON r.id = g.runbook_id
        WHERE g.workflow_id = ANY(CAST(:ids AS {schema.id_type}[]))
    """  # noqa: S608 - a type name read from the catalogue
    rows = connection.execute(text(query), {"ids": list(workflow_ids)})
    return {row[0]: Stored(Runbook.model_validate(row[2]), row[1]) for row in rows}
