"""`runbooks backtest`: the platform's own past failures against its runbooks."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from app.console import results
from runbooks.adapters.backtest import backtest
from runbooks.bootstrap import open_classifier, open_database
from runbooks.core.backtest_report import BacktestReport, Reason, Slice, Uncovered
from runbooks.core.recall import Recall
from runbooks.errors import SettingsError
from runbooks.settings import load_settings

SHOWN_SLICES = 15
SHOWN_UNCOVERED = 15
SHOWN_TEXT = 70
REASONS = {
    Reason.NO_RUNBOOK: "the workflow has no runbook",
    Reason.NO_SECTION: "the runbook has no section for the node",
    Reason.UNKNOWN_CLASS: "the error does not tell its class",
    Reason.NO_SCENARIO: "no scenario is of its class",
}


def run_backtest(*, workspace_id: str | None, days: int, as_json: bool) -> int:
    """Print the recall; SettingsError when there is nothing to measure, which is not 100%."""
    database = open_database(load_settings())
    database.require_workspace_id(workspace_id)
    with database.begin() as connection:
        report = backtest(
            connection,
            schema=database.schema,
            classifier=open_classifier(),
            now=datetime.now(UTC),
            days=days,
            workspace_id=workspace_id,
        )
    if not report.matched.failures:
        raise SettingsError(
            f"nothing to test with: no active workflow has a failure in the last {days} days; try a larger --days"
        )
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        _print(report)
    return 0


def _print(report: BacktestReport) -> None:
    console = results()
    console.print(
        f"{report.matched.failures:,} failures of the last {report.days} days, "
        f"{report.matched_distinct.failures:,} different ones"
    )
    console.print(_recalls(report))
    _print_misses(report)
    controls = report.controls
    console.print(
        f"Controls: {controls.calls:,} calls that succeeded, of which a scenario claims {controls.claimed:,}."
        if controls.calls
        else "Controls: none; no workflow with a runbook has a call that succeeded on record."
    )
    console.print(_slices("service", report.by_service))
    console.print(_slices("failure class", report.by_class))
    if report.uncovered:
        console.print(_uncovered(report.uncovered))


def _recalls(report: BacktestReport) -> Table:
    chance = report.by_chance
    table = Table("the right scenario is", "first", "among the first three", box=None, pad_edge=False)
    table.add_row("matched by the error", *_shares(report.matched))
    table.add_row("  each different failure once", *_shares(report.matched_distinct))
    table.add_row("read from the section's top", *_shares(report.as_read))
    table.add_row("  each different failure once", *_shares(report.as_read_distinct))
    table.add_row("  in random order", f"{chance.share_at_1:.1%}", f"{chance.share_at_3:.1%}")
    if report.unseen.failures:
        table.add_row(f"matched, {report.unseen.failures:,} newer than their runbook", *_shares(report.unseen))
    return table


def _print_misses(report: BacktestReport) -> None:
    for reason, count in report.reasons.items():
        results().print(f"{count:,} not found: {REASONS[reason]}", markup=False)


def _slices(name: str, slices: Sequence[Slice]) -> Table:
    table = Table(
        name, "failures", "first", "first three", "different", "first", "first three", box=None, pad_edge=False
    )
    for one in slices[:SHOWN_SLICES]:
        table.add_row(
            _plain(one.name),
            f"{one.matched.failures:,}",
            *_shares(one.matched),
            f"{one.distinct.failures:,}",
            *_shares(one.distinct),
        )
    return table


def _uncovered(failures: Sequence[Uncovered]) -> Table:
    table = Table("no scenario for", "class", "failures", "nodes", "error", box=None, pad_edge=False)
    for one in failures[:SHOWN_UNCOVERED]:
        codes = " ".join(str(part) for part in (one.status, one.status_code, one.error_code) if part)
        text = f"{codes} {one.message}".strip()
        shown = text if len(text) <= SHOWN_TEXT else f"{text[: SHOWN_TEXT - 1]}…"
        table.add_row(
            _plain(one.service), one.failure_class.value, f"{one.failures:,}", f"{one.nodes:,}", _plain(shown)
        )
    return table


def _shares(recall: Recall) -> tuple[str, str]:
    if recall.share_at_1 is None or recall.share_at_3 is None:
        return "–", "–"
    return f"{recall.share_at_1:.1%}", f"{recall.share_at_3:.1%}"


def _plain(text: str) -> str:
    """Somebody's text, in which brackets are no markup."""
    return text.replace("[", r"\[")
