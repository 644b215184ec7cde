"""The real client against a real server that misbehaves."""

import asyncio
import json
import threading
import time
from email.utils import formatdate
from typing import Any

import pytest

from runbooks.adapters.breaker import FAILURES_IN_A_ROW, Breaker
from runbooks.adapters.llm import LLM, Reply, Usage
from runbooks.adapters.probe import REFUSES_WITHIN_S
from runbooks.core.pace import Pace
from runbooks.core.prompting import Prompt
from runbooks.errors import LLMMisbehaved, LLMUnavailable
from tests.support import llm_server as models
from tests.support.llm_server import Behaviour, LLMServer, Received, completion, error

PROMPT = Prompt("head", "BEGIN DATA\nsomething\nEND DATA")
TEXT = '{"scenarios": []}'


def answers(_: Received) -> models.Answer:
    return completion(TEXT)


@pytest.fixture
def server(llm_server: LLMServer) -> LLMServer:
    llm_server.default = answers
    return llm_server


def make_llm(server: LLMServer, **changes: Any) -> LLM:
    return LLM(**{"model": "m", "base_url": server.base_url, "timeout_s": 5, "attempts": 3, **changes})


def ask(llm: LLM, *, breaker: Breaker | None = None, usage: Usage | None = None, times: int = 1) -> list[Any]:
    """Ask so many times at once; what came of each."""

    async def run() -> list[Any]:
        async with llm.connect(breaker or Breaker()) as connection:
            asked = (connection.ask(PROMPT, usage or Usage()) for _ in range(times))
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(run())


