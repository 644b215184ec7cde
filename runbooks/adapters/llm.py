"""The language model: one client for any server that speaks the OpenAI protocol."""

import asyncio
import logging
import random
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai.types.chat import ChatCompletion

from runbooks.adapters.breaker import Breaker
from runbooks.adapters.dialect import Dialect
from runbooks.adapters.probe import Probe
from runbooks.adapters.slots import Slots
from runbooks.core.pace import Pace
from runbooks.core.prompting import Prompt, estimated_tokens
from runbooks.core.rate_headers import pause_asked_for, what_is_left
from runbooks.core.server_budget import LONGEST_RESET_S, Sent, ServerBudget
from runbooks.core.spending import NO_TOKENS, Prices, Purse, Tokens
from runbooks.errors import LLMError, LLMMisbehaved, LLMUnavailable

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 20.0
LONGEST_RETRY_AFTER_S = 60.0
PURSE_PAUSE_S = 0.05
BUDGET_PAUSE_S = 0.25
"""So often it is looked whether the server's limits are better known."""
HELD_PAUSE_S = 0.1
CONNECTIONS_A_POOL = 16
"""A pool looks at each of its connections for every request."""
PROBE = Prompt(
    system="You answer with one JSON object and nothing else.", user='Answer with this JSON object: {"scenarios": []}'
)
PROBE_TOKENS = 64
REFUSED = {
    401: "the server refuses the key (HTTP 401); check OPENAI_API_KEY",
    402: "the account has no credit left (HTTP 402)",
    403: "the key may not use this model (HTTP 403)",
    404: "the server does not know the model or the path (HTTP 404); check RUNBOOKS_MODEL and OPENAI_BASE_URL",
}
"""Answers that stay the same however often one asks."""
SHORTEST_CUT_TOKENS = 1500
LEAST_SHARE_READ = 0.5
"""Of the estimate, which is seldom off by a third."""
TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length"})
_NAMES_LENGTH = re.compile(r"context (?:length|window|size)|maximum context|too (?:long|large)", re.IGNORECASE)
FILTERED = frozenset({"content_filter", "content_policy_violation"})


@dataclass
class Usage:
    """What was asked of the model so far, and what it cost."""

    calls: int = 0
    """Requests that were sent, the failed ones included."""
    tokens: Tokens = NO_TOKENS

    def add(self, completion: ChatCompletion, prompt: Prompt) -> None:
        """Count what a server reports, or an estimate where it reports nothing."""
        self.tokens += _tokens(completion, prompt.tokens)


@dataclass(frozen=True)
class Reply:
    """The text of an answer; `cut` when the server stopped before the model was done."""

    text: str
    cut: bool = False


