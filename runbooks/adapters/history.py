"""Aggregating what history says, inside PostgreSQL: millions of calls become a few rows a node.

Tables of ours are rewritten: figures by node (`runbook_node_history`), failures that say the same
(`runbook_failure_groups`), and figures by connector of a workspace (`runbook_connector_history`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.credentials import credential_notes_sql
from runbooks.adapters.folding import FOLD_PARAMETERS
from runbooks.adapters.history_hours import first_week
from runbooks.adapters.history_sql import (
    IS_FAILURE,
    attempts_by_node,
    insert_connectors,
    insert_groups,
    insert_nodes,
    runs,
)
from runbooks.migrations.catalog import read_columns

GROUPS_KEPT = 30
"""Different failures kept a node; the rest is counted without its text, so that no message can flood the table."""
RECENT_SHARE = 4
"""The last quarter of the window is held against the rest for the trend."""
WORK_MEM = "64MB"
ONE_AT_A_TIME = 0x72756E62  # an advisory lock's key: any number that nobody else takes

INTERNAL_TYPES = (
    "condition", "delay", "loop", "transform", "code", "action_script", "action_approval", "output_log", "workflow",
)  # fmt: skip
"""Node types that call nothing outside, beside all that start with `trigger_`, `logic_` or `transform_`."""


def refresh_history(
    connection: Connection, *, days: int, now: datetime, workflow_ids: Sequence[str] | None = None
) -> int:
    """Aggregate the last `days` days up to `now`, for all workflows or some; returns the number of rows of nodes."""
    # Two at once would only wait for each other's rows, in an order that can lock both for good.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    # A table that was just filled looks empty to the planner: for all workflows, a nested loop is always wrong.
    settings = {"work_mem": WORK_MEM, "enable_nestloop": "on" if workflow_ids is not None else "off"}
    for name, value in settings.items():
        connection.execute(text(f"SET LOCAL {name} TO '{value}'"))
    rows = _Refresh(connection, days=days, now=now, workflow_ids=workflow_ids).run()
    for name in settings:
        connection.execute(text(f"SET LOCAL {name} TO DEFAULT"))
    return rows


def signature_sql(*, credentials: bool = False) -> str:
    """SQL of a subquery (workflow_id, signature): what history coarsely says about each workflow.

    It changes when a runbook made from the history would read differently, not with every call: see `history_notes`.
    `credentials`: whether the ends of credentials count too; only for who may read them.
    """
    notes = """
        SELECT workflow_id, concat_ws(chr(31), node_key, connector_key, source, round(noted_rate::numeric, 4),
                                      round(noted_p95_ms), noted_failure) AS note
        FROM runbook_node_history WHERE noted_rate IS NOT NULL
    """
    if credentials:
        notes = f"{notes} UNION ALL {credential_notes_sql()}"
    return f"""
        SELECT workflow_id, md5(string_agg(note, chr(30) ORDER BY note COLLATE "C")) AS signature
        FROM ({notes}) notes GROUP BY workflow_id
    """  # noqa: S608 - constants


class _Refresh:
    """One refresh; its statements share their parameters."""

    def __init__(self, connection: Connection, *, days: int, now: datetime, workflow_ids: Sequence[str] | None) -> None:
        self.connection = connection
        self.some = workflow_ids is not None
        self.id_type = read_columns(connection, "workflows")["id"].sql_type
        self.parameters: dict[str, Any] = {
            "now": now,
            "since": now - timedelta(days=days),
            "recent": now - timedelta(days=days / RECENT_SHARE),
            "ids": list(workflow_ids or ()),
            "internal": list(INTERNAL_TYPES),
            "kept": GROUPS_KEPT,
            "first_week": first_week(now - timedelta(days=days)),
            **FOLD_PARAMETERS,
        }

    def run(self) -> int:
        """Rewrite the tables, in the order in which each builds on the one before."""
        chosen = self._chosen("workflow_id")
        self._execute(f"DELETE FROM runbook_failure_groups WHERE {chosen}")  # noqa: S608 - constants
        # By execution, because that is what attempts are indexed by: one workflow must not cost a scan of them all.
        of_chosen = f"a.execution_id IN (SELECT id FROM executions WHERE {chosen})" if self.some else "true"  # noqa: S608 - constants
        failures = attempts_by_node(f"{of_chosen} AND a.{IS_FAILURE}", message="error_message")
        self._execute(insert_groups("attempts", failures))
        nodes = self._execute(insert_nodes("attempts", attempts_by_node(of_chosen), chosen=chosen))
        self._execute(insert_groups("executions", runs(f"{self._chosen('e.workflow_id')} AND n.status = 'failed'")))
        nodes += self._execute(insert_nodes("executions", runs(self._chosen("e.workflow_id")), chosen=chosen))
        self._execute(f"DELETE FROM runbook_node_history WHERE {chosen} AND refreshed_at <> CAST(:now AS timestamptz)")  # noqa: S608 - constants
        self._refresh_connectors()
        return nodes

    def _refresh_connectors(self) -> None:
        # A workspace has many times the calls of one workflow: yesterday's figures are good enough for that one.
        outdated = f"""workspace_id IN (
            SELECT w.workspace_id FROM workflows w
            WHERE {self._chosen("w.id")} AND NOT EXISTS (
                SELECT FROM runbook_connector_history h WHERE h.workspace_id = w.workspace_id
                AND h.refreshed_at > CAST(:now AS timestamptz) - interval '1 day'))
        """  # noqa: S608 - constants
        chosen = outdated if self.some else "true"
        self._execute(f"DELETE FROM runbook_connector_history WHERE {chosen}")  # noqa: S608 - constants
        self._execute(insert_connectors(chosen))

    def _execute(self, query: str) -> int:
        return self.connection.execute(text(query), self.parameters).rowcount

    def _chosen(self, column: str) -> str:
        return f"{column} = ANY(CAST(:ids AS {self.id_type}[]))" if self.some else "true"
