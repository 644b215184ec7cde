"""`runbooks coverage`."""

from datetime import UTC, datetime

from app.console import results
from runbooks.adapters.coverage import CoverageReader
from runbooks.bootstrap import open_classifier, open_database
from runbooks.core.coverage import CoverageReport
from runbooks.core.coverage_text import coverage_markdown
from runbooks.core.markdown import without_picture
from runbooks.settings import load_settings


def run_coverage(*, workspace_id: str | None, as_json: bool) -> int:
    """Print coverage as it is now."""
    report = read_coverage(workspace_id)
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        show_markdown(coverage_markdown(report))
    return 0


def read_coverage(workspace_id: str | None) -> CoverageReport:
    """Measure coverage; nothing is stored."""
    settings = load_settings()
    database = open_database(settings)
    database.require_workspace_id(workspace_id)
    with database.begin() as connection:
        reader = CoverageReader(
            connection, schema=database.schema, classify=open_classifier().classify, workspace_id=workspace_id
        )
        return reader.read(now=datetime.now(UTC), target=settings.coverage_target, window_days=settings.history_days)


def show_markdown(text: str) -> None:
    """Print Markdown: rendered on a terminal, as it is into a pipe."""
    console = results()
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(without_picture(text)))
    else:
        print(text)
