"""Asking the model ahead of a sweep, in batches of its server: half the price, within a day."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from runbooks.adapters.batch_client import BatchState
from runbooks.adapters.batch_store import OpenBatch
from runbooks.bootstrap import open_writers
from runbooks.core.batch import Candidate
from runbooks.errors import LLMUnavailable
from runbooks.settings import load_settings
from tasks.batch import Orders
from tasks.llm_batches import collect_batch, find_open_batches, hand_in_batches, look_at, started_batches
from tasks.telling import tell

T = TypeVar("T")

PATIENCE_S = 3600.0
"""So long a server may be away while its batches are waited for."""
NO_ANSWER = "no answer came with the batch"


def ask_in_batches(changed: list[Candidate], orders: Orders) -> str | None:
    """Have the model answer for these workflows, and keep the answers.

    Returns:
        Why the model is asked nothing more in this run; None when it is to be asked as usual.
    """
    if open_writers(load_settings(), orders.writer, orders.run_id, orders.budget).llm is None:
        return None
    try:
        earlier = find_open_batches()
        if earlier:
            tell(f"batches of an earlier run are under way ({_names(earlier)}); waiting for them first")
            _collect(earlier)
        return _hand_in(changed, orders)
    except LLMUnavailable as error:
        tell(f"{error}; what is under way is collected by the next run with `batch`")
        return str(error)


def _hand_in(changed: list[Candidate], orders: Orders) -> str | None:
    reason = NO_ANSWER
    try:
        requests = hand_in_batches(changed, orders)
    except LLMUnavailable as error:
        requests, reason = 0, str(error)
        tell(f"{error}; going on with what was handed in before that")
    if requests is None:
        tell("the server takes no batches (HTTP 404); the model is asked as usual")
        return None
    under_way = find_open_batches()
    if under_way:
        total = sum(batch.requests for batch in under_way)
        tell(f"handed in: {total:,} requests ({_names(under_way)}); the answers may take a day")
        _collect(under_way)
    return reason


def collect_what_ended(orders: Orders) -> None:
    """Keep the answers of earlier batches that have ended, before the model is asked for the same as usual."""
    if open_writers(load_settings(), orders.writer, orders.run_id, orders.budget).llm is None:
        return
    for batch in started_batches():
        try:
            state = look_at(batch)
            if state.ended:
                _tell_missing(batch, collect_batch(batch, state))
            else:
                tell(f"batch {batch.batch} is under way; its requests are asked again, use `batch` to wait for it")
        except LLMUnavailable as error:
            tell(f"batch {batch.batch} could not be collected: {error}")


def _collect(batches: list[OpenBatch]) -> None:
    """Wait for batches and keep what they bring."""
    waiting, progress = list(batches), _Progress(batches)
    try:
        while waiting:
            states = {batch.id: _patiently(partial(look_at, batch)) for batch in waiting}
            for batch in [one for one in waiting if states[one.id].ended]:
                _tell_missing(batch, _patiently(partial(collect_batch, batch, states[batch.id])))
                waiting.remove(batch)
            progress.add(states)
            if waiting:
                time.sleep(load_settings().llm_batch_poll_s)
    except Exception:
        raise
    except BaseException:  # cancelled, or stopped by a signal
        tell(f"the batches go on at the server ({_names(waiting)}); the next `runbooks sweep --batch` collects them")
        raise


def _patiently(act: Callable[[], T]) -> T:
    """Do it, and again while the server is away."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return act()
        except LLMUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(load_settings().llm_batch_poll_s)


def _names(batches: list[OpenBatch]) -> str:
    return ", ".join(str(batch.batch) for batch in batches)


def _tell_missing(batch: OpenBatch, missing: dict[str, int]) -> None:
    get_run_logger().info(
        "batch %s: %d of %d answers", batch.batch, batch.requests - sum(missing.values()), batch.requests
    )
    for reason, count in missing.items():
        tell(f"batch {batch.batch}: {count} of {batch.requests} requests have no answer: {reason}")


class _Progress:
    """An artifact, and a line in the log whenever something has changed."""

    def __init__(self, batches: list[OpenBatch]) -> None:
        self._total = sum(batch.requests for batch in batches)
        self._done: Counter[int] = Counter()
        self._artifact = cast(
            UUID, create_progress_artifact(progress=0.0, key="runbook-batch-progress", description="Batches")
        )

    def add(self, states: dict[int, BatchState]) -> None:
        before = self._done.total()
        for row, state in states.items():
            self._done[row] = max(self._done[row], state.answered + state.failed)
        if self._done.total() == before:
            return
        text = f"{self._done.total():,} of {self._total:,} requests of the batches are done"
        share = min(100.0, 100.0 * self._done.total() / max(1, self._total))
        update_progress_artifact(self._artifact, progress=share, description=text)
        get_run_logger().info(text)
