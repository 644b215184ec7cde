import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.api.application import create_app
from app.api.schemas import Written
from runbooks.adapters.requests import ABANDONED, Asked, Outcome, finish_request, open_request
from runbooks.bootstrap import open_database
from runbooks.settings import load_settings
from tests.app.api.conftest import EDGES, NODES, SECRET, Api
from tests.support.hosts import connected, insert_execution, insert_workflow, insert_workspace
from tests.support.llm_server import Answer, LLMServer, Received, good

CONCURRENT = 1000


def requests_made(api: Api) -> list[str]:
    with connected(api.database) as connection:
        query = "SELECT state FROM runbook_requests ORDER BY created_at"
        return list(connection.execute(text(query)).scalars())


def asked(api: Api, *, history: bool = True) -> Asked:
    return Asked(api.workspace, api.workflow, history)


def finished(api: Api, location: str) -> dict[str, Any]:
    """What a status resource says in the end."""
    deadline = time.monotonic() + 20
    while True:
        status: dict[str, Any] = api.client.get(location, headers=api.headers).json()["data"]
        if status["status"] != "running":
            return status
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def elsewhere(api: Api) -> str:
    """A request for the workflow's runbook that another process works on."""
    database = open_database(load_settings())
    with database.begin() as connection:
        request_id, mine = open_request(connection, asked(api), schema=database.schema)
    assert mine
    return request_id


