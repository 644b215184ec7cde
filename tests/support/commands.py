"""Running `runbooks` as a user does: another process, its exit code and what it printed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_S = 180


def installed(name: str) -> str:
    """Path of a command of this virtual environment."""
    return str(Path(sys.executable).parent / name)


def runbooks(
    *arguments: str | Path, stdin: str = "", env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    return subprocess.run(
        [installed("runbooks"), *map(str, arguments)],
        input=stdin,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def start_runbooks(*arguments: str | Path, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own, to be killed by the caller."""
    return subprocess.Popen(
        [installed("runbooks"), *map(str, arguments)],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
