"""A process that drafts requests and judges answers for the one that started it, so that this one can keep on asking.

Orders come pickled on its standard input, answers go to its standard output. When the input ends, so does the process:
however its parent dies, the kernel sees to that.
"""

import gc
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.adapters.prompt_files import load_prompts
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.judging import ScenarioKey
from runbooks.core.manuscript import Manuscript
from runbooks.core.prompting import Limits, Request
from runbooks.core.redaction import Rules, redact

LENGTH_BYTES = 8
Asked = tuple[str, int, tuple[ScenarioKey, ...]]
"""A request without the head, which is the same for all: text, estimated tokens of the answer, scenarios."""


FinishedJson = tuple[str, dict[str, int]]
"""A runbook as JSON, which is read faster than a pickle, and the checks that failed."""


@dataclass(frozen=True)
class Versions:
    """What two processes must have loaded alike to write alike."""

    catalogue: str
    prompts: str


@dataclass(frozen=True)
class Order:
    """What to do with which manuscript."""

    method: str
    key: int
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Done:
    """The result of an order; `failed` names the type of the error in its place."""

    result: Any = None
    failed: str | None = None


class Desk:
    """Manuscripts by key, and what can be done with them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._prompts = load_prompts()
        self._catalogue = CatalogueWriter(load_catalogue())
        self._manuscripts: dict[int, Manuscript] = {}

    @property
    def versions(self) -> Versions:
        """Of what it has loaded."""
        return Versions(self._catalogue.catalogue.version, self._prompts.version)

    def fulfil(self, order: Order) -> Done:
        """Do one thing; errors are told by their type alone, because their text may quote somebody's data."""
        try:
            return Done(getattr(self, order.method)(order.key, *order.arguments))
        except Exception as error:
            return Done(failed=type(error).__name__)

    def begin(self, key: int, facts: Facts, rules: Rules) -> list[Asked]:
        """Start a manuscript; returns what to ask."""
        manuscript = Manuscript(
            facts, catalogue=self._catalogue, prompts=self._prompts, limits=self._limits, rules=rules
        )
        self._manuscripts[key] = manuscript
        return [_without_head(request) for request in manuscript.requests()]

    def redact(self, _key: int, text: str) -> str:
        """An answer without what looks like a secret."""
        return redact(text)

    def take(
        self, key: int, text: str, cut: bool, asked: Sequence[ScenarioKey], last: str | None
    ) -> tuple[Asked | None, FinishedJson | None]:
        """Judge an answer; returns what to ask once more, or else what is finished when it was the last answer."""
        again = self._manuscripts[key].take(text, cut=cut, asked=asked)
        if again:
            return _without_head(again), None
        return None, self.finish(key, last) if last else None

    def finish(self, key: int, model: str) -> FinishedJson:
        """Finish a manuscript and forget it."""
        finished = self._manuscripts.pop(key).finished(model)
        return finished.runbook.model_dump_json(), dict(finished.failed_checks)

    def drop(self, key: int) -> None:
        """Forget a manuscript."""
        self._manuscripts.pop(key, None)


def pack(value: Any) -> bytes:
    """A message; whatever error pickling may raise."""
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def receive(stream: IO[bytes]) -> Any:
    """Read one message; EOFError when there will be none."""
    length = stream.read(LENGTH_BYTES)
    content = stream.read(int.from_bytes(length, "big"))
    if len(length) < LENGTH_BYTES or not content:
        raise EOFError
    return pickle.loads(content)  # noqa: S301 - from a process of ours, through a pipe of ours


def main() -> None:
    """Fulfil orders until there will be no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print is no answer
    try:
        desk = Desk(receive(incoming))
        answer: object = desk.versions
        gc.freeze()  # what is loaded stays
        while True:
            outgoing.write(pack(answer))
            outgoing.flush()
            answer = desk.fulfil(receive(incoming))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody reads what is left in the pipe


def _without_head(request: Request) -> Asked:
    return request.prompt.user, request.prompt.answer_tokens, request.asked
