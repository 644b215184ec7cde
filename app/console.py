"""Talking to a person: messages go to stderr, results to stdout."""

import sys

from rich.console import Console

WIDTH = 120
"""Columns of a table that goes into a file or a pipe."""


def say(message: str) -> None:
    """Tell what is going on; never mixes with a result on stdout."""
    print(message, file=sys.stderr, flush=True)


def results() -> Console:
    """A console for readable results on stdout."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=not terminal, width=None if terminal else WIDTH)
