from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.incidents import read_incidents
from tests.support.history import NOW, add_execution, add_workflow, add_workspace, insert_row

START = NOW - timedelta(days=10)
MINUTE = timedelta(minutes=1)


def play(connection: Connection, workflow: str, runs: str, *, start: datetime = START, **values: Any) -> None:
    """One execution a minute: `c`ompleted, `f`ailed, `x` cancelled, `w`aiting, `r`: a replay that completed."""
    status = {"c": "completed", "f": "failed", "x": "cancelled", "w": "waiting", "r": "completed"}
    for number, run in enumerate(runs):
        add_execution(
            connection,
            workflow,
            start + number * MINUTE,
            status=status[run],
            is_deterministic_replay=run == "r",
            **values,
        )


def durations(connection: Connection, **scope: Any) -> list[float | None]:
    found = read_incidents(connection, since=NOW - timedelta(days=180), **{"workspace_id": None, **scope})
    return [incident.duration_s for incident in found]


@pytest.fixture
def workflow(standalone: Connection) -> str:
    return add_workflow(standalone, add_workspace(standalone))


@pytest.mark.parametrize(
    ("runs", "minutes"),
    [
        ("", []),
        ("ccc", []),
        ("cfc", [1]),
        ("cfffc", [3]),
        ("cfcfc", [1, 1]),
        ("cf", [None]),  # open
        ("cfcff", [1, None]),
        ("ff", []),  # never worked
        ("fc", []),  # failed from the first run on: nobody knows since when
        ("fcfc", [1]),
        ("cfrxwc", [4]),  # replays, cancelled and waiting runs mend nothing
        ("crfc", [1]),
    ],
)
def test_incident_runs_from_the_first_failure_to_the_next_success(
    standalone: Connection, workflow: str, runs: str, minutes: list[int | None]
) -> None:
    play(standalone, workflow, runs)
    expected = [None if minute is None else minute * 60 for minute in minutes]
    assert sorted(durations(standalone), key=lambda value: value or 0) == sorted(expected, key=lambda value: value or 0)


def test_workflows_do_not_mix(standalone: Connection, workflow: str) -> None:
    other = add_workflow(standalone, add_workspace(standalone, "other"))
    play(standalone, workflow, "cff")
    play(standalone, other, "ccc", start=START + timedelta(seconds=30))
    assert durations(standalone) == [None]


def test_runs_count_when_they_end(standalone: Connection, workflow: str) -> None:
    play(standalone, workflow, "c")
    add_execution(standalone, workflow, START + MINUTE, status="failed", finished_at=START + 20 * MINUTE)
    add_execution(standalone, workflow, START + 2 * MINUTE, finished_at=START + 3 * MINUTE)
    add_execution(standalone, workflow, START + 4 * MINUTE, finished_at=START + 25 * MINUTE)
    assert durations(standalone) == [300]


def test_execution_without_times_of_its_own_counts_by_its_row(standalone: Connection, workflow: str) -> None:
    play(standalone, workflow, "cfc", started_at=None, finished_at=None)
    assert durations(standalone) == [60]


def test_only_what_is_in_reach_is_looked_at(standalone: Connection, workflow: str) -> None:
    play(standalone, workflow, "cfc", start=NOW - timedelta(days=200))
    assert durations(standalone) == []


def test_incidents_are_read_for_one_workspace_on_every_platform(connection: Connection) -> None:
    here, there = add_workspace(connection, "here"), add_workspace(connection, "there")
    play(connection, add_workflow(connection, here), "cffc")
    play(connection, add_workflow(connection, there), "cfc")
    assert durations(connection, workspace_id=here) == [120]
    assert durations(connection, workspace_id=there) == [60]


def test_runbook_counts_when_it_was_there_before_the_incident_on_every_platform(connection: Connection) -> None:
    workspace = add_workspace(connection)
    workflow = add_workflow(connection, workspace)
    play(connection, workflow, "cfc")
    play(connection, workflow, "cffc", start=START + timedelta(days=2))
    insert_row(
        connection, "execution_runbooks", workspace_id=workspace, workflow_id=workflow, type="proactive",
        severity="low", title="t", summary="s", steps=[], status="resolved", created_at=START + timedelta(days=1),
    )  # fmt: skip
    found = read_incidents(connection, since=NOW - timedelta(days=180), workspace_id=workspace)
    assert sorted((incident.with_runbook, incident.duration_s) for incident in found) == [(False, 60), (True, 120)]


def test_reactive_runbook_of_an_incident_is_no_proactive_one(standalone: Connection, workflow: str) -> None:
    play(standalone, workflow, "cfc")
    workspace = standalone.execute(text("SELECT workspace_id::text FROM workflows")).scalar_one()
    insert_row(
        standalone, "execution_runbooks", workspace_id=workspace, workflow_id=workflow, severity="low", title="t",
        summary="s", steps=[], created_at=START,
    )  # fmt: skip
    (incident,) = read_incidents(standalone, since=NOW - timedelta(days=180), workspace_id=None)
    assert not incident.with_runbook
