import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from runbooks.demo.company import Company, read_company
from runbooks.demo.engine import Engine, Order, plan_of
from runbooks.demo.fake_secrets import planted_secrets
from runbooks.demo.faults import unreachable
from runbooks.demo.history import History, make_history
from runbooks.demo.reactive import severity_of
from runbooks.demo.rollup import daily_metrics, percentile
from runbooks.demo.rows import Attempt
from runbooks.demo.stories import DAYS, drifts, everyday, stories
from runbooks.demo.traffic import run_times
from runbooks.demo.weather import Weather, worded

NOW = datetime(2026, 3, 18, 14, 40, tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return read_company()


@pytest.fixture(scope="module")
def history(company: Company) -> History:
    return make_history(company, now=NOW, seed=7)


def node_failures(history: History, company: Company, file: str, node_key: str) -> list[tuple[datetime, str]]:
    """When a node really failed, and its message; replays left out."""
    workflow_id = company.find(file).id
    runs = {one.id for one in history.executions if one.workflow_id == workflow_id and not one.is_deterministic_replay}
    return [
        (node.started_at, json.loads(node.error)["message"])
        for node in history.nodes
        if node.execution_id in runs and node.node_id == node_key and node.status == "failed"
        if node.started_at and node.error
    ]


def test_a_dozen_workflows_run_and_three_must_be_ignored(company: Company) -> None:
    assert sum(demo.runs for demo in company.workflows) == 13
    assert sum(not demo.active for demo in company.workflows) == 2
    assert sum(demo.deleted for demo in company.workflows) == 1


def test_every_definition_can_be_read_without_a_problem(company: Company) -> None:
    for demo in company.workflows:
        assert demo.workflow.problems == (), demo.file
        assert 6 <= len(demo.workflow.nodes) <= 14, demo.file


def test_the_order_pipeline_charges_with_stripe(company: Company) -> None:
    node = company.find("order_processing").workflow.node("http_stripe")
    assert node.config["url"] == "https://api.stripe.com/v1/payment_intents"
    assert "{{ credential.stripe_live }}" in node.config["headers"]["Authorization"]


def test_nodes_are_written_in_every_shape_that_the_platform_has(company: Company) -> None:
    shapes = {
        frozenset(node) & {"data", "config", "label", "name"}
        for one in company.workflows
        for node in one.document["nodes"]
    }
    assert shapes == {
        frozenset({"data"}),
        frozenset({"config", "label"}),
        frozenset({"config", "name"}),
        frozenset({"data", "label"}),
    }


def test_what_the_company_file_names_exists(company: Company) -> None:
    emails = {user.email for user in company.users}
    credentials = {credential.name for credential in company.credentials}
    assert company.workspace.owner in emails
    for demo in company.workflows:
        keys = {node.key for node in demo.workflow.nodes}
        assert demo.owner in emails
        assert set(demo.credentials.values()) <= credentials, demo.file
        assert {*demo.credentials, *demo.latency, *demo.calls, *demo.holds} <= keys, demo.file


def test_stories_and_daily_trouble_happen_at_nodes_that_exist(company: Company) -> None:
    places = {story.place for story in stories(NOW)} | {drift.place for drift in drifts()} | set(everyday())
    for file, node_key in places:
        assert company.find(file).workflow.node(node_key).key == node_key


def test_secrets_stand_in_clear_text_in_the_definitions_but_in_no_file(company: Company) -> None:
    definitions = json.dumps([demo.document for demo in company.workflows], ensure_ascii=False)
    raw = "".join(json.dumps(demo.model_dump(mode="json")) for demo in company.workflows)
    assert [secret for secret in planted_secrets() if secret not in definitions] == []
    assert "%FAKE" not in definitions
    assert [secret for secret in planted_secrets() if secret in raw] == []


def test_the_same_seed_and_time_tell_the_same_history(company: Company, history: History) -> None:
    assert make_history(company, now=NOW, seed=7) == history


def test_another_seed_tells_another_history(company: Company, history: History) -> None:
    assert make_history(company, now=NOW, seed=8).executions != history.executions


def test_history_ends_before_now_and_is_thirty_days_long(history: History) -> None:
    moments = [one.started_at for one in history.executions]
    ends = [one.finished_at for one in history.executions if one.finished_at]
    assert NOW - timedelta(days=DAYS + 1) < min(moments) < NOW - timedelta(days=DAYS - 1)
    assert max(moments) < NOW
    assert max(ends) < NOW
    assert all(attempt.happened_at < NOW for attempt in history.attempts)


def test_there_are_thousands_of_executions_of_every_active_workflow(company: Company, history: History) -> None:
    counts = Counter(one.workflow_id for one in history.executions)
    assert 3000 < len(history.executions) < 12000
    assert set(counts) == {demo.id for demo in company.workflows if demo.runs}
    assert min(counts.values()) > 15


def test_every_row_refers_to_rows_that_are_there(history: History) -> None:
    executions = {one.id for one in history.executions}
    nodes = {node.id: node.execution_id for node in history.nodes}
    assert len(nodes) == len(history.nodes)
    assert len(executions) == len(history.executions)
    assert set(nodes.values()) <= executions
    assert all(nodes[attempt.execution_node_id or ""] == attempt.execution_id for attempt in history.attempts)
    assert all(one.parent_execution_id in executions for one in history.executions if one.parent_execution_id)
    assert all(one.replay_of_execution_id in executions for one in history.executions if one.replay_of_execution_id)


def test_only_http_nodes_leave_attempts(history: History) -> None:
    types = {node.id: node.node_type for node in history.nodes}
    assert {types[attempt.execution_node_id or ""] for attempt in history.attempts} == {
        "action_http_request",
        "http_request",
    }
    assert {(one.connector_key, one.connector_operation, one.provider) for one in history.attempts} == {
        ("action_http_request", "request", "http")
    }


def test_a_rotated_stripe_key_fails_every_charge_for_hours_and_nothing_else_on_other_days(
    company: Company, history: History
) -> None:
    told = next(story for story in stories(NOW) if story.title == "Stripe key rotated")
    rejected = [
        attempt
        for attempt in history.attempts
        if attempt.status_code == 401 and attempt.workflow_id == company.find("order_processing").id
    ]
    assert len({attempt.execution_id for attempt in rejected}) >= 5
    assert all(told.covers(attempt.happened_at) for attempt in rejected)
    assert {attempt.error_message for attempt in rejected} == {"Invalid API Key provided: sk_live_" + "*" * 20 + "4f2a"}
    assert timedelta(hours=2) < told.end - told.start < timedelta(hours=12)


def test_orders_that_the_rotated_key_stopped_are_executed_again(company: Company, history: History) -> None:
    stopped = {
        attempt.execution_id for attempt in history.attempts if attempt.status_code == 401 and attempt.meta is None
    }
    again = {one.parent_execution_id: one for one in history.executions if one.mode == "retry"}
    assert stopped <= set(again)
    assert all(again[execution].status == "completed" and again[execution].attempt == 2 for execution in stopped)


def test_hubspot_limits_calls_on_mondays_at_nine(history: History, company: Company) -> None:
    limited = Counter(
        (attempt.happened_at.weekday(), attempt.happened_at.hour in (9, 10))
        for attempt in history.attempts
        if attempt.status_code == 429 and attempt.workflow_id == company.find("crm_sync").id
    )
    assert limited[0, True] >= 12
    assert limited[0, True] > 2 * (limited.total() - limited[0, True])


def test_the_report_gets_slower_until_it_runs_into_its_limit(history: History, company: Company) -> None:
    nightly = {one.id for one in history.executions if one.mode == "schedule"}
    runs = sorted(
        (node.started_at, node.duration_ms, node.status)
        for node in history.nodes
        if node.execution_id in nightly and node.node_id == "revenue" and node.started_at and node.duration_ms
    )
    third = len(runs) // 3
    early, late = runs[:third], runs[-third:]
    assert sum(took for _, took, _ in late) > 1.5 * sum(took for _, took, _ in early)
    assert [status for _, _, status in early] == ["completed"] * third
    messages = {message for _, message in node_failures(history, company, "nightly_report", "revenue")}
    assert messages
    assert messages <= {
        "context deadline exceeded",
        "ERROR: canceling statement due to statement timeout (SQLSTATE 57014)",
    }
    assert max(took for _, took, _ in runs) <= 120_000


def test_the_partners_new_schema_fails_reading_and_confirming(history: History, company: Company) -> None:
    reading = node_failures(history, company, "partner_intake", "parse")
    details = {attempt.error_message for attempt in history.attempts if attempt.status_code == 422}
    assert len(reading) >= 4
    assert all("Cannot read property" in message for _, message in reading)
    assert len(details) == 1
    assert "missing property" in str(details)


def test_an_execution_goes_on_behind_a_node_with_an_error_output(history: History, company: Company) -> None:
    statuses = {one.id: one.status for one in history.executions}
    refused = [attempt for attempt in history.attempts if attempt.status_code == 422 and attempt.meta is None]
    assert {statuses[attempt.execution_id] for attempt in refused} == {"completed"}
    warned = {node.execution_id for node in history.nodes if node.node_id == "warn" and node.status == "completed"}
    assert {attempt.execution_id for attempt in refused} <= warned


def test_mail_is_refused_for_one_night(history: History, company: Company) -> None:
    failures = node_failures(history, company, "invoice_email", "smtp")
    nights = [when for when, message in failures if "535" in message]
    assert len(nights) >= 4
    assert max(nights) - min(nights) < timedelta(hours=9)
    assert all(when.hour >= 22 or when.hour < 7 for when in nights)


def test_an_internal_name_is_not_found_and_the_error_carries_a_token(history: History, company: Company) -> None:
    messages = [message for _, message in node_failures(history, company, "price_feed", "feed")]
    lost = [message for message in messages if "no such host" in message]
    assert len(lost) >= 3
    assert lost[0].startswith('HTTP request failed: Get "http://pricing.internal.tidewell.example:9000/feed?token=')


def test_what_can_be_cured_by_trying_again_is_tried_again(history: History) -> None:
    by_request: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in history.attempts:
        by_request.setdefault((attempt.execution_id, attempt.request_fingerprint), []).append(attempt)
    cured = [calls for calls in by_request.values() if calls[0].status != "success" and calls[-1].status == "success"]
    assert len(cured) >= 10
    assert all(attempt.is_retry == (attempt.attempt_no > 1) for attempt in history.attempts)
    assert {attempt.status_code for attempt in history.attempts if attempt.is_retry} >= {200}


def test_some_attempts_arrive_twice_with_the_same_key(history: History) -> None:
    keys = Counter(
        (one.execution_id, one.execution_node_id, one.attempt_no, one.request_fingerprint, one.happened_at)
        for one in history.attempts
    )
    doubled = [count for count in keys.values() if count > 1]
    assert len(doubled) > 20
    assert set(doubled) == {2}
    assert len({one.id for one in history.attempts}) == len(history.attempts)


def test_replays_are_marked_on_the_execution_and_on_its_attempts(history: History) -> None:
    replays = {one.id for one in history.executions if one.is_deterministic_replay}
    marked = {one.execution_id for one in history.attempts if one.meta and json.loads(one.meta)["replay_mode"]}
    assert replays
    assert marked == replays


def test_some_executions_were_cancelled(history: History) -> None:
    assert sum(one.status == "cancelled" for one in history.executions) >= 5
    assert any(one.status == "cancelled" for one in history.attempts)


def test_nodes_of_the_branch_not_taken_are_skipped(history: History) -> None:
    skipped = [node for node in history.nodes if node.status == "skipped" and node.node_id == "free_order"]
    assert len(skipped) > 300
    assert {(node.started_at, node.duration_ms) for node in skipped} == {(None, None)}


def test_the_rollup_counts_all_rows_of_a_day_and_ends_yesterday(history: History) -> None:
    assert max(row.day for row in history.daily) == date(2026, 3, 17)
    day = date(2026, 3, 10)
    row = next(row for row in history.daily if row.day == day)
    calls = [one for one in history.attempts if one.happened_at.date() == day]
    assert row.total_calls == len(calls)
    assert row.failure_calls == sum(one.status != "success" for one in calls)
    assert row.success_calls + row.failure_calls == row.total_calls


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 20), (0.95, 30), (0.99, 30), (1.0, 40)],
    ids=["p50", "p95", "p99", "largest"],
)
def test_a_percentile_is_the_nearest_rank_rounded_down(share: float, expected: int) -> None:
    assert percentile([10, 20, 30, 40], share) == expected


