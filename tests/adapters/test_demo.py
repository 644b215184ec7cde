import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from runbooks.adapters.catalogue_files import load_catalogue, load_classifier
from runbooks.adapters.history import refresh_history
from runbooks.adapters.incidents import read_incidents
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import count_active, read_node_catalogue, read_workspace_settings
from runbooks.adapters.schema import inspect_schema, upgrade
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.classifier import ErrorFacts
from runbooks.core.escalation import escalation_from
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integrations import extract_integrations
from runbooks.core.markdown import to_markdown
from runbooks.demo.company import read_company
from runbooks.demo.fake_secrets import planted_secrets
from runbooks.demo.faults import Fault
from runbooks.demo.load import NotStandalone, load_demo
from runbooks.demo.stories import drifts, stories
from runbooks.demo.weather import worded
from tests.benchmarks.many_workflows import scale
from tests.support.hosts import connected
from tests.support.postgres import create_database, drop_database
from tests.support.snapshot import rows_of

NOW = datetime(2026, 3, 18, 14, 40, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(postgres_server: URL, _template: URL) -> Iterator[URL]:
    """A database with the demo in it, shared by tests that only read."""
    assert _template.database is not None
    url = create_database(postgres_server, template=_template.database)
    with connected(url) as connection:
        load_demo(connection, now=NOW)
    yield url
    drop_database(postgres_server, url)


def test_the_demo_fills_every_table_of_the_platform(database: URL) -> None:
    with connected(database) as connection:
        summary = load_demo(connection, now=NOW)
    rows = rows_of(database)
    assert summary.created
    assert summary.workflows == 13
    assert summary.executions == len(rows["executions"]) > 3000
    assert summary.attempts == len(rows["connector_call_attempts"]) > 3000
    ours = {name for name in rows if name.startswith("runbook_")}
    assert [name for name, found in rows.items() if not found and name not in ours] == []


def test_loading_twice_changes_nothing_and_says_so(database: URL) -> None:
    with connected(database) as connection:
        first = load_demo(connection, now=NOW)
    before = rows_of(database)
    with connected(database) as connection:
        second = load_demo(connection, now=NOW + timedelta(days=3), seed=8)
    assert rows_of(database) == before
    assert (first.created, second.created) == (True, False)
    assert (second.workspace_id, second.executions) == (first.workspace_id, first.executions)


def test_the_same_time_and_seed_load_the_same_rows(database: URL, empty_database: URL) -> None:
    upgrade(empty_database)
    for url in (database, empty_database):
        with connected(url) as connection:
            load_demo(connection, now=NOW)
    one, other = rows_of(database), rows_of(empty_database)
    for table in ("workflows", "executions", "execution_nodes", "connector_call_attempts", "execution_runbooks"):
        assert one[table] == other[table], table


def test_two_that_load_at_once_load_it_once(database: URL) -> None:
    def load(_: int) -> bool:
        with connected(database) as connection:
            return load_demo(connection, now=NOW).created

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(load, range(2))) == [False, True]


@pytest.mark.parametrize("host", ["older_host", "newer_host"])
def test_a_real_platform_is_refused_and_left_as_it_is(host: str, request: pytest.FixtureRequest) -> None:
    url: URL = request.getfixturevalue(host)
    upgrade(url)
    before = rows_of(url)
    with pytest.raises(NotStandalone, match="belongs to a platform"), connected(url) as connection:
        load_demo(connection, now=NOW)
    assert rows_of(url) == before


def test_inactive_and_deleted_workflows_do_not_count_as_active(demo: URL) -> None:
    with connected(demo) as connection:
        schema = inspect_schema(connection)
        everything = connection.execute(text("SELECT count(*) FROM workflows")).scalar_one()
        assert (count_active(connection, schema=schema), everything) == (13, 16)


def test_the_row_of_a_workflow_holds_what_its_current_version_holds(demo: URL) -> None:
    with connected(demo) as connection:
        different = connection.execute(
            text(
                "SELECT count(*) FROM workflows w LEFT JOIN workflow_versions v ON v.id = w.current_version_id"
                " WHERE v.id IS NULL OR v.nodes::text <> w.nodes::text OR v.workflow_id <> w.id"
            )
        ).scalar_one()
    assert different == 0


def test_counters_of_workflows_are_those_of_their_executions(demo: URL) -> None:
    with connected(demo) as connection:
        wrong = connection.execute(
            text(
                "SELECT w.name FROM workflows w LEFT JOIN LATERAL (SELECT count(*) AS n FROM executions"
                " WHERE workflow_id = w.id) e ON true WHERE w.execution_count <> e.n"
            )
        ).all()
    assert wrong == []


def test_the_escalation_matrix_and_the_node_catalogue_can_be_read(demo: URL) -> None:
    with connected(demo) as connection:
        workspace_id = read_company().workspace.id
        schema = inspect_schema(connection)
        settings = read_workspace_settings(connection, [workspace_id], schema=schema)[workspace_id]
        catalogue = read_node_catalogue(connection)
    assert "PagerDuty" in escalation_from(settings)["high"]
    assert "Mara Lindqvist" in escalation_from(settings)["critical"]
    assert catalogue["integration_github"].credential_type == "github"


