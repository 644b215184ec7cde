"""Processes that draft and judge beside the one that asks the model: a few, shared by all batches of a run.

They hold nothing that cannot be made again: whoever loses one writes on in this process, to the same result.
"""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pickle import UnpicklingError
from typing import IO, Any

from runbooks.adapters.writing_process import Asked, Done, FinishedJson, Order, Versions, pack, receive
from runbooks.core.facts import Facts
from runbooks.core.judging import ScenarioKey
from runbooks.core.manuscript import Finished, Manuscript
from runbooks.core.prompting import Limits, Prompt, Request
from runbooks.core.prompts import Prompts
from runbooks.core.redaction import Rules, redact
from runbooks.core.runbook import Runbook

logger = logging.getLogger(__name__)

FEWEST_WORKFLOWS = 64
"""With fewer the start of a process, which takes half a second, is not worth it."""
MOST_PROCESSES = 4
"""Each takes some 100 MB; so many keep a model busy that answers 200 requests a second."""
PROGRAM = "from runbooks.adapters.writing_process import main; main()"


class ProcessLost(Exception):
    """A process could not do what it was to do; doing it here will help, or tell what is wrong."""


class WritingPool:
    """Processes that run while somebody has them open. Shared by threads and event loops."""

    def __init__(
        self, *, limits: Limits, prompts: Prompts, catalogue_version: str, processes: int | None = None
    ) -> None:
        """`processes`: how many; None for one on each processor but one."""
        self._limits = limits
        self._prompts = prompts
        self._versions = Versions(catalogue_version, prompts.version)
        self._count = spare_processors() if processes is None else processes
        self._lock = threading.Lock()
        self._users = 0
        self._processes: list[_Process] = []

    @contextmanager
    def opened(self, workflows: int) -> Iterator[None]:
        """Have processes, where there is enough to write; they end with the last who has them open."""
        if workflows < FEWEST_WORKFLOWS:
            yield
            return
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._processes = [_Process(self._limits, self._versions) for _ in range(self._count)]
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                ended = self._processes if self._users == 0 else []
                self._processes = [] if self._users == 0 else self._processes
            for process in ended:
                process.end()

    def begin(self, facts: Facts, rules: Rules) -> "RemoteManuscript | None":
        """Start a manuscript in the least busy process; None when there is none."""
        with self._lock:
            alive = [process for process in self._processes if process.is_alive]
        if not alive:
            return None
        return RemoteManuscript(min(alive, key=lambda process: process.manuscripts), facts, rules, self._prompts)


