"""The clock of a machine is set an hour ahead and back again under a sweep; that of its database stays."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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


BERLIN = ZoneInfo("Europe/Berlin")
DUE = {
    "spring": datetime(2027, 3, 28, 1, 0, tzinfo=UTC),  # there is no 02:00; a second earlier it is 01:59:59
    "autumn": datetime(2027, 10, 31, 0, 0, tzinfo=UTC),  # 02:00 comes twice; this is the first time
}


@pytest.mark.parametrize("season", DUE)
def test_on_the_night_of_a_change_of_summer_time_the_real_schedule_starts_one_sweep(
    tmp_path: Path, clock: Clock, season: str
) -> None:
    due = DUE[season]

    def set_clock(moment: datetime) -> None:
        clock.set(round((moment - datetime.now(UTC)).total_seconds()))

    set_clock(due - timedelta(hours=3))
    with running_up(tmp_path / "home", RUNBOOKS_TIMEZONE="Europe/Berlin", **clock.env) as up:
        assert eventually(lambda: due in map(expected, sweeps(up, "SCHEDULED")), within_s=120), sweeps(up)
        set_clock(due - timedelta(seconds=5))
        assert eventually(lambda: sweeps(up, "COMPLETED"), within_s=120), sweeps(up)
        set_clock(due + timedelta(minutes=59, seconds=50))  # Berlin's clocks are about to show 02:00 again, or 04:00
        time.sleep(40)
        night = [one for one in sweeps(up) if abs(expected(one) - due) < timedelta(hours=20)]
        assert [(expected(one), one["state_type"]) for one in night] == [(due, "COMPLETED")]
        later = [expected(one).astimezone(BERLIN) for one in sweeps(up, "SCHEDULED")[:3]]
        assert [f"{one:%H:%M}" for one in later] == ["02:00"] * 3
        assert [(one.date() - due.astimezone(BERLIN).date()).days for one in later] == [1, 2, 3]


def sweeps(up: Up, *states: str) -> list[dict[str, Any]]:
    """Runs of the nightly sweep."""
    which = {"flow_runs": {"state": {"type": {"any_": list(states)}}}} if states else {}
    runs: list[dict[str, Any]] = up.call("/flow_runs/filter", {**which, "sort": "EXPECTED_START_TIME_ASC"})
    return [one for one in runs if "sweep" in one["tags"]]


def expected(run: dict[str, Any]) -> datetime:
    """When it was to start."""
    return datetime.fromisoformat(run["expected_start_time"])
