"""When a sweep is spread over several runs, and what is told; tests/acceptance/test_shards.py has real workers."""

import json
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Pending, Running, Scheduled
from prefect.utilities.callables import parameter_schema
from sqlalchemy import URL

import flows.shards
from flows.coverage_sweep import coverage_sweep
from flows.shards import Spread, require_workers
from runbooks.core.batch import Candidate
from runbooks.core.report import BatchOutcome, SweepReport, combine, lost_batch
from runbooks.errors import SettingsError
from tests.support.hosts import insert_workflow, insert_workspace

CHANGED = [Candidate(f"{number:08d}-0000-4000-8000-000000000000", "", "") for number in range(1000)]


def test_shards_need_a_server_and_one_shard_does_not() -> None:
    with pytest.raises(SettingsError, match="PREFECT_API_URL") as told:
        require_workers(2, server=False)
    assert "\n" not in str(told.value)
    require_workers(1, server=False)
    require_workers(2, server=True)


@pytest.mark.parametrize(
    ("wanted", "changed", "shards"),
    [
        (1, 1000, 1),
        (4, 0, 0),  # nothing to do
        (4, 250, 1),  # one batch: a run takes longer to start than to write it
        (4, 251, 2),
        (4, 1000, 4),
        (100, 1000, 4),
    ],
)
def test_there_are_no_more_shards_than_batches(wanted: int, changed: int, shards: int) -> None:
    parts = Spread(wanted, None).parts(CHANGED[:changed])
    assert len(parts) == shards
    assert sum(map(len, parts.values())) == changed


@pytest.mark.parametrize("shards", [0, 101, "many"])
def test_a_number_of_shards_that_makes_no_sense_is_refused_by_the_form(shards: Any) -> None:
    with pytest.raises(Exception, match="shards"):
        coverage_sweep.validate_parameters({"shards": shards})


def test_the_form_describes_it() -> None:
    field = parameter_schema(coverage_sweep).model_dump()["properties"]["shards"]
    assert "work pool's workers" in field["description"]
    assert (field["minimum"], field["maximum"], field["default"]) == (1, 100, 1)


def test_without_the_deployment_the_sweep_says_what_to_run(platform: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.shards, "NAME", "not-deployed")
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "1")
    insert_workspace(platform, slug="shop")
    for name in ("A", "B", "C", "D", "E", "F"):
        insert_workflow(platform, name=name, nodes=[{"id": "in", "type": "trigger_webhook"}])
    with pytest.raises(SettingsError, match="run `runbooks deploy`"):
        coverage_sweep(shards=6)


def test_shards_that_do_not_start_are_told_of_until_they_do(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(flows.shards, "tell", told.append)
    monkeypatch.setattr(flows.shards, "STALLED_S", 0.0)
    with get_client(sync_client=True) as client:
        runs = [client.create_flow_run(flow(nothing), state=state) for state in (Scheduled(), Pending(), Running())]
    stall = flows.shards._Stall(3)
    stall.tell(runs)
    assert told[0].startswith("2 of 3 shards have not started after 0 s: no worker of the pool is free.")
    stall.tell(runs[2:])
    assert len(told) == 1
    monkeypatch.setattr(flows.shards, "STALLED_S", 1000.0)
    stall.tell(runs)
    assert len(told) == 1, "not again for a while"


def nothing() -> None:
    pass


def test_a_run_that_was_deleted_is_a_lost_shard_and_not_waited_for(prefect_server: Any) -> None:
    with get_client(sync_client=True) as client:
        run: FlowRun = client.create_flow_run(flow(nothing), state=Running())
        client.request("DELETE", f"/flow_runs/{run.id}")
    (ended,) = flows.shards._as_they_end([run.id])
    assert (ended.state, ended.outcome) == ("Deleted", None)


def test_a_lost_shard_is_in_the_sum_and_in_the_json_of_the_report() -> None:
    lost = lost_batch([]).model_copy(update={"failed_shards": ("2/4 ended as Crashed",)})
    summed = combine([BatchOutcome(generated=3), lost])
    assert (summed.generated, summed.failed_shards) == (3, ("2/4 ended as Crashed",))
    assert BatchOutcome.model_validate(json.loads(summed.model_dump_json())) == summed
    assert "failed_shards" in SweepReport.model_fields
