"""The final tasks: coverage, and the page of the sweep."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from prefect import get_client, get_run_logger, task
from prefect.artifacts import MarkdownArtifact, create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from runbooks.adapters.coverage import CoverageReader, save_snapshot, was_target_met
from runbooks.adapters.interruption import run_interruptible
from runbooks.adapters.store import read_runbook
from runbooks.adapters.written import read_written
from runbooks.bootstrap import open_classifier, open_database
from runbooks.core.coverage import CoverageReport
from runbooks.core.coverage_text import coverage_markdown, coverage_table
from runbooks.core.markdown import to_markdown
from runbooks.core.report import SweepReport
from runbooks.core.runbook import Runbook
from runbooks.core.sweep_text import LISTED, artifact_key, outside_link, sweep_markdown
from runbooks.settings import load_settings
from tasks.options import OPTIONS

KEPT = 50
"""Runbooks of a sweep that are shown in Prefect, the worst first; all are in the database."""
LONGEST_S = 300.0
"""For keeping these."""
FELL = "runbooks.coverage.fell-below-target"


@task(task_run_name="report coverage", **OPTIONS)
def report_coverage(workspace_id: str | None = None, *, keep: bool = True) -> CoverageReport:
    """Measure coverage, keep a snapshot, and show it as artifacts."""
    settings = load_settings()
    database = open_database(settings)
    with database.begin() as connection:
        reader = CoverageReader(
            connection, schema=database.schema, classify=open_classifier().classify, workspace_id=workspace_id
        )
        report = reader.read(now=datetime.now(UTC), target=settings.coverage_target, window_days=settings.history_days)
        was_met = was_target_met(connection, schema=database.schema, workspace_id=workspace_id)
        if keep:
            save_snapshot(connection, report, schema=database.schema)
    create_table_artifact(coverage_table(report), key="runbook-coverage-table", description="Coverage by workspace")
    create_markdown_artifact(coverage_markdown(report), key="runbook-coverage", description="Runbook coverage")
    if keep and was_met and not report.target_met:
        announce_fall(report)
    return report


def announce_fall(report: CoverageReport) -> None:
    """Tell whoever listens that the share of workflows with an AI runbook was at its target and is no longer."""
    scope = report.workspace_id or "all"
    payload = {"scope": scope, "coverage": report.ai_coverage, "target": report.target, "stale": report.stale}
    emit_event(FELL, resource={"prefect.resource.id": f"runbooks.coverage.{scope}"}, payload=payload)
    get_run_logger().warning("coverage fell below its target: %.0f%%", 100 * report.ai_coverage)


@task(task_run_name="report sweep", **OPTIONS)
def report_sweep(report: SweepReport, *, since: datetime, workspace_id: str | None) -> None:
    """Show what the sweep wrote as an artifact that links the runbooks."""
    settings = load_settings()
    database = open_database(settings)
    with database.begin() as connection:
        written = read_written(connection, schema=database.schema, since=since, workspace_id=workspace_id, limit=LISTED)
        links: dict[str, str | None]
        if settings.link is not None:
            links = {one.workflow_id: outside_link(settings.link, one) for one in written}
        else:
            pages = {
                one.workflow_id: read_runbook(connection, one.workflow_id, schema=database.schema)
                for one in written[:KEPT]
            }
            links = run_interruptible(_kept(pages), timeout_s=LONGEST_S)
    page = sweep_markdown(report, written, links=links)
    create_markdown_artifact(page, key="runbook-sweep", description="What the sweep wrote")


async def _kept(runbooks: Mapping[str, Runbook | None]) -> dict[str, str | None]:
    """Keep runbooks as artifacts of their own, where Prefect's pages can show them; returns the addresses there."""
    async with get_client() as client:  # one for all: a connection to the server takes longer than an artifact

        async def keep(workflow_id: str, runbook: Runbook) -> str:
            artifact = MarkdownArtifact(
                markdown=to_markdown(runbook), key=artifact_key(workflow_id), description=runbook.title
            )
            return f"/artifacts/artifact/{(await artifact.acreate(client)).id}"

        there = {workflow_id: runbook for workflow_id, runbook in runbooks.items() if runbook}  # not deleted since
        return dict(zip(there, await asyncio.gather(*(keep(*one) for one in there.items())), strict=True))