def test_no_latency_gives_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_days_without_calls_have_no_row(history: History) -> None:
    first = history.attempts[0]
    rows = list(daily_metrics([first], now=NOW))
    assert [(row.day, row.total_calls) for row in rows] == [(first.happened_at.date(), 1)]


def test_every_failed_execution_got_the_platforms_own_runbook(history: History) -> None:
    failed = {one.id for one in history.executions if one.status == "failed"}
    assert {row.execution_id for row in history.runbooks} == failed
    assert {row.title for row in history.runbooks} == {"Execution Failure Runbook"}
    assert {row.status for row in history.runbooks} >= {"open", "resolved"}
    assert all(set(step) == {"title", "description"} for row in history.runbooks for step in json.loads(row.steps))


def test_no_runbook_of_a_replay_is_left_open(history: History) -> None:
    replays = {one.id for one in history.executions if one.is_deterministic_replay}
    assert {row.status for row in history.runbooks if row.execution_id in replays} == {"resolved"}


@pytest.mark.parametrize(
    ("message", "severity"),
    [
        ("failed to send email: 535 authentication failed", "critical"),
        ("PERMISSION_DENIED", "critical"),
        ("statement timeout", "high"),
        ("rate limited by Discord", "high"),
        ("client error: status 401", "medium"),
    ],
)
def test_the_platform_judges_severity_by_words(message: str, severity: str) -> None:
    assert severity_of(message) == severity


