"""Measuring coverage in the database, and keeping its snapshots."""

from collections.abc import Callable, Mapping, Sequence
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
    scenario_recall,
)
from runbooks.core.definition import definition_hash
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integrations import NodeCatalogueEntry, extract_integrations
from runbooks.core.mttr import mttr
from runbooks.core.recall import Recall
from runbooks.core.workflow import Workflow

AnyRow = Row[*tuple[Any, ...]]

PARSE_BATCH = 200
UNCOVERED_SHOWN = 20
WORKSPACES_SHOWN = 500
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
        stale, elsewhere = self._really_stale(self._moved())
        workspaces = self._by_workspace(stale)
        sections, required = self._sections(stale)
        total = sections + elsewhere
        observed, recall = self._observed_failures(stale)
        return CoverageReport(
            taken_at=now,
            workspace_id=self.workspace_id,
            active_workflows=sum(workspace.active for workspace in workspaces),
            with_proactive_runbook=sum(workspace.current for workspace in workspaces),
            with_ai_runbook=sum(workspace.by_ai for workspace in workspaces),
            stale=len(stale),
            target=target,
            integrations=Layer(covered=sections, total=total),
            failure_classes=Layer(covered=required, total=total * len(REQUIRED_CLASSES)),
            observed_failures=observed,
            scenario_recall=recall,
            window_days=window_days,
            by_workspace=tuple(_workspace(row) for row in workspaces[:WORKSPACES_SHOWN]),
            uncovered=tuple(self._uncovered(stale, since=now - timedelta(days=window_days))),
            mttr=mttr(
                read_incidents(self.connection, since=now - timedelta(days=MTTR_DAYS), workspace_id=self.workspace_id)
            ),
            ratings=self._ratings(),
        )

    def _rows(self, query: str, **values: Any) -> Sequence[AnyRow]:
        return self.connection.execute(text(query), {"workspace_id": self.workspace_id, **values}).all()

    def _with_stale(self, query: str, stale: set[str], **values: Any) -> Sequence[AnyRow]:
        """Run a query that may join `stale`, the ids of the workflows whose runbook is out of date."""
        named = f"WITH stale AS MATERIALIZED (SELECT unnest(CAST(:stale AS {self.schema.id_type}[])) AS id) {query}"
        return self._rows(named, stale=list(stale), **values)

    def _moved(self) -> dict[str, str | None]:
        """Workflows without a runbook, or with another digest than it had: id → hash of the definition it is about."""
        rows = self._rows(f"""
            SELECT w.id::text, g.definition_hash FROM {ACTIVE}
            LEFT JOIN runbook_generations g ON g.workflow_id = w.id
            WHERE {IS_ACTIVE} {self.scope} AND (g.workflow_id IS NULL OR g.source_digest <> {SOURCE_DIGEST})
            ORDER BY w.id
        """)  # noqa: S608 - constants and a type name read from the catalogue
        return {row.id: row.definition_hash for row in rows}

    def _really_stale(self, moved: dict[str, str | None]) -> tuple[set[str], int]:
        """Those whose definition really changed, and how many integrations all without a current runbook have.

        A moved box in the editor changes the digest, too; only the parsed definition tells.
        """
        stale = {workflow_id for workflow_id, known in moved.items() if known is not None}
        integrations = 0
        ids = list(moved)
        listed = read_node_catalogue(self.connection) if ids else {}
        for start in range(0, len(ids), PARSE_BATCH):
            workflows, _ = read_workflows(self.connection, ids[start : start + PARSE_BATCH], schema=self.schema)
            for workflow in workflows:
                known = moved[workflow.id]
                if known is not None and definition_hash(workflow) == known:
                    stale.discard(workflow.id)
                else:
                    integrations += _count_integrations(workflow, listed)
        return stale, integrations

    def _by_workspace(self, stale: set[str]) -> Sequence[AnyRow]:
        query = f"""
            SELECT w.workspace_id::text AS id, coalesce(max(s.name), '') AS name, count(*) AS active,
                   count(g.workflow_id) FILTER (WHERE x.id IS NULL) AS current,
                   count(*) FILTER (WHERE x.id IS NULL AND r.ai_generated) AS by_ai, count(x.id) AS stale
            FROM workflows w LEFT JOIN workspaces s ON s.id = w.workspace_id
            LEFT JOIN runbook_generations g ON g.workflow_id = w.id
            LEFT JOIN execution_runbooks r ON r.id = g.runbook_id
            LEFT JOIN stale x ON x.id = w.id
            WHERE {IS_ACTIVE} {self.scope}
            GROUP BY w.workspace_id ORDER BY active DESC, 1
        """  # noqa: S608 - as above
        return self._with_stale(query, stale)

    def _sections(self, stale: set[str]) -> tuple[int, int]:
        """Integrations with a section in a current runbook, and how many required scenarios those sections have."""
        query = f"""
            SELECT coalesce(sum(g.integrations), 0), coalesce(sum(g.required_covered), 0)
            FROM runbook_generations g JOIN workflows w ON w.id = g.workflow_id LEFT JOIN stale x ON x.id = w.id
            WHERE {IS_ACTIVE} {self.scope} AND x.id IS NULL
        """  # noqa: S608 - as above
        ((integrations, required),) = self._with_stale(query, stale)
        return int(integrations), int(required)

    def _observed_failures(self, stale: set[str]) -> tuple[Layer, Recall]:
        """Failures of the window against the sections, and where in its section each is found.

        History that names no node is held against all of a runbook; it has no section to be found in.
        """
        query = f"""
            SELECT f.status, f.status_code, f.error_code, f.message, c.service, c.classes, c.scenarios,
                   f.node_key <> '' AS named, sum(f.failures)::bigint AS failures
            FROM runbook_failure_groups f JOIN workflows w ON w.id = f.workflow_id
            LEFT JOIN stale x ON x.id = w.id
            LEFT JOIN runbook_generations g ON g.workflow_id = w.id AND x.id IS NULL,
            LATERAL (
                SELECT g.covered -> f.node_key ->> 'service' AS service,
                       CASE WHEN f.node_key <> '' THEN g.covered -> f.node_key -> 'classes'
                       ELSE jsonb_path_query_array(g.covered, '$.*.classes[*]') END AS classes,
                       g.scenario_order -> f.node_key AS scenarios
            ) c
            WHERE {IS_ACTIVE} {self.scope}
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        """  # noqa: S608 - as above
        failures = [
            (
                self.classify(ErrorFacts(row.service, row.status, row.status_code, row.error_code, row.message)),
                row,
            )
            for row in self._with_stale(query, stale)
        ]
        return (
            observed_coverage((kind, row.classes or (), row.failures) for kind, row in failures),
            scenario_recall((kind, row.scenarios or (), row.failures) for kind, row in failures if row.named),
        )

    def _uncovered(self, stale: set[str], *, since: datetime) -> list[Uncovered]:
        query = f"""
            SELECT o.id::text, o.name, o.executions, f.failed, o.reason FROM (
                SELECT w.id, w.name, coalesce(w.execution_count, 0) AS executions,
                       CASE WHEN g.workflow_id IS NULL THEN 'none' ELSE 'stale' END AS reason
                FROM workflows w LEFT JOIN stale x ON x.id = w.id
                LEFT JOIN runbook_generations g ON g.workflow_id = w.id
                WHERE {IS_ACTIVE} {self.scope} AND (g.workflow_id IS NULL OR x.id IS NOT NULL)
                ORDER BY executions DESC, w.id LIMIT 10 * :shown
            ) o, LATERAL (
                SELECT count(*) AS failed FROM executions e
                WHERE e.workflow_id = o.id AND e.status = 'failed' AND e.is_deterministic_replay IS NOT TRUE
                  AND coalesce(e.started_at, e.created_at) >= CAST(:since AS timestamptz) AT TIME ZONE 'UTC'
            ) f
            ORDER BY o.executions DESC, f.failed DESC, o.id LIMIT :shown
        """  # noqa: S608 - as above
        rows = self._with_stale(query, stale, shown=UNCOVERED_SHOWN, since=since)
        return [
            Uncovered(workflow_id=row[0], name=row[1], executions=row[2], failures=row[3], reason=row[4])
            for row in rows
        ]

    def _ratings(self) -> Ratings:
        ((count, useful),) = self._rows(f"""
            SELECT count(*), count(*) FILTER (WHERE rating IN ('useful', 'very_useful'))
            FROM runbook_ratings t JOIN execution_runbooks r ON r.id = t.runbook_id
            JOIN workflows w ON w.id = r.workflow_id
            WHERE true {self.scope}
        """)  # noqa: S608 - as above
        return Ratings(count=count, useful=useful)


