"""The whole way from the platform's rows to reliability, held against a plain computation over random rows."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from runbooks.adapters.catalogue_files import load_classifier
from runbooks.adapters.history import refresh_history
from runbooks.adapters.metrics import read_history
from runbooks.adapters.schema import inspect_schema
from runbooks.core.reliability import Reliability
from runbooks.core.reliability_figures import TIMEOUT_COLUMN, WANTED_COLUMNS, reliabilities
from tests.support.history import NOW, add_execution, add_run, add_workflow, add_workspace
from tests.support.reference import Attempt, Run, expected

DAYS = 30
CLASSIFY = load_classifier().classify
TIMEOUTS = {"n1": 30.0, "n2": None, "s1": 5.0}
TYPES = {"n1": "action_http_request", "n2": "action_http_request", "s1": "action_slack"}
MONDAY_NINE = (NOW - timedelta(days=1)).replace(hour=9)
ERRORS = [
    ("timeout", None, "HTTP_TIMEOUT", "context deadline exceeded"),
    ("server_error", 503, None, "server error: status 503"),
    ("client_error", 429, None, "too many requests"),
    ("client_error", 401, "invalid_api_key", None),
    ("network_error", None, None, "connection refused"),
    ("client_error", None, None, "Something odd"),
]

moments = st.one_of(
    # Mondays at nine, so that patterns come up; and any time, also outside the window and at its edges.
    st.builds(
        lambda week, minute: MONDAY_NINE - timedelta(weeks=week, minutes=-minute), st.integers(0, 3), st.integers(0, 59)
    ),
    st.builds(lambda minutes: NOW - timedelta(minutes=minutes), st.integers(-60, 60 * 24 * 33)),
    st.sampled_from([NOW, NOW - timedelta(days=DAYS), NOW - timedelta(days=7.5)]),
)
durations = st.one_of(st.none(), st.integers(0, 40_000))


@st.composite
def attempts(draw: st.DrawFn, executions: list[bool]) -> Attempt:
    execution = draw(st.integers(0, len(executions) - 1))
    node = draw(st.sampled_from(["n1", "n1", "n1", "n2", None]))
    at, retry = draw(moments), draw(st.booleans())
    given = {"execution": execution, "replayed": executions[execution], "node": node, "at": at, "is_retry": retry}
    given |= {"attempt_no": draw(st.integers(1, 2)), "fingerprint": draw(st.sampled_from("ab"))}
    given["duration_ms"] = draw(durations)
    if draw(st.booleans()):
        status, code, error_code, message = draw(st.sampled_from(ERRORS))
        return Attempt(**given, status=status, status_code=code, error_code=error_code, message=message)
    return Attempt(**given, status=draw(st.sampled_from(["success", "success", "cancelled"])))


@st.composite
def bursts(draw: st.DrawFn) -> list[Attempt]:
    """Failures in the first minutes of an hour, at the same time of several weeks."""
    kind, weeks = draw(st.sampled_from(ERRORS)), draw(st.sets(st.integers(0, 3), min_size=2))
    shift = timedelta(hours=draw(st.integers(-3, 3)))
    return [
        Attempt(0, False, "n1", kind[0], MONDAY_NINE - timedelta(weeks=week) + shift + timedelta(minutes=minute),
                status_code=kind[1], error_code=kind[2], message=kind[3])
        for week in weeks for minute in range(draw(st.integers(3, 5)))
    ]  # fmt: skip


HOURLY = [Attempt(0, False, "n1", "success", NOW - timedelta(hours=hour), "c") for hour in range(1, 24 * DAYS)]
"""What a node with a call an hour leaves: among so many calls a pattern stands out."""


@st.composite
def runs(draw: st.DrawFn) -> Run:
    status = draw(st.sampled_from(["completed", "failed", "failed", "skipped"]))
    message = draw(st.sampled_from(["Slack error: invalid_auth", "context deadline exceeded", "odd", None]))
    return Run(
        replayed=draw(st.booleans()),
        node=draw(st.sampled_from(["s1", "s1", "n2"])),
        status=status,
        at=draw(moments),
        message=message if status == "failed" else None,
        duration_ms=draw(durations),
    )


@st.composite
def pasts(draw: st.DrawFn) -> tuple[list[bool], list[Attempt], list[Run]]:
    """Which executions are replays, the attempts (some reported twice, or twice and differently), and runs."""
    executions = [False, *draw(st.lists(st.sampled_from([False, True]), max_size=3))]
    found = draw(st.lists(attempts(executions), max_size=25))
    if draw(st.booleans()):
        found += draw(bursts()) + HOURLY
    again = draw(st.lists(st.tuples(st.sampled_from(found), st.sampled_from(ERRORS)), max_size=5)) if found else []
    doubled = [
        Attempt(**{**vars(one), "status": error[0], "status_code": error[1], "error_code": error[2]})
        for one, error in again
    ]
    return executions, draw(st.permutations(found + doubled)), draw(st.lists(runs(), max_size=12))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    past=pasts(),
    session_zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/Los_Angeles"]),
    machine_zone=st.sampled_from(["UTC", "Pacific/Auckland", "America/St_Johns"]),
)
def test_reliability_is_that_of_a_plain_computation(
    standalone: Connection, past: tuple[list[bool], list[Attempt], list[Run]], session_zone: str, machine_zone: str
) -> None:
    executions, made, ran = past
    undone = standalone.begin_nested()
    try:
        with zone_of_the_machine(machine_zone):
            standalone.execute(text(f"SET LOCAL timezone TO '{session_zone}'"))
            found = computed(standalone, executions, made, ran)
    finally:
        undone.rollback()
    wanted = expected(made, ran, now=NOW, days=DAYS, classify=CLASSIFY, timeouts=TIMEOUTS)
    assert found == wanted


def computed(
    connection: Connection, executions: list[bool], made: list[Attempt], ran: list[Run]
) -> dict[str, Reliability]:
    workspace = add_workspace(connection)
    workflow = add_workflow(connection, workspace)
    insert(connection, workflow, executions, made, ran)
    refresh_history(connection, days=DAYS, now=NOW)
    rows = [
        (workflow, workspace, node, TYPES[node], "Slack" if node == "s1" else "an API", timeout)
        for node, timeout in TIMEOUTS.items()
    ]
    wanted = pd.DataFrame(rows, columns=[*WANTED_COLUMNS, TIMEOUT_COLUMN], dtype=object)
    history = read_history(connection, [workflow], [workspace], schema=inspect_schema(connection))
    found = reliabilities(wanted, history, classify=CLASSIFY, window_days=DAYS)
    return {node: reliability for (_, node), reliability in found.items()}


def insert(connection: Connection, workflow: str, executions: list[bool], made: list[Attempt], ran: list[Run]) -> None:
    """The node runs that attempts belong to are still running, so that they are no runs to count."""
    ids = [add_execution(connection, workflow, NOW, is_deterministic_replay=replay) for replay in executions]
    places: dict[tuple[int, str], str] = {}
    for execution, node in sorted({(one.execution, one.node) for one in made if one.node}):
        places[execution, node] = add_run(connection, ids[execution], NOW, node_id=node, status="running")
    rows = [
        {
            **vars(one),
            "execution": ids[one.execution],
            "node": places.get((one.execution, one.node or "")),
            "at": one.at.replace(tzinfo=None),
            "fingerprint": one.fingerprint * 64,
        }
        for one in made
    ]
    if rows:
        connection.execute(text(INSERT_ATTEMPTS), rows)
    for run in ran:
        of_run = add_execution(connection, workflow, run.at, is_deterministic_replay=run.replayed)
        error = {"message": run.message} if run.message else None
        add_run(
            connection, of_run, run.at, node_id=run.node, node_type=TYPES[run.node], status=run.status, error=error,
            duration_ms=run.duration_ms,
        )  # fmt: skip


INSERT_ATTEMPTS = """
    INSERT INTO connector_call_attempts (execution_id, execution_node_id, workspace_id, workflow_id, connector_key,
        connector_operation, provider, status, attempt_no, is_retry, status_code, error_code, error_message,
        duration_ms, request_fingerprint, happened_at)
    SELECT id, CAST(:node AS uuid), workspace_id, workflow_id, 'action_http_request', 'request', 'http', :status,
           :attempt_no, :is_retry, :status_code, :error_code, :message, :duration_ms, :fingerprint, :at
    FROM executions WHERE id = CAST(:execution AS uuid)
"""


@contextmanager
def zone_of_the_machine(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    assert datetime.now().astimezone().tzinfo is not None
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
