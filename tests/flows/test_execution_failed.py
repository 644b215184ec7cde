import asyncio
import json
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from sqlalchemy import URL, text

from flows.execution_failed import execution_failed
from runbooks.core.incident import Incident
from runbooks.errors import ExecutionNotFailed, ExecutionNotFound, WorkflowNotFound
from tests.support.hosts import connected, insert_execution, insert_workflow, insert_workspace

NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {
        "id": "http_stripe",
        "type": "action_http_request",
        "data": {"label": "Charge", "config": {"url": "https://api.stripe.com/v1/charges", "method": "POST"}},
    },
]
EDGES = [{"id": "e", "source": "in", "target": "http_stripe"}]


@pytest.fixture
def workflow(platform: URL) -> str:
    insert_workspace(platform, slug="shop")
    return insert_workflow(platform, name="Orders", nodes=NODES, edges=EDGES)


def fail(url: URL, workflow: str, error: str | None = "Invalid API Key provided") -> str:
    insert_execution(url, workflow, node_key="http_stripe", error=error)
    with connected(url) as connection:
        query = "SELECT id::text FROM executions ORDER BY created_at DESC, ctid DESC LIMIT 1"
        return str(connection.execute(text(query)).scalar_one())


def run(execution_id: str) -> Incident:
    incident: Incident = execution_failed(execution_id)
    return incident


def stored(url: URL) -> list[Any]:
    query = "SELECT execution_id::text, type, status, title, sections FROM execution_runbooks"
    with connected(url) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


async def artifact() -> Any:
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["incident-runbook"])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )
        assert found[0].flow_run_id is not None
        flow_run = await client.read_flow_run(found[0].flow_run_id)
        return found[0].data, flow_run.name


def test_a_failed_execution_gets_its_row_and_the_ui_its_page(platform: URL, workflow: str) -> None:
    execution = fail(platform, workflow)
    incident = run(execution)
    assert incident.outcome == "created"
    ((of, kind, status, title, sections),) = stored(platform)
    assert (of, kind, status) == (execution, "reactive", "open")
    assert title == "Stripe API: authentication failed at Charge"
    assert sections[0]["failure_scenarios"][0]["failure_class"] == "auth_failed"
    page, name = asyncio.run(artifact())
    assert page.startswith("# Stripe API: authentication failed at Charge")
    assert name == f"explain failed execution {execution}"


def test_a_second_run_changes_nothing(platform: URL, workflow: str) -> None:
    execution = fail(platform, workflow)
    run(execution)
    before = stored(platform)
    assert run(execution).outcome == "unchanged"
    assert stored(platform) == before


def test_what_cannot_be_explained_is_a_typed_error(platform: URL, workflow: str) -> None:
    with pytest.raises(ExecutionNotFound):
        run("00000000-0000-4000-8000-000000000000")
    with pytest.raises(ExecutionNotFound):
        run("not an id")
    with pytest.raises(ExecutionNotFailed):
        run(fail(platform, workflow, error=None))
    with connected(platform) as connection:
        connection.execute(text("UPDATE workflows SET is_active = false"))
    with pytest.raises(WorkflowNotFound):
        run(fail(platform, workflow))
    assert stored(platform) == []


def test_the_parameter_says_what_it_is() -> None:
    described = json.dumps(execution_failed.parameters.model_dump()["properties"]["execution_id"])
    assert "Id of the failed execution as the platform shows it." in described
    assert '"string"' in described