def test_incidents_of_at_least_five_workflows_began_and_ended(history: History) -> None:
    ended = set()
    open_since: dict[str, datetime] = {}
    for one in history.executions:
        if one.is_deterministic_replay or one.status not in ("failed", "completed"):
            continue
        if one.status == "failed":
            open_since.setdefault(one.workflow_id, one.started_at)
        elif one.workflow_id in open_since:
            ended.add((one.workflow_id, open_since.pop(one.workflow_id)))
    assert len(ended) >= 30
    assert len({workflow_id for workflow_id, _ in ended}) >= 5


def test_scheduled_runs_keep_to_the_clock_and_weekdays(company: Company) -> None:
    start = NOW.replace(hour=0, minute=0) - timedelta(days=14)
    times = run_times(company.find("release_notes").traffic, start=start, end=NOW, random=Random(1))
    assert {(time.hour, time.minute) for time in times} == {(7, 0)}
    assert {time.weekday() for time in times} == {0, 1, 2, 3, 4}


def test_customers_come_by_day_rather_than_by_night(company: Company) -> None:
    start = NOW.replace(hour=0, minute=0) - timedelta(days=14)
    times = run_times(company.find("order_processing").traffic, start=start, end=NOW, random=Random(1))
    by_day = sum(8 <= time.hour < 20 for time in times)
    assert by_day > 0.75 * len(times)
    assert times == sorted(times)


