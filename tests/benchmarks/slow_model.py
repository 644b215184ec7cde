"""A good model that takes its time, in a process of its own: `python -m tests.benchmarks.slow_model SECONDS`."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.llm_server import Received, counted, good


@contextmanager
def slow_model(seconds: float) -> Iterator[str]:
    """Run one that takes so long for a call; yields its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.slow_model", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def serve(seconds: float) -> None:
    """Answer until terminated; the time counts from a request's arrival: a model elsewhere costs us nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                arrived = loop.time()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                request = Received("", {}, body, arrived)
                answer = counted(good(request), request).body
                await asyncio.sleep(arrived + seconds - loop.time())
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                    % (len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
