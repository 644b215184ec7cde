"""`runbooks serve` as a process of its own."""

import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.commands import start_runbooks

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


@dataclass
class ApiServer:
    """A running server: its address, its process, and what it has said so far."""

    url: str
    process: "subprocess.Popen[str]"
    log: list[str] = field(default_factory=list)


@contextmanager
def serving(env: Mapping[str, str] | None = None) -> Iterator[ApiServer]:
    """Serve on a free port; stopped at the end if the test has not done so."""
    process = start_runbooks("serve", "--port", "0", env=env)
    assert process.stderr is not None
    assert process.stdout is not None
    server = ApiServer("", process)
    started = threading.Event()

    def read() -> None:
        for line in process.stderr or ():
            server.log.append(line)
            address = re.search(r"http://\S+:\d+", line)
            if address and not server.url:
                server.url = address[0].rstrip(",")
            if "startup complete" in line:
                started.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert started.wait(START_TIMEOUT_S), "".join(server.log)
        yield server
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
        reader.join(STOP_TIMEOUT_S)
        process.stdout.close()
        process.stderr.close()
