"""The nightly sweep: a runbook for every active workflow that changed, then the coverage report."""

import time
import uuid

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.pipeline import run_batches
from flows.progress import Progress
from runbooks.core.report import SweepReport
from runbooks.errors import RunbooksError
from runbooks.settings import WriterChoice, load_settings
from tasks.fetch import count_active_workflows, find_changed_workflows
from tasks.metrics import refresh_connector_metrics
from tasks.report import report_coverage


class SweepFailed(RunbooksError):
    """Not one runbook could be written."""

    def __init__(self, report: SweepReport) -> None:
        super().__init__(f"no runbook could be written: {report.headline}")
        self.report = report


@flow(name="coverage-sweep", persist_result=False)
def coverage_sweep(
    workspace_id: str | None = None,
    full: bool = False,
    limit: int | None = None,
    writer: WriterChoice = "auto",
) -> State[SweepReport]:
    """Write a runbook for every active workflow that changed, and report coverage.

    Args:
        workspace_id: Only this workspace; empty for all.
        full: Write every runbook anew, changed or not.
        limit: At most so many workflows, the busiest first.
        writer: Who writes: the LLM, the catalogue, or the LLM when one is configured (auto).
    """
    logger = get_run_logger()
    started, run_id = time.monotonic(), uuid.uuid4().hex
    active = count_active_workflows(workspace_id)
    nodes = refresh_connector_metrics()
    logger.info("%d active workflows; history of %d nodes aggregated", active, nodes)
    changed = find_changed_workflows(workspace_id, full=full, limit=limit, writer=writer, run_id=run_id)
    progress = Progress(len(changed))
    for outcome in run_batches(changed, batch_size=load_settings().batch_size, writer=writer, run_id=run_id, full=full):
        progress.add(outcome)
        logger.info("%d of %d candidates done", progress.done, progress.total)
    done = progress.summed
    report = SweepReport(
        workflows_active=active,
        changed=done.generated + len(done.failed),
        generated=done.generated,
        unchanged=active - done.generated - len(done.failed),
        failed=done.failed,
        llm=done.llm,
        fallbacks=done.fallbacks,
        duration_s=round(time.monotonic() - started, 2),
        coverage=report_coverage(workspace_id),
    )
    for reason, count in report.fallbacks.items():
        logger.warning("%d runbooks written by the catalogue instead: %s", count, reason)
    for failed in report.failed[:20]:
        logger.warning("workflow %s got no runbook: %s", failed.workflow_id, failed.reason)
    if report.failed and not report.generated and not report.unchanged:
        raise SweepFailed(report)
    name = "CompletedWithFailures" if report.failed else "Completed"
    return Completed(name=name, message=report.headline, data=report)
