"""A model's server with a Batch API, as OpenAI documents it: files in and out, batches that take their time."""

import json
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.support.llm_server import Answer, LLMServer, Received, _handler, good

_ID = re.compile(r"/v1/(files|batches)/([\w-]+)(/content|/cancel)?\Z")


class BatchServer(LLMServer):
    """Answers batches by the default behaviour when `finish` is called, or at once when `instant`."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.has_batches = True
        self.instant = True
        self.takes: int | None = None
        """So many batches; the next is answered with a 500."""
        self.away = 0
        """So many of the next questions about a batch are answered with a 503."""
        self.away_after: int | None = None
        """After so many such questions, the next two are answered like that."""
        self.refused_ids: dict[str, int] = {}
        """Status by custom id, for requests that fail inside a batch."""
        self.asked_in_batches: list[dict[str, Any]] = []
        self._http.RequestHandlerClass = _batch_handler(self)

    def upload(self, content: bytes) -> dict[str, Any]:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = content
        kind = {"object": "file", "created_at": 1, "filename": "f", "purpose": "batch", "status": "processed"}
        return {"id": name, "bytes": len(content), **kind}

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["endpoint"] == "/v1/chat/completions"
        assert asked["completion_window"] == "24h"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert len({line["custom_id"] for line in lines}) == len(lines)
        self.asked_in_batches.extend(lines)
        name = f"batch_{len(self.batches) + 1}"
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": asked["endpoint"], "input_file_id": asked["input_file_id"],
            "completion_window": "24h", "status": "in_progress", "created_at": int(time.time()),
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }  # fmt: skip
        if self.instant:
            self.finish(name)
        return self.batches[name]

    def is_away(self) -> bool:
        if self.away_after is not None:
            self.away_after -= 1
            if self.away_after < 0:
                self.away, self.away_after = 2, None
        away = self.away > 0
        self.away -= away
        return away

    def listed(self) -> dict[str, Any]:
        return {"object": "list", "data": list(reversed(self.batches.values())), "has_more": False}

    def finish(self, name: str, *, status: str = "completed", answered: int | None = None) -> None:
        """End a batch; the first `answered` of its requests have been answered by then, all unless told otherwise."""
        batch = self.batches[name]
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        outputs, errors = [], []
        for number, line in enumerate(lines):
            assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            refused = self.refused_ids.get(line["custom_id"])
            if answered is not None and number >= answered:
                expired = {"code": f"batch_{status}", "message": "not done in time"}
                errors.append({"id": "r", "custom_id": line["custom_id"], "response": None, "error": expired})
                continue
            request = Received("/v1/chat/completions", {}, line["body"], time.monotonic())
            answer = self.default(request) if refused is None else Answer(b'{"error": {}}', status=refused)
            response = {"status_code": answer.status, "request_id": "q", "body": json.loads(answer.body)}
            done = {"id": "r", "custom_id": line["custom_id"], "response": response, "error": None}
            (errors if answer.status >= 400 else outputs).append(done)
        batch["status"] = status
        batch["request_counts"] = {"total": len(lines), "completed": len(outputs), "failed": len(errors)}
        for key, found in (("output_file_id", outputs), ("error_file_id", errors)):
            if found:
                text = "\n".join(json.dumps(line) for line in reversed(found))  # in no order that could be relied on
                batch[key] = self.upload(text.encode())["id"]

    def refuse(self, name: str, code: str) -> None:
        """End a batch as one whose input was not accepted."""
        self.batches[name]["status"] = "failed"
        self.batches[name]["errors"] = {"object": "list", "data": [{"code": code, "message": "no", "line": 1}]}


def _batch_handler(server: BatchServer) -> Any:
    class Handler(_handler(server), BaseHTTPRequestHandler):  # type: ignore[misc]
        def do_POST(self) -> None:
            if self.path == "/v1/files":
                body = self.rfile.read(int(self.headers["content-length"]))
                self._answer(lambda: server.upload(_uploaded(body)))
            elif self.path == "/v1/batches" and server.takes == len(server.batches):
                _send(self, 500, b"{}")
            elif self.path == "/v1/batches":
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._answer(lambda: server.create(asked))
            else:
                super().do_POST()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            found = _ID.match(path)
            if server.is_away():
                _send(self, 503, b"{}")
            elif found and found[3]:
                content = server.files.get(found[2])
                _send(self, 200, content, "application/octet-stream") if content else _send(self, 404, b"{}")
            else:
                self._answer(lambda: server.batches[found[2]] if found else server.listed())

        def do_DELETE(self) -> None:
            found = _ID.match(self.path)
            _send(self, 200, b"{}") if found and server.files.pop(found[2], None) else _send(self, 404, b"{}")

        def _answer(self, act: Callable[[], dict[str, Any]]) -> None:
            try:
                body = act() if server.has_batches else None
            except KeyError:
                body = None
            if body is None:
                _send(self, 404, b'{"detail": "Not Found"}')
            else:
                _send(self, 200, json.dumps(body).encode())

    return Handler


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _uploaded(body: bytes) -> bytes:
    """The file of a multipart form."""
    boundary = body[: body.index(b"\r\n")]
    parts = {
        part[: part.index(b"\r\n\r\n")]: part[part.index(b"\r\n\r\n") + 4 : -2] for part in body.split(boundary)[1:-1]
    }
    purpose = next(content for head, content in parts.items() if b'name="purpose"' in head)
    assert purpose == b"batch"
    return next(content for head, content in parts.items() if b'name="file"' in head)


@pytest.fixture
def batch_server() -> Iterator[BatchServer]:
    """A server with a Batch API."""
    with BatchServer() as server:
        server.default = good
        yield server