class _Retry(Exception):
    """Asking again may help, after `pause` seconds when the server names them."""

    def __init__(self, reason: str, *, pause: float | None = None, server_is_up: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause
        self.server_is_up = server_is_up


class LLM:
    """One server and model. All threads and event loops of a process share its limit and what it learned."""

    def __init__(
        self,
        *,
        model: str,
        api_key: str | None = None,
        base_url: str | None = None,
        concurrency: int = 16,
        timeout_s: float = 120,
        attempts: int = 4,
        temperature: float | None = 0.2,
        seed: int | None = None,
        max_answer_tokens: int = 8000,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.model = model
        self.server = _host(base_url)
        self._api_key = api_key
        self._base_url = base_url
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._temperature = temperature
        self._seed = seed
        self._max_answer_tokens = max_answer_tokens
        self._headers = dict(headers or {})
        self._pace = pace
        self.prices = prices
        self._slots = Slots(concurrency)
        self._dialect = Dialect()
        self._dialect_known = False
        self._paused_until = 0.0
        self._holders: set[object] = set()
        self._budget = ServerBudget(clock=time.monotonic)

    @asynccontextmanager
    async def connect(self, breaker: Breaker) -> AsyncIterator["Connection"]:
        """Connections belong to an event loop; this opens some for the running one."""
        async with AsyncExitStack() as stack:
            shares = -(-self._concurrency // CONNECTIONS_A_POOL)
            clients = [await stack.enter_async_context(self.client()) for _ in range(shares)]
            connection = Connection(self, clients, breaker)
            stack.push_async_callback(connection.probe.forget)
            yield connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading the authorities' certificates takes longer than sending a request."""
        return httpx2.create_ssl_context()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[openai.AsyncOpenAI]:
        """A client of the protocol's library with a few connections of its own."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=CONNECTIONS_A_POOL)
        timeout = httpx2.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S)
        async with (
            openai.DefaultAsyncHttpxClient(limits=limits, timeout=timeout, verify=self._tls) as http,
            openai.AsyncOpenAI(
                api_key=self._api_key or "none",
                base_url=self._base_url,
                max_retries=0,  # retried here, where the breaker and the shared pause are
                timeout=timeout,
                default_headers=self._headers,
                http_client=http,
            ) as client,
        ):
            yield client

    async def probe(self) -> str:
        """Ask for next to nothing, and tell how the server can be asked for JSON; LLMError says why it cannot."""
        await self.learn()
        return self._dialect.mode.value

    def body(self, prompt: Prompt, dialect: Dialect | None = None, max_tokens: int | None = None) -> dict[str, Any]:
        """A request as it is sent, in the way that the server understands as far as that is known."""
        parameters = (dialect or self._dialect).parameters(
            max_tokens=max_tokens or self._max_answer_tokens, temperature=self._temperature, seed=self._seed
        )
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        return {"model": self.model, "messages": messages, **parameters}

    async def learn(self) -> None:
        """Find out how the server can be asked, unless that is known; LLMError says why it cannot be asked."""
        async with self.connect(Breaker()) as connection:
            await connection.learn(Usage())

    @property
    def concurrency(self) -> int:
        """Requests at once that one process may send."""
        return self._concurrency

    def take_share(self, slots: int, *, of: int) -> None:
        """Send so many requests at once, of those that all processes share; the limits per minute are shared alike."""
        self._slots.resize(min(slots, self._concurrency))
        if self._pace is not None:
            self._pace.take_share(min(1.0, slots / of))

    def take_all(self) -> None:
        """Share with nobody."""
        self.take_share(self._concurrency, of=self._concurrency)

    async def wait_for_turn(self, prompt: Prompt) -> None:
        """Keep to so many requests and tokens a minute."""
        if self._pace is not None:
            seconds = self._pace.wait(prompt.tokens + prompt.answer_tokens)
            if seconds > 0:
                await asyncio.sleep(seconds)

    async def wait_for_pause(self) -> None:
        """Wait until a server that asked for patience may be asked again, not all at once, and nobody holds it back."""
        left = self._paused_until - time.monotonic()
        if left > 0:
            await asyncio.sleep(left + random.uniform(0, min(1.0, left / 4)))  # noqa: S311 - jitter
        while self._holders:
            await asyncio.sleep(HELD_PAUSE_S)

    @contextmanager
    def holding(self) -> Iterator[bool]:
        """Send nothing meanwhile; what is on its way goes on. Whether nobody else holds it back."""
        holder, first = object(), not self._holders
        self._holders.add(holder)
        try:
            yield first
        finally:
            self._holders.discard(holder)

    def pause(self, seconds: float) -> None:
        """Hold back all requests."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    async def wait_for_budget(self, prompt: Prompt, breaker: Breaker) -> Sent:
        """Wait while the server has said that it would refuse, instead of being refused."""
        while True:
            breaker.check()
            turn = self._budget.take(Tokens(prompt.tokens, 0, prompt.answer_tokens))
            if isinstance(turn, Sent):
                return turn
            await asyncio.sleep(min(turn, BUDGET_PAUSE_S))

    def hear(self, headers: Mapping[str, str], sent: Sent) -> None:
        """Take note of the limits that an answer tells of."""
        self._budget.hear(what_is_left(headers, now=time.time()), sent)


class Connection:
    """Asks the model, and asks again while that can help."""

    def __init__(self, llm: LLM, clients: Sequence[openai.AsyncOpenAI], breaker: Breaker) -> None:
        self._llm = llm
        self._clients = cycle(clients)
        self._breaker = breaker
        self.probe = Probe(self.learn)

    async def ask(self, prompt: Prompt, usage: Usage, purses: Sequence[Purse] = ()) -> Reply:
        """Send a prompt, paid from the purses.

        Raises:
            LLMUnavailable: nothing came back.
            LLMMisbehaved: what came back holds no text.
        """
        await self.probe.wait(usage, known=lambda: self._llm._dialect_known)
        try:
            completion = await self._persist(prompt, self._llm._max_answer_tokens, usage, purses, guess=False)
        except LLMError:
            await self.probe.settle(usage)
            raise
        await self.probe.settle(usage)
        if _was_cut_on_the_way(prompt, completion):
            raise LLMUnavailable(
                "the server cuts requests short without a word; give the model a larger context (Ollama: num_ctx) or "
                "lower RUNBOOKS_LLM_MAX_PROMPT_TOKENS"
            )
        return _reply(completion)

    async def learn(self, usage: Usage) -> None:
        """Find out, once a server and model, which parameters are understood."""
        await self._persist(PROBE, PROBE_TOKENS, usage, (), guess=True)
        logger.info("%s at %s: %s", self._llm.model, self._llm.server, self._llm._dialect.mode.value)

    async def _understands_another_way(self, used: Dialect) -> bool:
        """Whether the server wants to be asked otherwise, which a probe that is under way may still find out."""
        await self.probe.ended()
        return self._llm._dialect != used

    async def _persist(
        self, prompt: Prompt, max_tokens: int, usage: Usage, purses: Sequence[Purse], *, guess: bool
    ) -> ChatCompletion:
        attempt = 1
        while True:
            dialect = self._llm._dialect
            try:
                completion = await self._try(prompt, dialect, max_tokens, usage, purses)
                if not guess and _is_empty(completion):
                    raise _Retry("the answer is empty", server_is_up=True)  # noqa: TRY301 - as any other fault
                self._breaker.succeeded()
                self._llm._dialect_known = True
                return completion  # noqa: TRY300 - the faults are below
            except openai.APIStatusError as error:
                if guess or not await self._understands_another_way(dialect):
                    self._adapt(dialect, error, guess=guess)
            except _Retry as failure:
                if not guess and await self._understands_another_way(dialect):
                    continue
                if not failure.server_is_up or attempt == self._llm._attempts:
                    self._breaker.failed(failure.reason)
                if attempt == self._llm._attempts:
                    raise LLMUnavailable(failure.reason) from failure
                await self._back_off(attempt, failure)
                attempt += 1

    async def _try(
        self, prompt: Prompt, dialect: Dialect, max_tokens: int, usage: Usage, purses: Sequence[Purse]
    ) -> ChatCompletion:
        await self._llm.wait_for_turn(prompt)
        async with self._llm._slots, _paying(purses, prompt, usage):
            await self._llm.wait_for_pause()
            sent = await self._llm.wait_for_budget(prompt, self._breaker)
            usage.calls += 1
            try:
                completion = await self._send(prompt, dialect, max_tokens, sent)
            except openai.APIStatusError as error:
                self._llm.hear(error.response.headers, sent)
                if _may_be_about_parameters(error, dialect):
                    raise
                raise self._judged(error) from error
            except (openai.APIConnectionError, openai.APIResponseValidationError, ValueError, TimeoutError) as error:
                raise _Retry(_transport_reason(error, self._llm._timeout_s)) from error
            usage.add(completion, prompt)
        return completion

    async def _send(self, prompt: Prompt, dialect: Dialect, max_tokens: int, sent: Sent) -> ChatCompletion:
        body = self._llm.body(prompt, dialect, max_tokens)
        with self.probe.on_its_way() if prompt is PROBE else nullcontext():
            async with asyncio.timeout(self._llm._timeout_s):  # the client's own limits count from byte to byte
                # The typed method would look through every parameter for names to rewrite: longer than sending takes.
                response = await next(self._clients).post("/chat/completions", cast_to=httpx2.Response, body=body)
        self._llm.hear(response.headers, sent)
        return _completion(response)

    def _judged(self, error: openai.APIStatusError) -> Exception:
        """Whether a status is worth another try, is wrong for good, or is about this request alone."""
        status = error.status_code
        if status == 429 and error.code == "insufficient_quota":
            return self._give_up("the account has no quota left (HTTP 429, insufficient_quota)")
        if status in REFUSED:
            return self._give_up(REFUSED[status])
        if status in (408, 409, 425, 429) or status >= 500:
            pause = pause_asked_for(error.response.headers, now=time.time(), longest_reset_s=LONGEST_RESET_S)
            if pause is not None and pause > LONGEST_RETRY_AFTER_S:
                return self._give_up(f"the server asks for more patience than we have (HTTP {status})")
            return _Retry(f"the server answers with HTTP {status}", pause=pause, server_is_up=status == 429)
        if status == 413:
            return LLMMisbehaved("the request is too long for the server (HTTP 413)")
        return self._give_up(f"the server refuses our requests (HTTP {status})")

    def _adapt(self, used: Dialect, error: openai.APIStatusError, *, guess: bool) -> None:
        """Leave out what the server does not understand, or say what it cannot do."""
        if error.code in TOO_LONG or _NAMES_LENGTH.search(error.message):
            raise LLMMisbehaved(
                "the request is too long for the model; lower RUNBOOKS_LLM_MAX_PROMPT_TOKENS or _ANSWER_TOKENS"
            ) from error
        if error.code in FILTERED:
            raise LLMMisbehaved("the server's content filter refused the request") from error
        if self._llm._dialect != used:
            return  # another request found out meanwhile
        simpler = used.after_refusal(_complaint(error), guess=guess)
        if simpler is None and guess:
            raise self._give_up(f"the server refuses our requests (HTTP {error.status_code})") from error
        if simpler is None:
            raise LLMMisbehaved(f"the server refused the request (HTTP {error.status_code})") from error
        self._llm._dialect = simpler

    async def _back_off(self, attempt: int, failure: _Retry) -> None:
        if failure.pause is not None:
            self._llm.pause(failure.pause)
            return
        longest = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _give_up(self, reason: str) -> LLMUnavailable:
        self._breaker.open(reason)
        return LLMUnavailable(reason)


@asynccontextmanager
async def _paying(purses: Sequence[Purse], prompt: Prompt, usage: Usage) -> AsyncIterator[None]:
    """Set aside what a request may cost as long as nobody knows, waiting where that depends on others."""
    estimate, before = Tokens(prompt.tokens, 0, prompt.answer_tokens), usage.tokens
    taken: list[Purse] = []
    try:
        for purse in purses:
            while not purse.set_aside(estimate):
                await asyncio.sleep(PURSE_PAUSE_S)
            taken.append(purse)
        yield
    finally:
        for purse in taken:
            purse.settle(estimate, usage.tokens - before)


def _may_be_about_parameters(error: openai.APIStatusError, dialect: Dialect) -> bool:
    """Whether asking in simpler terms may help; some servers answer with a 500 to what they do not understand."""
    if error.status_code in (500, 501):
        return dialect.after_refusal(_complaint(error), guess=False) is not None
    return error.status_code in (400, 422)


def _completion(response: httpx2.Response) -> ChatCompletion:
    """The answer as the protocol has it, as far as it does; ValueError when it is something else, like a web page."""
    document = response.json()
    if not isinstance(document, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - as a text that is no JSON at all
    return ChatCompletion.construct(**document)


def _tokens(completion: ChatCompletion, estimate: int) -> Tokens:
    usage = completion.usage
    if usage is None:
        return Tokens(estimate, 0, estimated_tokens(len(_text(completion))))
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return Tokens(usage.prompt_tokens or 0, cached, usage.completion_tokens or 0)


def tokens_of(body: Mapping[str, Any]) -> Tokens:
    """What an answer cost that was not waited for; nothing for the request where the server does not tell."""
    return _tokens(ChatCompletion.construct(**body), 0)


def reply_from(body: Mapping[str, Any]) -> Reply:
    """The text of an answer that was not waited for; LLMMisbehaved when it holds none."""
    completion = ChatCompletion.construct(**body)
    if not completion.choices:
        raise LLMMisbehaved("the answer is empty")
    return _reply(completion)


def _text(completion: ChatCompletion) -> str:
    """What the model wrote; servers leave out any part of the way to it."""
    message = completion.choices[0].message if completion.choices else None
    return (message.content or "") if message else ""


def _is_empty(completion: ChatCompletion) -> bool:
    """Whether nothing came, and nobody says why: gateways answer so when what is behind them stumbles."""
    if not completion.choices:
        return True
    choice = completion.choices[0]
    if choice.finish_reason in ("length", "content_filter") or getattr(choice.message, "refusal", None):
        return False
    return not _text(completion).strip()


def _was_cut_on_the_way(prompt: Prompt, completion: ChatCompletion) -> bool:
    """Whether the server says that it read far less than was sent, as some do whose context is too small."""
    read = completion.usage.prompt_tokens if completion.usage else None
    if not read or prompt.tokens < SHORTEST_CUT_TOKENS:
        return False
    return read < prompt.tokens * LEAST_SHARE_READ


def _reply(completion: ChatCompletion) -> Reply:
    choice = completion.choices[0]
    if getattr(choice.message, "refusal", None):
        raise LLMMisbehaved("the model refused to answer")
    if choice.finish_reason == "content_filter":
        raise LLMMisbehaved("the server's content filter stopped the answer")
    if not _text(completion):
        raise LLMMisbehaved("the model used up its tokens before it answered")
    return Reply(_text(completion), cut=choice.finish_reason == "length")


def _transport_reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, openai.APIConnectionError):
        return "no connection to the server, or it broke"
    return "the server answers with something else than the protocol says"


def _complaint(error: openai.APIStatusError) -> str:
    """What the server said, for looking at; never shown, because servers quote requests."""
    return f"{error.param or ''} {error.message}"[:4000]


def _host(base_url: str | None) -> str:
    """Host and port of a server, without anything secret that its address may hold."""
    parts = urlsplit(base_url or "https://api.openai.com")
    return f"{parts.hostname or 'unknown'}{f':{parts.port}' if parts.port else ''}"
