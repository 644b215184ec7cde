"""A sweep that is too late or takes too long says so, and goes on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import Log
from prefect.flow_engine import run_flow_sync
from prefect.states import Scheduled
from sqlalchemy import URL

from flows.coverage_sweep import coverage_sweep
from flows.punctuality import LATE, OVERDUE, lateness
from tests.flows.test_in_the_ui import artifact, events, eventually, run, shop
from tests.support.llm_server import LLMServer

__all__ = ["shop"]  # a fixture

NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def overdue(run_id: str, *, count: int = 1) -> list[Any]:
    """The events of a run, once there are so many."""
    return eventually(lambda client: [one for one in events(client, OVERDUE) if one["run"] == run_id], count=count)


@pytest.mark.parametrize(
    ("waited", "remark"),
    [
        (timedelta(minutes=40), "it was due 40 minutes before it started; was a worker there and free?"),
        (LATE, None),
        (timedelta(minutes=-60), None),  # the clock was set back meanwhile
    ],
)
def test_a_start_is_late_only_well_after_its_time(waited: timedelta, remark: str | None) -> None:
    assert lateness(NOW, NOW - waited) == remark
    assert lateness(NOW, None) is None


def test_a_sweep_that_starts_late_says_so_in_its_report_and_as_an_event(shop: URL) -> None:
    with get_client(sync_client=True) as client:
        due = datetime.now(UTC) - timedelta(minutes=40)
        waiting = client.create_flow_run(coverage_sweep, state=Scheduled(scheduled_time=due))
        state: Any = run_flow_sync(coverage_sweep, flow_run=waiting, return_type="state")
    (remark,) = state.result().remarks
    assert remark.startswith("it was due 40 minutes before it started")
    assert f"This sweep: {remark}." in artifact("runbook-sweep")
    assert [one["reason"] for one in overdue(str(waiting.id))] == [remark]


def test_a_sweep_that_takes_too_long_says_so_while_it_runs_and_is_finished_all_the_same(
    shop: URL, llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm_server.delay_s = 1.0
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_LLM_CONCURRENCY", "1")
    monkeypatch.setenv("RUNBOOKS_SWEEP_MAX_HOURS", "0.0003")
    told, report = run()
    assert report.generated == 3
    (remark,) = report.remarks
    assert remark.startswith("it takes longer than 0.0003 h (RUNBOOKS_SWEEP_MAX_HOURS) and goes on")
    assert "This sweep: it takes longer" in artifact("runbook-sweep")
    assert [one["reason"] for one in overdue(str(told.id))] == [remark]

    of_run = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[told.id]))
    done = "3 of 3 workflows; 3 generated, 0 failed"

    def logs(client: SyncPrefectClient) -> list[Log]:
        found = client.read_logs(log_filter=of_run)
        return found if any(one.message == done for one in found) else []

    said = [one.message for one in sorted(eventually(logs, count=1), key=lambda one: one.timestamp)]
    assert remark in said[: said.index(done)], "before the work was done"


def test_a_sweep_in_time_has_no_remark(shop: URL) -> None:
    told, report = run()
    assert report.remarks == ()
    assert "This sweep:" not in artifact("runbook-sweep")
    assert overdue(str(told.id), count=0) == []
