from sqlalchemy import text

from app.api.coverage import ServicePage
from tests.app.api.conftest import EDGES, NODES, Api
from tests.support.hosts import connected, insert_execution, insert_workflow, insert_workspace


def coverage(api: Api, query: str = "") -> dict[str, object]:
    answer = api.get(f"/coverage{query}")
    assert answer.status_code == 200
    data: dict[str, object] = answer.json()["data"]
    return data


def rate(api: Api, rating: str, token: str | None = None, **values: object) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    path = f"/runbooks/{api.proactive()['id']}/ratings"
    return api.post(path, json={"rating": rating, **values}, headers=headers).status_code


def test_coverage_is_measured_and_kept_for_a_while(api: Api) -> None:
    api.proactive()
    insert_workflow(api.database, nodes=NODES, edges=EDGES, name="Not yet covered")
    first = coverage(api)
    assert (first["active_workflows"], first["with_proactive_runbook"], first["proactive_coverage"]) == (2, 1, 0.5)
    assert coverage(api)["taken_at"] == first["taken_at"]
    with connected(api.database) as connection:
        old = "UPDATE runbook_coverage_snapshots SET taken_at = taken_at - interval '1 hour'"
        connection.execute(text(old))
    assert coverage(api)["taken_at"] != first["taken_at"]


def test_coverage_is_the_workspaces_own(api: Api) -> None:
    other = insert_workspace(api.database, slug="sales")
    insert_workflow(api.database, nodes=NODES, edges=EDGES, workspace="sales")
    api.proactive()
    mine = coverage(api)
    assert (mine["active_workflows"], mine["workspace_id"]) == (1, api.workspace)
    assert other not in str(mine)


def test_ratings_show_at_once(api: Api) -> None:
    assert coverage(api)["ratings"] == {"count": 0, "useful": 0, "target": 0.7, "share": None, "verdict": "too few"}
    assert rate(api, "useful") == 200
    ratings = coverage(api)["ratings"]
    assert isinstance(ratings, dict)
    assert (ratings["count"], ratings["useful"], ratings["share"]) == (1, 1, 1.0)


def test_a_later_rating_of_the_same_person_replaces_the_earlier_one(api: Api) -> None:
    with connected(api.database) as connection:
        user = connection.execute(text("SELECT id::text FROM users")).scalar_one()
    work, home = api.token(user_id=user), api.token(user_id=user)
    rate(api, "useful", work)
    rate(api, "not_useful", home)
    rate(api, "very_useful")
    ratings = coverage(api)["ratings"]
    assert isinstance(ratings, dict)
    assert (ratings["count"], ratings["useful"]) == (2, 1)


def test_scenarios_that_readers_found_useless_are_listed_with_what_they_said(api: Api) -> None:
    assert rate(api, "not_useful", scenario_id="workflow.unknown", comment="Too long.") == 200
    assert rate(api, "somewhat_useful", api.token(), scenario_id="workflow.unknown") == 200
    assert rate(api, "useful", api.token(), scenario_id="workflow.unknown") == 200
    assert coverage(api)["useless_scenarios"] == [
        {"scenario_id": "workflow.unknown", "not_useful": 1, "somewhat_useful": 1, "comments": ["Too long."]}
    ]


def test_a_scenario_that_the_runbook_does_not_have_cannot_be_rated(api: Api) -> None:
    for made_up in ("nobody.knows", "' OR true --", '") || true || ("'):
        assert rate(api, "useful", scenario_id=made_up) == 422


def test_the_trend_has_a_point_for_each_day_that_was_measured(api: Api) -> None:
    api.proactive()
    coverage(api)
    with connected(api.database) as connection:
        for days in (1, 2, 40):
            connection.execute(
                text("""
                    INSERT INTO runbook_coverage_snapshots (workspace_id, taken_at, report)
                    SELECT NULL, taken_at - make_interval(days => :days),
                           jsonb_build_object('by_workspace', jsonb_build_array(jsonb_build_object(
                               'workspace_id', workspace_id, 'active_workflows', :days, 'with_proactive_runbook', 0,
                               'with_ai_runbook', 0, 'stale', 0)))
                    FROM runbook_coverage_snapshots WHERE workspace_id IS NOT NULL
                """),
                {"days": days},
            )
    points = coverage(api, "?history=30")["history"]
    assert isinstance(points, list)
    assert [point["active_workflows"] for point in points] == [2, 1, 1]
    assert points[-1]["with_proactive_runbook"] == 1
    assert coverage(api).get("history") is None


def test_services_tell_how_much_depends_on_them_and_how_reliable_they_are(api: Api) -> None:
    other = insert_workflow(api.database, nodes=NODES, edges=EDGES, name="Refunds")
    for _ in range(12):
        insert_execution(api.database, other, node_key="http_stripe", error="Invalid API Key provided")
    insert_execution(api.database, other, node_key="http_stripe")
    api.proactive()
    assert api.post(f"/workflows/{other}/ai/generate-runbook").status_code == 200
    page = api.get("/integrations").json()
    ServicePage.model_validate(page)
    (stripe,) = page["data"]
    assert (stripe["service"], stripe["workflows"], stripe["nodes"]) == ("Stripe API", 2, 2)
    assert (stripe["calls"], stripe["failures"]) == (13, 12)
    assert "failing" in stripe["flags"]
    assert [node["workflow_id"] for node in stripe["flagged_nodes"]] == [other]
    assert page["meta"]["total"] == 1


def test_services_come_in_pages(api: Api) -> None:
    api.proactive()
    page = api.get("/integrations?per_page=1&page=2").json()
    assert (page["data"], page["meta"]["total"]) == ([], 1)
