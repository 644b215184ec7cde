import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runbooks.core.coverage import (
    CoverageReport,
    Layer,
    Ratings,
    Uncovered,
    WorkspaceCoverage,
    class_coverage,
    observed_coverage,
    scenario_recall,
)
from runbooks.core.coverage_text import coverage_markdown, coverage_table
from runbooks.core.failure_classes import FailureClass
from runbooks.core.mttr import Incident, MttrReport, mttr
from runbooks.core.recall import Recall


def make_report(**changes: Any) -> CoverageReport:
    given: dict[str, Any] = {
        "taken_at": datetime(2026, 3, 31, 2, 0, tzinfo=UTC),
        "active_workflows": 10,
        "with_proactive_runbook": 9,
        "with_ai_runbook": 8,
        "stale": 1,
        "target": 0.8,
        "integrations": Layer(covered=27, total=30),
        "failure_classes": Layer(covered=108, total=120),
        "observed_failures": Layer(covered=40, total=50),
        "window_days": 30,
        "mttr": MttrReport(),
    }
    return CoverageReport(**{**given, **changes})


def test_json_has_the_agreed_keys_with_coverages_as_fractions() -> None:
    document = json.loads(make_report(mttr=mttr([])).model_dump_json())
    agreed = {
        "active_workflows", "with_proactive_runbook", "with_ai_runbook", "stale", "proactive_coverage", "ai_coverage",
        "target", "mttr", "ratings",
    }  # fmt: skip
    assert agreed <= set(document)
    assert (document["proactive_coverage"], document["ai_coverage"]) == (0.9, 0.8)
    assert set(document["mttr"]) == {"with_runbook", "without_runbook", "change", "target", "verdict"}
    assert document["ratings"] == {"count": 0, "useful": 0, "target": 0.7, "share": None, "verdict": "too few"}


def test_nothing_active_is_no_coverage_and_no_error() -> None:
    report = make_report(active_workflows=0, with_proactive_runbook=0, with_ai_runbook=0, stale=0)
    assert (report.proactive_coverage, report.ai_coverage, report.target_met) == (0.0, 0.0, False)


def test_target_is_met_by_runbooks_that_an_llm_wrote() -> None:
    assert make_report().target_met
    assert not make_report(with_ai_runbook=7).target_met


def test_required_scenarios_are_counted_by_section() -> None:
    sections = [
        ["timeout", "auth_failed", "rate_limited", "invalid_request", "network"],
        ["timeout", "unexpected_response"],  # a changed schema shows in one of two forms
        [],
    ]
    assert class_coverage(sections) == Layer(covered=6, total=12)


def test_observed_failures_weigh_by_count_and_unknown_ones_are_not_covered() -> None:
    failures = [
        (FailureClass.TIMEOUT, ["timeout"], 7),
        (FailureClass.TLS, ["timeout"], 2),
        (FailureClass.TIMEOUT, (), 1),
        (FailureClass.UNKNOWN, ["unknown"], 5),
    ]
    assert observed_coverage(failures) == Layer(covered=7, total=15)


def test_recall_is_the_place_in_the_section_weighed_by_count() -> None:
    order = ["timeout", "auth_failed", "timeout", "tls", "network"]
    failures = [
        (FailureClass.TIMEOUT, order, 7),
        (FailureClass.AUTH_FAILED, order, 2),
        (FailureClass.TLS, order, 4),
        (FailureClass.CONFLICT, order, 1),
        (FailureClass.TIMEOUT, (), 1),
        (FailureClass.UNKNOWN, ["unknown"], 5),
    ]
    assert scenario_recall(failures) == Recall(failures=20, at_1=7, at_3=9)


def test_page_says_how_high_the_right_scenario_stands() -> None:
    page = coverage_markdown(make_report(scenario_recall=Recall(failures=1200, at_1=660, at_3=1080)))
    assert (
        "- Back-test: of 1,200 failures at known nodes in the last 30 days, the first scenario of the node's section "
        "fits 55%, one of the first three 90%." in page
    )
    assert "- Back-test: no failure of a known node in the last 30 days." in coverage_markdown(make_report())


def test_layer_without_anything_to_cover_has_no_share() -> None:
    assert Layer(covered=0, total=0).share is None


@pytest.mark.parametrize(
    ("count", "useful", "verdict"), [(0, 0, "too few"), (4, 4, "too few"), (10, 7, "met"), (10, 6, "not met")]
)
def test_ratings_are_judged_from_five_on(count: int, useful: int, verdict: str) -> None:
    assert Ratings(count=count, useful=useful).verdict == verdict


def test_page_says_what_is_covered_what_is_not_and_whether_it_helps() -> None:
    incidents = [Incident(with_runbook=True, duration_s=600)] * 5 + [Incident(with_runbook=False, duration_s=1200)] * 5
    uncovered = Uncovered(workflow_id="7", name="Pay | <b>", executions=120, failures=3, reason="stale")
    page = coverage_markdown(make_report(uncovered=(uncovered,), mttr=mttr(incidents)))
    assert "**90%** of 10 active workflows have a current runbook" in page
    assert "| failures of the last 30 days | 40 | 50 | 80% |" in page
    assert "median 10 min with a runbook against 20 min without, -50% (target -30%: met;" in page
    assert "| Pay \\| &lt;b> | 7 | 120 | 3 | changed since its runbook |" in page


def test_page_does_not_compare_a_handful_of_incidents() -> None:
    page = coverage_markdown(make_report(mttr=mttr([Incident(with_runbook=True, duration_s=None)])))
    assert "too few incidents to compare (0 resolved and 1 open with a runbook, 0 and 0 without)" in page


def test_table_has_one_row_a_workspace() -> None:
    workspace = WorkspaceCoverage(
        workspace_id="1", name="", active_workflows=4, with_proactive_runbook=3, with_ai_runbook=2, stale=1
    )
    assert coverage_table(make_report(by_workspace=(workspace,))) == [
        {"workspace": "1", "active workflows": 4, "with current runbook": 3, "written by AI": 2, "stale": 1}
    ]
