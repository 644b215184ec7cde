"""The clock of a machine is set an hour ahead and back again under a sweep; that of its database stays."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_faults_sweep import (
    BATCH,
    WORKFLOWS,
    asked,
    begun,
    ended,
    insert_workflows,
    nothing_lost_nothing_twice,
    stored,
)
from tests.acceptance.test_up import Up, eventually, running_up
from tests.support.clock import Clock, clock
from tests.support.llm_server import LLMServer

pytestmark = pytest.mark.slow

HOUR_S = 3600


__all__ = ["clock"]  # a fixture


@pytest.fixture
def up(tmp_path: Path, clock: Clock, llm_server: LLMServer) -> Iterator[Up]:
    """Everything, with forty workflows and a slow model."""
    llm_server.delay_s = 0.6
    settings = {
        "OPENAI_BASE_URL": llm_server.base_url,
        "RUNBOOKS_MODEL": "test-model",
        "RUNBOOKS_BATCH_SIZE": str(BATCH),
        "RUNBOOKS_LLM_CONCURRENCY": "2",
    }
    with running_up(tmp_path / "home", **settings, **clock.env) as running:
        insert_workflows(running)
        yield running


@pytest.mark.parametrize("jumps", [(HOUR_S, 0), (-HOUR_S, 0)], ids=["ahead and back", "back and ahead"])
def test_a_clock_that_is_set_under_a_sweep_loses_nothing(
    up: Up, clock: Clock, llm_server: LLMServer, jumps: tuple[int, int]
) -> None:
    run = begun(up)
    before = stored(up)
    for seconds in jumps:
        clock.set(seconds)
        written = len(stored(up))
        assert eventually(lambda written=written: len(stored(up)) > written), "it goes on at once"
    # Heartbeats that seem to be missing for an hour may have it marked as crashed; its own end puts that right.
    assert eventually(lambda: up.run(run)["state_type"] == "COMPLETED", within_s=120), up.run(run)["state"]
    nothing_lost_nothing_twice(up, before, llm_server, again=0)
    assert len(asked(llm_server)) == WORKFLOWS

    took = "SELECT min(duration_ms), max(duration_ms) FROM runbook_generations"
    ((shortest, longest),) = up.rows(took)
    assert 0 <= shortest <= longest < 120_000
    (page,) = [one for one in up.call("/artifacts/filter", {}) if one["key"] == "runbook-sweep"]
    assert page["data"].count("[open](") == WORKFLOWS, "those written before a jump, between, and after"
    (line,) = [line for line in page["data"].splitlines() if line.startswith("| seconds |")]
    assert 0 < float(line.split("|")[2]) < 120
    assert "This sweep:" not in page["data"], "neither late nor long"

    again = up.start_run("coverage-sweep")
    assert ended(up, again) == "COMPLETED"
    assert json.dumps(up.run(again)["state"]).count("0 changed") >= 1
