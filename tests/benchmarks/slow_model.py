"""A good model that takes its time, in a process of its own: `python -m tests.benchmarks.slow_model SECONDS KEPT`.

It is to cost next to nothing, as a model elsewhere does. So its answers are made in a rehearsal, without the waiting,
and kept in the file KEPT by the text of their request; a request that was not rehearsed is answered all the same.
"""

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.llm_server import Received, counted, good

FULL = 120
"""Requests in flight from which on a client that may send 128 keeps the model busy."""


@dataclass
class Occupancy:
    """How busy the model was kept, from the first request to the last; what is then left only runs out."""

    calls: int = 0
    made_now: int = 0
    """Answers that had to be made while others waited."""
    most: int = 0
    first_s: float | None = None
    last_s: float = 0
    end_s: float = 0
    not_full_s: float = 0
    """Between the first request and the last, with fewer than `FULL` in flight."""
    in_flight: int = 0
    _since: float = 0
    _not_full: float = 0

    def arrived(self, now: float) -> None:
        """A request came in."""
        self._pass(now)
        self.first_s = now if self.first_s is None else self.first_s
        self.last_s, self.not_full_s = now, self._not_full
        self.calls += 1
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)

    def answered(self, now: float) -> None:
        """An answer went out."""
        self._pass(now)
        self.end_s = now
        self.in_flight -= 1

    def _pass(self, now: float) -> None:
        if self.first_s is not None and self.in_flight < FULL:
            self._not_full += now - self._since
        self._since = now


@dataclass(frozen=True)
class SlowModel:
    """A running one."""

    address: str
    pid: int
    ended: Callable[[], Occupancy]
    """End it, and tell how busy it was."""


@contextmanager
def slow_model(seconds: float, kept: Path) -> Iterator[SlowModel]:
    """Run one that takes so long for a call."""
    command = [sys.executable, "-m", "tests.benchmarks.slow_model", str(seconds), str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout
        assert output

        def ended() -> Occupancy:
            process.terminate()
            return Occupancy(**json.loads(output.read()))

        try:
            yield SlowModel(output.readline().strip(), process.pid, ended)
        finally:
            process.terminate()


class Answers:
    """Bodies of answers by the text of the request, those of a rehearsal first."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._known: dict[str, bytes] = {}
        if kept.exists():
            for line in kept.read_bytes().splitlines():
                key, _, body = line.partition(b" ")
                self._known[key.decode()] = body
        self.made_now = 0

    def to(self, body: bytes) -> bytes:
        """The answer to a request."""
        document = json.loads(body)
        key = hashlib.sha256(document["messages"][-1]["content"].encode()).hexdigest()
        if key not in self._known:
            self.made_now += 1
            request = Received("", {}, document, 0)
            self._known[key] = counted(good(request), request).body
        return self._known[key]

    def keep(self) -> None:
        """For the next one."""
        self._kept.write_bytes(b"\n".join(key.encode() + b" " + body for key, body in self._known.items()))


async def serve(seconds: float, kept: Path) -> None:
    """Answer until terminated, then print how busy it was. The time counts from a request's arrival."""
    loop = asyncio.get_running_loop()
    answers, occupancy = Answers(kept), Occupancy()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                arrived = loop.time()
                occupancy.arrived(arrived)
                answer = answers.to(await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0])))
                await asyncio.sleep(arrived + seconds - loop.time())
                occupancy.answered(loop.time())
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                    % (len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await stopped.wait()
    server.close()
    answers.keep()
    occupancy.made_now = answers.made_now
    print(
        json.dumps({name: value for name, value in asdict(occupancy).items() if not name.startswith("_")}), flush=True
    )


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), Path(sys.argv[2])))
