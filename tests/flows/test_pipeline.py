"""Which workflows go through the pipeline together, and in which order a model is asked for them."""

import re

import pytest
from sqlalchemy import URL, text

from flows.coverage_sweep import coverage_sweep
from flows.pipeline import dealt
from runbooks.bootstrap import open_llm
from runbooks.core.batch import Candidate
from runbooks.core.report import SweepReport
from tests.support.hosts import connected, insert_workflow, insert_workspace
from tests.support.llm_server import LLMServer

WORKFLOWS, BATCH_SIZE = 20, 5


def sizes(count: int, batch_size: int) -> list[int]:
    candidates = [Candidate(str(number), "", "") for number in range(count)]
    batches = list(dealt(candidates, batch_size))
    assert [one for batch in batches for one in batch] == candidates
    return [len(batch) for batch in batches]


@pytest.mark.parametrize(
    ("count", "batch_size", "expected"),
    [
        (0, 250, []),
        (250, 250, [250]),
        (1000, 250, [250, 250, 250, 125, 62, 63]),
        (620, 250, [250, 250, 60, 60]),
        (550, 250, [250, 250, 50]),
        (9, 4, [4, 4, 1]),
    ],
)
def test_a_large_batch_at_the_end_is_dealt_in_parts(count: int, batch_size: int, expected: list[int]) -> None:
    assert sizes(count, batch_size) == expected


def test_a_model_is_asked_for_one_batch_after_the_other_the_busiest_first(
    platform: URL, llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_LLM_CONCURRENCY", "1")
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", str(BATCH_SIZE))
    open_llm.cache_clear()
    insert_workspace(platform, slug="shop")
    for number in range(WORKFLOWS):
        nodes = [
            {"id": "in", "type": "trigger_webhook"},
            {"id": "tell", "type": "slack", "label": f"Tell {number:02}", "config": {"channel": "#ops"}},
        ]
        edges = [{"id": "e", "source": "in", "target": "tell"}]
        insert_workflow(platform, name=f"N{number}", nodes=nodes, edges=edges)
    with connected(platform) as connection:
        connection.execute(
            text("UPDATE workflows SET execution_count = 1000 - CAST(substring(name FROM 2) AS integer)")
        )

    report: SweepReport = coverage_sweep()

    assert (report.generated, report.fallbacks) == (WORKFLOWS, {})
    asked = [int(found[1]) for one in llm_server.writing if (found := re.search(r"Tell (\d\d)", one.user))]
    assert len(asked) == WORKFLOWS
    assert [number // BATCH_SIZE for number in asked] == [number // BATCH_SIZE for number in range(WORKFLOWS)]
