"""Telling people something while a run goes on: in its log, and on the terminal of whoever started it there."""

import logging
from collections.abc import Callable
from contextvars import ContextVar

from prefect import get_run_logger
from prefect.exceptions import MissingContextError

logger = logging.getLogger(__name__)

speaker: ContextVar[Callable[[str], None] | None] = ContextVar("speaker", default=None)
"""Says a line on a terminal; the command line sets it."""


def tell(message: str, *, level: int = logging.WARNING) -> None:
    """Say it to the log of the run, or of the process if it is none, and on the terminal if there is one."""
    try:
        get_run_logger().log(level, message)
    except MissingContextError:
        logger.log(level, message)
    say = speaker.get()
    if say is not None and level >= logging.WARNING:
        say(message)