def test_an_answer_comes_back_with_what_it_cost(server: LLMServer) -> None:
    usage = Usage()
    assert ask(make_llm(server, api_key="key-of-test"), usage=usage) == [Reply(TEXT)]
    (request,) = server.writing
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer key-of-test"
    assert request.body["model"] == "m"
    assert request.body["temperature"] == 0.2
    assert (usage.calls, usage.tokens.cached, usage.tokens.completion) == (2, 1200, 400)
    assert usage.tokens.prompt == sum((len(one.system) + len(one.user)) // 4 for one in server.requests)


def test_a_local_server_needs_no_key(server: LLMServer) -> None:
    assert ask(make_llm(server)) == [Reply(TEXT)]


def test_what_the_server_can_do_is_found_out_once(server: LLMServer) -> None:
    llm = make_llm(server)
    ask(llm, times=20)
    ask(llm, times=5)
    assert sum(request.is_probe for request in server.requests) == 1
    assert len(server.writing) == 25


def test_nobody_waits_while_the_server_thinks_about_its_first_request(server: LLMServer) -> None:
    asked = threading.Event()

    def slow_at_first(request: Received) -> models.Answer:
        if request.is_probe:
            assert asked.wait(20), "nothing else was asked meanwhile"
            return models.good(request)
        asked.set()
        return completion(TEXT)

    server.default = slow_at_first
    usage = Usage()
    assert ask(make_llm(server), times=5, usage=usage) == [Reply(TEXT)] * 5
    assert usage.calls == len(server.requests) == 6


@pytest.mark.parametrize("status", [400, 500])
def test_who_asked_while_the_server_was_slow_to_refuse_asks_again_the_right_way(server: LLMServer, status: int) -> None:
    def slow_to_refuse(request: Received) -> models.Answer:
        if request.mode != "json_schema":
            return models.good(request) if request.is_probe else completion(TEXT)
        time.sleep(REFUSES_WITHIN_S + 0.2 if request.is_probe else 0)
        return error(status, "response_format.type: Input should be 'text' or 'json_object'")(request)

    server.default = slow_to_refuse
    breaker = Breaker()
    assert ask(make_llm(server), times=20, breaker=breaker) == [Reply(TEXT)] * 20
    assert breaker.reason is None
    assert sum(request.is_probe for request in server.requests) == 3


@pytest.mark.parametrize(
    ("accepts", "status", "mode", "found"),
    [
        ({"json_schema", "json_object", "text"}, 400, "json_schema", "json_schema, strict"),
        ({"json_object", "text"}, 400, "json_object", "json_object with a schema"),
        ({"json_object", "text"}, 500, "json_object", "json_object with a schema"),
        ({"text"}, 400, "text", "plain text"),
        ({"text"}, 422, "text", "plain text"),
    ],
)
def test_the_best_mode_that_the_server_takes_is_used(
    server: LLMServer, accepts: set[str], status: int, mode: str, found: str
) -> None:
    server.accepts, server.refusal_status = accepts, status
    llm = make_llm(server)
    assert asyncio.run(llm.probe()) == found
    assert ask(llm) == [Reply(TEXT)]
    assert [request.mode for request in server.writing] == [mode]


def test_limits_of_length_are_left_out_where_the_schema_is_refused_for_them(server: LLMServer) -> None:
    def picky(request: Received) -> models.Answer:
        if "maxLength" in str(request.body):
            return error(400, "Invalid schema for response_format: 'maxLength' is not permitted.")(request)
        return completion(TEXT)

    server.default = picky
    llm = make_llm(server)
    assert asyncio.run(llm.probe()) == "json_schema, strict, without limits of length"
    assert ask(llm) == [Reply(TEXT)]


def test_a_server_that_wants_another_name_for_the_limit_gets_it(server: LLMServer) -> None:
    server.limit_names = {"max_completion_tokens"}
    assert ask(make_llm(server, max_answer_tokens=777)) == [Reply(TEXT)]
    (request,) = server.writing
    assert request.body["max_completion_tokens"] == 777
    assert "max_tokens" not in request.body
    assert request.mode == "json_schema"


def test_a_model_that_takes_no_temperature_gets_none(server: LLMServer) -> None:
    def fixed(request: Received) -> models.Answer:
        if "temperature" in request.body:
            return error(400, "Unsupported value: 'temperature' does not support 0.2", param="temperature")(request)
        return completion(TEXT)

    server.default = fixed
    assert ask(make_llm(server)) == [Reply(TEXT)]


@pytest.mark.parametrize(
    "fault",
    [
        *(models.drop, models.html, models.broken_json, models.other_json, models.empty_choices, models.empty_text),
        *(error(500, "x"), error(503, "x"), error(408, "x"), error(529, "x")),
    ],
)
def test_a_passing_fault_is_outlived(server: LLMServer, fault: Behaviour) -> None:
    server.enqueue(fault)
    usage = Usage()
    assert ask(make_llm(server), usage=usage) == [Reply(TEXT)]
    assert usage.calls == len(server.requests) == 3


def test_a_model_that_thinks_through_the_probe_is_no_broken_one(server: LLMServer) -> None:
    server.default = models.thought_too_long
    assert asyncio.run(make_llm(server).probe()) == "json_schema, strict"


def test_a_lasting_fault_ends_after_the_allowed_attempts(server: LLMServer) -> None:
    server.enqueue(*[error(500, "x")] * 9)
    (failure,) = ask(make_llm(server, attempts=2))
    assert isinstance(failure, LLMUnavailable)
    assert str(failure) == "the server answers with HTTP 500"
    assert len(server.writing) == 2


def test_a_stall_ends_at_the_time_limit(server: LLMServer) -> None:
    server.enqueue(models.stall)
    started = time.monotonic()
    (failure,) = ask(make_llm(server, timeout_s=0.3, attempts=1))
    assert str(failure) == "no answer within 0.3 s"
    assert time.monotonic() - started < 2


def test_retry_after_holds_back_all_requests(server: LLMServer) -> None:
    llm = make_llm(server)
    ask(llm)
    server.enqueue(error(429, "slow down", retry_after="0.6"))
    started = time.monotonic()
    ask(llm)
    first_again, *_ = [request.at for request in server.writing[2:]]
    assert first_again - started >= 0.6
    server.enqueue(error(429, "slow down", retry_after="0.5"))
    assert ask(llm, times=8) == [Reply(TEXT)] * 8


def test_a_date_is_as_good_as_a_number_of_seconds(server: LLMServer) -> None:
    when = formatdate(time.time() + 2, usegmt=True)
    server.enqueue(error(503, "restarting", retry_after=when))
    assert ask(make_llm(server)) == [Reply(TEXT)]
    first, again = server.writing
    assert 0.9 < again.at - first.at < 3.5


def test_a_server_that_wants_minutes_of_patience_is_given_up(server: LLMServer) -> None:
    server.enqueue(error(429, "slow down", retry_after="3600"))
    breaker = Breaker()
    (failure,) = ask(make_llm(server), breaker=breaker)
    assert isinstance(failure, LLMUnavailable)
    assert breaker.reason


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (error(401, "Incorrect API key provided: sk-secret"), "OPENAI_API_KEY"),
        (error(403, "no"), "may not use this model"),
        (error(404, "no model"), "RUNBOOKS_MODEL"),
        (error(429, "You exceeded your quota", code="insufficient_quota"), "quota"),
    ],
)
def test_what_is_wrong_for_good_is_asked_once_and_opens_the_breaker(
    server: LLMServer, fault: Behaviour, words: str
) -> None:
    server.default = fault
    breaker = Breaker()
    failures = ask(make_llm(server, concurrency=1), breaker=breaker, times=5)
    assert all(isinstance(failure, LLMUnavailable) for failure in failures)
    assert words in str(failures[0])
    assert "sk-secret" not in str(failures[0])
    assert len(server.requests) == 1
    assert breaker.reason == str(failures[0])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (models.refusal, "the model refused"),
        (models.filtered, "content filter"),
        (models.thought_too_long, "used up its tokens"),
        (error(400, "too long", code="context_length_exceeded"), "too long"),
        (error(400, "'max_tokens' is too large: 8000. This model's maximum context length is 4096"), "too long"),
        (error(400, "the request exceeds the available context size"), "RUNBOOKS_LLM_MAX_PROMPT_TOKENS"),
        (error(400, "filtered", code="content_filter"), "content filter"),
        (error(413, "too large"), "too long"),
        (error(400, "we do not like you"), "refused the request"),
    ],
)
def test_an_answer_without_text_is_told_apart_and_not_asked_for_again(
    server: LLMServer, fault: Behaviour, words: str
) -> None:
    server.enqueue(fault)
    breaker = Breaker()
    (failure,) = ask(make_llm(server), breaker=breaker)
    assert isinstance(failure, LLMMisbehaved)
    assert words in str(failure)
    assert len(server.writing) == 1
    assert breaker.reason is None


