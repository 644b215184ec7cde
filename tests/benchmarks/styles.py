"""Three ways of doing one sweep, to be compared: `python -m tests.benchmarks.styles ours|plain|task_per_step`.

All of them find, read, analyse, write, store and measure coverage with the same functions on the same rows. Each runs
in a process of its own and prints when its work began and ended; what lies before and after is start-up and what is
still sent to Prefect's server.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.prefect_session import quiet_prefect
from runbooks.core.batch import Candidate

RUN_ID = "benchmark"
DAYS = 30
TARGET = 0.8
THREADS = 8
"""Of the style that has a task run for each step of each workflow; more are no faster on two cores."""

Work = Callable[[], Any]


def ours() -> Work:
    """The flow as it is: task runs of batches, progress, logs and artifacts on the server."""
    from flows.coverage_sweep import coverage_sweep

    return lambda: coverage_sweep(writer="catalogue")


def plain() -> Work:
    """The same batches, as many at once, with asyncio and threads; no task runs, artifacts or logs anywhere."""
    from flows.pipeline import BATCHES_AT_ONCE  # Prefect is imported here too: its start-up is not what is compared
    from runbooks.adapters.history import refresh_history
    from runbooks.adapters.memory import keep_memory_low
    from runbooks.adapters.platform import count_active, find_changed
    from runbooks.bootstrap import open_database, open_writers
    from runbooks.settings import load_settings
    from tasks.batch import Orders, run_steps

    keep_memory_low()
    settings = load_settings()
    database = open_database(settings)
    orders = Orders(writer="catalogue", run_id=RUN_ID)

    def find() -> list[Candidate]:
        now = datetime.now(UTC)
        with database.begin() as connection:
            count_active(connection, schema=database.schema)
        with database.begin() as connection:
            refresh_history(connection, days=settings.history_days, now=now)
        wanted = open_writers(settings, "catalogue", RUN_ID).wanted
        with database.begin() as connection:
            return find_changed(connection, schema=database.schema, wanted=wanted)

    def write(batch: list[Candidate]) -> None:
        run_steps(batch, orders, lambda step, value, **options: step.fn(value, **options))

    async def run() -> None:
        since = datetime.now(UTC)
        found = await asyncio.to_thread(find)
        gate = asyncio.Semaphore(BATCHES_AT_ONCE)

        async def one(batch: list[Candidate]) -> None:
            async with gate:
                await asyncio.to_thread(write, batch)

        async with asyncio.TaskGroup() as group:
            for start in range(0, len(found), settings.batch_size):
                group.create_task(one(found[start : start + settings.batch_size]))
        await asyncio.to_thread(measure_coverage, since)

    return lambda: asyncio.run(run())


def measure_coverage(since: datetime) -> None:
    """Take and keep the measure, and read what the page of a sweep lists, as the flow does."""
    from runbooks.adapters.coverage import CoverageReader, save_snapshot
    from runbooks.adapters.written import read_written
    from runbooks.bootstrap import open_classifier, open_database
    from runbooks.core.coverage_text import coverage_markdown, coverage_table
    from runbooks.core.sweep_text import LISTED
    from runbooks.settings import load_settings

    database = open_database(load_settings())
    with database.begin() as connection:
        reader = CoverageReader(connection, schema=database.schema, classify=open_classifier().classify)
        report = reader.read(now=datetime.now(UTC), target=TARGET, window_days=DAYS)
        save_snapshot(connection, report, schema=database.schema)
        read_written(connection, schema=database.schema, since=since, workspace_id=None, limit=LISTED)
    coverage_table(report)
    coverage_markdown(report)


def task_per_step() -> Work:
    """The usual style: a task run for each step of each workflow, which reads and stores for that one workflow.

    Made as quick as it can be: Prefect does not search the data for futures, threads are bounded, memory is not given
    back after each workflow, and there is no page of the sweep.
    """
    from prefect import flow, task
    from prefect.task_runners import ThreadPoolTaskRunner
    from prefect.utilities.annotations import opaque

    from runbooks.adapters.store import upsert_runbooks
    from runbooks.bootstrap import open_database
    from runbooks.core.batch import Batch
    from runbooks.settings import load_settings
    from tasks.extract import extract_integrations
    from tasks.fetch import fetch_changed_workflows, find_changed_workflows
    from tasks.generate import generate_runbooks
    from tasks.metrics import aggregate_connector_metrics, refresh_connector_metrics
    from tasks.options import OPTIONS
    from tasks.report import report_coverage

    @task(**OPTIONS)
    def store_runbook(batch: Batch) -> int:
        database = open_database(load_settings())
        with database.begin() as connection:
            return upsert_runbooks(connection, batch.generated, schema=database.schema)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=THREADS), persist_result=False)
    def sweep() -> int:
        refresh_connector_metrics()
        found = find_changed_workflows(None, full=False, writer="catalogue", run_id=RUN_ID)
        stored = []
        for candidate in found:
            step: Any = fetch_changed_workflows.submit([candidate])
            step = extract_integrations.submit(opaque(step))
            step = aggregate_connector_metrics.submit(opaque(step))
            step = generate_runbooks.submit(opaque(step), writer="catalogue", run_id=RUN_ID)
            stored.append(store_runbook.submit(opaque(step)))
        written = sum(future.result() for future in stored)
        report_coverage(None)
        return written

    return sweep


STYLES = {"ours": ours, "plain": plain, "task_per_step": task_per_step}


def main(style: str) -> None:
    """Run one style and print what it took, without start-up."""
    quiet_prefect()
    work = STYLES[style]()
    began, processor = time.time(), time.process_time()
    work()
    ended = time.time()
    print(json.dumps({"began": began, "ended": ended, "processor": time.process_time() - processor}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
