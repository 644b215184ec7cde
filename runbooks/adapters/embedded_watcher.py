"""Stop the embedded PostgreSQL soon after its last client process is gone: a process of its own.

Who is alive is told by file locks, because the kernel gives them back however a process ends:

    clients   shared, held by each process that uses the server
    server    held by the server, whose processes inherit it
    watcher   held by the watcher

It is run by its file name and imports the standard library only, so that it is there in 20 ms and takes little memory.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":  # where this module can be imported, but not used
    import fcntl

LINGER_S = 1.0
"""A command that follows within this time finds the server still running."""
POLL_S = 0.02
STOP_S = {signal.SIGINT: 30, signal.SIGQUIT: 10, 9: 10}
"""What stops PostgreSQL: fast, immediately, by force; and how long to wait for each."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a lock file; a lock taken on it lasts as long as this, or as the processes that inherit it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def acquired(file: int) -> bool:
    """Take the lock unless another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def server_pid(data: Path) -> int | None:
    """The server process that the pid file of this data folder names; None when it is dead, a zombie or no server."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        if Path("/proc/self").exists() and bytes(data) not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return None
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def stop(folder: Path) -> None:
    """Stop the server of this folder, ever less politely, until nothing of it is left."""
    with opened(folder / "server") as server:
        for sign, patience in STOP_S.items():
            told = None
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if acquired(server):
                    return
                pid = server_pid(folder / "data")
                if pid is not None and pid != told:
                    os.kill(pid, sign)
                    told = pid
                time.sleep(POLL_S)


def watch(folder: Path, watcher: int) -> None:
    """Wait until there has been no client for a while, then stop the server."""
    with opened(folder / "clients") as clients:
        while True:
            fcntl.flock(clients, fcntl.LOCK_EX)
            fcntl.flock(clients, fcntl.LOCK_UN)
            time.sleep(LINGER_S)
            if acquired(clients):
                break
        stop(folder)
        os.close(watcher)  # first, for the client that waits for the other lock to find no watcher


def main() -> None:
    """Watch in the background; the process that was started ends as soon as the watcher is on duty."""
    folder = Path(sys.argv[1])
    watcher = os.open(folder / "watcher", os.O_RDWR | os.O_CREAT, 0o600)
    if not acquired(watcher) or os.fork():
        return
    os.setsid()  # Ctrl-C in the client's terminal is not meant for us
    os.chdir("/")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # whoever reads the client's output waits until all who can write to it are gone
        os.dup2(nowhere, stream)
    watch(folder, watcher)


if __name__ == "__main__":
    main()
