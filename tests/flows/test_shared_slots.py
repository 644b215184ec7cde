"""Several processes, one limit: a real Prefect server, and a model that counts who calls at once."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from app.deploy import ensure_shared_limit
from app.doctor import check_slots
from runbooks.adapters.breaker import Breaker
from runbooks.adapters.llm import LLM, Usage
from runbooks.settings import Settings
from tasks.shared_slots import SharedSlots, shared_slots
from tasks.slot_server import LEASE_S, LIMIT, LimitMissing, ServerAway, SlotServer
from tests.support.llm_server import LLMServer, Received, completion
from tests.support.prefect import PrefectServer, free_port
from tests.support.slot_holder import PROMPT


@pytest.fixture
def model(llm_server: LLMServer) -> LLMServer:
    def answers(_: Received) -> Any:
        return completion('{"scenarios": []}')

    llm_server.default = answers
    llm_server.delay_s = 0.05
    return llm_server


@pytest.fixture
def limit(prefect_server: PrefectServer) -> Iterator[int]:
    """A limit of eight on the server, all of it free."""
    with get_client(sync_client=True) as client:
        ensure_shared_limit(client, Settings(llm_shared_concurrency=8))
        yield 8
        client.delete_global_concurrency_limit_by_name(LIMIT)


def make_llm(model: LLMServer, concurrency: int = 16) -> LLM:
    return LLM(model="m", base_url=model.base_url, concurrency=concurrency)


def ask(llm: LLM, times: int) -> None:
    async def run() -> None:
        async with llm.connect(Breaker()) as connection:
            await asyncio.gather(*(connection.ask(PROMPT, Usage()) for _ in range(times)))

    asyncio.run(run())


@contextmanager
def holder(model: LLMServer, times: int, prefect: PrefectServer | str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.slot_holder", str(times)],
        env={
            **os.environ,
            "PREFECT_API_URL": prefect if isinstance(prefect, str) else prefect.api,
            "RUNBOOKS_MODEL": "m",
            "OPENAI_BASE_URL": model.base_url,
            "RUNBOOKS_LLM_SHARED_CONCURRENCY": "8",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",  # our commands, which other tests run, set another
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def in_the_end(process: "subprocess.Popen[str]") -> str:
    """What a process that ended well wrote to its log."""
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    return log


def test_two_processes_never_call_more_often_at_once_than_the_limit_says(
    model: LLMServer, limit: int, prefect_server: PrefectServer
) -> None:
    with holder(model, 200, prefect_server) as first, holder(model, 200, prefect_server) as second:
        logs = [in_the_end(first), in_the_end(second)]
    assert len(model.writing) == 400
    assert 4 <= model.most_at_once <= limit
    assert any("7 of 8 slots" in log for log in logs)
    assert SlotServer().usage().taken == 0


def test_a_process_that_comes_later_gets_the_slot_that_is_left_for_it_and_says_so(
    model: LLMServer, limit: int, prefect_server: PrefectServer
) -> None:
    llm = make_llm(model)
    with SharedSlots(llm, SlotServer()).hold(100), holder(model, 3, prefect_server) as late:
        log = in_the_end(late)
        assert SlotServer().usage().taken == 7
    assert "holding 1 of 8 slots of Prefect's limit runbooks-llm, 2 fewer than wanted" in log


def test_batches_of_one_process_share_what_it_holds(model: LLMServer, limit: int) -> None:
    llm = make_llm(model)
    slots = SharedSlots(llm, SlotServer())

    def batch() -> None:
        with slots.hold(50):
            ask(llm, 40)

    threads = [threading.Thread(target=batch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model.writing) == 80
    assert model.most_at_once == 7
    assert SlotServer().usage().taken == 0


def test_slots_that_others_give_back_are_taken(model: LLMServer, limit: int) -> None:
    others = SlotServer().take(6, held=0)
    assert others is not None
    llm = make_llm(model)
    with SharedSlots(llm, SlotServer(), tick_s=0.1).hold(100):
        assert SlotServer().usage().taken == 7
        SlotServer().give_back(others)
        deadline = time.monotonic() + 10
        while SlotServer().usage().taken != 7 and time.monotonic() < deadline:
            time.sleep(0.05)
        ask(llm, 40)
    assert model.most_at_once > 1


def test_without_a_free_slot_a_run_waits_with_a_word_and_then_does_without_the_model(
    model: LLMServer, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    everything = SlotServer().take(8, held=0)
    rest = SlotServer().take(1, held=0)
    assert everything is not None
    assert rest is not None
    with SharedSlots(make_llm(model), SlotServer(), patience_s=1).hold(5) as refusal:
        assert refusal == "all slots of Prefect's limit runbooks-llm are taken"
    assert "waiting for one" in caplog.text


def test_a_run_that_waits_goes_on_when_a_slot_becomes_free(model: LLMServer, limit: int) -> None:
    taken = [SlotServer().take(8, held=0), SlotServer().take(1, held=0)]
    lease = taken[0]
    assert lease is not None
    later = threading.Timer(0.5, SlotServer().give_back, [lease])
    later.start()
    with SharedSlots(make_llm(model), SlotServer()).hold(5) as refusal:
        assert refusal is None
    later.join()


def test_a_lease_that_the_server_forgot_is_taken_anew(model: LLMServer, limit: int) -> None:
    llm = make_llm(model)
    slots = SharedSlots(llm, SlotServer(), tick_s=0.1)
    with slots.hold(100):
        (lease,) = slots._leases
        SlotServer().give_back(lease)
        deadline = time.monotonic() + 10
        while (lease in slots._leases or not slots._leases) and time.monotonic() < deadline:
            time.sleep(0.05)
        ask(llm, 30)
        assert SlotServer().usage().taken == 7
    assert model.most_at_once <= limit


def test_a_server_that_is_away_loses_no_sweep(model: LLMServer, prefect_server: PrefectServer) -> None:
    with holder(model, 40, f"http://127.0.0.1:{free_port()}/api") as process:
        log = in_the_end(process)
    assert len(model.writing) == 40
    assert log.count("going on with RUNBOOKS_LLM_CONCURRENCY=16, shared with nobody") == 1


def test_a_server_that_goes_away_in_the_middle_leaves_the_process_what_it_holds(
    model: LLMServer, limit: int, prefect_server: PrefectServer
) -> None:
    llm = make_llm(model)
    slots = SharedSlots(llm, SlotServer(), tick_s=0.1)
    with slots.hold(100):
        leases = list(slots._leases)
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}), slots.hold(100):
            slots._renew()
            ask(llm, 30)
        assert slots._leases == leases
    assert model.most_at_once == 7


def test_a_limit_that_nobody_made_is_told_with_what_to_do(
    model: LLMServer, prefect_server: PrefectServer, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(LimitMissing, match="runbooks deploy"):
        SlotServer().usage()
    llm = make_llm(model, concurrency=3)
    with SharedSlots(llm, SlotServer()).hold(10):
        ask(llm, 12)
    assert model.most_at_once == 3
    assert "runbooks deploy" in caplog.text


def test_a_limit_that_was_switched_off_limits_nothing(model: LLMServer, limit: int) -> None:
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    with get_client(sync_client=True) as client:
        client.update_global_concurrency_limit(LIMIT, GlobalConcurrencyLimitUpdate(active=False))
    with pytest.raises(LimitMissing, match="switched off"):
        SlotServer().take(1, held=0)


def test_without_the_setting_or_a_server_nothing_is_asked() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}), shared_slots(Settings(), 5) as refusal:
        assert refusal is None
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        shared_slots(Settings(llm_shared_concurrency=8), 5) as refusal,
    ):
        assert refusal is None


def test_limits_per_minute_are_shared_like_the_slots(model: LLMServer, limit: int) -> None:
    from runbooks.core.pace import Pace

    pace = Pace(requests_per_minute=600, tokens_per_minute=None, clock=lambda: 0.0)
    llm = LLM(model="m", base_url=model.base_url, concurrency=2, pace=pace)
    with SharedSlots(llm, SlotServer()).hold(100):
        assert [pace.wait(1) for _ in range(3)] == [0, pytest.approx(0.4), pytest.approx(0.8)]


def test_deploying_again_brings_the_limit_to_the_setting(prefect_server: PrefectServer, limit: int) -> None:
    with get_client(sync_client=True) as client:
        assert ensure_shared_limit(client, Settings(llm_shared_concurrency=12)) == "; limit runbooks-llm: 12"
        assert client.read_global_concurrency_limit_by_name(LIMIT).limit == 12
        assert ensure_shared_limit(client, Settings()) == ""
        assert client.read_global_concurrency_limit_by_name(LIMIT).limit == 12


def test_the_doctor_says_how_full_the_limit_is(prefect_server: PrefectServer, limit: int) -> None:
    lease = SlotServer().take(3, held=0)
    assert lease is not None
    assert check_slots(Settings(llm_shared_concurrency=8)) == (
        "ok",
        "3 of 8 slots of Prefect's limit runbooks-llm are taken",
    )
    state, found = check_slots(Settings(llm_shared_concurrency=9))
    assert state == "bad"
    assert "runbooks deploy" in found
    SlotServer().give_back(lease)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        state, found = check_slots(Settings(llm_shared_concurrency=8))
        assert (state, "does not answer" in found) == ("bad", True)
        with pytest.raises(ServerAway):
            SlotServer().usage()


@pytest.mark.slow
def test_the_slots_of_a_killed_process_come_back(model: LLMServer, limit: int, prefect_server: PrefectServer) -> None:
    model.delay_s = 5
    with holder(model, 200, prefect_server) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        assert SlotServer().usage().taken == 7
        process.kill()
        process.wait()
    killed = time.monotonic()
    while SlotServer().usage().taken and time.monotonic() - killed < 2 * LEASE_S:
        time.sleep(1)
    print(f"back after {time.monotonic() - killed:.0f} s")
    assert SlotServer().usage().taken == 0
