"""Stop the embedded PostgreSQL soon after its last client process is gone: a process of its own.

Who is alive is told by file locks, because the kernel gives them back however a process ends:

    clients   shared: held by each process that uses the server
    server    held by the server, whose processes inherit it
    watcher   held by the watcher

It is run by its file name and imports the standard library only, so that it is there in 20 ms and takes little memory.
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINGER_S = 2.0
"""A command that follows within this time finds the server still running."""
POLL_S = 0.02
STOP_AFTER_S = {signal.SIGINT: 30.0, signal.SIGQUIT: 10.0, signal.SIGKILL: 10.0}
"""PostgreSQL's fast and immediate shutdown, then none of its own; seconds until the next one is tried."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a lock file; whatever lock is taken on it lasts as long as this, or as a process that inherited it."""
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
    """The process that works in this data folder according to its pid file, unless it is dead or another's."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        if Path("/proc/self/cwd").exists() and not Path(f"/proc/{pid}/cwd").samefile(data):
            return None
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def stop(folder: Path) -> None:
    """Stop the server of this folder, ever less politely."""
    with opened(folder / "server") as server:
        for sign, patience in STOP_AFTER_S.items():
            deadline = time.monotonic() + patience
            told = None
            while time.monotonic() < deadline:
                if acquired(server):
                    return
                pid = server_pid(folder / "data")
                if pid is not None and pid != told:
                    os.kill(pid, sign)
                    told = pid
                time.sleep(POLL_S)


def watch(folder: Path, watcher: int) -> None:
    """Wait until no client was left for a while, then stop the server."""
    with opened(folder / "clients") as clients:
        while True:
            fcntl.flock(clients, fcntl.LOCK_EX)
            fcntl.flock(clients, fcntl.LOCK_UN)
            time.sleep(LINGER_S)
            if acquired(clients):
                break
        stop(folder)
        os.close(watcher)  # before the clients' lock: the client that waits for that one must find no watcher


def main() -> None:
    """Go to the background, so that whoever waits for this process can go on."""
    folder = Path(sys.argv[1]).resolve()
    watcher = os.open(folder / "watcher", os.O_RDWR | os.O_CREAT, 0o600)
    if not acquired(watcher) or os.fork():
        return
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    watch(folder, watcher)


if __name__ == "__main__":
    main()
