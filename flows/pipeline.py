"""The way of the data through one batch, and several batches at once."""

from collections import deque
from collections.abc import Iterator, Sequence

from prefect.futures import PrefectFuture

from runbooks.core.batch import Candidate
from runbooks.core.report import BatchOutcome
from runbooks.settings import WriterChoice
from tasks.extract import extract_integrations
from tasks.fetch import fetch_changed_workflows
from tasks.generate import generate_runbooks
from tasks.metrics import aggregate_connector_metrics
from tasks.store import upsert_runbooks

BATCHES_AT_ONCE = 2
"""One batch waits for the LLM or the database while the next one is read; more would only hold more in memory."""


def submit_batch(
    candidates: Sequence[Candidate], *, writer: WriterChoice, run_id: str, history: bool, full: bool
) -> PrefectFuture[BatchOutcome]:
    """Send one batch on its way; the future holds only counts."""
    fetched = fetch_changed_workflows.submit(list(candidates))
    extracted = extract_integrations.submit(fetched)
    aggregated = aggregate_connector_metrics.submit(extracted, include_historical_data=history)
    generated = generate_runbooks.submit(aggregated, writer=writer, run_id=run_id, full=full)
    return upsert_runbooks.submit(generated)


def run_batches(
    candidates: Sequence[Candidate],
    *,
    batch_size: int,
    writer: WriterChoice,
    run_id: str,
    history: bool = True,
    full: bool = False,
) -> Iterator[BatchOutcome]:
    """Run all batches, a few at once, and yield each outcome as it comes."""
    running: deque[PrefectFuture[BatchOutcome]] = deque()
    for start in range(0, len(candidates), batch_size):
        batch = candidates[start : start + batch_size]
        running.append(submit_batch(batch, writer=writer, run_id=run_id, history=history, full=full))
        if len(running) >= BATCHES_AT_ONCE:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()
