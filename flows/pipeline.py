"""The way of the data through one batch, and several batches at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.utilities.annotations import opaque

from flows.runners import AnyRunner, open_cluster
from runbooks.core.batch import Candidate, Failed
from runbooks.core.report import BatchOutcome, lost_batch
from runbooks.errors import DatabaseUnreachable, RunbooksError
from runbooks.settings import load_settings
from tasks.batch import Orders, run_steps, write_batch

LARGE = 100
"""Workflows of a batch whose storing takes long enough to be waited for."""
STEPS = {
    "fetch_changed_workflows": "fetch",
    "extract_integrations": "extract integrations",
    "aggregate_connector_metrics": "join history",
    "generate_runbooks": "write",
    "upsert_runbooks": "store",
}
"""What the runs of a batch's tasks are called."""
READING = list(STEPS).index("aggregate_connector_metrics")
"""Place of the last step before the writing."""
BATCHES_AT_ONCE = 3
"""One is stored, one waits for the LLM, one is read; more would only hold more in memory."""


@dataclass(frozen=True)
class Running:
    """A batch on its way: one future a step, the last one gives the outcome."""

    candidates: Sequence[Candidate]
    steps: tuple[PrefectFuture[Any], ...]

    def wait_until_read(self) -> None:
        """Wait until all is known of which its runbooks are made; or until it failed."""
        self.steps[READING].wait()

    def outcome(self) -> BatchOutcome:
        """Wait for the batch; when a step of it failed for good, its workflows are the ones that got no runbook."""
        for step in self.steps:
            step.wait()
            error = step.state.result(raise_on_failure=False) if step.state.is_failed() else None
            if isinstance(error, BaseException):
                return self._lost(error)
        try:
            outcome: BatchOutcome = self.steps[-1].result()
        except Exception as error:  # a process of a cluster died under it, again and again
            return self._lost(error)
        for step in self.steps:  # Prefect's futures hold themselves, and the batch with them, until collected
            step.state.data = None
        return outcome

    def _lost(self, error: BaseException) -> BatchOutcome:
        if isinstance(error, DatabaseUnreachable):
            raise error  # waited for in vain, and the other batches would wait as long, one after the other
        return lost_batch(Failed(one.workflow_id, one_line(error)) for one in self.candidates)


def one_line(error: BaseException) -> str:
    """What to tell of an error: ours speak for themselves, others may quote somebody's data."""
    return str(error) if isinstance(error, RunbooksError) else f"its batch failed: {type(error).__name__}"


def submit_steps(candidates: Sequence[Candidate], orders: Orders, *, label: str) -> Running:
    """Send one batch on its way in this process, each step a task run of its own."""
    futures: list[PrefectFuture[Any]] = []

    def submit(step: Task[..., Any], value: Any, **options: Any) -> PrefectFuture[Any]:
        named = step.with_options(task_run_name=f"{STEPS[step.name]}: {label}")
        futures.append(named.submit(_whole(value), **options))
        return futures[-1]

    run_steps(list(candidates), orders, submit)
    return Running(candidates, tuple(futures))


def submit_whole(candidates: Sequence[Candidate], orders: Orders, *, label: str, cluster: AnyRunner) -> Running:
    """Send one batch to a cluster, as one task run: a hop costs tens of milliseconds, and definitions are large."""
    named = write_batch.with_options(task_run_name=f"write and store: {label}")
    future = cluster.submit(named, {"candidates": list(candidates), "orders": orders})
    return Running(candidates, (future,))


def _whole(value: Any) -> Any:
    """Spare Prefect the search for futures inside hundreds of definitions; its types do not know of that mark."""
    return opaque(value)


def dealt(candidates: Sequence[Candidate], batch_size: int) -> Iterator[Sequence[Candidate]]:
    """All in batches. Behind others a large last one comes in parts, so that little is left to store at the end."""
    starts = range(0, len(candidates), batch_size)
    for start in starts:
        batch = candidates[start : start + batch_size]
        while start > 0 and start == starts[-1] and len(batch) >= LARGE:
            half = len(batch) // 2
            yield batch[:half]
            batch = batch[half:]
        yield batch


def run_batches(candidates: Sequence[Candidate], orders: Orders, *, batch_size: int) -> Iterator[BatchOutcome]:
    """Run all batches, a few at once or as many as a cluster takes, and yield each outcome in their order.

    Here one is read after the other, so that they come to the model in that order, the busiest workflows first.
    """
    running: deque[Running] = deque()
    batches = list(dealt(candidates, batch_size))
    with open_cluster(load_settings()) as cluster:
        at_once = BATCHES_AT_ONCE * batch_size if cluster is None else len(candidates)
        for number, batch in enumerate(batches, start=1):
            while sum(len(one.candidates) for one in running) + len(batch) > at_once:
                yield running.popleft().outcome()
            label = f"batch {number} of {len(batches)}, {len(batch)} workflow{'' if len(batch) == 1 else 's'}"
            if cluster is None:
                if running:
                    running[-1].wait_until_read()
                running.append(submit_steps(batch, orders, label=label))
            else:
                alone = orders.alone(number, share=len(batch) / len(candidates))
                running.append(submit_whole(batch, alone, label=label, cluster=cluster))
        while running:
            yield running.popleft().outcome()
