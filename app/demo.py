"""`runbooks demo`: a company with a dozen workflows and a month of history, swept, and what came of it."""

from datetime import UTC, datetime

from rich.table import Table
from sqlalchemy import Connection

from app.console import results, say
from app.coverage import show_markdown
from app.sweep import sweep
from runbooks.adapters.database import Database
from runbooks.adapters.risks import RiskyIntegration, riskiest_integrations
from runbooks.adapters.schema import upgrade
from runbooks.adapters.store import read_runbook
from runbooks.bootstrap import open_database
from runbooks.core.coverage_text import coverage_markdown
from runbooks.core.markdown import to_markdown, without_picture
from runbooks.core.report import SweepReport
from runbooks.demo.load import load_demo
from runbooks.errors import SettingsError
from runbooks.settings import load_settings

SHOWN_LINES = 60


def run_demo() -> int:
    """Set up, sweep, show."""
    settings = load_settings()
    if settings.database_url is not None:
        raise SettingsError("the demo fills the embedded database; unset RUNBOOKS_DATABASE_URL to run it")
    say(f"Starting the embedded PostgreSQL in {settings.home} …")
    database = open_database(settings)
    for line in upgrade(database.url):
        say(f"  {line}")
    with database.begin() as connection:
        demo = load_demo(connection, now=datetime.now(UTC))
    say(f"Demo workspace: {demo.workflows} workflows, {demo.executions} executions, {demo.attempts} call attempts.")
    report = sweep(workspace_id=None, full=False, limit=None, writer="auto")
    with database.begin() as connection:
        _show(report, connection, database)
    return 1 if report.failed else 0


def _show(report: SweepReport, connection: Connection, database: Database) -> None:
    show_markdown(coverage_markdown(report.coverage))
    risks = riskiest_integrations(connection)
    _show_risks(risks)
    if risks:
        runbook = read_runbook(connection, risks[0].workflow_id, schema=database.schema)
        if runbook is not None:
            _show_beginning(without_picture(to_markdown(runbook)))
    print(report.headline if report.generated else f"Nothing changed since the last run: {report.headline}.")
    _show_next(risks)


def _show_risks(risks: list[RiskyIntegration]) -> None:
    columns = ("integration", "node", "workflow", "failed", "of", "rate", "likeliest failure")
    table = Table(*columns, title="Riskiest integrations")
    for risk in risks:
        rate = f"{risk.failure_rate:.1%}"
        table.add_row(
            risk.service, risk.node_key, risk.workflow_name, str(risk.failures), str(risk.calls), rate, risk.likeliest
        )
    results().print(table)


def _show_beginning(markdown: str) -> None:
    lines = markdown.splitlines()
    show_markdown("\n".join(lines[:SHOWN_LINES]) + "\n")
    if len(lines) > SHOWN_LINES:
        print(f"… and {len(lines) - SHOWN_LINES} lines more.\n")


def _show_next(risks: list[RiskyIntegration]) -> None:
    print("What to try next:")
    if risks:
        print(f"  runbooks show {risks[0].workflow_id}")
    print("  runbooks coverage")
    print("  runbooks preview FILE…             your own n8n or LinkFlow exports, no database needed")
    print("  export RUNBOOKS_DATABASE_URL=…     your own platform: runbooks migrate, then runbooks sweep")
