"""Versions of runbooks on each kind of database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.schema import inspect_schema
from runbooks.adapters.store import read_runbook, upsert_runbooks
from runbooks.adapters.versions import KEPT, Version, read_version, read_versions
from runbooks.core.batch import Generated
from runbooks.core.runbook import Provenance, Runbook
from tests.support.history import add_workflow, add_workspace
from tests.support.order_workflow import make_runbook, make_scenario, make_section
from tests.support.stored import make_generated

NOTHING_NEW = "requested"


class Store:
    """A workspace with one workflow."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema = inspect_schema(connection)
        self.workspace_id = add_workspace(connection)
        self.workflow_id = add_workflow(connection, self.workspace_id)


@pytest.fixture
def store(connection: Connection) -> Store:
    """On a database of each kind."""
    return Store(connection)


def written(store: Store, number: int, *, runbook: Runbook | None = None, writer: str = "llm") -> Generated:
    made = Provenance(
        fingerprint=f"f{number}", definition_hash=f"d{number}", writer=writer, model="m", prompt_version="p",
        catalogue_version="c", generated_at=datetime.now(UTC),
    )  # fmt: skip
    runbook = (runbook or make_runbook(title=f"Version {number}")).model_copy(update={"provenance": made})
    return make_generated(store.workflow_id, store.workspace_id, runbook=runbook)


def put(store: Store, *batch: Generated) -> None:
    upsert_runbooks(store.connection, batch, schema=store.schema)


def versions(store: Store) -> list[Version]:
    return read_versions(store.connection, store.workflow_id, schema=store.schema)


def acknowledge(store: Store) -> None:
    store.connection.execute(text("UPDATE execution_runbooks SET status = 'acknowledged', acknowledged_at = now()"))


def status(store: Store) -> tuple[str, bool]:
    query = "SELECT status, acknowledged_at FROM execution_runbooks WHERE type = 'proactive'"
    row = store.connection.execute(text(query)).one()
    return row[0], row[1] is not None


def test_each_version_can_be_read_again(store: Store) -> None:
    for number in (1, 2, 3):
        put(store, written(store, number))
    assert [one.version for one in versions(store)] == [3, 2, 1]
    assert [one.reason for one in versions(store)] == ["definition", "definition", "first"]
    assert [one.is_current for one in versions(store)] == [True, False, False]
    for number in (1, 2, 3):
        kept = read_version(store.connection, store.workflow_id, number, schema=store.schema)
        assert kept is not None
        assert kept.title == f"Version {number}"
        assert kept.sections == make_runbook().sections
    assert read_version(store.connection, store.workflow_id, 4, schema=store.schema) is None


def test_the_same_written_by_the_catalogue_again_is_no_new_version(store: Store) -> None:
    put(store, written(store, 1, writer="catalogue"))
    put(store, written(store, 1, writer="catalogue"))
    assert len(versions(store)) == 1


def test_a_model_that_is_asked_again_writes_a_new_version(store: Store) -> None:
    put(store, written(store, 1))
    put(store, written(store, 1))
    assert [one.reason for one in versions(store)] == [NOTHING_NEW, "first"]


def test_only_so_many_versions_are_kept(store: Store) -> None:
    for number in range(KEPT + 5):
        put(store, written(store, number))
    assert [one.version for one in versions(store)] == list(range(KEPT + 5, 5, -1))


def test_what_somebody_acknowledged_is_open_again_when_it_says_something_else(store: Store) -> None:
    put(store, written(store, 1))
    acknowledge(store)
    changed = make_runbook(sections=(make_section(failure_scenarios=(make_scenario(diagnosis=("Look elsewhere.",)),)),))
    put(store, written(store, 2, runbook=changed))
    assert status(store) == ("open", False)
    latest, before = versions(store)
    assert (latest.status, before.status) == ("open", "acknowledged")
    assert before.acknowledged_at is not None
    assert latest.acknowledged_at is None


def test_what_somebody_acknowledged_stays_so_while_only_figures_move(store: Store) -> None:
    put(store, written(store, 1, runbook=make_runbook()))
    acknowledge(store)
    section = make_section(history=("500 calls in the last 30 days, 13 failed (2.6%).",))
    put(store, written(store, 2, runbook=make_runbook(sections=(section, make_runbook().sections[1]))))
    assert status(store) == ("acknowledged", True)
    assert len(versions(store)) == 2


def test_a_row_that_nobody_acknowledged_keeps_its_status(store: Store) -> None:
    put(store, written(store, 1))
    put(store, written(store, 2))
    assert status(store) == ("resolved", False)


def test_what_a_version_was_made_with_is_told(store: Store) -> None:
    put(store, replace(written(store, 1), cost_usd=0.5, calls=2, server="models.test", failed_checks={"grounded": 1}))
    (version,) = versions(store)
    assert (version.writer, version.model) == ("llm", "m")
    told = version.provenance
    assert (told["cost_usd"], told["calls"], told["server"]) == (0.5, 2, "models.test")
    assert told["failed_checks"] == {"grounded": 1}


def test_versions_go_with_their_runbook(store: Store) -> None:
    put(store, written(store, 1))
    store.connection.execute(text("DELETE FROM execution_runbooks WHERE type = 'proactive'"))
    assert store.connection.execute(text("SELECT count(*) FROM runbook_versions")).scalar_one() == 0


@pytest.mark.parametrize("number", [1, 2])
def test_the_current_runbook_is_the_latest_version(store: Store, number: int) -> None:
    for one in range(1, number + 1):
        put(store, written(store, one))
    current = read_runbook(store.connection, store.workflow_id, schema=store.schema)
    assert current == read_version(store.connection, store.workflow_id, number, schema=store.schema)