def test_there_are_enough_incidents_to_measure_repair_times(demo: URL) -> None:
    with connected(demo) as connection:
        incidents = list(read_incidents(connection, since=NOW - timedelta(days=180), workspace_id=None))
    assert sum(incident.duration_s is not None for incident in incidents) >= 30
    assert not any(incident.with_runbook for incident in incidents)
    hours = sorted((incident.duration_s or 0) / 3600 for incident in incidents)
    assert hours[0] < 1
    assert 4 < hours[-1] < 8 * 24


def test_only_the_refund_approval_has_no_integration() -> None:
    without = [
        demo.file
        for demo in read_company().workflows
        if demo.runs and not extract_integrations(demo.workflow, knowledge=load_node_knowledge())
    ]
    assert without == ["refund_approval"]


def test_no_planted_secret_gets_into_a_runbook() -> None:
    writer = CatalogueWriter(load_catalogue())
    written = ""
    for demo in read_company().workflows:
        integrations = extract_integrations(demo.workflow, knowledge=load_node_knowledge())
        runbook = writer.write(Facts(workflow=demo.workflow, integrations=integrations))
        written += to_markdown(runbook) + runbook.model_dump_json()
    assert "http_stripe" in written
    assert [secret for secret in planted_secrets() if secret in written] == []


def test_no_planted_secret_gets_into_the_history_that_is_kept(database: URL) -> None:
    with connected(database) as connection:
        load_demo(connection, now=NOW)
        refresh_history(connection, days=30, now=NOW)
        raw = "".join(
            connection.execute(text("SELECT error::text FROM execution_nodes WHERE error IS NOT NULL")).scalars()
        )
    rows = rows_of(database)
    kept = "".join(rows["runbook_failure_groups"] + rows["runbook_node_history"])
    assert [secret for secret in planted_secrets() if secret in raw]
    assert "no such host" in kept
    assert [secret for secret in planted_secrets() if secret in kept] == []


MEANT = {
    "Stripe key rotated": {FailureClass.AUTH_FAILED},
    "Fernroute's new schema": {FailureClass.INVALID_REQUEST, FailureClass.UNEXPECTED_RESPONSE},
    "Mailbox locked": {FailureClass.AUTH_FAILED},
    "Name service": {FailureClass.NETWORK},
    "Warehouse moved": {FailureClass.NETWORK},
    "OpenAI limit": {FailureClass.RATE_LIMITED},
    "OpenAI credits used up": {FailureClass.QUOTA_OR_BILLING},
    "#product archived": {FailureClass.CONFLICT},
    "Sales sheet moved": {FailureClass.PERMISSION_DENIED},
    "HubSpot on Mondays": {FailureClass.RATE_LIMITED},
}


def told() -> list[tuple[str, tuple[str, str], Fault, set[FailureClass]]]:
    """Every fault of a story or drift: (title, place, fault, classes that it may be)."""
    found = [(one.title, one.place, fault, MEANT[one.title]) for one in stories(NOW) for fault in one.faults]
    slow = [("drift", one.place, fault, {FailureClass.TIMEOUT}) for one in drifts() for fault in one.faults]
    return found + slow


@pytest.mark.parametrize(("title", "place", "fault", "meant"), told())
def test_the_faults_of_a_story_are_classified_as_meant(
    title: str, place: tuple[str, str], fault: Fault, meant: set[FailureClass]
) -> None:
    workflow = read_company().find(place[0]).workflow
    services = {one.node_key: one.service_id for one in extract_integrations(workflow, knowledge=load_node_knowledge())}
    error = ErrorFacts(
        service=services.get(place[1]),
        status=fault.status or None,
        status_code=fault.status_code,
        error_code=fault.error_code,
        message=worded(fault.detail or fault.message, workflow.node(place[1]), 1),
    )
    assert load_classifier().classify(error) in meant, title


def test_clones_for_benchmarks_are_active_and_different(database: URL) -> None:
    with connected(database) as connection:
        scale(connection, workflows=200)
        schema = inspect_schema(connection)
        assert count_active(connection, schema=schema) == 200
        distinct = connection.execute(
            text(
                "SELECT count(DISTINCT md5(name || nodes::text)) FROM workflows WHERE is_active AND deleted_at IS NULL"
            )
        ).scalar_one()
        assert distinct == 200


def test_the_definitions_and_the_company_are_part_of_the_package() -> None:
    folder = files("runbooks.demo")
    names = {Path(str(entry)).stem for entry in folder.joinpath("workflows").iterdir()}
    assert names == {demo.file for demo in read_company().workflows}
    for name in names:
        document = json.loads(folder.joinpath("workflows", f"{name}.json").read_text())
        assert {"name", "nodes", "edges"} <= set(document)