def _count_integrations(workflow: Workflow, listed: Mapping[str, NodeCatalogueEntry]) -> int:
    try:
        return len(extract_integrations(workflow, knowledge=load_node_knowledge(), node_catalogue=listed))
    except Exception:  # the sweep reports a workflow that breaks the analysis; it must not stop the count
        return 0


def _workspace(row: AnyRow) -> WorkspaceCoverage:
    return WorkspaceCoverage(
        workspace_id=row.id,
        name=row.name,
        active_workflows=row.active,
        with_proactive_runbook=row.current,
        with_ai_runbook=row.by_ai,
        stale=row.stale,
    )


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


def was_target_met(connection: Connection, *, schema: HostSchema, workspace_id: str | None) -> bool | None:
    """What the last snapshot of the same scope says; None when there is none."""
    query = f"""
        SELECT (report ->> 'ai_coverage')::float >= (report ->> 'target')::float FROM runbook_coverage_snapshots
        WHERE workspace_id IS NOT DISTINCT FROM CAST(:workspace_id AS {schema.id_type})
        ORDER BY taken_at DESC, id DESC LIMIT 1
    """  # noqa: S608 - as above
    met: bool | None = connection.execute(text(query), {"workspace_id": workspace_id}).scalar_one_or_none()
    return met
