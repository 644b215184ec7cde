"""The outermost layer: a request id, a limit for bodies, a line in the log, and no error that gets away.

Bodies are read here, whole: they are small, and what is too large or too slow is refused before anything is done.
"""

import asyncio
import logging
import re
import secrets
import time
import traceback

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import SERVER_ERROR, error_answer
from app.api.metrics import Metrics
from runbooks.errors import RunbooksError

log = logging.getLogger("app.api")

LARGEST_BODY = 64 * 1024
SLOWEST_BODY_S = 15
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
UNMATCHED = "unmatched"


class BodyRefused(Exception):
    """The body is too large, or does not come."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Request(self, scope, receive, send).handle()


class _Request:
    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self.edge = edge
        self.scope = scope
        self.receive = receive
        self.send = send
        self.status = 0
        given = Headers(scope=scope).get("x-request-id", "")
        self.id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = self.id

    async def handle(self) -> None:
        started = time.perf_counter()
        try:
            body = await self._body()
            await self.edge.app(self.scope, _replay(body, self.receive), self._send)
        except BodyRefused as refused:
            await self._answer(refused.status, str(refused))
        except Exception as error:  # the last place that can answer in our shape, and keep rows out of the log
            log.error("request=%s %s", self.id, where(error))  # noqa: TRY400 - a traceback may quote rows
            await self._answer(500, SERVER_ERROR)
        finally:
            self._note(time.perf_counter() - started)

    async def _body(self) -> bytes:
        headers = Headers(scope=self.scope)
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return b""
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > LARGEST_BODY:
            raise BodyRefused(413, f"The body is larger than {LARGEST_BODY} bytes.")
        try:
            async with asyncio.timeout(SLOWEST_BODY_S):
                return await self._read()
        except TimeoutError:
            raise BodyRefused(408, "The body did not come in time.") from None

    async def _read(self) -> bytes:
        body = bytearray()
        while True:
            message = await self.receive()
            body += message.get("body", b"")
            if len(body) > LARGEST_BODY:
                raise BodyRefused(413, f"The body is larger than {LARGEST_BODY} bytes.")
            if not message.get("more_body"):  # also when the client has gone
                return bytes(body)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self.send(message)

    async def _answer(self, status: int, message: str) -> None:
        if self.status:  # too late: the answer has begun
            raise ConnectionAbortedError(message)
        await error_answer(status, message, headers={"Connection": "close"})(self.scope, self.receive, self._send)

    def _note(self, seconds: float) -> None:
        route = getattr(self.scope.get("route"), "path", UNMATCHED)
        method = self.scope["method"]
        self.edge.metrics.request(method, route, self.status, seconds)
        token = self.scope["state"].get("token_id", "-")
        log.info(
            "request=%s %s %s status=%d ms=%.0f token=%s", self.id, method, route, self.status, seconds * 1000, token
        )


def where(error: BaseException) -> str:
    """What happened and where: our errors speak for themselves, the text of others may quote somebody's data."""
    if isinstance(error, RunbooksError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('site-packages/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()  # tells when the client goes
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
