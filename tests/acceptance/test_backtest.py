"""`runbooks backtest` on a demo company."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import URL

from runbooks.demo.load import load_demo
from tests.support.commands import runbooks
from tests.support.hosts import connected
from tests.support.postgres import create_database, drop_database
from tests.support.swept import sweep


@pytest.fixture(scope="module")
def demo(postgres_server: URL, _template: URL) -> Iterator[dict[str, str]]:
    """The environment of a demo database with a month of history, swept without Prefect."""
    url = create_database(postgres_server, template=str(_template.database))
    with connected(url) as connection:
        load_demo(connection, now=datetime.now(UTC))
    sweep(url)
    yield {"RUNBOOKS_DATABASE_URL": url.render_as_string(hide_password=False)}
    drop_database(postgres_server, url)


def test_backtest_tells_recall_controls_and_what_is_not_covered(demo: dict[str, str]) -> None:
    done = runbooks("backtest", "--json", env=demo)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["matched"]["failures"] > 50
    assert report["matched"]["share_at_1"] >= 0.7
    assert report["matched"]["share_at_3"] >= report["matched"]["share_at_1"]
    assert report["as_read"]["share_at_3"] > report["by_chance"]["share_at_3"]
    assert (report["controls"]["calls"] > 1000, report["controls"]["claimed"]) == (True, 0)
    missed = report["matched"]["failures"] - report["matched"]["at_3"]
    assert sum(report["reasons"].values()) <= missed
    assert sum(one["matched"]["failures"] for one in report["by_service"]) == report["matched"]["failures"]
    assert sum(one["distinct"]["at_1"] for one in report["by_class"]) == report["matched_distinct"]["at_1"]
    assert sum(one["failures"] for one in report["uncovered"]) == sum(report["reasons"].values())


def test_backtest_reads_as_a_page(demo: dict[str, str]) -> None:
    done = runbooks("backtest", "--days", "20", env=demo)
    assert done.returncode == 0, done.stderr
    for part in ("failures of the last 20 days", "matched by the error", "in random order", "Controls:", "Stripe"):
        assert part in done.stdout


def test_backtest_without_failures_is_an_error(database: URL) -> None:
    done = runbooks("backtest", env={"RUNBOOKS_DATABASE_URL": database.render_as_string(hide_password=False)})
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no active workflow has a failure in the last 90 days" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_workspace_that_cannot_be_is_named(demo: dict[str, str]) -> None:
    done = runbooks("backtest", "--workspace", "nonsense", env=demo)
    assert done.returncode == 2
    assert "'nonsense' is no workspace id here" in done.stderr
    other = runbooks("backtest", "--workspace", "00000000-0000-0000-0000-000000000000", env=demo)
    assert other.returncode == 2


def test_days_have_to_be_a_number_of_days(demo: dict[str, str]) -> None:
    assert runbooks("backtest", "--days", "0", env=demo).returncode == 2


def test_coverage_shows_the_figure(demo: dict[str, str]) -> None:
    shown = runbooks("coverage", env=demo).stdout
    assert "Back-test: of " in shown
    assert "one of the first three" in shown
