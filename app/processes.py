"""Child processes that live as long as we do: each with a log of its own, stopped with all that it has started."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from runbooks.errors import RunbooksError

POLL_S = 0.1
START_S = 120
STOP_S = 20
"""How long a process gets to end by itself: a flow that is told to stop says so to the server first."""
REVIVED, REVIVED_WITHIN_S = 5, 600
"""So often in so many seconds a process is started again before that counts as broken."""
TOLD_LINES = 5
PR_SET_PDEATHSIG = 1


class ProcessEnded(RunbooksError):
    """A process that should go on has ended, or never got ready."""


class Child:
    """A process in a session of its own, so that Ctrl-C in the terminal reaches it through us, in our order."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        self._command, self._env = command, dict(env)
        self._revived: list[float] = []
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            return subprocess.Popen(  # noqa: S603 - our own commands
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads run here
            )

    def revive(self) -> bool:
        """Start the process again when it has ended; raise when that happens too often. Whether it had ended."""
        if self._process.poll() is None:
            return False
        now = time.monotonic()
        self._revived = [*(at for at in self._revived if now - at < REVIVED_WITHIN_S), now]
        if len(self._revived) > REVIVED:
            self.check()
        self._process = self._started()
        return True

    def check(self) -> None:
        """Raise when the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise ProcessEnded(f"the {self.name} has ended (exit code {code}); {self.log} says: {self._last_words()}")

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until the process does what it is for."""
        deadline = time.monotonic() + START_S
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessEnded(f"the {self.name} is not ready after {START_S} s; see {self.log}")
            time.sleep(POLL_S)

    def finish(self) -> None:
        """Wait for a process that has an end of its own; anything but success raises."""
        self.wait_until(lambda: self._process.poll() == 0)

    def stop(self) -> None:
        """End the process and what it has started, in whatever session; politely at first."""
        tree = self._tree()
        _send(tree, psutil.Process.terminate)
        _, left = psutil.wait_procs(tree, timeout=STOP_S)
        _send({*left, *self._tree()}, psutil.Process.kill)
        self._process.wait(timeout=STOP_S)

    def _tree(self) -> list[psutil.Process]:
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
        return " / ".join([line for line in lines if line][-TOLD_LINES:])


def answers(url: str) -> bool:
    """Whether something answers there with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - an address of ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _send(processes: Iterable[psutil.Process], what: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            what(process)


def _end_with_parent() -> None:
    """Have Linux end this process when its parent is killed, which can tidy up nothing any more."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
