from typing import Any

import pytest
from sqlalchemy import text

from app.api.schemas import OneRunbook, RunbookPage, VersionPage
from tests.app.api.conftest import Api
from tests.support.history import NOW, add_execution, insert_row
from tests.support.hosts import connected


def add_reactive(api: Api, **values: Any) -> str:
    """A row as the platform writes it for a failed execution."""
    with connected(api.database) as connection:
        execution = add_execution(connection, api.workflow, NOW, status="failed")
        given = {
            "severity": "high", "title": "Execution Failure Runbook", "summary": "client error: status 401",
            "steps": [{"title": "Look", "description": "Open it."}], "tags": ["auto-generated"], "status": "open",
            "created_at": NOW, "updated_at": NOW, **values,
        }  # fmt: skip
        return insert_row(
            connection, "execution_runbooks", workspace_id=api.workspace, workflow_id=api.workflow,
            execution_id=execution, **given,
        )  # fmt: skip


def titles(api: Api, query: str) -> list[str]:
    return [row["title"] for row in api.get(f"/runbooks?{query}").json()["data"]]


def test_a_row_has_the_keys_that_the_platform_shows(api: Api) -> None:
    runbook = add_reactive(api)
    (row,) = api.get("/runbooks").json()["data"]
    assert row == {
        "id": runbook, "workspace_id": api.workspace, "workflow_id": api.workflow,
        "execution_id": row["execution_id"], "severity": "high", "title": "Execution Failure Runbook",
        "summary": "client error: status 401", "steps": [{"title": "Look", "description": "Open it."}],
        "tags": ["auto-generated"], "status": "open", "type": "reactive", "ai_generated": False,
        "acknowledged_by": None, "acknowledged_at": None, "resolved_at": None,
        "created_at": "2026-03-31T12:00:00Z", "updated_at": "2026-03-31T12:00:00Z",
    }  # fmt: skip


def test_filters_narrow_the_list(api: Api) -> None:
    api.proactive()
    add_reactive(api, title="Low", severity="low")
    add_reactive(api, title="Done", status="resolved")
    assert set(titles(api, "type=reactive")) == {"Low", "Done"}
    assert titles(api, "type=proactive") == ["Runbook: Order Processing Pipeline"]
    assert titles(api, "severity=low") == ["Low"]
    assert titles(api, "status=open") == ["Low"]
    assert titles(api, "type=reactive&status=resolved&severity=high") == ["Done"]
    assert titles(api, "type=proactive&status=open") == []


def test_pages_have_links_and_figures_as_the_platform_has_them(api: Api) -> None:
    for number in range(5):
        add_reactive(api, title=f"Row {number}", created_at=NOW.replace(minute=number))
    page = api.get("/runbooks?per_page=2&page=2&type=reactive").json()
    RunbookPage.model_validate(page)
    assert [row["title"] for row in page["data"]] == ["Row 2", "Row 1"]
    path = f"http://testserver/api/v1/workspaces/{api.workspace}/runbooks"
    assert page["meta"] == {
        "current_page": 2, "from": 3, "last_page": 3, "path": path, "per_page": 2, "to": 4, "total": 5,
    }  # fmt: skip
    assert page["links"] == {
        "first": f"{path}?per_page=2&type=reactive&page=1", "last": f"{path}?per_page=2&type=reactive&page=3",
        "prev": f"{path}?per_page=2&type=reactive&page=1", "next": f"{path}?per_page=2&type=reactive&page=3",
    }  # fmt: skip


def test_pages_beyond_the_last_are_empty(api: Api) -> None:
    add_reactive(api)
    page = api.get("/runbooks?page=1000000").json()
    assert (page["data"], page["links"]["next"], page["meta"]["from"], page["meta"]["total"]) == ([], None, None, 1)


def test_an_empty_list_is_one_empty_page(api: Api) -> None:
    page = api.get("/runbooks").json()
    assert (page["data"], page["meta"]["last_page"], page["meta"]["total"]) == ([], 1, 0)
    assert page["meta"]["per_page"] == 20


def test_one_workflows_runbooks_are_reactive_and_proactive(api: Api) -> None:
    api.proactive()
    add_reactive(api)
    rows = api.get(f"/workflows/{api.workflow}/runbooks").json()["data"]
    assert {row["type"] for row in rows} == {"reactive", "proactive"}
    assert rows[0]["type"] == "proactive"  # the newest


def test_a_proactive_runbook_is_shown_with_all_that_it_says(api: Api) -> None:
    shown = api.get(f"/runbooks/{api.proactive()['id']}").json()
    OneRunbook.model_validate(shown)
    data = shown["data"]
    (section,) = data["sections"]
    assert (section["integration"], section["node_key"]) == ("Stripe API", "http_stripe")
    assert set(data["escalation_matrix"]) == {"low", "medium", "high", "critical"}
    assert data["general"][-1]["failure_class"] == "unknown"
    assert (data["workflow_id"], data["type"]) == (api.workflow, "proactive")


def test_a_reactive_runbook_is_shown_without_what_it_has_not(api: Api) -> None:
    data = api.get(f"/runbooks/{add_reactive(api)}").json()["data"]
    assert data["sections"] == []
    assert "escalation_matrix" not in data


