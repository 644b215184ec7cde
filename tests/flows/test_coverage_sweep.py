import json
from itertools import takewhile
from typing import Any

import pytest
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Failed
from sqlalchemy import URL, text

from flows.coverage_sweep import SweepFailed, coverage_sweep
from runbooks.core.report import SweepReport
from runbooks.errors import DatabaseUnreachable, MissingPrivilege
from tasks.fetch import count_active_workflows
from tasks.options import is_transport_fault
from tests.support.hosts import connected, insert_workflow, insert_workspace

ORDER = [
    {"id": "in", "type": "trigger_webhook"},
    {
        "id": "http_stripe",
        "type": "action_http_request",
        "data": {"config": {"url": "https://api.stripe.com/v1/charges", "method": "POST"}},
    },
]
EDGES = [{"id": "e", "source": "in", "target": "http_stripe"}]


@pytest.fixture
def shop(platform: URL) -> URL:
    """A workspace with three active workflows and one that is not."""
    insert_workspace(platform, slug="shop")
    for name in ("A", "B", "C"):
        insert_workflow(platform, name=name, nodes=ORDER, edges=EDGES)
    insert_workflow(platform, name="Off", nodes=ORDER, edges=EDGES, is_active=False)
    return platform


def stored(url: URL) -> list[tuple[Any, ...]]:
    query = """
        SELECT w.name, r.type, r.status, r.execution_id, r.severity, r.ai_generated, r.xmin::text
        FROM execution_runbooks r JOIN workflows w ON w.id = r.workflow_id ORDER BY 1
    """
    with connected(url) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def sweep(**parameters: Any) -> SweepReport:
    report: SweepReport = coverage_sweep(**parameters)
    return report


def test_every_active_workflow_gets_one_proactive_runbook(shop: URL) -> None:
    report = sweep()
    assert (report.workflows_active, report.generated, report.failed) == (3, 3, ())
    assert [row[:4] for row in stored(shop)] == [
        ("A", "proactive", "resolved", None),
        ("B", "proactive", "resolved", None),
        ("C", "proactive", "resolved", None),
    ]
    assert report.coverage.proactive_coverage == 1.0


def test_a_second_sweep_writes_nothing(shop: URL) -> None:
    sweep()
    before = stored(shop)
    again = sweep()
    assert (again.changed, again.generated, again.unchanged) == (0, 0, 3)
    assert stored(shop) == before


def test_a_moved_box_is_no_change_but_another_address_is(shop: URL) -> None:
    sweep()
    with connected(shop) as connection:
        moved = [{**ORDER[0], "position": {"x": 500, "y": 1}}, ORDER[1]]
        connection.execute(text("UPDATE workflows SET nodes = :n WHERE name = 'A'"), {"n": json.dumps(moved)})
    assert sweep().generated == 0
    with connected(shop) as connection:
        config = {"url": "https://api.stripe.com/v1/refunds", "method": "POST"}
        other = [ORDER[0], {**ORDER[1], "data": {"config": config}}]
        connection.execute(text("UPDATE workflows SET nodes = :n WHERE name = 'A'"), {"n": json.dumps(other)})
    assert sweep().generated == 1


def test_one_bad_definition_fails_alone_and_the_state_says_so(shop: URL) -> None:
    bad = insert_workflow(shop, name="Bad", nodes='"nothing"')
    state = coverage_sweep(return_state=True)
    assert state.is_completed()
    assert state.name == "CompletedWithFailures"
    assert "1 failed" in (state.message or "")
    report = state.result()
    assert [failed.workflow_id for failed in report.failed] == [bad]
    assert report.generated == 3


def test_when_nothing_can_be_written_the_sweep_fails(platform: URL) -> None:
    insert_workspace(platform, slug="shop")
    insert_workflow(platform, name="Bad", nodes='"nothing"')
    with pytest.raises(SweepFailed, match="1 failed"):
        sweep()


def test_a_sweep_of_one_workspace_leaves_the_others_alone(shop: URL) -> None:
    other = insert_workspace(shop, slug="other")
    insert_workflow(shop, name="D", nodes=ORDER, edges=EDGES, workspace="other")
    report = sweep(workspace_id=other)
    assert (report.workflows_active, report.generated) == (1, 1)
    assert [row[0] for row in stored(shop)] == ["D"]


def test_limit_takes_the_busiest_and_full_writes_all_again(shop: URL) -> None:
    with connected(shop) as connection:
        connection.execute(text("UPDATE workflows SET execution_count = 9 WHERE name = 'B'"))
    report = sweep(limit=1)
    assert (report.changed, report.generated, report.unchanged, report.later) == (1, 1, 0, 2)
    assert [row[0] for row in stored(shop)] == ["B"]
    sweep()
    assert sweep(full=True).generated == 3


def test_an_empty_platform_is_no_failure(platform: URL) -> None:
    report = sweep()
    assert (report.workflows_active, report.generated, report.changed) == (0, 0, 0)


def test_a_snapshot_is_kept_of_each_run(shop: URL) -> None:
    sweep()
    sweep()
    with connected(shop) as connection:
        taken = connection.execute(
            text("SELECT report ->> 'active_workflows' FROM runbook_coverage_snapshots")
        ).scalars()
        assert list(taken) == ["3", "3"]


def test_a_task_tries_again_for_as_long_as_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKS_DATABASE_PATIENCE_S", "60")
    away = Failed(data=DatabaseUnreachable("no connection"))

    def tries(state: State[Any]) -> int:
        runs = (TaskRun(task_key="t", dynamic_key="0", run_count=count) for count in range(1, 50))
        return sum(1 for _ in takewhile(lambda run: is_transport_fault(count_active_workflows, run, state), runs))

    assert tries(away) == 4, "after 2, 8, 30 and 60 s"
    assert tries(Failed(data=MissingPrivilege("no right"))) == 0, "waiting mends nothing"
    away.data.waited_for = True
    assert tries(away) == 0, "it was waited for already"
