"""A manual run from the form in Prefect's pages ends in a stored runbook, as a person in a browser sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_up import Up, eventually, running_up
from tests.support.browser import Page, browser, installed_chromium
from tests.support.commands import runbooks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(installed_chromium() is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("browser")) as running:
        done = runbooks("demo", env=running.env)
        assert done.returncode == 0, done.stderr
        yield running


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    chromium = installed_chromium()
    assert chromium is not None
    with browser(tmp_path, chromium) as page:
        yield page


def stored_at(up: Up, workflow: str) -> str:
    query = f"SELECT xmin::text FROM execution_runbooks WHERE type = 'proactive' AND workflow_id = '{workflow}'"
    ((row,),) = up.rows(query)
    return str(row)


def artifact(up: Up, key: str) -> str:
    """Id of the newest artifact of a key."""
    found = up.call("/artifacts/latest/filter", {"artifacts": {"key": {"any_": [key]}}})
    return str(found[0]["latest_id"] if "latest_id" in found[0] else found[0]["id"])


def test_a_run_from_the_form_ends_in_a_stored_runbook_that_the_pages_show(up: Up, page: Page) -> None:
    site = up.prefect.removesuffix("/api")
    ((workflow,),) = up.rows("SELECT id::text FROM workflows WHERE name = 'Order Processing Pipeline'")
    before = stored_at(up, workflow)

    page.open(f"{site}/deployments")
    page.wait_for_text("coverage-sweep", "workflow-published", "execution-failed")
    assert "Can't connect" not in page.text
    page.open(f"{site}/deployments/deployment/{up.deployment('workflow-published')['id']}/run")
    page.wait_for_text("Id of the workflow as the platform shows it.", "Write it anew although nothing changed.")
    page.fill("workflow_id", workflow)
    page.click_field("full", "[role=switch]")
    page.click("Submit")

    page.wait_for_text("runbook · Order Processing Pipeline", within_s=60)
    assert eventually(lambda: stored_at(up, workflow) != before)
    page.open(f"{site}/artifacts/artifact/{artifact(up, f'runbook-{workflow}')}")
    page.wait_for_text("Runbook: Order Processing Pipeline", "Charge card")
    assert page.errors == []


def test_the_pages_of_a_sweep_tell_what_it_did(up: Up, page: Page) -> None:
    site = up.prefect.removesuffix("/api")
    run = up.start_run("coverage-sweep", full=True)
    assert eventually(lambda: up.run(run)["state_type"] == "COMPLETED"), up.run(run)["state"]
    page.open(f"{site}/runs/flow-run/{run}")
    page.wait_for_text("· 13 changed", "13 active workflows, 13 to look at", "13 active, 13 changed, 13 generated")
    assert page.text.count("Finished in state") <= 1, "the log is drowned by steps"
    page.open(f"{site}/artifacts/artifact/{artifact(up, 'runbook-sweep')}")
    page.wait_for_text("HubSpot Contact Sync")
    page.open(page.link("open"))  # the page opens it in another tab
    page.wait_for_text("Runbook: ", "At a glance")
    page.open(f"{site}/artifacts/artifact/{artifact(up, 'runbook-coverage')}")
    page.wait_for_text("100% of 13 active workflows have a current runbook")
    assert page.errors == []
