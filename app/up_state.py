"""Whether `runbooks up` runs on this home, and where: told by a file lock, which does not outlive its process."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from runbooks.adapters.embedded_watcher import acquired, opened


@dataclass(frozen=True)
class Addresses:
    """Where the parts answer; a part that does not run here has none."""

    prefect: str | None = None
    prefect_api: str | None = None
    api: str | None = None


class HomeLock:
    """The right to run on a home; held by one process at a time."""

    def __init__(self, file: int) -> None:
        self._file = file

    def publish(self, addresses: Addresses) -> None:
        """Tell others where the parts answer."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(asdict(addresses)).encode(), 0)


@contextmanager
def lock_home(home: Path) -> Iterator[HomeLock | Addresses]:
    """Take the lock; when another process has it, yield its addresses instead."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with opened(_path(home)) as file:
        if acquired(file):
            lock = HomeLock(file)
            lock.publish(Addresses())
            yield lock
        else:
            yield _read(file)


def running(home: Path) -> Addresses | None:
    """Where the parts of this home answer, if they run."""
    if not _path(home).exists():
        return None
    with opened(_path(home)) as file:
        return None if acquired(file) else _read(file)


def _path(home: Path) -> Path:
    return home / "up.lock"


def _read(file: int) -> Addresses:
    try:
        return Addresses(**json.loads(os.pread(file, 10_000, 0)))
    except (ValueError, TypeError):  # it is just being written
        return Addresses()