def test_a_server_that_reads_only_part_of_a_request_is_found_out(server: LLMServer) -> None:
    server.context_tokens = 2048
    llm = make_llm(server)

    async def run() -> None:
        async with llm.connect(Breaker()) as connection:
            assert await connection.ask(PROMPT, Usage()) == Reply(TEXT)
            await connection.ask(Prompt("head", "BEGIN DATA\n" + "all the data there is " * 2000), Usage())

    with pytest.raises(LLMUnavailable, match="larger context"):
        asyncio.run(run())


def test_an_answer_that_was_cut_says_so(server: LLMServer) -> None:
    server.enqueue(lambda _: completion('{"scenarios": [', finish_reason="length"))  # type: ignore[arg-type, return-value]
    assert ask(make_llm(server)) == [Reply('{"scenarios": [', cut=True)]


def test_a_provider_that_is_down_is_given_up_and_no_call_is_wasted_on_it(server: LLMServer) -> None:
    server.default = error(503, "down")
    llm, breaker = make_llm(server, concurrency=4, attempts=2), Breaker()
    llm._dialect_known = True
    failures = ask(llm, breaker=breaker, times=200)
    assert all(isinstance(failure, LLMUnavailable) for failure in failures)
    assert len(server.requests) <= FAILURES_IN_A_ROW + 4


