"""The disk of the embedded database fills up under a sweep: told in one line, nothing lost, nothing done twice."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from tests.support.commands import installed
from tests.support.hosts import connected, insert_workflow, insert_workspace
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.slow

__all__ = ["small_disk"]  # a fixture

COPIES = """
    INSERT INTO workflows
        (workspace_id, created_by, name, is_active, trigger_type, nodes, edges, created_at, updated_at)
    SELECT workspace_id, created_by, 'Workflow ' || number, true, trigger_type, nodes, edges, created_at, updated_at
    FROM workflows, generate_series(1, :copies) number
"""
STORED = (
    "SELECT workflow_id::text, xmin::text FROM execution_runbooks WHERE type = 'proactive' AND sections IS NOT NULL"
)
BATCH = 20
AT_ONCE = 2
ROOMY_MB = 600
NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {"id": "tell", "type": "slack", "label": "Tell", "config": {"channel": "#ops"}},
    {"id": "charge", "type": "action_http_request", "config": {"url": "https://api.stripe.com/v1/charges"}},
]
EDGES = [{"id": "e", "source": "in", "target": "tell"}, {"id": "f", "source": "tell", "target": "charge"}]


def filled(disk: SmallDisk, workflows: int, *, nodes: Any = NODES, edges: Any = EDGES) -> None:
    """A migrated database with so many workflows."""
    assert disk.runbooks("migrate").returncode == 0
    with disk.database() as url:
        insert_workspace(url, slug="shop")
        insert_workflow(url, name="Workflow 0", nodes=nodes, edges=edges)
        with connected(url) as connection:
            connection.execute(text(COPIES), {"copies": workflows - 1})


def stored(url: URL) -> dict[str, str]:
    """The version of each runbook's row, by workflow."""
    with connected(url) as connection:
        rows = [(str(row[0]), str(row[1])) for row in connection.execute(text(STORED))]
    assert len(dict(rows)) == len(rows), "one a workflow"
    return dict(rows)


def one_line_about(disk: SmallDisk, told: str) -> None:
    """Of all that was told, the last line says what to do, and no line shows our insides."""
    lines = [line for line in told.splitlines() if line.strip()]
    assert lines[-1].startswith("runbooks: the disk of the embedded database is full: "), told
    assert f"MB left in {disk.folder}/postgres; free some space there and run it again" in lines[-1]
    assert sum(line.startswith("runbooks: ") for line in lines) == 1
    assert "Traceback" not in told
    assert "Error" not in told


def asked(server: LLMServer) -> Counter[str]:
    """How often the model was asked about each workflow."""
    return Counter(request.user[request.user.index('"Workflow ') :].split('"')[1] for request in server.writing)


def fill(disk: SmallDisk) -> None:
    """Have others write until there is no room for anything, and the server notice it."""
    with disk.database() as url:
        done = disk.run("dd", "if=/dev/zero", f"of={disk.folder}/ballast", "bs=16k")
        assert "No space left" in done.stderr
        wait_until(lambda: not takes_another_log_file(url))


def takes_another_log_file(url: URL) -> bool:
    """Have the server begin a file of its log; it has some in reserve."""
    try:
        with connected(url) as connection:
            connection.execute(text("SELECT pg_logical_emit_message(false, 'test', 'test'), pg_switch_wal()"))
    except OperationalError:
        return False
    return True


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("prefect_server")
def test_a_sweep_that_fills_the_disk_keeps_whole_batches_and_the_next_goes_on(small_disk: SmallDisk) -> None:
    workflows = 1500
    filled(small_disk, workflows)
    small_disk.leave(22)
    settings = {"RUNBOOKS_BATCH_SIZE": str(BATCH), "RUNBOOKS_DATABASE_PATIENCE_S": "3"}
    first = small_disk.runbooks("sweep", **settings)
    assert first.returncode != 0
    one_line_about(small_disk, first.stderr)

    small_disk.resize(ROOMY_MB)
    with small_disk.database() as url:
        before = stored(url)
    assert 0 < len(before) < workflows
    assert len(before) % BATCH == 0
    again = small_disk.runbooks("sweep", "--json", **settings)
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert (report["generated"], report["unchanged"]) == (workflows - len(before), len(before))
    with small_disk.database() as url:
        after = stored(url)
    assert len(after) == workflows
    assert {workflow: after[workflow] for workflow in before} == before


