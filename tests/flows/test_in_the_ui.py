"""What people see of the flows in Prefect's UI: the form, names, artifacts, logs, events."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
)
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.callables import parameter_schema
from sqlalchemy import URL, text

from flows.coverage_sweep import coverage_sweep
from flows.workflow_published import workflow_published
from runbooks.core.report import SweepReport
from tests.support.hosts import connected, insert_execution, insert_workflow, insert_workspace

NODES = [{"id": "in", "type": "trigger_webhook"}, {"id": "tell", "type": "slack", "config": {"channel": "#ops"}}]
EDGES = [{"id": "e", "source": "in", "target": "tell"}]


@pytest.fixture
def shop(platform: URL) -> URL:
    insert_workspace(platform, slug="shop")
    for name in ("Orders", "Stock", "Returns"):
        insert_workflow(platform, name=name, nodes=NODES, edges=EDGES)
    return platform


def run(**parameters: Any) -> tuple[FlowRun, SweepReport]:
    """Sweep, and what the server knows of the run."""
    state = coverage_sweep(return_state=True, **parameters)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id), state.result()


def eventually(look: Callable[[SyncPrefectClient], list[Any]], *, count: int) -> list[Any]:
    """What the server shows once it has caught up: task runs and events are recorded late."""
    deadline = time.monotonic() + 30
    with get_client(sync_client=True) as client:
        while len(found := look(client)) < count and time.monotonic() < deadline:
            time.sleep(0.2)
    return found


def artifact(key: str) -> str:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return str(max(found, key=lambda one: str(one.created)).data)


def events(client: SyncPrefectClient, name: str) -> list[Any]:
    answer = client.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}}})
    return [event["payload"] for event in answer.json()["events"]]


@pytest.mark.parametrize("flow", [coverage_sweep, workflow_published])
def test_every_parameter_of_the_form_is_typed_and_described(flow: Any) -> None:
    fields = parameter_schema(flow).model_dump()["properties"]
    assert fields
    for name, field in fields.items():
        assert field["description"].endswith("."), name
        assert "type" in field or "anyOf" in field or "enum" in field, name
    assert fields["writer"]["enum"] == ["auto", "llm", "catalogue"]


def test_the_run_and_its_steps_are_named_after_what_they_do(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "2")
    told, _ = run()
    assert told.name.startswith("sweep 20")
    assert told.name.endswith(" · 3 changed")

    def steps(client: SyncPrefectClient) -> list[str]:
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[told.id]))
        return [one.name for one in client.read_task_runs(flow_run_filter=mine, task_run_filter=TaskRunFilter())]

    names = eventually(steps, count=15)
    assert {"write: batch 1 of 2, 2 workflows", "store: batch 2 of 2, 1 workflow"} <= set(names)


def test_a_dry_run_counts_and_writes_nothing(shop: URL) -> None:
    told, report = run(dry_run=True)
    assert (report.changed, report.generated, report.dry_run) == (3, 0, True)
    assert "dry run" in told.name
    tables = ("execution_runbooks", "runbook_generations", "runbook_coverage_snapshots", "runbook_node_history")
    with connected(shop) as connection:
        counts = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}
    assert counts == dict.fromkeys(tables, 0)


def test_a_dry_run_counts_what_history_says_by_now_and_keeps_nothing_of_it(shop: URL) -> None:
    run()
    assert run(dry_run=True)[1].changed == 0
    with connected(shop) as connection:
        workflow = str(connection.execute(text("SELECT id::text FROM workflows WHERE name = 'Orders'")).scalar_one())
    for _ in range(20):
        insert_execution(shop, workflow, node_key="tell", node_type="slack", error="Slack error: invalid_auth")
    assert run(dry_run=True)[1].changed == 1
    with connected(shop) as connection:
        assert connection.execute(text("SELECT count(*) FROM runbook_failure_groups")).scalar_one() == 0
    assert run()[1].generated == 1
    assert run(dry_run=True)[1].changed == 0


def test_the_report_links_each_runbook_and_names_what_failed(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKS_LINK", "https://ops.example.com/{workspace_id}/runbooks/{workflow_id}")
    bad = insert_workflow(shop, name="Bad", nodes='"nothing"')
    run()
    page = artifact("runbook-sweep")
    with connected(shop) as connection:
        places = connection.execute(text("SELECT workspace_id::text, workflow_id::text FROM execution_runbooks")).all()
    assert len(places) == 3
    for workspace, workflow in places:
        assert f"[open](https://ops.example.com/{workspace}/runbooks/{workflow})" in page
    assert f"`{bad}`" in page.split("## No runbook")[1]


def test_without_an_address_the_report_links_runbooks_kept_beside_it(shop: URL) -> None:
    run()
    page = artifact("runbook-sweep")
    with connected(shop) as connection:
        ids = connection.execute(text("SELECT workflow_id::text FROM execution_runbooks")).scalars().all()
    with get_client(sync_client=True) as client:
        for workflow in ids:
            key = ArtifactFilter(key=ArtifactFilterKey(any_=[f"runbook-{workflow}"]))
            (kept,) = client.read_artifacts(artifact_filter=key)
            assert str(kept.data).startswith("# Runbook: ")
            assert f"[open](/artifacts/artifact/{kept.id})" in page


def test_a_single_run_shows_the_runbook_under_the_workflows_own_key(shop: URL) -> None:
    workflow = insert_workflow(shop, name="Invoices", nodes=NODES, edges=EDGES)
    state = workflow_published(f" {workflow} ", return_state=True)
    assert artifact(f"runbook-{workflow}").startswith("# Runbook: Invoices")
    with get_client(sync_client=True) as client:
        run_id = state.state_details.flow_run_id
        assert run_id is not None
        assert client.read_flow_run(run_id).name == "runbook · Invoices"


def test_coverage_that_falls_below_its_target_is_an_event_once(shop: URL) -> None:
    name = "runbooks.coverage.fell-below-target"
    met = {"ai_coverage": 0.9, "target": 0.8}
    with connected(shop) as connection:
        query = "INSERT INTO runbook_coverage_snapshots (taken_at, report) VALUES (now(), CAST(:r AS jsonb))"
        connection.execute(text(query), {"r": json.dumps(met)})
    before = eventually(lambda client: events(client, name), count=0)
    run()
    run()
    told = eventually(lambda client: events(client, name), count=len(before) + 1)
    time.sleep(1)
    assert len(eventually(lambda client: events(client, name), count=0)) == len(before) + 1
    assert told[0] == {"scope": "all", "coverage": 0.0, "target": 0.8, "stale": 0}


def test_a_sweep_that_fails_is_an_event_with_its_reason(platform: URL) -> None:
    insert_workspace(platform, slug="shop")
    insert_workflow(platform, name="Bad", nodes='"nothing"')
    state = coverage_sweep(return_state=True)
    assert state.is_failed()
    run_id = str(state.state_details.flow_run_id)

    def mine(client: SyncPrefectClient) -> list[Any]:
        return [one for one in events(client, "runbooks.sweep.failed") if one["run"] == run_id]

    (told,) = eventually(mine, count=1)
    assert "1 failed" in told["reason"]
