"""A real server and a real model that fits every schema and says nothing: `make test-llm` runs this."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.adapters.llm import LLM, Connection, Reply
from runbooks.adapters.llm_writer import LLMWriter, Written
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.prompt_files import load_prompts
from runbooks.core.answer import read_answer
from runbooks.core.batch import initial_facts
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.definition import parse_definition
from runbooks.core.evaluation import score
from runbooks.core.facts import Facts
from runbooks.core.prompting import Limits
from runbooks.core.runbook import Runbook

PYTHON = "RUNBOOKS_TEST_LLM_PYTHON"
CATALOGUE = CatalogueWriter(load_catalogue())
LIMITS = Limits(scenarios=1, answer_tokens=600)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [os.environ[PYTHON], "tests/small_model/server.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdin
        line = next(line for line in server.stdout if line.startswith("ADDRESS "))
        yield f"{line.split()[1]}/v1"
        server.stdin.close()


@dataclass
class Recorder:
    """What the model said, before anything was checked."""

    replies: list[str] = field(default_factory=list)

    def listen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ask = Connection.ask

        async def recorded(connection: Connection, *args: Any) -> Reply:
            reply = await ask(connection, *args)
            self.replies.append(reply.text)
            return reply

        monkeypatch.setattr(Connection, "ask", recorded)

    @property
    def lines(self) -> set[str]:
        return {line for text in self.replies for one in read_answer(text).scenarios for line in one.lines}


def workflow(name: str, url: str) -> Facts:
    nodes = [
        {"id": "in", "type": "trigger_webhook"},
        {
            "id": "call",
            "type": "action_http_request",
            "label": name,
            "data": {"config": {"url": url, "method": "POST"}},
        },
    ]
    document = {"name": f"{name} workflow", "nodes": nodes, "edges": [{"source": "in", "target": "call"}]}
    return initial_facts(parse_definition(document), load_node_knowledge())


FACTS = [
    workflow("Charge card", "https://api.stripe.com/v1/charges"),
    workflow("Tell the warehouse", "https://warehouse.tidewell.test/v2/orders"),
]


def written(address: str) -> list[Written]:
    llm = LLM(
        model="smollm2", base_url=address, concurrency=1, timeout_s=300, attempts=2, seed=7, max_answer_tokens=600
    )
    writer = LLMWriter(llm, catalogue=CATALOGUE, prompts=load_prompts(), limits=LIMITS)

    async def run() -> list[Written]:
        async with writer.session() as session:
            return await session.write_all(FACTS)

    return asyncio.run(run())


def stored_lines(runbook: Runbook) -> set[str]:
    return {
        line
        for section in runbook.sections
        for scenario in section.failure_scenarios
        for line in (*scenario.symptoms, *scenario.diagnosis, *scenario.remediation)
    }


def test_nothing_of_a_model_that_talks_nonsense_is_stored(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    recorder.listen(monkeypatch)
    results = written(address)
    assert recorder.replies, "the model was asked, and answered"
    for facts, result in zip(FACTS, results, strict=True):
        base = CATALOGUE.write(facts)
        figures = score(facts, base, result.runbook)
        assert figures.unsupported_claims == 0
        assert figures.completeness == 1.0
        by_model = [
            one for section in result.runbook.sections for one in section.failure_scenarios if one.source == "llm"
        ]
        assert by_model == []
        assert stored_lines(result.runbook) == stored_lines(base)
        assert not (recorder.lines - stored_lines(base)) & stored_lines(result.runbook)
        assert result.fallback_reason
        assert result.tokens.total > 0
    print(f"\n{len(recorder.replies)} answers with {len(recorder.lines)} lines, none stored, for example:")
    print(*sorted(recorder.lines)[:5], sep="\n")
    print([(result.fallback_reason, result.failed_checks) for result in results])


def test_the_server_takes_a_strict_schema(address: str) -> None:
    llm = LLM(model="smollm2", base_url=address, timeout_s=300)
    assert asyncio.run(llm.probe()) == "json_schema, strict"
