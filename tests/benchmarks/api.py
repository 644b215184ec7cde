"""Reads of a list by 64 clients, 150 requests a second from the first on. Bar: 95% within 100 ms, on 2 cores."""

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from runbooks.adapters.database import Database
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.embedded_watcher import stop
from runbooks.adapters.tokens import create_token
from runbooks.core.scopes import Scope
from tests.benchmarks.measure import measure
from tests.benchmarks.table import Figure, at_most
from tests.support.api_server import serving

CLIENTS = 64
PER_SECOND = 150
SECONDS = 15
BAR_MS = 100.0


def figures() -> Iterator[Figure]:
    """Latencies, from the moment at which a request was due to the last byte of its answer."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        env = {"RUNBOOKS_HOME": str(home), "PREFECT_HOME": f"{folder}/prefect", "PATH": os.environ["PATH"]}
        measure("demo", env=env)
        server = EmbeddedPostgres(home)
        database = Database(server.url("runbooks"))
        with database.begin() as connection:
            workspace = str(connection.exec_driver_sql("SELECT id::text FROM workspaces").scalar_one())
            tokens = [create_token(connection, schema=database.schema, scopes=[Scope.READ])[1] for _ in range(CLIENTS)]
        database.close()
        with serving(env) as api:
            for query in ("type=reactive", "type=proactive"):
                path = f"/api/v1/workspaces/{workspace}/runbooks?{query}"
                yield asyncio.run(load(api.url, path, tokens, seconds=SECONDS))
        server.leave()
        stop(home / "postgres")


async def load(url: str, path: str, tokens: list[str], *, seconds: float) -> Figure:
    """Send requests at a fixed rate, whatever becomes of them, and say how long they took."""
    took: list[float] = []
    statuses: Counter[int] = Counter()
    size = 0
    started = time.perf_counter()

    async def client(number: int, token: str) -> None:
        nonlocal size
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        due = started + number / PER_SECOND
        while due - started < seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - due)
            statuses[int(head[9:12])] += 1
            size = length
            due += CLIENTS / PER_SECOND
        writer.close()

    await asyncio.gather(*(client(number, token) for number, token in enumerate(tokens)))
    took.sort()
    rate = len(took) / (time.perf_counter() - started)
    half, most, nearly_all = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.95, 0.99))
    return at_most(
        BAR_MS,
        most,
        "ms",
        f"95% of {rate:.0f} requests a second of {path.partition('?')[2]}, {size / 1024:.0f} KB each",
        f"half within {half:.0f} ms, 99% within {nearly_all:.0f} ms; statuses {dict(statuses)}",
    )