def test_a_calm_run_meets_no_trouble_in_the_middle_of_a_story(company: Company) -> None:
    demo = company.find("invoice_email")
    night = next(story for story in stories(NOW) if story.title == "Mailbox locked")
    engine = Engine("", Weather(NOW, Random(1)), Random(1))
    troubled = engine.run(plan_of(demo), Order(demo, night.start + timedelta(hours=1), "schedule"))
    calm = engine.run(plan_of(demo), Order(demo, night.start + timedelta(hours=1), "retry", calm=True))
    assert (troubled.execution.status, calm.execution.status) == ("failed", "completed")
    assert [node.node_id for node in troubled.nodes][-1] == "smtp"
    assert [node.node_id for node in calm.nodes][-1] == "log"


def test_a_fresh_approval_waits_for_a_person(company: Company) -> None:
    demo = company.find("refund_approval").model_copy(update={"holds": {"big": 1.0}})
    engine = Engine("", Weather(NOW, Random(1)), Random(1))
    recording = engine.run(plan_of(demo), Order(demo, NOW - timedelta(minutes=5), "manual"))
    assert (recording.execution.status, recording.execution.finished_at) == ("waiting", None)
    assert (recording.nodes[-1].node_id, recording.nodes[-1].status) == ("approve", "running")


def test_an_error_names_the_address_as_go_does(company: Company) -> None:
    node = company.find("delivery_sms").workflow.node("track")
    detail = worded(unreachable("EOF").message, node, 7)
    assert detail == 'HTTP request failed: Get "https://api.fernroute.example/v2/shipments/100007": EOF'
