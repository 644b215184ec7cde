"""`runbooks sweep`."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.console import say
from app.coverage import show_markdown
from app.prefect_session import has_server, prefect_session
from runbooks.bootstrap import open_database, open_writers
from runbooks.core.coverage_text import coverage_markdown
from runbooks.core.report import SweepReport
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.errors import SettingsError
from runbooks.settings import WriterChoice, load_settings


def run_sweep(
    *,
    workspace_id: str | None,
    full: bool,
    limit: int | None,
    writer: WriterChoice,
    dry_run: bool,
    budget: Allowance,
    batch: bool,
    shards: int,
    as_json: bool,
) -> int:
    """Sweep and print the report."""
    report = sweep(
        workspace_id=workspace_id,
        full=full,
        limit=limit,
        writer=writer,
        dry_run=dry_run,
        budget=budget,
        batch=batch,
        shards=shards,
    )
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        show_markdown(coverage_markdown(report.coverage))
        print(report.headline)
        if report.llm.calls or report.llm.prompt_tokens:
            print(report.llm.sentence)
    for remark in report.remarks:
        say(f"this sweep: {remark}")
    for reason, count in report.fallbacks.items():
        say(f"{count} runbooks come from the catalogue although an LLM was asked: {reason}")
    for failed in report.failed:
        say(f"workflow {failed.workflow_id} got no runbook: {failed.reason}")
    for shard in report.failed_shards:
        say(f"shard {shard}; what it had stored is kept, and the next sweep goes on from there")
    return 1 if report.failed or report.failed_shards else 0


def sweep(
    *,
    workspace_id: str | None,
    full: bool,
    limit: int | None,
    writer: WriterChoice,
    dry_run: bool = False,
    budget: Allowance = UNLIMITED,
    batch: bool = False,
    shards: int = 1,
) -> SweepReport:
    """Run the flow with a progress bar; what would fail for sure is told before Prefect starts."""
    settings = load_settings()
    if writer == "llm" and not settings.llm_configured:
        raise SettingsError("the LLM writer needs RUNBOOKS_MODEL and OPENAI_API_KEY or OPENAI_BASE_URL")
    if budget.is_limited:
        open_writers(settings, writer, "check", budget)
    database = open_database(settings)
    database.require_workspace_id(workspace_id)
    if workspace_id is None:
        _ = database.schema
    if settings.task_runner != "local" or shards > 1:
        server = has_server(settings)
        from flows.runners import require_cluster
        from flows.shards import require_workers

        require_cluster(settings, server=server)
        require_workers(shards, server=server)
    with prefect_session(settings):
        from flows.coverage_sweep import SweepFailed, coverage_sweep
        from flows.progress import listener
        from tasks.telling import speaker

        with _bar() as bar:
            task = bar.add_task("runbooks", total=None)
            spoken = speaker.set(lambda line: bar.console.print(line, markup=False, highlight=False, soft_wrap=True))
            token = listener.set(lambda done, total: bar.update(task, completed=done, total=total))
            try:
                # A flow that returns a state gives its data to the caller, which its type does not say.
                report: Any = coverage_sweep(
                    workspace_id=workspace_id,
                    full=full,
                    limit=limit,
                    writer=writer,
                    dry_run=dry_run,
                    max_cost=budget.cost_usd,
                    max_tokens=budget.tokens,
                    batch=batch,
                    shards=shards,
                )
            except SweepFailed as failure:
                return failure.report
            else:
                return SweepReport.model_validate(report)
            finally:
                listener.reset(token)
                speaker.reset(spoken)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
