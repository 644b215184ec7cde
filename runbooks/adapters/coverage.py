"""Measuring coverage in the database, and keeping its snapshots."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from runbooks.adapters.incidents import read_incidents
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import (
    ACTIVE,
    IS_ACTIVE,
    SOURCE_DIGEST,
    in_workspace,
    read_node_catalogue,
    read_workflows,
)
from runbooks.adapters.schema import HostSchema
from runbooks.core.classifier import ErrorFacts
from runbooks.core.coverage import (
    REQUIRED_CLASSES,
    CoverageReport,
    Layer,
    Ratings,
    Uncovered,
    WorkspaceCoverage,
    observed_coverage,
)
from runbooks.core.definition import definition_hash
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integrations import extract_integrations
from runbooks.core.mttr import mttr

PARSE_BATCH = 200
UNCOVERED_SHOWN = 20
MTTR_DAYS = 180
"""How far back incidents are looked at: it has to reach the time before the first runbooks."""


class CoverageReader:
    """Measures coverage of all workspaces, or of one."""

    def __init__(
        self,
        connection: Connection,
        *,
        schema: HostSchema,
        classify: Callable[[ErrorFacts], FailureClass],
        workspace_id: str | None = None,
    ) -> None:
        self.connection = connection
        self.schema = schema
        self.classify = classify
        self.workspace_id = workspace_id
        self.scope = in_workspace(schema, workspace_id)

    def read(self, *, now: datetime, target: float, window_days: int) -> CoverageReport:
        """Take the measure now."""
        moved = self._moved()
        stale, elsewhere = self._really_stale(moved)
        workspaces = self._by_workspace(stale)
        sections, required = self._sections(stale)
        total = sections + elsewhere
        return CoverageReport(
            taken_at=now,
            workspace_id=self.workspace_id,
            active_workflows=sum(workspace.active_workflows for workspace in workspaces),
            with_proactive_runbook=sum(workspace.with_proactive_runbook for workspace in workspaces),
            with_ai_runbook=sum(workspace.with_ai_runbook for workspace in workspaces),
            stale=len(stale),
            target=target,
            integrations=Layer(covered=sections, total=total),
            failure_classes=Layer(covered=required, total=total * len(REQUIRED_CLASSES)),
            observed_failures=self._observed_failures(stale),
            window_days=window_days,
            by_workspace=tuple(workspaces),
            uncovered=tuple(self._uncovered(stale, since=now - timedelta(days=window_days))),
            mttr=mttr(
                read_incidents(self.connection, since=now - timedelta(days=MTTR_DAYS), workspace_id=self.workspace_id)
            ),
            ratings=self._ratings(),
        )

    def _rows(self, query: str, **values: Any) -> list[Row[Any]]:
        parameters = {"workspace_id": self.workspace_id, **values}
        return list(self.connection.execute(text(query), parameters))

    def _moved(self) -> dict[str, str | None]:
        """Workflows without a runbook, or with another digest than it had: id → hash of the definition it is about."""
        rows = self._rows(f"""
            SELECT w.id::text, g.definition_hash FROM {ACTIVE}
            LEFT JOIN runbook_generations g ON g.workflow_id = w.id
            WHERE {IS_ACTIVE} {self.scope} AND (g.workflow_id IS NULL OR g.source_digest <> {SOURCE_DIGEST})
        """)  # noqa: S608 - constants and a type name read from the catalogue
        return {row[0]: row[1] for row in rows}

    def _really_stale(self, moved: dict[str, str | None]) -> tuple[set[str], int]:
        """Those whose definition really changed, and how many integrations the moved ones without cover have.

        A moved box in the editor changes the digest, too; only the parsed definition tells.
        """
        stale = {workflow_id for workflow_id, known in moved.items() if known is not None}
        integrations = 0
        ids = list(moved)
        listed = read_node_catalogue(self.connection) if ids else {}
        knowledge = load_node_knowledge()
        for start in range(0, len(ids), PARSE_BATCH):
            workflows, _ = read_workflows(self.connection, ids[start : start + PARSE_BATCH], schema=self.schema)
            for workflow in workflows:
                if definition_hash(workflow) == moved[workflow.id]:
                    stale.discard(workflow.id)
                else:
                    integrations += len(extract_integrations(workflow, knowledge=knowledge, node_catalogue=listed))
        return stale, integrations

    def _by_workspace(self, stale: set[str]) -> list[WorkspaceCoverage]:
        rows = self._rows(
            f"""
            SELECT w.workspace_id::text, coalesce(max(s.name), ''), count(*), count(g.workflow_id) FILTER (WHERE NOT x),
                   count(g.workflow_id) FILTER (WHERE NOT x AND r.ai_generated), count(*) FILTER (WHERE x)
            FROM workflows w LEFT JOIN workspaces s ON s.id = w.workspace_id
            LEFT JOIN runbook_generations g ON g.workflow_id = w.id
            LEFT JOIN execution_runbooks r ON r.id = g.runbook_id,
            LATERAL (SELECT w.id = ANY(CAST(:stale AS {self.schema.id_type}[])) AS x) AS stale
            WHERE {IS_ACTIVE} {self.scope}
            GROUP BY w.workspace_id ORDER BY count(*) DESC, 1
            """,  # noqa: S608 - as above
            stale=list(stale),
        )
        return [
            WorkspaceCoverage(
                workspace_id=row[0],
                name=row[1],
                active_workflows=row[2],
                with_proactive_runbook=row[3],
                with_ai_runbook=row[4],
                stale=row[5],
            )
            for row in rows
        ]

    def _sections(self, stale: set[str]) -> tuple[int, int]:
        """Integrations with a section in a current runbook, and how many required scenarios those sections have."""
        (row,) = self._rows(
            f"""
            SELECT coalesce(sum(g.integrations), 0), coalesce(sum(g.required_covered), 0)
            FROM runbook_generations g JOIN workflows w ON w.id = g.workflow_id
            WHERE {IS_ACTIVE} {self.scope} AND NOT w.id = ANY(CAST(:stale AS {self.schema.id_type}[]))
            """,  # noqa: S608 - as above
            stale=list(stale),
        )
        return int(row[0]), int(row[1])

    def _observed_failures(self, stale: set[str]) -> Layer:
        rows = self._rows(f"""
            SELECT f.workflow_id::text, f.node_key, f.status, f.status_code, f.error_code, f.message,
                   sum(f.failures)::bigint, g.covered
            FROM runbook_failure_groups f JOIN workflows w ON w.id = f.workflow_id
            LEFT JOIN runbook_generations g ON g.workflow_id = w.id
            WHERE {IS_ACTIVE} {self.scope}
            GROUP BY f.workflow_id, f.node_key, f.status, f.status_code, f.error_code, f.message, g.covered
        """)  # noqa: S608 - as above
        failures = [
            (
                row[0],
                row[1],
                self.classify(ErrorFacts(status=row[2], status_code=row[3], error_code=row[4], message=row[5])),
                row[6],
            )
            for row in rows
        ]
        return observed_coverage(failures, {row[0]: row[7] or {} for row in rows if row[0] not in stale})

    def _uncovered(self, stale: set[str], *, since: datetime) -> list[Uncovered]:
        rows = self._rows(
            f"""
            WITH open AS (
                SELECT w.id, w.name, coalesce(w.execution_count, 0) AS executions, g.workflow_id IS NOT NULL AS stale
                FROM workflows w LEFT JOIN runbook_generations g ON g.workflow_id = w.id
                WHERE {IS_ACTIVE} {self.scope}
                  AND (g.workflow_id IS NULL OR w.id = ANY(CAST(:stale AS {self.schema.id_type}[])))
                ORDER BY executions DESC, w.id LIMIT 10 * :shown
            )
            SELECT o.id::text, o.name, o.executions, f.failed, CASE WHEN o.stale THEN 'stale' ELSE 'none' END
            FROM open o, LATERAL (
                SELECT count(*) AS failed FROM executions e
                WHERE e.workflow_id = o.id AND e.status = 'failed'
                  AND e.created_at >= CAST(:since AS timestamptz) AT TIME ZONE 'UTC'
            ) f
            ORDER BY o.executions DESC, f.failed DESC, 1 LIMIT :shown
            """,  # noqa: S608 - as above
            stale=list(stale),
            shown=UNCOVERED_SHOWN,
            since=since,
        )
        return [
            Uncovered(workflow_id=row[0], name=row[1], executions=row[2], failures=row[3], reason=row[4])
            for row in rows
        ]

    def _ratings(self) -> Ratings:
        (row,) = self._rows(f"""
            SELECT count(*), count(*) FILTER (WHERE rating IN ('useful', 'very_useful'))
            FROM runbook_ratings t JOIN execution_runbooks r ON r.id = t.runbook_id
            JOIN workflows w ON w.id = r.workflow_id
            WHERE true {self.scope}
        """)  # noqa: S608 - as above
        return Ratings(count=row[0], useful=row[1])


def save_snapshot(connection: Connection, report: CoverageReport, *, schema: HostSchema) -> None:
    """Keep the report, so that the trend can be shown."""
    query = f"""
        INSERT INTO runbook_coverage_snapshots (workspace_id, taken_at, report)
        VALUES (CAST(:workspace_id AS {schema.id_type}), :taken_at, CAST(:report AS jsonb))
    """  # noqa: S608 - as above
    connection.execute(
        text(query),
        {
            "workspace_id": report.workspace_id,
            "taken_at": report.taken_at,
            "report": report.model_dump_json(),
        },
    )