def spare_processors() -> int:
    """How many processes have a processor of their own, beside the one that asks the model."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable - 1, MOST_PROCESSES)


class RemoteManuscript:
    """A manuscript in another process. Every method raises ProcessLost when that cannot do it."""

    def __init__(self, process: "_Process", facts: Facts, rules: Rules, prompts: Prompts) -> None:
        self._process = process
        self._begin = (facts, tuple(rules))
        self._prompts = prompts
        self._key = process.new_key()
        self._finished: Finished | None = None

    async def requests(self) -> list[Request]:
        """What to ask; to be called first."""
        return [self._whole(one) for one in await self._do("begin", *self._begin)]

    async def redacted(self, text: str) -> str:
        """An answer as it may be kept."""
        return str(await self._do("redact", text))

    async def take(
        self, text: str, *, cut: bool, asked: Sequence[ScenarioKey], last: str | None = None
    ) -> Request | None:
        """Keep what of an answer can be stored; returns what is to be asked once more.

        `last` is the model's name where this answer ends the asking unless something is to be asked once more: a hint
        that spares a way there and back.
        """
        again, finished = await self._do("take", text, cut, tuple(asked), last)
        self._finished = _read(finished) if finished else None
        return self._whole(again) if again else None

    async def finished(self, model: str) -> Finished:
        """The runbook with all that was kept."""
        if self._finished is None:
            self._finished = _read(await self._do("finish", model))
        return self._finished

    def close(self) -> None:
        """Forget it there, too."""
        self._process.forget(None if self._finished else self._key)

    def _whole(self, asked: Asked) -> Request:
        user, answer_tokens, scenarios = asked
        return Request(Prompt(self._prompts.system, user, answer_tokens), scenarios)

    async def _do(self, method: str, *arguments: Any) -> Any:
        return await self._process.do(Order(method, self._key, arguments))


class LocalManuscript:
    """A manuscript in this process, used like one in another."""

    def __init__(self, manuscript: Manuscript) -> None:
        self._manuscript = manuscript

    async def requests(self) -> list[Request]:
        """What to ask."""
        return self._manuscript.requests()

    async def redacted(self, text: str) -> str:
        """An answer as it may be kept."""
        return redact(text)

    async def take(
        self,
        text: str,
        *,
        cut: bool,
        asked: Sequence[ScenarioKey],
        last: str | None = None,  # noqa: ARG002 - of use from afar alone
    ) -> Request | None:
        """Keep what of an answer can be stored; returns what is to be asked once more."""
        return self._manuscript.take(text, cut=cut, asked=asked)

    async def finished(self, model: str) -> Finished:
        """The runbook with all that was kept."""
        return self._manuscript.finished(model)


AnyManuscript = LocalManuscript | RemoteManuscript


class _Process:
    """One of them, and the thread that talks to it, one order after another."""

    def __init__(self, limits: Limits, versions: Versions) -> None:
        self.is_alive = True
        self.manuscripts = 0
        self._keys = count()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writing process")
        self._thread.submit(self._start, limits, versions)

    def new_key(self) -> int:
        """For one manuscript more, to be forgotten once."""
        with self._lock:
            self.manuscripts += 1
            return next(self._keys)

    def forget(self, key: int | None) -> None:
        """Let go of a manuscript; None for one that is finished, which the process has forgotten."""
        with self._lock:
            self.manuscripts -= 1
        if key is not None:
            self._submit(partial(self._exchange, Order("drop", key)))

    async def do(self, order: Order) -> Any:
        """The result of an order; ProcessLost when there will be none."""
        future = self._submit(partial(self._exchange, order))
        done = await asyncio.wrap_future(future) if future else None
        if done is None:
            raise ProcessLost("the process has ended")
        if done.failed is not None:
            raise ProcessLost(done.failed)
        return done.result

    def end(self) -> None:
        """Stop it at once, whatever it is doing."""
        with self._lock:
            self._ended = True
            self.is_alive = False
            if self._process is not None:
                self._process.kill()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._process is not None:
            self._process.communicate()

    def _submit(self, action: "partial[Done | None]") -> Any:
        try:
            return self._thread.submit(action)
        except RuntimeError:  # it has been ended
            return None

    def _start(self, limits: Limits, versions: Versions) -> None:
        path = f"import sys; sys.path = {sys.path!r}; "  # the modules of this process, wherever they come from
        try:
            with self._lock:
                if self._ended:
                    return
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, with our own words
                    [sys.executable, "-I", "-c", path + PROGRAM],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C in a terminal is for this process, which then ends that one
                )
            self._stdin, self._stdout = _pipes(self._process)
            self._say(pack(limits))
            self.is_alive = self._hear() == versions
        except (OSError, ValueError, EOFError, UnpicklingError):
            self.is_alive = False
        if not self.is_alive and not self._ended:
            logger.info("no further process for writing could be started; all is written in this one")

    def _exchange(self, order: Order) -> Done | None:
        if not self.is_alive:
            return None
        try:
            message = pack(order)
        except Exception as error:  # nested too deeply, say
            return Done(failed=type(error).__name__)
        try:
            self._say(message)
            done = self._hear()
        except (OSError, ValueError, EOFError, UnpicklingError):  # it was killed, for its memory, say
            self.is_alive = False
            return None
        return done if isinstance(done, Done) else None

    def _say(self, message: bytes) -> None:
        self._stdin.write(message)
        self._stdin.flush()

    def _hear(self) -> Any:
        return receive(self._stdout)


def _read(finished: FinishedJson) -> Finished:
    document, failed_checks = finished
    return Finished(Runbook.model_validate_json(document), failed_checks)


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("it was started without pipes")
    return process.stdin, process.stdout
