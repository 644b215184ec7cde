"""Sweeps that have the model answer in batches of its server."""

import signal
import threading
import time
from typing import Any

import pytest
from sqlalchemy import URL, text

from flows.coverage_sweep import coverage_sweep
from runbooks.adapters.batch_plan import InputFile
from runbooks.bootstrap import open_llm, open_writers
from runbooks.core.batch_lines import MOST_BYTES, MOST_REQUESTS
from runbooks.core.report import SweepReport
from tests.support import llm_server as models
from tests.support.batch_server import BatchServer
from tests.support.hosts import connected, insert_workflow, insert_workspace

NAMES = tuple("ABCDEF")


@pytest.fixture
def shop(platform: URL, batch_server: BatchServer, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Six workflows, a model with a Batch API and its prices."""
    monkeypatch.setenv("OPENAI_BASE_URL", batch_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_LLM_BATCH_POLL_S", "0.05")
    monkeypatch.setenv("RUNBOOKS_LLM_PRICE_INPUT", "100")
    monkeypatch.setenv("RUNBOOKS_LLM_PRICE_OUTPUT", "200")
    insert_workspace(platform, slug="shop")
    for name in NAMES:
        nodes = [
            {"id": "in", "type": "trigger_webhook"},
            {"id": "tell", "type": "slack", "label": f"Tell {name}", "config": {"channel": "#ops"}},
        ]
        insert_workflow(platform, name=name, nodes=nodes, edges=[{"id": "e", "source": "in", "target": "tell"}])
    return platform


def sweep(**parameters: Any) -> SweepReport:
    report: SweepReport = coverage_sweep(**{"batch": True, **parameters})
    return report


def value(url: URL, query: str) -> Any:
    with connected(url) as connection:
        return connection.execute(text(query)).scalar_one()


def by_model(url: URL) -> int:
    return int(value(url, "SELECT count(*) FROM execution_runbooks WHERE ai_generated"))


def restarted() -> None:
    """Forget what this process knows, as another would not know it."""
    open_writers.cache_clear()
    open_llm.cache_clear()


def test_a_batch_is_judged_and_stored_like_any_other_answer(shop: URL, batch_server: BatchServer) -> None:
    report = sweep()
    assert (report.generated, report.fallbacks, by_model(shop)) == (6, {}, 6)
    assert batch_server.writing == []
    assert len(batch_server.asked_in_batches) == 6
    assert {line["body"]["response_format"]["type"] for line in batch_server.asked_in_batches} == {"json_schema"}
    assert value(shop, "SELECT count(*) FROM runbook_drafts") == 0
    assert value(shop, "SELECT outcome FROM runbook_batches") == "completed"
    assert batch_server.files == {}
    spent = value(shop, "SELECT sum(prompt_tokens * 100.0 + completion_tokens * 200.0) / 2e6 FROM runbook_generations")
    assert report.llm.cost_usd == pytest.approx(float(spent), rel=1e-4)
    assert sweep().generated == 0
    assert len(batch_server.batches) == 1


def test_what_fails_its_checks_is_the_catalogues_and_not_asked_again(shop: URL, batch_server: BatchServer) -> None:
    batch_server.default = models.garbage
    report = sweep()
    assert (report.generated, by_model(shop), len(batch_server.asked_in_batches)) == (6, 0, 6)
    assert sum(report.fallbacks.values()) == 6
    assert all("passed the checks" in reason for reason in report.fallbacks)
    assert batch_server.writing == []
    restarted()
    assert sweep().generated == 0


@pytest.mark.parametrize("answer", [models.refusal, models.filtered, models.thought_too_long, models.empty_choices])
def test_an_answer_without_text_is_the_catalogues(shop: URL, batch_server: BatchServer, answer: Any) -> None:
    batch_server.default = lambda request: models.good(request) if request.is_probe else answer(request)
    report = sweep()
    assert (report.generated, by_model(shop)) == (6, 0)
    assert sum(report.fallbacks.values()) == 6


def test_requests_that_fail_in_a_batch_are_asked_by_the_next_one(
    shop: URL, batch_server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    batch_server.instant = False
    workflow = value(shop, "SELECT id::text FROM workflows WHERE name = 'C'")
    batch_server.refused_ids[f"{workflow}:0"] = 400
    batch_server.instant = True
    report = sweep()
    assert (report.generated, by_model(shop)) == (6, 5)
    assert report.fallbacks == {"no answer came with the batch": 1}
    assert "1 of 6 requests have no answer: HTTP 400" in caplog.text
    batch_server.refused_ids.clear()
    restarted()
    report = sweep()
    assert (report.generated, by_model(shop), len(batch_server.asked_in_batches)) == (1, 6, 7)


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_was_answered_before_a_batch_ended_early_is_used(
    shop: URL, batch_server: BatchServer, status: str
) -> None:
    batch_server.instant = False
    ender = threading.Timer(0.5, lambda: _end(batch_server, status=status, answered=4))
    ender.start()
    report = sweep()
    ender.join()
    assert (report.generated, by_model(shop)) == (6, 4)
    assert report.fallbacks == {"no answer came with the batch": 2}


def _end(server: BatchServer, **how: Any) -> None:
    deadline = time.monotonic() + 60
    while "batch_1" not in server.batches and time.monotonic() < deadline:
        time.sleep(0.05)
    server.finish("batch_1", **how)


def test_a_batch_whose_input_is_refused_is_told_with_the_servers_code(
    shop: URL, batch_server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str, **_: Any) -> None:
        batch_server.refuse(name, "token_limit_exceeded")

    batch_server.finish = refuse  # type: ignore[method-assign]
    report = sweep()
    assert (report.generated, by_model(shop)) == (6, 0)
    assert "6 of 6 requests have no answer: token_limit_exceeded" in caplog.text


def test_a_server_without_batches_is_asked_as_usual(
    shop: URL, batch_server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    batch_server.has_batches = False
    report = sweep()
    assert (report.generated, by_model(shop), len(batch_server.writing)) == (6, 6, 6)
    assert caplog.text.count("the server takes no batches (HTTP 404); the model is asked as usual") == 1
    assert value(shop, "SELECT count(*) FROM runbook_batches") == 0


def test_a_run_that_was_killed_left_a_batch_that_the_next_one_collects(shop: URL, batch_server: BatchServer) -> None:
    batch_server.instant = False
    with pytest.raises(KeyboardInterrupt):
        _swept_until_interrupted(batch_server)
    assert len(batch_server.batches) == 1
    batch_server.finish("batch_1")
    restarted()
    report = sweep()
    assert (report.generated, by_model(shop), len(batch_server.asked_in_batches)) == (6, 6, 6)
    assert len(batch_server.batches) == 1


def test_a_usual_run_uses_what_a_batch_has_brought_meanwhile(shop: URL, batch_server: BatchServer) -> None:
    batch_server.instant = False
    with pytest.raises(KeyboardInterrupt):
        _swept_until_interrupted(batch_server)
    batch_server.finish("batch_1", status="expired", answered=4)
    restarted()
    report = sweep(batch=False)
    assert (report.generated, by_model(shop), len(batch_server.writing)) == (6, 6, 2)


def _swept_until_interrupted(server: BatchServer) -> None:
    """Ctrl-C while the batch is waited for."""

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while not server.batches and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        sweep()
    finally:
        thread.join()


def test_a_batch_that_was_started_and_never_noted_is_found_again(shop: URL, batch_server: BatchServer) -> None:
    batch_server.instant = False
    with pytest.raises(KeyboardInterrupt):
        _swept_until_interrupted(batch_server)
    with connected(shop) as connection:
        connection.execute(text("UPDATE runbook_batches SET batch = NULL"))
    batch_server.finish("batch_1")
    restarted()
    assert (sweep().generated, len(batch_server.batches)) == (6, 1)


def test_a_batch_that_the_server_forgot_is_given_up(shop: URL, batch_server: BatchServer) -> None:
    batch_server.instant = False
    with pytest.raises(KeyboardInterrupt):
        _swept_until_interrupted(batch_server)
    batch_server.batches.clear()
    batch_server.instant = True
    restarted()
    report = sweep()
    assert (report.generated, by_model(shop)) == (6, 6)
    assert value(shop, "SELECT array_agg(outcome ORDER BY id) FROM runbook_batches") == ["gone", "completed"]


@pytest.mark.parametrize("when", ["when it is asked how far it is", "when the answers are fetched"])
def test_a_server_that_is_away_for_a_moment_is_asked_again(shop: URL, batch_server: BatchServer, when: str) -> None:
    if when == "when it is asked how far it is":
        batch_server.away = 3
    else:
        batch_server.away_after = 1
    assert (sweep().generated, by_model(shop)) == (6, 6)
    assert batch_server.away == 0


def test_a_budget_is_estimated_before_anything_is_handed_in(
    shop: URL, batch_server: BatchServer, caplog: pytest.LogCaptureFixture
) -> None:
    report = sweep(max_tokens=12_000)
    assert "the budget of this run is set aside" in caplog.text
    asked = len(batch_server.asked_in_batches)
    assert 0 < asked < 6
    assert (report.generated, by_model(shop)) == (6, asked)
    assert report.fallbacks == {"no answer came with the batch": 6 - asked}
    assert report.llm.prompt_tokens + report.llm.completion_tokens <= 12_000


def test_a_budget_for_nothing_hands_nothing_in(shop: URL, batch_server: BatchServer) -> None:
    assert (sweep(max_cost=0.0001).generated, by_model(shop), batch_server.batches) == (6, 0, {})


def test_secrets_of_an_answer_are_not_kept(shop: URL, batch_server: BatchServer) -> None:
    batch_server.default = models.secret_echo
    batch_server.instant = True
    sweep()
    assert "FAKEfake0FAKE" not in str(value(shop, "SELECT json_agg(r)::text FROM execution_runbooks r"))


def test_without_a_model_the_catalogue_writes(platform: URL) -> None:
    insert_workspace(platform, slug="shop")
    insert_workflow(platform, nodes=[{"id": "tell", "type": "slack"}])
    assert sweep().generated == 1


def test_answers_of_strangers_and_broken_lines_are_left_out(shop: URL, batch_server: BatchServer) -> None:
    original = batch_server.finish

    def spoil(name: str, **how: Any) -> None:
        original(name, **how)
        file = batch_server.batches[name]["output_file_id"]
        response = b'"response": {"status_code": 200, "body": {}}'
        stranger = b'{"custom_id": "00000000-0000-4000-8000-000000000000:0", ' + response + b"}"
        batch_server.files[file] += b"\nnonsense\n[1]\n{}\n" + stranger

    batch_server.finish = spoil  # type: ignore[method-assign]
    assert (sweep().generated, by_model(shop)) == (6, 6)


def test_a_batch_that_never_ends_is_given_up_after_a_day(shop: URL, batch_server: BatchServer) -> None:
    batch_server.instant = False
    with pytest.raises(KeyboardInterrupt):
        _swept_until_interrupted(batch_server)
    with connected(shop) as connection:
        connection.execute(text("UPDATE runbook_batches SET submitted_at = now() - interval '26 hours'"))
    batch_server.instant = True
    restarted()
    assert (sweep().generated, by_model(shop)) == (6, 6)
    assert value(shop, "SELECT array_agg(outcome ORDER BY id) FROM runbook_batches") == ["overdue", "completed"]


def test_a_server_that_fails_half_way_keeps_what_it_took(
    shop: URL, batch_server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "2")
    batch_server.takes = 2
    report = sweep()
    assert (report.generated, by_model(shop)) == (6, 4)
    assert report.fallbacks == {"the server answers a batch with HTTP 500": 2}


def test_no_file_is_larger_than_the_server_takes() -> None:
    assert InputFile(requests=MOST_REQUESTS - 1).takes([b"x"])
    assert not InputFile(requests=MOST_REQUESTS - 1).takes([b"x", b"y"])
    assert InputFile(bytearray(MOST_BYTES - 3)).takes([b"x", b"yz"])
    assert not InputFile(bytearray(MOST_BYTES - 3)).takes([b"xy", b"yz"])
