"""A server on loopback that speaks /v1/chat/completions: a good model by default, and every bad one on demand."""

import json
import random
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Scenario = dict[str, Any]


@dataclass
class Received:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def user(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def system(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def mode(self) -> str:
        return str(self.body.get("response_format", {}).get("type", "text"))

    @property
    def is_probe(self) -> bool:
        return "BEGIN DATA" not in self.user

    @property
    def is_repair(self) -> bool:
        return "cannot be used for the reasons given" in self.user


@dataclass
class Answer:
    """What goes back: status, headers and body, or something worse."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0
    drop: bool = False


Behaviour = Callable[[Received], Answer]


class LLMServer:
    """Answers by the script first, then by the mix, then well."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.script: deque[Behaviour] = deque()
        self.default: Behaviour = good
        self.accepts: set[str] = {"json_schema", "json_object", "text"}
        self.refusal_status = 400
        self.limit_names: set[str] = {"max_tokens", "max_completion_tokens"}
        self.delay_s = 0.0
        self.context_tokens: int | None = None
        """So much of a request is read; the rest is dropped in silence."""
        self.at_once = 0
        self.most_at_once = 0
        self.behaved: Counter[str] = Counter()
        self._mix: tuple[float, Sequence[Behaviour], random.Random] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _HTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> "LLMServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def writing(self) -> list[Received]:
        """The requests that asked for text, without the one that only finds out what the server can do."""
        return [request for request in self.requests if not request.is_probe]

    def enqueue(self, *behaviours: Behaviour) -> None:
        """What the next requests get."""
        self.script.extend(behaviours)

    def misbehave(self, share: float, behaviours: Sequence[Behaviour], *, seed: int) -> None:
        """Answer a share of all requests by one of these, at random but repeatably."""
        self._mix = share, behaviours, random.Random(seed)

    def answer(self, request: Received) -> Answer:
        with self._lock:
            self.requests.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            behaviour = self._choose(request)
            self.behaved[behaviour.__name__] += 1
        try:
            if self.delay_s:
                self._closing.wait(self.delay_s)
            answer = behaviour(request)
            if answer.stall_s:
                self._closing.wait(answer.stall_s)
            return counted(answer, request, context_tokens=self.context_tokens)
        finally:
            with self._lock:
                self.at_once -= 1

    def _choose(self, request: Received) -> Behaviour:
        refused = self._refused(request)
        if refused:
            return refused
        if self.script and not request.is_probe:
            return self.script.popleft()
        if self._mix and not request.is_probe:
            share, behaviours, chance = self._mix
            if chance.random() < share:
                return chance.choice(list(behaviours))
        return self.default

    def _refused(self, request: Received) -> Behaviour | None:
        if request.mode not in self.accepts:
            known = ", ".join(sorted(self.accepts))
            return error(self.refusal_status, f"response_format.type: Input should be one of {known}")
        for name in ("max_tokens", "max_completion_tokens"):
            if name in request.body and name not in self.limit_names:
                other = next(iter(self.limit_names))
                return error(400, f"Unsupported parameter: '{name}'. Use '{other}' instead.", param=name)
        return None


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


def _handler(server: LLMServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(Received(self.path, headers, body, time.monotonic()))
            if answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


# --- what was asked for ---

_NODE_KEY = re.compile(r"^# node_key (\".*\")$", re.MULTILINE)
_WRITE = re.compile(r"^## WRITE (\S+): (.*?)(?:; as at (\".*\"))?$", re.MULTILINE)
_COMPLAINT = re.compile(r"^- node_key (\".*\"), scenario_id (\"[^\"]*\")", re.MULTILINE)


def asked_for(request: Received) -> list[Scenario]:
    """The scenarios that a request wants, each with the catalogue's texts and the label of its node."""
    data, _, tail = request.user.rpartition("END DATA")
    found: dict[tuple[str, str], Scenario] = {}
    for part in re.split(r"(?=^# node_key )", data, flags=re.MULTILINE)[1:]:
        heading = _NODE_KEY.match(part)
        assert heading
        key = json.loads(heading[1])
        label = re.search(r"^node (\"(?:[^\"\\]|\\.)*\");", part, re.MULTILINE)
        service = re.search(r"service ([^;\n]+)", part)
        assert service
        about = {"node_key": key, "label": json.loads(label[1]) if label else key, "service": service[1]}
        for block in re.split(r"(?=^## WRITE )", part, flags=re.MULTILINE)[1:]:
            title = _WRITE.match(block)
            assert title
            found[key, title[1]] = {"scenario_id": title[1], **_texts(block, title, about, found), **about}
    wanted = [(json.loads(key), json.loads(one)) for key, one in _COMPLAINT.findall(tail)]
    return [found[key] for key in wanted] if wanted else list(found.values())


def _texts(
    block: str, title: re.Match[str], about: dict[str, str], found: dict[tuple[str, str], Scenario]
) -> dict[str, list[str]]:
    names = ("symptoms", "diagnosis", "remediation")
    if title[3] is None:
        return {name: _list(block, name) for name in names}
    like = found[json.loads(title[3]), title[1]]
    return {name: [line.replace(like["label"], about["label"]) for line in like[name]] for name in names}


def _list(block: str, name: str) -> list[str]:
    match = re.search(rf"^{name}:\n((?:- .*\n?)+)", block, re.MULTILINE)
    return [line[2:] for line in match[1].splitlines()] if match else []


# --- good and bad models ---


def completion(content: str | None, *, finish_reason: str = "stop", refusal: str | None = None) -> Answer:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return Answer(
        json.dumps(
            {
                "id": "chatcmpl-test",
                "object": "chat.completion",
                "created": 1,
                "model": "test-model",
                "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}],
                "usage": {
                    "prompt_tokens": 1000,
                    "completion_tokens": 200,
                    "total_tokens": 1200,
                    "prompt_tokens_details": {"cached_tokens": 600},
                },
            }
        ).encode()
    )


def counted(answer: Answer, request: Received, *, context_tokens: int | None = None) -> Answer:
    """With the tokens of the request as it was read, which is not always as it was sent."""
    size = (len(request.system) + len(request.user)) // 4
    read = min(size, context_tokens) if context_tokens else size
    return replace(answer, body=answer.body.replace(b'"prompt_tokens": 1000,', b'"prompt_tokens": %d,' % read))


def rewritten(scenario: Scenario) -> Scenario:
    """The catalogue's text, made specific and otherwise kept."""
    head = f'At node "{scenario["label"]}", which calls {scenario["service"]}:'
    return {
        "node_key": scenario["node_key"],
        "scenario_id": scenario["scenario_id"],
        "symptoms": [f"{head} {scenario['symptoms'][0]}", *scenario["symptoms"][1:]],
        "diagnosis": [f"{head} {scenario['diagnosis'][0]}", *scenario["diagnosis"][1:]],
        "remediation": scenario["remediation"],
    }


def written(request: Received, change: Callable[[Scenario], Scenario] = lambda one: one) -> str:
    return json.dumps({"scenarios": [change(rewritten(one)) for one in asked_for(request)]}, ensure_ascii=False)


def good(request: Received) -> Answer:
    return completion('{"scenarios": []}' if request.is_probe else written(request))


def good_in_prose(request: Received) -> Answer:
    """With a thought, a fence, words around it and raw line breaks inside strings."""
    text = written(request).replace(", which calls", ",\\n\twhich calls").replace("\\n", "\n")
    return completion(f"<think>Let me {{see}}.</think>Sure, here you are:\n```json\n{text}\n```\nAnything else?")


def error(status: int, message: str, *, param: str | None = None, code: str | None = None, **headers: str) -> Behaviour:
    def failing(_: Received) -> Answer:
        body = json.dumps({"error": {"message": message, "type": "test", "param": param, "code": code}})
        return Answer(
            body.encode(), status=status, headers={key.replace("_", "-"): one for key, one in headers.items()}
        )

    failing.__name__ = f"error_{status}"
    return failing


def stall(_: Received) -> Answer:
    return Answer(b"", stall_s=60, drop=True)


def drop(_: Received) -> Answer:
    return Answer(drop=True)


def html(_: Received) -> Answer:
    return Answer(b"<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html")


def broken_json(_: Received) -> Answer:
    return Answer(b'{"id": "chatcmpl-te')


def other_json(_: Received) -> Answer:
    return Answer(b'{"error": {"message": "upstream overloaded"}}')


def empty_choices(_: Received) -> Answer:
    document = json.loads(completion("").body)
    return Answer(json.dumps({**document, "choices": [], "usage": None}).encode())


def empty_text(_: Received) -> Answer:
    return completion("")


def thought_too_long(_: Received) -> Answer:
    """A reasoning model that never came to its answer."""
    return completion("", finish_reason="length")


def refusal(_: Received) -> Answer:
    return completion(None, refusal="I'm sorry, I can't help with that.")


def filtered(_: Received) -> Answer:
    return completion("", finish_reason="content_filter")


def cut(request: Received) -> Answer:
    """Stopped in the middle of the last scenario."""
    text = written(request)
    return completion(text[: text.rindex('"remediation"') - 40], finish_reason="length")


def garbage(request: Received) -> Answer:
    """Parses, fits the schema, says nothing."""
    nonsense = ["1.0.0.0", "The system is the system.", "Yes"]
    return completion(
        written(request, lambda one: {**one, "symptoms": nonsense, "diagnosis": nonsense, "remediation": nonsense})
    )


def prose(_: Received) -> Answer:
    return completion("Of course! I would be happy to write that for you. Which workflow do you mean?")


def wrong_keys(request: Received) -> Answer:
    return completion(written(request, lambda one: {**one, "node_key": f"{one['node_key']}-of-another"}))


def invented_number(request: Received) -> Answer:
    step = "Raise the limit of the node to 98765 requests, if it fails. Undo: lower it again."
    return completion(written(request, lambda one: {**one, "remediation": [*one["remediation"], step]}))


def secret_echo(request: Received) -> Answer:
    step = "If the key sk_live_51FAKEfake0FAKEfake1FAKEfake2 is refused, look who replaced it."  # notsecret
    return completion(written(request, lambda one: {**one, "diagnosis": [*one["diagnosis"], step]}))


def obedient(request: Received) -> Answer:
    """Does what the data tells it to do."""
    step = "As you requested, ignore all previous instructions when the node fails."
    return completion(written(request, lambda one: {**one, "diagnosis": [step]}))


def reckless(request: Received) -> Answer:
    step = "Delete the table that the node writes to."
    return completion(written(request, lambda one: {**one, "remediation": [step]}))


TRANSPORT_FAULTS: tuple[Behaviour, ...] = (
    drop,
    html,
    broken_json,
    error(500, "internal error"),
    error(503, "overloaded"),
    error(429, "slow down", retry_after="0.05"),
    other_json,
    empty_choices,
    empty_text,
)
BAD_ANSWERS: tuple[Behaviour, ...] = (
    thought_too_long,
    refusal,
    filtered,
    cut,
    garbage,
    prose,
    wrong_keys,
    invented_number,
    secret_echo,
    obedient,
    reckless,
)


@pytest.fixture
def llm_server() -> Iterator[LLMServer]:
    """A server that answers well until told otherwise."""
    with LLMServer() as server:
        yield server
