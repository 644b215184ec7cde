"""What an operator does with the platform's own database, of either generation: the commands, one after another."""

import json
from typing import Any

import pytest
from sqlalchemy import URL, text

from tests.support.commands import runbooks
from tests.support.hosts import connected, insert_workflow
from tests.support.prefect import PrefectServer
from tests.support.snapshot import everything_of


@pytest.fixture(params=["older_host", "newer_host"])
def host(request: pytest.FixtureRequest, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> URL:
    url: URL = request.getfixturevalue(request.param)
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", url.render_as_string(hide_password=False))
    return url


def sweep(*arguments: str, code: int = 0) -> dict[str, Any]:
    done = runbooks("sweep", "--json", *arguments)
    assert done.returncode == code, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def row_versions(url: URL) -> list[Any]:
    """Which transaction wrote each stored row last."""
    query = "SELECT id::text, xmin::text FROM execution_runbooks ORDER BY 1"
    with connected(url) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def change(url: URL, statement: str) -> None:
    with connected(url) as connection:
        connection.execute(text(statement))


def test_from_migrate_to_migrate_down(host: URL) -> None:
    before = everything_of(host)
    assert runbooks("migrate").returncode == 0
    assert "up to date" in runbooks("migrate").stdout

    first = sweep()
    assert first["workflows_active"] == first["generated"] == first["changed"] > 1
    assert first["failed"] == []
    assert first["coverage"]["proactive_coverage"] == 1.0

    written = row_versions(host)
    again = sweep()
    assert (again["changed"], again["generated"], again["unchanged"]) == (0, 0, first["workflows_active"])
    assert row_versions(host) == written

    change(host, "UPDATE workflows SET execution_count = execution_count + 7, updated_at = now() AT TIME ZONE 'UTC'")
    assert sweep()["changed"] == 0
    assert row_versions(host) == written

    change(
        host,
        "UPDATE workflows SET nodes = replace(nodes::text, '/v1/charges', '/v1/refunds')::json "
        "WHERE name = 'Order Processing Pipeline'",
    )
    assert sweep()["generated"] == 1

    refused = runbooks("migrate", "--down")
    assert refused.returncode == 2
    assert f"deletes {first['generated']} proactive runbooks" in refused.stderr
    assert runbooks("migrate", "--down", "--yes").returncode == 0
    after = everything_of(host)
    assert {name: after[name] for name in after if name != "rows"} == {
        name: before[name] for name in before if name != "rows"
    }
    untouched = {table for table in before["rows"] if table != "workflows"}
    assert {table: after["rows"][table] for table in untouched} == {table: before["rows"][table] for table in untouched}
    assert set(after["rows"]) == set(before["rows"])


def test_reactive_rows_stay_as_they_are(host: URL) -> None:
    query = "SELECT to_jsonb(r) - '{type,ai_generated,sections,workflow_id}'::text[] FROM execution_runbooks r"
    with connected(host) as connection:
        before = list(connection.exec_driver_sql(query).scalars())
    runbooks("migrate")
    sweep()
    with connected(host) as connection:
        after = list(connection.exec_driver_sql(f"{query} WHERE type = 'reactive'").scalars())
    assert before
    assert after == before


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        ('"no list"', "[]"),
        ("[1, 2, null]", "[]"),
        ("[" * 600 + "]" * 600, "[]"),
    ],
)
def test_a_definition_that_cannot_be_read_is_reported_and_the_rest_goes_on(host: URL, nodes: str, edges: str) -> None:
    broken = insert_workflow(host, nodes=nodes, edges=edges, name="Broken")
    runbooks("migrate")
    report = sweep(code=1)
    assert [failed["workflow_id"] for failed in report["failed"]] == [broken]
    assert report["failed"][0]["reason"]
    assert report["generated"] == report["workflows_active"] - 1


def test_show_and_coverage_need_no_prefect(host: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    runbooks("migrate")
    sweep()
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # nobody listens there
    coverage = json.loads(runbooks("coverage", "--json").stdout)
    assert coverage["active_workflows"] == coverage["with_proactive_runbook"] > 1
    with connected(host) as connection:
        query = "SELECT id::text FROM workflows WHERE name = 'Order Processing Pipeline'"
        workflow_id = connection.exec_driver_sql(query).scalar_one()
    shown = json.loads(runbooks("show", workflow_id, "--format", "json").stdout)
    assert shown["title"] == "Runbook: Order Processing Pipeline"
    stripe = next(section for section in shown["sections"] if section["node_key"] == "http_stripe")
    assert stripe["integration"] == "Stripe API"
    assert {"scenario", "symptoms", "diagnosis", "remediation", "severity"} <= set(stripe["failure_scenarios"][0])
    assert {"low", "medium", "high", "critical"} <= set(shown["escalation_matrix"])