@pytest.fixture
def slow_model(llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A model that answers when the event is set."""
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    answer_now = threading.Event()

    def wait(request: Received) -> Answer:
        answer_now.wait(30)
        return good(request)

    llm_server.default = wait
    yield answer_now
    answer_now.set()


def test_the_answer_has_the_agreed_keys(api: Api) -> None:
    answer = api.generate(json={"include_historical_data": True})
    assert answer.status_code == 200
    Written.model_validate(answer.json())
    runbook = answer.json()["runbook"]
    (section,) = runbook["sections"]
    assert (section["integration"], section["node_key"]) == ("Stripe API", "http_stripe")
    assert {"scenario", "symptoms", "diagnosis", "remediation", "severity"} <= set(section["failure_scenarios"][0])
    assert set(runbook["escalation_matrix"]) == {"low", "medium", "high", "critical"}


def test_the_body_is_optional_and_the_runbook_is_stored(api: Api) -> None:
    title = api.generate().json()["runbook"]["title"]
    assert api.proactive()["title"] == title


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"include_history": True}, "include_history"),
        ({"include_historical_data": "yes"}, "include_historical_data"),
        ({"include_historical_data": 1}, "include_historical_data"),
        ({"include_historical_data": None}, "include_historical_data"),
    ],
)
def test_a_field_that_is_unknown_or_wrong_is_named(api: Api, body: dict[str, object], field: str) -> None:
    answer = api.generate(json=body)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert requests_made(api) == []


def test_history_that_is_not_wanted_leaves_no_trace(api: Api) -> None:
    for _ in range(5):
        insert_execution(api.database, api.workflow, node_key="http_stripe", error="Invalid API Key provided")
    (with_history,) = api.generate().json()["runbook"]["sections"]
    (without,) = api.generate(json={"include_historical_data": False}).json()["runbook"]["sections"]
    assert with_history["failure_scenarios"][0]["evidence"]
    assert "5" in " ".join(with_history["history"])
    assert not any(scenario["evidence"] for scenario in without["failure_scenarios"])
    assert "left out" in " ".join(without["history"])


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
def test_a_workflow_that_is_not_active_has_none(api: Api, change: str) -> None:
    with connected(api.database) as connection:
        connection.execute(text(f"UPDATE workflows SET {change}"))
    assert api.generate().status_code == 404


def test_a_definition_that_cannot_be_read_is_told(api: Api) -> None:
    broken = insert_workflow(api.database, nodes='{"not": "a list"}', name="Broken")
    answer = api.post(f"/workflows/{broken}/ai/generate-runbook")
    assert answer.status_code == 422
    assert broken in answer.json()["message"]


def test_whoever_does_not_want_to_wait_gets_a_status_that_ends_in_the_runbook(api: Api) -> None:
    answer = api.generate(headers={"Prefer": "respond-async, wait=10"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert answer.json()["data"]["status"] in {"running", "completed"}
    status = finished(api, answer.headers["location"])
    assert status["status"] == "completed"
    assert status["runbook"]["sections"][0]["node_key"] == "http_stripe"
    assert status["finished_at"] is not None


def test_a_run_that_takes_too_long_is_answered_with_where_to_look(slow_model: threading.Event, api: Api) -> None:
    api.app.state.runbooks.wait_s = 0.3
    answer = api.generate()
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert answer.json()["data"]["status"] == "running"
    again = api.generate()
    assert again.headers["location"] == answer.headers["location"]
    slow_model.set()
    done = finished(api, answer.headers["location"])
    assert done["runbook"]["ai_generated"]
    assert requests_made(api) == ["completed"]


def test_a_status_of_another_workspace_is_not_there(api: Api) -> None:
    location = api.generate(headers={"Prefer": "respond-async"}).headers["location"]
    other = insert_workspace(api.database, slug="sales")
    headers = {"Authorization": f"Bearer {api.token(workspace=other)}"}
    assert api.client.get(location, headers=headers).status_code == 404
    assert api.client.get(location.replace(api.workspace, other), headers=headers).status_code == 404


def test_a_key_stands_for_one_request(api: Api) -> None:
    first = api.generate(headers={"Idempotency-Key": "k1"})
    again = api.generate(headers={"Idempotency-Key": "k1"})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert api.generate(headers={"Idempotency-Key": "k2"}).status_code == 200
    assert requests_made(api) == ["completed"] * 2


def test_a_key_that_was_used_for_something_else_is_refused(api: Api) -> None:
    api.generate(headers={"Idempotency-Key": "k1"})
    answer = api.generate(headers={"Idempotency-Key": "k1"}, json={"include_historical_data": False})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]


def test_keys_of_different_tokens_have_nothing_to_do_with_each_other(api: Api) -> None:
    api.generate(headers={"Idempotency-Key": "k1"})
    other = {"Idempotency-Key": "k1", "Authorization": f"Bearer {api.token()}"}
    assert "idempotency-replayed" not in api.generate(headers=other).headers


def test_a_key_whose_request_failed_on_our_side_may_be_tried_again(api: Api, elsewhere: str) -> None:
    location = api.generate(headers={"Idempotency-Key": "k1", "Prefer": "respond-async"}).headers["location"]
    assert location.endswith(elsewhere)
    with connected(api.database) as connection:
        finish_request(connection, elsewhere, Outcome(503, message="gone"))
    while api.app.state.runbooks.runs.busy:
        time.sleep(0.05)
    assert api.generate(headers={"Idempotency-Key": "k1"}).status_code == 200


def test_a_request_that_another_process_works_on_is_joined(api: Api, elsewhere: str) -> None:
    def finish() -> None:
        time.sleep(0.3)
        with connected(api.database) as connection:
            finish_request(connection, elsewhere, Outcome(200, '{"runbook":{"title":"from elsewhere"}}'))

    other = threading.Thread(target=finish)
    other.start()
    answer = api.generate()
    other.join()
    assert answer.json() == {"runbook": {"title": "from elsewhere"}}
    assert requests_made(api) == ["completed"]


def test_a_request_whose_process_died_is_done_anew(api: Api, elsewhere: str) -> None:
    with connected(api.database) as connection:
        connection.execute(text("UPDATE runbook_requests SET alive_at = now() - interval '2 minutes'"))
    location = f"/api/v1/workspaces/{api.workspace}/runbook-requests/{elsewhere}"
    dead = api.client.get(location, headers=api.headers).json()["data"]
    assert (dead["status"], dead["message"]) == ("failed", ABANDONED)
    assert api.generate().status_code == 200
    assert requests_made(api) == ["failed", "completed"]


def test_with_and_without_history_are_different_requests(api: Api, elsewhere: str) -> None:
    assert api.generate(json={"include_historical_data": False}).status_code == 200


def test_too_many_workflows_at_once_are_told_to_come_back(slow_model: threading.Event, api: Api) -> None:
    api.app.state.runbooks.runs.limit = 1
    assert api.generate(headers={"Prefer": "respond-async"}).status_code == 202
    other = insert_workflow(api.database, nodes=NODES, edges=EDGES, name="Other")
    answer = api.post(f"/workflows/{other}/ai/generate-runbook")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    slow_model.set()


def test_a_thousand_requests_at_once_for_one_workflow_write_one_runbook(
    api: Api,
) -> None:
    url = f"/api/v1/workspaces/{api.workspace}/workflows/{api.workflow}/ai/generate-runbook"

    async def ask_all() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(load_settings()))
        async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=120) as client:
            return await asyncio.gather(*(client.post(url, headers=api.headers) for _ in range(CONCURRENT)))

    answers = asyncio.run(ask_all())
    assert [answer.status_code for answer in answers] == [200] * CONCURRENT
    # Late ones may come when the first run is over.
    assert 1 <= len(requests_made(api)) <= 20
    assert len({answer.content for answer in answers}) == len(requests_made(api))


def test_the_secret_of_the_webhooks_is_in_no_answer(api: Api) -> None:
    assert SECRET not in api.generate().text
