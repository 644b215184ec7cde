"""The nightly sweep: a runbook for every active workflow that changed, then the coverage report."""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from flows.llm_batches import ask_in_batches, collect_what_ended
from flows.pipeline import run_batches
from flows.progress import Progress
from flows.punctuality import punctual
from flows.run_info import announce_failure, rename_run, today
from flows.shards import Shards, Spread, require_workers, write_in_shards
from runbooks import __version__
from runbooks.adapters.interruption import interrupt
from runbooks.adapters.memory import keep_memory_low
from runbooks.bootstrap import ready_to_write
from runbooks.core.batch import Candidate
from runbooks.core.report import BatchOutcome, SweepReport
from runbooks.core.spending import Allowance
from runbooks.errors import RunbooksError
from runbooks.settings import WriterChoice, load_settings
from tasks.batch import Orders
from tasks.fetch import count_active_workflows, find_changed_workflows
from tasks.metrics import refresh_connector_metrics
from tasks.report import report_coverage, report_sweep

BATCHES_TAKE_H = 24.0
"""What servers promise for their batches."""
TOLD = 20
"""Workflows without a runbook that the log names; the report has more."""


class SweepFailed(RunbooksError):
    """Not one runbook could be written."""

    def __init__(self, report: SweepReport) -> None:
        super().__init__(f"no runbook could be written: {report.headline}")
        self.report = report


@flow(
    name="coverage-sweep",
    version=__version__,
    flow_run_name=lambda: f"sweep {today()}",
    persist_result=False,
    on_failure=[announce_failure],
    on_crashed=[announce_failure],
)
def coverage_sweep(
    workspace_id: str | None = None,
    full: bool = False,
    limit: PositiveInt | None = None,
    writer: WriterChoice = "auto",
    dry_run: bool = False,
    max_cost: NonNegativeFloat | None = None,
    max_tokens: NonNegativeInt | None = None,
    batch: bool = False,
    shards: Shards = 1,
) -> State[SweepReport]:
    """Write a runbook for every active workflow that changed, and report coverage.

    Args:
        workspace_id: Only this workspace, by its id; empty for all.
        full: Write every runbook anew, changed or not.
        limit: At most so many workflows, the busiest first; empty for all.
        writer: Who writes. auto: the language model when one is configured, else the catalogue.
        dry_run: Only count what a sweep would write now; nothing is stored and no model is called.
        max_cost: Spend at most so many US dollars on the model; the catalogue writes the rest. Empty for no limit.
        max_tokens: Use at most so many tokens of the model; empty for no limit.
        batch: Ask the model in batches of its server, at half the price; the answers may take a day.
        shards: Spread the work over so many flow runs at most, which the work pool's workers share; not with batch.
    """
    keep_memory_low()
    require_workers(shards)
    budget = Allowance(max_tokens, max_cost)
    started, since, run_id = time.monotonic(), datetime.now(UTC), uuid.uuid4().hex
    workspace_id = workspace_id or None  # the form sends a field that was emptied as such
    active = count_active_workflows(workspace_id)
    if not dry_run:
        refresh_connector_metrics()
    found = find_changed_workflows(
        workspace_id, full=full, writer=writer, run_id=run_id, budget=budget, rehearsal=dry_run
    )
    changed = list(found[:limit])
    rename_run(f"{'dry run' if dry_run else 'sweep'} {today()} · {len(changed):,} changed")
    get_run_logger().info("%d active workflows, %d to look at, writer: %s", active, len(changed), writer)
    with punctual(since, waits_h=BATCHES_TAKE_H if batch else 0) as remarks:
        orders = Orders(writer=writer, run_id=run_id, full=full, budget=budget)
        done = BatchOutcome()
        if not dry_run:
            done = write_all(changed, orders, ahead=batch, spread=Spread(1 if batch else shards, workspace_id))
    handled = len(changed) if dry_run else done.generated + len(done.failed)
    later = len(found) - len(changed)
    report = SweepReport(
        dry_run=dry_run,
        workflows_active=active,
        changed=handled,
        generated=done.generated,
        unchanged=active - handled - later,
        later=later,
        failed=done.failed,
        failed_shards=done.failed_shards,
        llm=done.llm,
        fallbacks=done.fallbacks,
        coverage=report_coverage(workspace_id, keep=not dry_run),
        duration_s=round(time.monotonic() - started, 2),
        remarks=tuple(remarks),
    )
    # A clock that was set meanwhile must not hide what was written before or after.
    since = min(since, datetime.now(UTC) - timedelta(seconds=report.duration_s))
    report_sweep(report, since=since, workspace_id=workspace_id)
    return conclude(report)


def write_all(changed: list[Candidate], orders: Orders, *, ahead: bool, spread: Spread) -> BatchOutcome:
    """Write what changed, here or spread over other runs; `ahead`: the model is asked for all of it before."""
    if ahead:
        orders = replace(orders, asked_before=ask_in_batches(changed, orders))
    else:
        collect_what_ended(orders)
    parts = spread.parts(changed)
    return write_in_shards(parts, orders, spread.workspace_id) if len(parts) > 1 else write_batches(changed, orders)


def write_batches(
    changed: list[Candidate], orders: Orders, *, after_each: Callable[[], None] = lambda: None
) -> BatchOutcome:
    """Write what changed, batch by batch, and tell how far it is; `after_each` may raise to end it."""
    progress = Progress(len(changed))
    settings = load_settings()
    with ready_to_write(settings, orders.writer, orders.run_id, orders.budget, workflows=len(changed)):
        try:
            for outcome in run_batches(changed, orders, batch_size=settings.batch_size):
                progress.add(outcome)
                after_each()
        except BaseException:  # cancelled, or stopped by a signal: calls of a model would go on for minutes
            interrupt()
            raise
    return progress.summed


def conclude(report: SweepReport) -> State[SweepReport]:
    """Say in log and state how it went; raise when nothing could be written."""
    logger = get_run_logger()
    for reason, count in report.fallbacks.items():
        logger.warning("%d runbooks written by the catalogue instead: %s", count, reason)
    for failed in report.failed[:TOLD]:
        logger.warning("workflow %s got no runbook: %s", failed.workflow_id, failed.reason)
    incomplete = bool(report.failed or report.failed_shards)
    if incomplete and not report.generated and not report.unchanged:
        raise SweepFailed(report)
    logger.info("%s; in %.1f s", report.headline, report.duration_s)
    name = "CompletedWithFailures" if incomplete else "Completed"
    return Completed(name=name, message=report.headline, data=report)
