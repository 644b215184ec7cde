import time

from fastapi.testclient import TestClient
from sqlalchemy import URL, text

from app.api.application import create_app
from runbooks.bootstrap import open_database
from runbooks.settings import load_settings
from tests.app.api.conftest import Api
from tests.support.postgres import _admin


def rename(server: URL, old: str, new: str) -> None:
    """Take a database away from everybody who uses it."""
    with _admin(server) as engine, engine.connect() as connection:
        stop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(f'ALTER DATABASE "{old}" WITH ALLOW_CONNECTIONS false'))
        connection.execute(text(stop), {"name": old})
        deadline = time.monotonic() + 10
        while True:
            try:
                connection.execute(text(f'ALTER DATABASE "{old}" RENAME TO "{new}"'))
                break
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        connection.execute(text(f'ALTER DATABASE "{new}" WITH ALLOW_CONNECTIONS true'))


def test_the_api_says_that_it_is_alive_and_ready(api: Api) -> None:
    assert api.client.get("/healthz").json() == {"status": "ok"}
    assert api.client.get("/readyz").json() == {"status": "ready"}


def test_a_database_that_goes_away_is_told_and_its_return_is_noticed(api: Api, postgres_server: URL) -> None:
    name = str(api.database.database)
    rename(postgres_server, name, f"{name}_gone")
    try:
        assert api.client.get("/healthz").status_code == 200
        for answer in (api.client.get("/readyz"), api.get("/runbooks"), api.generate()):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json() == {"message": "The database cannot be reached just now.", "errors": {}}
        assert "runbooks_database_up 0.0" in api.client.get("/metrics").text
    finally:
        rename(postgres_server, f"{name}_gone", name)
    assert api.get("/runbooks").status_code == 200
    assert api.generate().status_code == 200
    assert "runbooks_database_up 1.0" in api.client.get("/metrics").text


def test_a_database_that_is_not_migrated_is_told(empty_database: URL, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", empty_database.render_as_string(hide_password=False))
    settings = load_settings()
    client = TestClient(create_app(settings))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "runbooks migrate" in answer.json()["message"]
    assert client.get("/api/v1/workspaces/1/runbooks").status_code == 503
    open_database(settings).close()


def test_metrics_count_requests_by_pattern_and_name_nobody(api: Api) -> None:
    api.proactive()
    api.client.get(f"/made/up/{api.workspace}")
    shown = api.client.get("/metrics")
    assert shown.headers["content-type"].startswith("text/plain")
    lines = shown.text.splitlines()
    assert 'runbooks_stored{writer="catalogue"} 1.0' in lines
    assert 'runbooks_runs_total{flow="workflow-published",outcome="completed"} 1.0' in lines
    assert any('route="unmatched",status="404"' in line for line in lines)
    assert any("/workflows/{workflow}/ai/generate-runbook" in line and line.endswith(" 1.0") for line in lines)
    for name in (api.workspace, api.workflow, "Order Processing"):
        assert name not in shown.text