def test_never_more_requests_at_once_than_allowed(server: LLMServer) -> None:
    server.delay_s = 0.02
    assert ask(make_llm(server, concurrency=7), times=60) == [Reply(TEXT)] * 60
    assert server.most_at_once == 7


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    with LLMServer() as gone:
        url = gone.base_url
    llm = LLM(model="m", base_url=url, attempts=1)
    with pytest.raises(LLMUnavailable, match="no connection to the server"):
        asyncio.run(llm.probe())


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (None, "api.openai.com"),
        ("http://user:hunter2@llm.internal:8000/v1", "llm.internal:8000"),  # notsecret
    ],
)
def test_a_server_is_named_without_the_secrets_of_its_address(url: str | None, server: str) -> None:
    assert LLM(model="m", base_url=url).server == server


def test_further_headers_go_with_every_request(server: LLMServer) -> None:
    ask(make_llm(server, headers={"x-gateway-key": "fake-gateway-key"}))
    assert {request.headers["x-gateway-key"] for request in server.requests} == {"fake-gateway-key"}


def test_no_more_requests_a_minute_than_allowed_are_sent(server: LLMServer) -> None:
    pace = Pace(requests_per_minute=1200, tokens_per_minute=None, clock=time.monotonic)
    ask(make_llm(server, pace=pace), times=8)
    moments = sorted(request.at for request in server.requests)
    assert moments[-1] - moments[0] >= 0.05 * (len(moments) - 1) * 0.9


def test_limits_that_are_reset_soon_are_waited_for(server: LLMServer) -> None:
    llm = make_llm(server)
    ask(llm)
    server.enqueue(models.error(429, "slow down", x_ratelimit_reset_requests="300ms", x_ratelimit_reset_tokens="20ms"))
    before = time.monotonic()
    ask(llm)
    assert 0.3 <= time.monotonic() - before < 5


class Metered:
    """So many requests a window; says on every answer what is left, and refuses what is too much."""

    def __init__(self, full: int, window_s: float) -> None:
        self.full, self.window_s = full, window_s
        self.lock = threading.Lock()
        self.began, self.used, self.refused = 0.0, 0, 0

    def __call__(self, request: Received) -> models.Answer:
        with self.lock:
            if request.at - self.began >= self.window_s:
                self.began, self.used = request.at, 0
            fits = self.used < self.full
            self.used += fits
            self.refused += not fits
            left, reset = self.full - self.used, self.window_s - (request.at - self.began)
        answer = completion(TEXT) if fits else error(429, "too many", retry_after=f"{reset:.3f}")(request)
        answer.headers |= {
            "x-ratelimit-limit-requests": str(self.full),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{reset * 1000:.0f}ms",
        }
        return answer

    __name__ = "metered"


def test_a_server_that_says_what_is_left_hardly_ever_has_to_refuse(server: LLMServer) -> None:
    server.default = metered = Metered(6, window_s=0.4)
    llm = make_llm(server, concurrency=4)
    ask(llm)
    assert ask(llm, times=20) == [Reply(TEXT)] * 20
    assert metered.refused <= 5  # a dozen without; requests overtake one another
    moments = sorted(request.at for request in server.requests)
    assert moments[-1] - moments[0] >= 3 * 0.4


def test_nonsense_about_limits_holds_nothing_up(server: LLMServer) -> None:
    def nonsense(_: Received) -> models.Answer:
        answer = completion(TEXT)
        answer.headers |= {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "31556952"}
        answer.headers |= {"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"}
        return answer

    server.default = nonsense
    started = time.monotonic()
    assert ask(make_llm(server), times=8) == [Reply(TEXT)] * 8
    assert time.monotonic() - started < 5


def test_tokens_that_a_server_does_not_count_are_estimated(server: LLMServer) -> None:
    def uncounted(request: Received) -> models.Answer:
        document = json.loads(models.good(request).body)
        return models.Answer(json.dumps({**document, "usage": None}).encode())

    server.default = uncounted
    usage = Usage()
    ask(make_llm(server), usage=usage)
    assert usage.tokens.prompt > 0
    assert usage.tokens.completion > 0