@pytest.fixture
def with_model(small_disk: SmallDisk, prefect_server: PrefectServer, llm_server: LLMServer) -> dict[str, str]:
    """Sixty workflows and a slow model."""
    filled(small_disk, 60, nodes=NODES[:2], edges=EDGES[:1])
    llm_server.delay_s = 0.15
    return {
        "OPENAI_BASE_URL": llm_server.base_url,
        "RUNBOOKS_MODEL": "test-model",
        "RUNBOOKS_LLM_CONCURRENCY": str(AT_ONCE),
        "RUNBOOKS_BATCH_SIZE": "10",
    }


def test_answers_that_come_while_the_disk_is_full_wait_for_room(
    small_disk: SmallDisk, with_model: dict[str, str], llm_server: LLMServer
) -> None:
    with small_disk.popen(installed("runbooks"), "sweep", RUNBOOKS_HOME=str(small_disk.folder), **with_model) as sweep:
        wait_until(lambda: len(llm_server.writing) >= 15)
        fill(small_disk)
        assert sweep.stderr
        told = next(line for line in sweep.stderr if "is full" in line)
        assert told.strip().endswith("what is stored is kept; trying again for 10 min")
        time.sleep(2)
        calls = len(llm_server.writing)
        assert calls < 60
        time.sleep(4)
        assert len(llm_server.writing) == calls, "nothing is asked whose answer cannot be kept"
        small_disk.resize(ROOMY_MB)
        _, rest = sweep.communicate(timeout=180)
    assert sweep.returncode == 0, rest
    with small_disk.database() as url:
        assert len(stored(url)) == 60
    assert set(asked(llm_server).values()) == {1}, "each paid once"
    assert len(asked(llm_server)) == 60


def test_a_disk_that_stays_full_ends_the_sweep_and_the_next_pays_only_for_what_was_in_memory(
    small_disk: SmallDisk, with_model: dict[str, str], llm_server: LLMServer
) -> None:
    home = {"RUNBOOKS_HOME": str(small_disk.folder), "RUNBOOKS_DATABASE_PATIENCE_S": "3"}
    with small_disk.popen(installed("runbooks"), "sweep", **home, **with_model) as sweep:
        wait_until(lambda: len(llm_server.writing) >= 15)
        fill(small_disk)
        _, told = sweep.communicate(timeout=120)
    assert sweep.returncode not in (0, None)
    one_line_about(small_disk, told)

    small_disk.resize(ROOMY_MB)
    with small_disk.database() as url:
        before = stored(url)
    again = small_disk.runbooks("sweep", "--json", **with_model)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["generated"] == 60 - len(before)
    with small_disk.database() as url:
        after = stored(url)
    assert len(after) == 60
    assert {workflow: after[workflow] for workflow in before} == before
    counts = asked(llm_server)
    assert len(counts) == 60
    # The answers that were in memory when the sweep gave up: those of the seconds in which a server that falls over
    # neither takes nor refuses anything, so of the two batches on their way at most.
    assert sum(counts.values()) <= 60 + 2 * 10


def test_prefects_own_database_on_the_same_full_disk_does_not_make_a_sweep_hang(
    small_disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    filled(small_disk, 400)
    small_disk.leave(45)  # for Prefect's tables, and a little more
    done = small_disk.runbooks("sweep", RUNBOOKS_BATCH_SIZE=str(BATCH), RUNBOOKS_DATABASE_PATIENCE_S="3")
    assert done.returncode != 0
    one_line_about(small_disk, done.stderr)
    small_disk.resize(ROOMY_MB)
    again = small_disk.runbooks("sweep", "--json")
    assert again.returncode == 0, again.stderr
    with small_disk.database() as url:
        assert len(stored(url)) == 400


def test_a_sqlite_of_prefects_on_a_full_disk_does_not_make_a_sweep_hang(
    small_disk: SmallDisk, database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_workspace(database, slug="shop")
    for number in range(10):
        insert_workflow(database, name=f"Workflow {number}", nodes=NODES, edges=EDGES)
    monkeypatch.setenv("PREFECT_HOME", str(small_disk.folder))
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    file = f"sqlite+aiosqlite:///{small_disk.folder}/prefect.db"
    small_disk.resize(8)  # its tables, and a little more
    done = small_disk.runbooks("sweep", PREFECT_API_DATABASE_CONNECTION_URL=file)
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    if done.returncode == 0:  # its history is lost, which is no reason not to write runbooks
        assert len(stored(database)) == 10
    else:
        assert lines[-1].startswith("runbooks: ")
        assert "disk of Prefect's folder" in lines[-1]
