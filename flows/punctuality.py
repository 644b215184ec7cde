"""A sweep that starts too late or takes too long says so: in its log, its report, and as an event. It goes on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime, timedelta

from prefect import get_run_logger
from prefect.events import emit_event
from prefect.runtime import flow_run as current_run

from runbooks.settings import load_settings

LATE = timedelta(minutes=15)
OVERDUE = "runbooks.sweep.overdue"


@contextmanager
def punctual(started: datetime, *, waits_h: float = 0) -> Iterator[list[str]]:
    """Watch the time of a sweep that started then; what there was to say is in the list.

    `waits_h`: so long it may wait for others, beside the hours that the setting gives to its work.
    """
    remarks: list[str] = []
    logger, longest_h = get_run_logger(), load_settings().sweep_max_hours

    def say(remark: str) -> None:
        remarks.append(remark)
        logger.warning(remark)
        payload = {"run": str(current_run.id), "name": current_run.name, "reason": remark}
        emit_event(OVERDUE, resource={"prefect.resource.id": "runbooks.sweep"}, payload=payload)

    remark = lateness(started, current_run.scheduled_start_time)
    if remark:
        say(remark)
    # In a thread of its own, because the one batch that hangs is what should be told; it knows the run by the context.
    timer = threading.Timer(
        (longest_h + waits_h) * 3600, copy_context().run, [say, too_long(longest_h, waits_h=waits_h)]
    )
    timer.daemon = True
    timer.start()
    try:
        yield remarks
    finally:
        timer.cancel()


def lateness(started: datetime, due: datetime | None) -> str | None:
    """Tell of a run that started long after its time, as when no worker was there."""
    if due is None or started - due <= LATE:
        return None
    return (
        f"it was due {(started - due).total_seconds() / 60:.0f} minutes before it started; was a worker there and free?"
    )


def too_long(longest_h: float, *, waits_h: float = 0) -> str:
    """Tell of a run that takes longer than it should."""
    waits = f" plus {waits_h:g} h for the model's batches" if waits_h else ""
    return (
        f"it takes longer than {longest_h:g} h (RUNBOOKS_SWEEP_MAX_HOURS){waits} and goes on; "
        "while it runs, the next one is cancelled"
    )
