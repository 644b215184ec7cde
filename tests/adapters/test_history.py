import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.history import GROUPS_KEPT, refresh_history, signature_sql
from tests.support.history import NOW, add_attempt, add_execution, add_run, add_workflow, add_workspace, insert_row

HTTP = "action_http_request"
YESTERDAY = NOW - timedelta(days=1)
LONG_AGO = NOW - timedelta(days=25)


class World:
    """A workspace with one workflow, and short ways to give it a past."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.workspace = add_workspace(connection)
        self.workflow = add_workflow(connection, self.workspace)

    def call(
        self, at: datetime = YESTERDAY, *, node: str | None = "n1", execution: str | None = None, **values: Any
    ) -> str:
        """One attempt in an execution of its own, made by a node that the platform knows, or by none."""
        execution = execution or add_execution(self.connection, self.workflow, at)
        run = add_run(self.connection, execution, at, node_id=node) if node else None
        return add_attempt(self.connection, execution, at, execution_node_id=run, **values)

    def run(self, at: datetime = YESTERDAY, *, replay: bool = False, **values: Any) -> None:
        """A run of a node that makes no attempts."""
        execution = add_execution(self.connection, self.workflow, at, is_deterministic_replay=replay)
        add_run(self.connection, execution, at, **{"node_id": "n1", "node_type": "action_slack", **values})

    def refresh(self, **changes: Any) -> int:
        return refresh_history(self.connection, **{"days": 30, "now": NOW, **changes})

    def rows(self, table: str, order: str) -> list[dict[str, Any]]:
        key = "workspace_id" if "connector" in table else "workflow_id"
        query = text(f"SELECT * FROM {table} WHERE {key}::text = :id ORDER BY {order}")
        given = {"id": self.workspace if "connector" in table else self.workflow}
        return [dict(row) for row in self.connection.execute(query, given).mappings()]

    def nodes(self) -> list[dict[str, Any]]:
        return self.rows("runbook_node_history", "node_key, connector_key, source")

    def node(self) -> dict[str, Any]:
        (row,) = self.nodes()
        return row

    def groups(self) -> list[dict[str, Any]]:
        return self.rows("runbook_failure_groups", "failures DESC, message")

    def connectors(self) -> list[dict[str, Any]]:
        return self.rows("runbook_connector_history", "connector_key")

    def signature(self) -> str | None:
        query = text(f"SELECT signature FROM ({signature_sql()}) s WHERE workflow_id::text = :id")
        return self.connection.execute(query, {"id": self.workflow}).scalar_one_or_none()


@pytest.fixture
def world(standalone: Connection) -> World:
    return World(standalone)


def test_calls_of_a_node_are_summed_up_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    world.call(duration_ms=100)
    world.call(duration_ms=300, status="timeout", error_code="HTTP_TIMEOUT", error_message="context deadline exceeded")
    world.call(duration_ms=200, attempt_no=2, is_retry=True)
    assert world.refresh() >= 1
    row = world.node()
    assert (row["node_key"], row["connector_key"], row["source"]) == ("n1", HTTP, "attempts")
    counts = ("calls", "failures", "timeouts", "retries", "recovered")
    assert tuple(row[name] for name in counts) == (3, 1, 1, 1, 1)
    assert row["mean_ms"] == 200
    assert row["last_failure_at"] == YESTERDAY
    (group,) = world.groups()
    assert (group["status"], group["error_code"], group["message"], group["failures"]) == (
        "timeout", "HTTP_TIMEOUT", "context deadline exceeded", 1,
    )  # fmt: skip


def test_attempt_that_arrived_twice_counts_once(world: World) -> None:
    execution = add_execution(world.connection, world.workflow, YESTERDAY)
    run = add_run(world.connection, execution, YESTERDAY)
    for _ in range(2):
        add_attempt(
            world.connection, execution, YESTERDAY, execution_node_id=run, status="server_error", status_code=503
        )
    world.refresh()
    assert (world.node()["calls"], world.node()["failures"]) == (1, 1)
    assert world.groups()[0]["failures"] == 1


@pytest.mark.parametrize(
    "difference",
    [
        {"attempt_no": 2},
        {"request_fingerprint": "b" * 64},
        {"happened_at": YESTERDAY + timedelta(milliseconds=1)},
    ],
)
def test_attempts_that_differ_in_one_thing_are_two(world: World, difference: dict[str, Any]) -> None:
    execution = add_execution(world.connection, world.workflow, YESTERDAY)
    run = add_run(world.connection, execution, YESTERDAY)
    add_attempt(world.connection, execution, YESTERDAY, execution_node_id=run)
    add_attempt(world.connection, execution, YESTERDAY, **{"execution_node_id": run, **difference})
    world.refresh()
    assert world.node()["calls"] == 2


@pytest.mark.parametrize(
    "meta",
    [{"replay_mode": True}, {"a": 1, "replay_mode": True}, {"replay_mode": "true"}, {"nul": "\0", "replay_mode": True}],
)
def test_replays_are_left_out_by_their_mark(world: World, meta: dict[str, Any]) -> None:
    world.call()
    world.call(status="client_error", error_code="MISSING_REPLAY_FIXTURE", meta=meta)
    world.refresh()
    assert (world.node()["calls"], world.groups()) == (1, [])


@pytest.mark.parametrize("meta", [None, {}, [], "replay_mode", {"replay_mode": False}, {"nul": "\0"}])
def test_what_is_no_replay_counts_whatever_its_meta_holds(world: World, meta: Any) -> None:
    world.call(meta=f'"{meta}"' if isinstance(meta, str) else meta)
    world.refresh()
    assert world.node()["calls"] == 1


def test_replays_are_left_out_by_their_execution(world: World) -> None:
    replay = add_execution(world.connection, world.workflow, YESTERDAY, is_deterministic_replay=True)
    world.call(execution=replay, status="client_error")
    world.run(replay=True, status="failed", error={"message": "no fixture"})
    world.refresh()
    assert (world.nodes(), world.groups()) == ([], [])


def test_cancelled_calls_are_neither_calls_nor_failures(world: World) -> None:
    world.call(status="cancelled")
    world.call()
    world.refresh()
    assert (world.node()["calls"], world.node()["failures"]) == (1, 0)


def test_calls_that_name_no_node_are_kept_apart(world: World) -> None:
    world.call(node=None)
    world.call(node="n1")
    world.refresh()
    assert [(row["node_key"], row["calls"]) for row in world.nodes()] == [("", 1), ("n1", 1)]


def test_node_without_attempts_is_measured_by_its_runs_on_every_platform(connection: Connection) -> None:
    world = World(connection)
    world.run()
    world.run(status="failed", error={"message": "Slack error: invalid_auth"}, duration_ms=700)
    world.run(status="skipped")
    world.run(status="running")
    world.refresh()
    row = world.node()
    assert (row["source"], row["connector_key"], row["calls"], row["failures"]) == ("executions", "action_slack", 2, 1)
    assert [group["message"] for group in world.groups()] == ["Slack error: invalid_auth"]


def test_runs_of_a_node_with_attempts_are_not_counted_again(world: World) -> None:
    world.call(status="server_error")
    world.run(node_id="n2", node_type=HTTP)  # the same connector, another node
    world.refresh()
    assert [(row["node_key"], row["source"]) for row in world.nodes()] == [("n1", "attempts"), ("n2", "executions")]
    assert len(world.groups()) == 1


@pytest.mark.parametrize("node_type", ["trigger_webhook", "logic_condition", "transform_set", "delay", "action_script"])
def test_nodes_that_call_nothing_have_no_history(world: World, node_type: str) -> None:
    world.run(node_type=node_type, status="failed")
    world.refresh()
    assert world.nodes() == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "boom"}, "boom"),
        ("boom", "boom"),
        ({"error": "boom"}, '{"error": "boom"}'),
        (["boom"], '["boom"]'),
        (None, None),
        ({"message": "nul \0"}, '{"message": "nul \\u0000"}'),
        ({"message": "half \ud83d"}, '{"message": "half \\ud83d"}'),
    ],
)
def test_error_of_any_shape_is_read(world: World, error: Any, message: str | None) -> None:
    world.run(status="failed", error=f'"{error}"' if isinstance(error, str) else error)
    world.refresh()
    assert [group["message"] for group in world.groups()] == [message]


def test_only_the_window_counts(world: World) -> None:
    world.call(NOW - timedelta(days=30))
    world.call(NOW - timedelta(days=30, milliseconds=1))
    world.call(NOW + timedelta(minutes=1))
    world.refresh()
    assert world.node()["calls"] == 1


def test_recent_calls_are_those_of_the_last_quarter(world: World) -> None:
    for days in (1, 7, 8, 20):
        world.call(NOW - timedelta(days=days), status="server_error")
    world.refresh()
    assert (world.node()["recent_calls"], world.node()["recent_failures"]) == (2, 2)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Los_Angeles"])
def test_times_are_utc_whatever_the_session_thinks(world: World, zone: str) -> None:
    world.connection.execute(text(f"SET LOCAL timezone TO '{zone}'"))
    world.call(NOW - timedelta(days=30) + timedelta(minutes=1), status="timeout")
    world.run(NOW - timedelta(minutes=1), node_id="n2", status="failed")
    world.refresh()
    assert [row["last_failure_at"].astimezone(UTC) for row in world.nodes()] == [
        NOW - timedelta(days=30) + timedelta(minutes=1),
        NOW - timedelta(minutes=1),
    ]


def test_second_refresh_replaces_the_first(world: World) -> None:
    world.call(status="server_error")
    world.refresh()
    world.refresh(now=NOW + timedelta(hours=1))
    assert world.node()["calls"] == 1
    assert len(world.groups()) == 1
    world.refresh(now=NOW + timedelta(days=40))
    assert (world.nodes(), world.groups()) == ([], [])


def test_refresh_of_one_workflow_leaves_the_others(connection: Connection) -> None:
    first = World(connection)
    first.call(status="server_error")
    second = World.__new__(World)
    second.connection, second.workspace = connection, first.workspace
    second.workflow = add_workflow(connection, first.workspace)
    second.call(status="server_error")
    second.run(node_id="n2")
    first.refresh()
    for world in (first, second):
        world.call()
    first.refresh(now=NOW + timedelta(minutes=5), workflow_ids=[first.workflow])
    assert [row["calls"] for row in first.nodes()] == [2]
    assert [row["calls"] for row in second.nodes()] == [1, 1]
    assert len(first.groups()) == len(second.groups()) == 1
    assert first.refresh(now=NOW + timedelta(minutes=6), workflow_ids=[]) == 0
    assert len(second.nodes()) == 2


def test_messages_that_differ_in_numbers_and_ids_are_one(world: World) -> None:
    for number in range(5):
        order, customer = 70000 + number, f"8f14e45f-ceea-467f-a0e6-1b2c3d4e5f6{number}"
        message = f"order {order} of {customer} not found at 10.0.0.{number}:4{number}211"
        world.call(status="client_error", error_message=message)
    world.refresh()
    assert [(group["message"], group["failures"]) for group in world.groups()] == [("order … of … not found at …", 5)]


def test_very_many_different_errors_stay_few_rows_and_none_is_lost(world: World) -> None:
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    for word in words:
        world.call(status="client_error", status_code=400, error_message=f"unknown field {word}")
    world.call(status="client_error", status_code=400, error_message="unknown field aa")
    world.refresh()
    groups = world.groups()
    assert len(groups) == GROUPS_KEPT + 1
    assert sum(group["failures"] for group in groups) == len(words) + 1
    assert {(group["message"], group["failures"]) for group in groups if group["failures"] > 1} == {
        (None, len(words) - GROUPS_KEPT),
        ("unknown field aa", 2),
    }


def percentile(values: list[int], share: float) -> int | None:
    return sorted(values)[int(share * (len(values) - 1))] if values else None


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_a_plain_computation(world: World, seed: int) -> None:
    chance = random.Random(seed)
    executions = {
        add_execution(world.connection, world.workflow, NOW, is_deterministic_replay=replay): replay
        for replay in [False] * 12 + [True]
    }
    runs = {
        execution: [add_run(world.connection, execution, NOW, node_id=f"n{n}") for n in range(3)]
        for execution in executions
    }
    distinct: dict[tuple[Any, ...], tuple[str, str, int | None, bool, datetime]] = {}
    for _ in range(150):
        execution = chance.choice(list(executions))
        place = chance.choice([0, 0, 0, 1, 2, None])
        at = NOW - timedelta(hours=chance.randrange(0, 24 * 35))
        retry = chance.random() < 0.2
        status = chance.choice(
            ["success"] * 6 + ["client_error", "server_error", "timeout", "network_error", "cancelled"]
        )
        duration = chance.choice([None, chance.randrange(0, 5000)])
        replay_mode = chance.random() < 0.05
        fingerprint = chance.choice("abc") * 64
        for _ in range(chance.choice([1, 1, 2])):
            add_attempt(
                world.connection, execution, at,
                execution_node_id=None if place is None else runs[execution][place], status=status, is_retry=retry,
                attempt_no=2 if retry else 1, duration_ms=duration, request_fingerprint=fingerprint,
                meta={"replay_mode": replay_mode}, error_message=None if status == "success" else status,
            )  # fmt: skip
        if not (executions[execution] or replay_mode or status == "cancelled" or at < NOW - timedelta(days=30)):
            key = (execution, place, retry, fingerprint, at)
            distinct.setdefault(key, ("" if place is None else f"n{place}", status, duration, retry, at))
    world.refresh()
    expected = {}
    for node in {call[0] for call in distinct.values()}:
        calls = [call for call in distinct.values() if call[0] == node]
        failed = [call for call in calls if call[1] != "success"]
        durations = [call[2] for call in calls if call[2] is not None]
        recent = [call for call in calls if call[4] >= NOW - timedelta(days=7.5)]
        expected[node] = {
            "calls": len(calls),
            "failures": len(failed),
            "timeouts": sum(call[1] == "timeout" for call in calls),
            "retries": sum(call[3] for call in calls),
            "recovered": sum(call[3] and call[1] == "success" for call in calls),
            "mean_ms": pytest.approx(sum(durations) / len(durations)) if durations else None,
            "p50_ms": percentile(durations, 0.5),
            "p95_ms": percentile(durations, 0.95),
            "p99_ms": percentile(durations, 0.99),
            "first_at": min(call[4] for call in calls),
            "last_at": max(call[4] for call in calls),
            "last_failure_at": max((call[4] for call in failed), default=None),
            "recent_calls": len(recent),
            "recent_failures": sum(call[1] != "success" for call in recent),
        }
    found = {row["node_key"]: row for row in world.nodes() if row["source"] == "attempts"}
    assert {node: {name: row[name] for name in expected[node]} for node, row in found.items()} == expected
    failures = Counter[str]()
    for group in world.groups():
        failures[group["node_key"]] += group["failures"]
    assert failures == Counter({node: figures["failures"] for node, figures in expected.items() if figures["failures"]})


def roll_up(world: World, day: datetime, **figures: int) -> None:
    counts = {"total_calls": 0, "success_calls": 0, "failure_calls": 0, "retry_calls": 0, "timeout_calls": 0, **figures}
    insert_row(
        world.connection, "connector_metrics_daily", workspace_id=world.workspace, connector_key=HTTP,
        connector_operation="request", day=day, **counts,
    )  # fmt: skip


def test_connector_takes_whole_days_from_the_rollup_and_today_from_the_attempts(connection: Connection) -> None:
    world = World(connection)
    roll_up(world, NOW - timedelta(days=20), total_calls=100, failure_calls=10, retry_calls=4, timeout_calls=3)
    roll_up(world, YESTERDAY, total_calls=50, failure_calls=1)
    roll_up(world, NOW - timedelta(days=30), total_calls=7)  # outside the window
    world.call(NOW - timedelta(hours=1), status="timeout", is_retry=True)
    world.call(NOW - timedelta(hours=2))
    world.refresh()
    (row,) = world.connectors()
    names = ("calls", "failures", "timeouts", "retries", "recent_calls", "recent_failures")
    assert tuple(row[name] for name in names) == (152, 12, 4, 5, 52, 2)


def test_day_whose_attempts_are_all_there_is_counted_from_them(world: World) -> None:
    world.call(YESTERDAY)
    world.call(YESTERDAY, status="cancelled")
    world.call(YESTERDAY, status="client_error", meta={"replay_mode": True})
    roll_up(world, YESTERDAY, total_calls=3, success_calls=1, failure_calls=2)
    world.refresh()
    (row,) = world.connectors()
    assert (row["calls"], row["failures"]) == (1, 0)


def test_day_that_was_not_rolled_up_yet_is_counted_from_its_attempts(world: World) -> None:
    roll_up(world, NOW - timedelta(days=3), total_calls=10)
    world.call(NOW - timedelta(days=2))
    world.refresh()
    (row,) = world.connectors()
    assert row["calls"] == 11


def test_connectors_of_a_workspace_are_summed_up_for_one_workflow_only_when_outdated(world: World) -> None:
    world.call()
    world.refresh(workflow_ids=[world.workflow])
    assert [row["calls"] for row in world.connectors()] == [1]
    world.call()
    world.refresh(workflow_ids=[world.workflow], now=NOW + timedelta(hours=1))
    assert [row["calls"] for row in world.connectors()] == [1]
    world.refresh(workflow_ids=[world.workflow], now=NOW + timedelta(days=2))
    assert [row["calls"] for row in world.connectors()] == [2]


def calls(world: World, count: int, *, failed: int = 0, at: datetime = YESTERDAY, **values: Any) -> None:
    """Many calls of one node in one execution."""
    execution = add_execution(world.connection, world.workflow, at)
    run = add_run(world.connection, execution, at)
    for number in range(count):
        given = {"status": "server_error", "status_code": 503} if number < failed else {"duration_ms": 100}
        add_attempt(
            world.connection,
            execution,
            at,
            execution_node_id=run,
            request_fingerprint=f"{number:064}",
            **given,
            **values,
        )


def test_no_history_has_no_signature(world: World) -> None:
    world.refresh()
    assert world.signature() is None


def test_first_calls_are_noted_when_they_are_enough(world: World) -> None:
    calls(world, 19)
    world.refresh()
    assert world.signature() is None
    world.call(YESTERDAY + timedelta(minutes=1))
    world.refresh()
    assert world.signature() is not None


@pytest.mark.parametrize(
    "more",
    [
        lambda world: calls(world, 40, failed=4, at=NOW),  # more of the same
        lambda world: calls(world, 1, failed=1, at=NOW),
        lambda world: calls(world, 200, failed=11, at=NOW),  # from 10% to 7%
    ],
)
def test_signature_stays_while_history_says_about_the_same(world: World, more: Callable[[World], None]) -> None:
    calls(world, 100, failed=10)
    world.refresh()
    before = world.signature()
    more(world)
    world.refresh()
    assert before is not None
    assert world.signature() == before


@pytest.mark.parametrize(
    "more",
    [
        lambda world: calls(world, 100, failed=60, at=NOW),  # from 10% to 35%
        lambda world: calls(world, 900, at=NOW),  # from 10% to 1%
        lambda world: calls(world, 30, failed=0, at=NOW, connector_key="action_http_other"),  # another connector
        lambda world: [world.call(NOW, status="timeout", request_fingerprint=f"{n:064}") for n in range(16)],
    ],
)
def test_signature_changes_with_what_history_says(world: World, more: Callable[[World], None]) -> None:
    calls(world, 100, failed=10)
    world.refresh()
    before = world.signature()
    more(world)
    world.refresh()
    assert world.signature() != before


def test_signature_does_not_swing_at_a_boundary(world: World) -> None:
    calls(world, 60, failed=6, at=LONG_AGO)
    world.refresh()
    seen = {world.signature()}
    for night in range(1, 5):
        calls(world, 20, failed=4 if night % 2 else 0, at=LONG_AGO + timedelta(days=night))
        world.refresh()
        seen.add(world.signature())
    assert len(seen) == 1


def test_refresh_leaves_the_session_as_it_was(world: World) -> None:
    before = [world.connection.execute(text(f"SHOW {name}")).scalar_one() for name in ("work_mem", "enable_nestloop")]
    world.refresh()
    after = [world.connection.execute(text(f"SHOW {name}")).scalar_one() for name in ("work_mem", "enable_nestloop")]
    assert after == before


def at_hour(days: int, hour: int, minute: int = 0) -> datetime:
    """An hour of the day some days ago; NOW is a Tuesday."""
    return (NOW - timedelta(days=days)).replace(hour=hour, minute=minute)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Los_Angeles"])
def test_failures_are_counted_by_hour_of_the_week_and_week(world: World, zone: str) -> None:
    world.connection.execute(text(f"SET LOCAL timezone TO '{zone}'"))
    for days in (1, 8, 15):  # Mondays
        for minute in (0, 59):
            world.call(at_hour(days, 9, minute), status="client_error", status_code=429)
    world.call(at_hour(2, 23), status="client_error", status_code=429)  # a Sunday
    world.refresh()
    (group,) = world.groups()
    assert (group["failures"], group["first_at"], group["last_at"]) == (7, at_hour(15, 9), at_hour(1, 9, 59))
    (first_sunday,) = [hours for slot, hours in group["by_hour"].items() if slot == "167"]
    times, weeks = group["by_hour"]["9"]
    assert set(group["by_hour"]) == {"9", "167"}
    assert (times, first_sunday[0]) == (6, 1)
    # The window begins on a Sunday, so last Monday is in its sixth week.
    assert (weeks, first_sunday[1]) == (0b111000, 0b010000)


def test_hours_of_all_calls_are_kept_for_nodes_with_failures_enough(world: World) -> None:
    for number in range(9):
        world.call(at_hour(1, 9, number), status="server_error")
    world.call(at_hour(2, 9), duration_ms=5)
    world.refresh()
    assert (world.node()["calls_by_hour"], world.node()["outages"]) == (None, None)
    world.call(at_hour(1, 9, 30), status="server_error")
    world.refresh()
    assert world.node()["calls_by_hour"] == {"9": [10, 0b100000], "153": [1, 0b010000]}
    assert world.node()["outages"] == 1


def test_outages_are_runs_of_hours_that_mostly_failed(world: World) -> None:
    def hour(number: int, *, failed: int, fine: int) -> None:
        for minute in range(failed + fine):
            status = "server_error" if minute < failed else "success"
            world.call(at_hour(1, 1 + number, minute), status=status)

    for number, (failed, fine) in enumerate([(4, 0), (2, 2), (1, 3), (2, 1), (1, 0), (2, 3), (3, 0)]):
        hour(number, failed=failed, fine=fine)
    world.refresh()
    # The first two hours are one; a single failure makes no outage, nor do fewer than half of the calls.
    assert world.node()["outages"] == 3


def test_days_with_calls_are_bits_counted_back_from_now(world: World) -> None:
    for at in (NOW, NOW - timedelta(hours=23), NOW - timedelta(days=3), NOW - timedelta(days=29, hours=1)):
        world.call(at)
    world.refresh()
    assert world.node()["active_days"] == 1 | 1 << 3 | 1 << 29
    world.call(NOW - timedelta(days=80))
    world.refresh(days=90)
    assert world.node()["active_days"] == 1 | 1 << 3 | 1 << 29 | 1 << 62


def test_messages_of_many_nodes_keep_their_own_counts(world: World) -> None:
    for node, count in (("n1", 3), ("n2", 2)):
        for number in range(count):
            world.call(node=node, status="client_error", error_message=f"order {90000 + number} not found")
    world.refresh()
    assert {(group["node_key"], group["message"], group["failures"]) for group in world.groups()} == {
        ("n1", "order … not found", 3),
        ("n2", "order … not found", 2),
    }
