"""A small file system in namespaces of its own, which needs no right of root's, and processes that see it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from tests.support.commands import installed

UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = 'mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" && echo ready && exec cat'
KEEP_RUNNING = """
import sys
from pathlib import Path
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.url("runbooks"), flush=True)
sys.stdin.read()
"""


class SmallDisk:
    """A file system of so many megabytes at `folder`, for the commands that are started through here."""

    def __init__(self, folder: Path, holder: "subprocess.Popen[str]") -> None:
        self.folder = folder
        self._inside = ("nsenter", f"--target={holder.pid}", "--user", "--mount", "--preserve-credentials")

    @contextmanager
    def popen(self, *command: str | Path, **env: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a command that sees the disk; killed at the end, if it has not ended."""
        with subprocess.Popen(
            [*self._inside, *map(str, command)],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *command: str | Path, timeout_s: float = 240, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; a command that hangs is killed, and fails the test."""
        with self.popen(*command, **env) as process:
            out, told = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(command, process.returncode, out, told)

    def runbooks(self, *arguments: str, timeout_s: float = 240, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run our command with the disk as its home."""
        given = {"RUNBOOKS_HOME": str(self.folder), **env}
        return self.run(installed("runbooks"), *arguments, timeout_s=timeout_s, **given)

    def used_mb(self) -> float:
        """Megabytes that are taken."""
        done = self.run("stat", "--file-system", "--format=[%b, %f, %S]", self.folder)
        blocks, free, size = json.loads(done.stdout)
        return float((blocks - free) * size / 1e6)

    def resize(self, megabytes: float) -> None:
        """Make it larger or smaller, down to what is on it."""
        size = f"size={round(megabytes * 1000)}k"
        done = self.run("mount", "-o", f"remount,{size}", self.folder)
        assert done.returncode == 0, done.stderr

    def leave(self, megabytes: float) -> None:
        """Have so much space left, once the server has written all it had to."""
        waiting = 'while [ -e "$1" ]; do sleep 0.1; done'
        self.run("sh", "-c", waiting, "sh", self.folder / "postgres" / "data" / "postmaster.pid", timeout_s=60)
        self.resize((self.used_mb() + megabytes) * 1.024 * 1e6 / 1024**2)

    @contextmanager
    def database(self) -> Iterator[URL]:
        """The embedded server's database, as long as this lasts at least."""
        with self.popen(sys.executable, "-c", KEEP_RUNNING, self.folder) as keeper:
            assert keeper.stdin
            assert keeper.stdout
            address = keeper.stdout.readline().strip()
            assert address, keeper.communicate()
            yield make_url(address).set(drivername="postgresql+psycopg")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 110 MB; a new database and its log take 42."""
    folder = tmp_path / "home"
    folder.mkdir()
    arguments = ("sh", "-c", MOUNT, "sh", str(folder), "110m")
    holder = subprocess.Popen(
        [*UNSHARE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert holder.stdout
    if holder.stdout.readline().strip() != "ready":
        pytest.skip(f"no file system of one's own can be mounted here: {holder.communicate()[1].strip()}")
    yield SmallDisk(folder, holder)
    holder.communicate()
