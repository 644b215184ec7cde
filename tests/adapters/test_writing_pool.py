"""Processes that draft and judge: the same runbooks with them, without them, and when they die."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runbooks.adapters import writing_pool
from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.adapters.interruption import interrupt, run_interruptible
from runbooks.adapters.llm_writer import LLMWriter, Written
from runbooks.adapters.prompt_files import load_prompts
from runbooks.adapters.writing_pool import FEWEST_WORKFLOWS, WritingPool
from runbooks.core.facts import Facts
from runbooks.core.prompting import Limits
from runbooks.core.redaction import Rules
from runbooks.core.redaction_rule import RedactionRule
from tests.adapters.test_llm_writer import make_facts, make_writer
from tests.support import llm_server as models
from tests.support.llm_server import Answer, LLMServer, Received

FACTS = [make_facts(number) for number in range(1, 9)]
PROGRAM = """
import time
from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.adapters.prompt_files import load_prompts
from runbooks.adapters.writing_pool import WritingPool
from runbooks.core.prompting import Limits

pool = WritingPool(limits=Limits(), prompts=load_prompts(), catalogue_version=load_catalogue().version, processes=2)
with pool.opened(1000):
    time.sleep(60)
"""


def make_pool(processes: int = 2, version: str | None = None) -> WritingPool:
    return WritingPool(
        limits=Limits(),
        prompts=load_prompts(),
        catalogue_version=version or load_catalogue().version,
        processes=processes,
    )


def with_pool(server: LLMServer, pool: WritingPool | None) -> LLMWriter:
    writer = make_writer(server)
    writer.pool = pool
    return writer


async def write_all(writer: LLMWriter, rules: Rules = (), workflows: int = FEWEST_WORKFLOWS) -> list[Written]:
    async with writer.session(workflows) as session:
        return list(await asyncio.gather(*(session.write(one, rules=rules) for one in FACTS)))


def mixed(request: Received) -> Answer:
    """A bad answer for some workflows, told by their names, so that every run sees the same."""
    behaviours: dict[str, Callable[[Received], Answer]] = {
        "Order 2": models.invented_number,
        "Order 3": models.refusal,
        "Order 4": models.prose,
        "Order 5": models.cut,
        "Order 6": models.secret_echo,
        "Order 7": models.good_in_prose,
    }
    behaviour = next((one for name, one in behaviours.items() if f'Workflow: "{name}"' in request.user), models.good)
    return models.good(request) if request.is_probe else behaviour(request)


def processes_of(parent: int) -> list[int]:
    """Ids of the processes for writing that a process has started and that are not yet dead."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(ppid) == parent and state != "Z" and b"writing_process" in command:
            found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(happened: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_processes_write_what_one_process_writes(llm_server: LLMServer) -> None:
    llm_server.default = mixed
    here = asyncio.run(write_all(with_pool(llm_server, None)))
    requests = sorted(one.user for one in llm_server.writing)
    llm_server.requests.clear()
    seen: set[int] = set()
    llm_server.default = lambda request: (seen.update(processes_of(os.getpid())), mixed(request))[1]
    there = asyncio.run(write_all(with_pool(llm_server, make_pool())))
    assert len(seen) == 2
    assert there == here
    assert sorted(one.user for one in llm_server.writing) == requests
    assert {bool(one.failed_checks) for one in there} == {True, False}
    assert processes_of(os.getpid()) == []


def test_rules_of_a_workspace_hold_in_another_process(llm_server: LLMServer) -> None:
    rules = (RedactionRule(r"Charge Order \d"),)
    written = asyncio.run(write_all(with_pool(llm_server, make_pool()), rules))
    assert all(one.runbook.ai_generated for one in written)
    assert not any("Charge Order" in one.user for one in llm_server.writing)
    assert any("<hidden:workspace_rule>" in one.user for one in llm_server.writing)


class Local:
    """A rule that cannot be sent to another process."""

    def __init__(self) -> None:
        self.called = lambda: None

    def sub(self, _replacement: str, text: str) -> str:
        return text


def test_what_cannot_be_sent_to_a_process_is_written_here(llm_server: LLMServer) -> None:
    written = asyncio.run(write_all(with_pool(llm_server, make_pool()), (Local(),)))
    assert all(one.runbook.ai_generated for one in written)
    assert len(llm_server.writing) == len(FACTS)


def test_a_process_that_is_killed_costs_no_request_and_changes_no_runbook(llm_server: LLMServer) -> None:
    llm_server.default = mixed
    here = asyncio.run(write_all(with_pool(llm_server, None)))
    requests = len(llm_server.writing)
    llm_server.requests.clear()

    def kill_then_answer(request: Received) -> Answer:
        if not request.is_probe:
            for pid in processes_of(os.getpid()):
                os.kill(pid, signal.SIGKILL)
        return mixed(request)

    llm_server.default = kill_then_answer
    there = asyncio.run(write_all(with_pool(llm_server, make_pool())))
    assert there == here
    assert len(llm_server.writing) == requests


def test_without_an_interpreter_to_start_all_is_written_here(
    llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    written = asyncio.run(write_all(with_pool(llm_server, make_pool())))
    assert all(one.runbook.ai_generated for one in written)


def test_a_process_that_has_loaded_another_catalogue_is_not_used(llm_server: LLMServer) -> None:
    written = asyncio.run(write_all(with_pool(llm_server, make_pool(version="older"))))
    assert all(one.runbook.ai_generated for one in written)
    assert len(llm_server.writing) == len(FACTS)


def test_few_workflows_start_no_process(llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(writing_pool.subprocess, "Popen", started)
    written = asyncio.run(write_all(with_pool(llm_server, make_pool()), workflows=FEWEST_WORKFLOWS - 1))
    assert all(one.runbook.ai_generated for one in written)


def test_an_interrupted_session_leaves_no_process(llm_server: LLMServer) -> None:
    def interrupt_instead(request: Received) -> Answer:
        if not request.is_probe:
            interrupt()
        return models.good(request)

    llm_server.default = interrupt_instead
    with pytest.raises(asyncio.CancelledError):
        run_interruptible(write_all(with_pool(llm_server, make_pool())), timeout_s=60)
    assert processes_of(os.getpid()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        try:
            eventually(lambda: len(processes_of(parent.pid)) == 2)
            started = processes_of(parent.pid)
            os.killpg(parent.pid, number)  # as a terminal does, to everybody in it
            parent.wait(timeout=20)
        finally:
            parent.kill()
    eventually(lambda: not any(map(is_alive, started)))


def test_the_most_important_asks_first_although_processes_are_not_equally_fast(llm_server: LLMServer) -> None:
    order: list[str] = []
    llm_server.default = lambda request: (order.append(request.user), models.good(request))[1]
    writer = make_writer(llm_server, concurrency=1)
    writer.pool = make_pool(processes=3)
    asyncio.run(write_all(writer))
    named = [facts.workflow.name for facts in FACTS for text in order if f'Workflow: "{facts.workflow.name}"' in text]
    asked = [next(name for name in named if f'Workflow: "{name}"' in text) for text in order if "Workflow: " in text]
    assert asked == [facts.workflow.name for facts in FACTS]


def test_facts_come_back_as_they_were_sent() -> None:
    from runbooks.adapters.writing_process import pack, receive

    read, write = os.pipe()
    with os.fdopen(write, "wb") as outgoing, os.fdopen(read, "rb") as incoming:
        outgoing.write(pack(FACTS[0]))
        outgoing.flush()
        received: Facts = receive(incoming)
        outgoing.close()
        assert received == FACTS[0]
        with pytest.raises(EOFError):
            receive(incoming)
