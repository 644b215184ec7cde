"""Talking to a person: messages go to stderr, results to stdout."""

import sys

from rich.console import Console


def say(message: str) -> None:
    """Tell what is going on; never mixes with a result on stdout."""
    print(message, file=sys.stderr, flush=True)


def results() -> Console:
    """A console for readable results on stdout."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())
