"""Running a command and measuring it: wall time, processor time and peak memory of that one process."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from tests.support.commands import installed


@dataclass(frozen=True)
class Measured:
    """What one run cost."""

    stdout: str
    seconds: float
    cpu_seconds: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.cpu_seconds:.2f} s of processor, {self.peak_mb:.0f} MB at most"


def measure(*arguments: str | Path, env: Mapping[str, str] | None = None, name: str = "runbooks") -> Measured:
    """Run a command of this environment to its end."""
    return measure_command([installed(name), *map(str, arguments)], env=env)


def measure_command(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Measured:
    """Run any command; RuntimeError when it fails. Its children (a server, say) are not counted in."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"{command} ended with {process.returncode}: {errors.read()[-2000:]}")
        output.seek(0)
        return Measured(
            stdout=output.read(),
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_mb=usage.ru_maxrss / 1024,
        )
