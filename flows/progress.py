"""Progress of a sweep: an artifact in the UI, a line in the log, and a listener for a terminal."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from runbooks.core.report import BatchOutcome, combine

Listener = Callable[[int, int], None]

listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
"""Told (done, total) after each batch; the CLI sets it to draw a bar."""


class Progress:
    """Counts workflows as batches finish."""

    def __init__(self, total: int, *, shards: int = 0) -> None:
        """`shards`: what is taken note of is not a batch, but one of so many parts."""
        self.total = total
        self.shards, self.finished = shards, 0
        self.started = time.monotonic()
        self.summed = BatchOutcome()
        # From a flow that is no coroutine the id comes at once; the type leaves both open.
        self.artifact = cast(
            UUID, create_progress_artifact(progress=0.0, key="runbook-sweep-progress", description=self._text())
        )
        self._tell()

    def add(self, outcome: BatchOutcome) -> None:
        """Take note of a finished batch."""
        self.summed = combine([self.summed, outcome])
        self.finished += 1
        share = 100.0 * min(1.0, self.done / self.total) if self.total else 100.0
        update_progress_artifact(self.artifact, progress=share, description=self._text())
        get_run_logger().info(self._text())
        self._tell()

    @property
    def done(self) -> int:
        """Workflows that are through, whatever became of them."""
        return self.summed.generated + self.summed.unchanged + len(self.summed.failed)

    def _text(self) -> str:
        summed = self.summed
        text = f"{self.done} of {self.total} workflows; {summed.generated} generated, {len(summed.failed)} failed"
        if self.shards:
            text = f"{self.finished} of {self.shards} shards; {text}"
        if summed.llm.cost_usd is not None:
            text += f"; ${summed.llm.cost_usd:,.2f} so far"
        left = self.total - self.done
        if left <= 0 or not self.done:
            return text
        minutes = left * (time.monotonic() - self.started) / self.done / 60
        return f"{text}; about {minutes:.0f} min left" if minutes >= 1 else f"{text}; less than a minute left"

    def _tell(self) -> None:
        told = listener.get()
        if told is not None:
            told(self.done, self.total)
