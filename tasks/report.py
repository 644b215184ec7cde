"""The final task: coverage."""

from datetime import UTC, datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from runbooks.adapters.coverage import CoverageReader, save_snapshot
from runbooks.bootstrap import open_classifier, open_database
from runbooks.core.coverage import CoverageReport
from runbooks.core.coverage_text import coverage_markdown, coverage_table
from runbooks.settings import load_settings
from tasks.options import OPTIONS


@task(**OPTIONS)
def report_coverage(workspace_id: str | None = None) -> CoverageReport:
    """Measure coverage, keep a snapshot, and show it as artifacts."""
    settings = load_settings()
    database = open_database(settings)
    with database.begin() as connection:
        reader = CoverageReader(
            connection, schema=database.schema, classify=open_classifier().classify, workspace_id=workspace_id
        )
        report = reader.read(now=datetime.now(UTC), target=settings.coverage_target, window_days=settings.history_days)
        save_snapshot(connection, report, schema=database.schema)
    create_table_artifact(coverage_table(report), key="runbook-coverage-table", description="Coverage by workspace")
    create_markdown_artifact(coverage_markdown(report), key="runbook-coverage", description="Runbook coverage")
    return report
