"""Processor time by process while something runs, sampled from /proc: also of processes that end meanwhile."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SAMPLE_S = 0.25
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

Name = Callable[[int, int, str], str | None]
"""From a process's id, its parent's and its command line to what it is called; None for those that do not matter."""


class Processors:
    """Seconds of processor, by name."""

    def __init__(self, name: Name) -> None:
        self._name = name
        self._names: dict[int, str | None] = {}
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._started = False

    @property
    def seconds(self) -> Mapping[str, float]:
        """Since this began to look, by name; a process that came later counts from its start."""
        found: Counter[str] = Counter()
        for pid, last in self._last.items():
            found[str(self._names[pid])] += last - self._first[pid]
        return found

    @property
    def count(self) -> Mapping[str, int]:
        """Processes, by name."""
        return Counter(str(self._names[pid]) for pid in self._last)

    def look(self) -> None:
        """Take a sample."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                self._look_at(int(folder.name), folder)
        self._started = True

    def _look_at(self, pid: int, folder: Path) -> None:
        if self._names.get(pid, "") is None:
            return
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if pid not in self._names:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                self._names[pid] = self._name(pid, int(fields[1]), command)
        except (OSError, IndexError):  # it has just ended
            return
        if self._names[pid] is None:
            return
        self._last[pid] = (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
        self._first.setdefault(pid, 0.0 if self._started else self._last[pid])


@contextmanager
def processors(name: Name) -> Iterator[Processors]:
    """Look at the processes while the block runs."""
    found, stopped = Processors(name), threading.Event()
    found.look()

    def sample() -> None:
        while not stopped.wait(SAMPLE_S):
            found.look()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stopped.set()
        thread.join()
        found.look()