def test_a_runbook_can_be_had_as_a_page_to_read(api: Api) -> None:
    proactive, reactive = api.proactive()["id"], add_reactive(api)
    url = f"/api/v1/workspaces/{api.workspace}/runbooks"
    headers = {**api.headers, "Accept": "text/markdown"}
    page = api.client.get(f"{url}/{proactive}", headers=headers)
    assert page.headers["content-type"].startswith("text/markdown")
    assert page.text.startswith("# Runbook: Order Processing Pipeline")
    assert "Stripe API" in page.text
    page = api.client.get(f"{url}/{reactive}", headers=headers)
    assert page.text.startswith("# Execution Failure Runbook")
    assert "client error: status 401" in page.text
    assert "Open it." in page.text


def test_acknowledging_keeps_the_first_time_and_who_it_was(api: Api) -> None:
    with connected(api.database) as connection:
        user = connection.execute(text("SELECT id::text FROM users")).scalar_one()
    runbook = add_reactive(api)
    headers = {"Authorization": f"Bearer {api.token(user_id=user)}"}
    row = api.post(f"/runbooks/{runbook}/acknowledge", headers=headers).json()["data"]
    assert (row["status"], row["acknowledged_by"]) == ("acknowledged", user)
    assert row["acknowledged_at"] is not None
    again = api.post(f"/runbooks/{runbook}/acknowledge").json()["data"]
    assert again == row


def test_a_token_without_user_acknowledges_for_nobody_in_particular(api: Api) -> None:
    row = api.post(f"/runbooks/{add_reactive(api)}/acknowledge").json()["data"]
    assert (row["status"], row["acknowledged_by"]) == ("acknowledged", None)


def test_resolving_sets_the_time_once(api: Api) -> None:
    runbook = add_reactive(api)
    row = api.post(f"/runbooks/{runbook}/resolve").json()["data"]
    assert row["status"] == "resolved"
    assert row["resolved_at"] is not None
    assert api.post(f"/runbooks/{runbook}/resolve").json()["data"] == row
    assert api.post(f"/runbooks/{runbook}/acknowledge").status_code == 409


def test_a_row_that_was_opened_again_can_be_handled_again(api: Api) -> None:
    runbook = add_reactive(api, status="open", resolved_at=NOW)
    assert api.post(f"/runbooks/{runbook}/acknowledge").json()["data"]["status"] == "acknowledged"
    row = api.post(f"/runbooks/{runbook}/resolve").json()["data"]
    assert row["status"] == "resolved"
    assert row["resolved_at"] > "2026-03-31T12:00:00Z"


def test_a_proactive_runbook_that_nobody_resolved_can_be_acknowledged(api: Api) -> None:
    runbook = api.proactive()
    assert runbook["status"] == "resolved"
    row = api.post(f"/runbooks/{runbook['id']}/acknowledge").json()["data"]
    assert (row["status"], row["resolved_at"]) == ("acknowledged", None)


def test_a_new_version_keeps_what_people_said(api: Api) -> None:
    runbook = api.proactive()["id"]
    before = api.post(f"/runbooks/{runbook}/acknowledge").json()["data"]
    assert api.generate(json={"include_historical_data": False}).status_code == 200
    after = api.get(f"/runbooks/{runbook}").json()["data"]
    assert (after["status"], after["acknowledged_at"]) == ("acknowledged", before["acknowledged_at"])


def test_versions_are_listed_newest_first(api: Api) -> None:
    runbook = api.proactive()["id"]
    provenance = '{"writer": "catalogue"}'
    with connected(api.database) as connection:
        connection.execute(text("DELETE FROM runbook_versions"))
        for version in (1, 2):
            connection.execute(
                text("""
                    INSERT INTO runbook_versions (runbook_id, workflow_id, version, created_at, fingerprint,
                        definition_hash, reason, writer, severity, provenance)
                    VALUES (CAST(:runbook AS uuid), CAST(:workflow AS uuid), :version, :at, 'f', 'd',
                        'the definition changed', 'catalogue', 'high', CAST(:provenance AS jsonb))
                """),
                {"runbook": runbook, "workflow": api.workflow, "version": version, "at": NOW.replace(minute=version),
                 "provenance": provenance},
            )  # fmt: skip
    page = api.get(f"/runbooks/{runbook}/history").json()
    VersionPage.model_validate(page)
    assert [one["version"] for one in page["data"]] == [2, 1]
    assert (page["data"][0]["created_at"], page["data"][0]["reason"]) == (
        "2026-03-31T12:02:00Z",
        "the definition changed",
    )


def test_a_reactive_runbook_has_no_versions(api: Api) -> None:
    assert api.get(f"/runbooks/{add_reactive(api)}/history").json()["meta"]["total"] == 0


@pytest.mark.parametrize("path", ["acknowledge", "resolve"])
def test_reviewing_what_is_not_there_changes_nothing(api: Api, path: str) -> None:
    assert api.post(f"/runbooks/00000000-0000-0000-0000-000000000000/{path}").status_code == 404
