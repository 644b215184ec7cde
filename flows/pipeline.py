"""The way of the data through one batch, and several batches at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.utilities.annotations import opaque

from runbooks.core.batch import Candidate, Failed
from runbooks.core.report import BatchOutcome, lost_batch
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.errors import DatabaseUnreachable, RunbooksError
from runbooks.settings import WriterChoice
from tasks.extract import extract_integrations
from tasks.fetch import fetch_changed_workflows
from tasks.generate import generate_runbooks
from tasks.metrics import aggregate_connector_metrics
from tasks.store import upsert_runbooks

AnyTask = Task[..., Any]

BATCHES_AT_ONCE = 2
"""One batch waits for the LLM or the database while the next one is read; more would only hold more in memory."""


@dataclass(frozen=True)
class Running:
    """A batch on its way: one future a step, the last one gives the outcome."""

    candidates: Sequence[Candidate]
    steps: tuple[PrefectFuture[Any], ...]

    def outcome(self) -> BatchOutcome:
        """Wait for the batch; when a step of it failed for good, its workflows are the ones that got no runbook."""
        for step in self.steps:
            step.wait()
            error = step.state.result(raise_on_failure=False) if step.state.is_failed() else None
            if isinstance(error, DatabaseUnreachable):
                raise error  # waited for in vain, and the other batches would wait as long, one after the other
            if isinstance(error, BaseException):
                return lost_batch(Failed(one.workflow_id, one_line(error)) for one in self.candidates)
        outcome: BatchOutcome = self.steps[-1].result()
        return outcome


def one_line(error: BaseException) -> str:
    """What to tell of an error: ours speak for themselves, others may quote somebody's data."""
    return str(error) if isinstance(error, RunbooksError) else f"its batch failed: {type(error).__name__}"


def submit_batch(
    candidates: Sequence[Candidate],
    *,
    label: str,
    writer: WriterChoice,
    run_id: str,
    history: bool,
    full: bool,
    budget: Allowance,
) -> Running:
    """Send one batch on its way."""

    def named(step: AnyTask, what: str) -> AnyTask:
        return step.with_options(task_run_name=f"{what}: {label}")

    fetched = named(fetch_changed_workflows, "fetch").submit(_whole(list(candidates)))
    extracted = named(extract_integrations, "extract integrations").submit(_whole(fetched))
    aggregated = named(aggregate_connector_metrics, "join history").submit(
        _whole(extracted), include_historical_data=history
    )
    generated = named(generate_runbooks, "write").submit(
        _whole(aggregated), writer=writer, run_id=run_id, full=full, budget=budget
    )
    upserted = named(upsert_runbooks, "store").submit(_whole(generated))
    return Running(candidates, (fetched, extracted, aggregated, generated, upserted))


def _whole(value: Any) -> Any:
    """Spare Prefect the search for futures inside hundreds of definitions; its types do not know of that mark."""
    return opaque(value)


def run_batches(
    candidates: Sequence[Candidate],
    *,
    batch_size: int,
    writer: WriterChoice,
    run_id: str,
    history: bool = True,
    full: bool = False,
    budget: Allowance = UNLIMITED,
) -> Iterator[BatchOutcome]:
    """Run all batches, a few at once, and yield each outcome as it comes."""
    running: deque[Running] = deque()
    batches = [candidates[start : start + batch_size] for start in range(0, len(candidates), batch_size)]
    for number, batch in enumerate(batches, start=1):
        label = f"batch {number} of {len(batches)}, {len(batch)} workflow{'' if len(batch) == 1 else 's'}"
        running.append(
            submit_batch(batch, label=label, writer=writer, run_id=run_id, history=history, full=full, budget=budget)
        )
        if len(running) >= BATCHES_AT_ONCE:
            yield running.popleft().outcome()
    while running:
        yield running.popleft().outcome()
