"""The LLM writer: the catalogue's runbook, made specific by a model as far as its text passes the checks."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from runbooks.adapters.breaker import Breaker
from runbooks.core.answer import Answer, ScenarioAnswer, read_answer
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.judging import Judge, Rejected, ScenarioKey
from runbooks.core.merge import merge
from runbooks.core.prompting import Limits, Prompter, Request
from runbooks.core.prompts import Prompts
from runbooks.core.redaction import Rules, redact
from runbooks.core.runbook import Runbook
from runbooks.core.spending import NO_TOKENS, Allowance, Prices, Purse, Tokens
from runbooks.errors import LLMMisbehaved, LLMUnavailable

if TYPE_CHECKING:
    from runbooks.adapters.llm import LLM, Connection

logger = logging.getLogger(__name__)

LINES_REMEMBERED = 10_000


@dataclass(frozen=True)
class PaidAnswers:
    """Answers for one runbook that a model gave already, as kept text, and what they cost."""

    text: str = "{}"
    tokens: Tokens = NO_TOKENS
    cost_usd: float | None = None


Keep = Callable[[PaidAnswers], Awaitable[None]]


@dataclass(frozen=True)
class Written:
    """A finished runbook, and what writing it took."""

    runbook: Runbook
    tokens: Tokens = NO_TOKENS
    """Those of answers that an earlier, interrupted run paid for included."""
    cost_usd: float | None = None
    """Of all these; None when nobody told the prices."""
    calls: int = 0
    """Requests sent now, the failed ones included."""
    failed_checks: Mapping[str, int] = field(default_factory=dict)
    """Checks that texts of the model's failed, and how often."""
    fallback_reason: str | None = None
    """Why no part of it is the model's."""
    retry_later: bool = False
    """The model could not be reached; asking again another time may help."""


class LLMWriter:
    """Writes with one model. All sessions of a run share its breaker: a model that is down is given up once."""

    def __init__(
        self, llm: "LLM", *, catalogue: CatalogueWriter, prompts: Prompts, limits: Limits, purse: Purse | None = None
    ) -> None:
        self.llm = llm
        self.catalogue = catalogue
        self.prompts = prompts
        self.limits = limits
        self.purse = purse
        self.breaker = Breaker()

    @property
    def signature(self) -> str:
        """Whose text it is: model, server, prompts, and how many scenarios are asked for."""
        return f"{self.llm.model}@{self.llm.server}:{self.prompts.version}:{self.limits.scenarios}"

    @asynccontextmanager
    async def session(self) -> AsyncIterator["LLMSession"]:
        """Connections for the running event loop."""
        async with self.llm.connect(self.breaker) as connection:
            yield LLMSession(self, connection)


class LLMSession:
    """Writes runbooks within one event loop."""

    def __init__(self, writer: LLMWriter, connection: "Connection") -> None:
        self._writer = writer
        self._connection = connection

    @property
    def model(self) -> str:
        """The model's name, as policies know it."""
        return self._writer.llm.model

    @property
    def prices(self) -> Prices | None:
        """What the model's tokens cost, where that was told."""
        return self._writer.llm.prices

    async def write_all(self, facts: Sequence[Facts]) -> list[Written]:
        """Write several, in order."""
        return await asyncio.gather(*(self.write(one) for one in facts))

    async def write(
        self,
        facts: Facts,
        *,
        paid: PaidAnswers | None = None,
        keep: Keep | None = None,
        rules: Rules = (),
        allowance: Allowance | None = None,
    ) -> Written:
        """Write one runbook.

        Args:
            facts: What it is made from.
            paid: Answers to use instead of asking.
            keep: Is told of every new answer at once.
            rules: Further expressions that must not be sent.
            allowance: What this one runbook may cost.
        """
        base = self._writer.catalogue.write(facts)
        if not base.sections:
            return Written(base)
        prompter = Prompter(
            facts,
            base,
            prompts=self._writer.prompts,
            limits=self._writer.limits,
            clean=partial(cleaned, rules=rules),
        )
        ledger = _Ledger(self._connection, paid or PaidAnswers(), keep, self._purses(allowance), self.prices)
        job = _Job(prompter, Judge(facts, base, shown=prompter.shown, steps=prompter.steps), ledger)
        for number, request in enumerate(prompter.requests()):
            await job.fulfil(f"{number}", request)
        return self._finished(base, job)

    def _purses(self, allowance: Allowance | None) -> list[Purse]:
        own = Purse(allowance, prices=self.prices, whose="the workspace's policy") if allowance else None
        return [purse for purse in (own, self._writer.purse) if purse is not None]

    def _finished(self, base: Runbook, job: "_Job") -> Written:
        runbook = merge(base, job.accepted)
        made = {"model": self.model, "prompt_version": self._writer.prompts.version}
        if runbook.ai_generated:
            made["writer"] = "llm"
        runbook = runbook.model_copy(
            update={
                "notes": (*runbook.notes, *job.notes(base)),
                "provenance": runbook.provenance.model_copy(update=made),
            }
        )
        if job.checks:
            logger.info("workflow %s: checks failed: %s", base.workflow_id, dict(job.checks))
        return Written(
            runbook,
            tokens=job.ledger.tokens,
            cost_usd=job.ledger.cost_usd,
            calls=job.ledger.calls,
            failed_checks=dict(job.checks),
            fallback_reason=None if runbook.ai_generated else job.reason,
            retry_later=job.unavailable is not None and not runbook.ai_generated,
        )


@dataclass
class _Job:
    """The requests for one runbook, and what came of them."""

    prompter: Prompter
    judge: Judge
    ledger: "_Ledger"
    accepted: dict[ScenarioKey, ScenarioAnswer] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)
    unavailable: str | None = None
    misbehaved: str | None = None

    async def fulfil(self, name: str, request: Request) -> None:
        """Ask, judge, and ask once more for what failed."""
        rejected = await self._ask(name, request)
        if rejected:
            await self._ask(f"{name}-again", self.prompter.repair(rejected))

    async def _ask(self, name: str, request: Request) -> dict[ScenarioKey, Rejected]:
        """Keep what can be stored; return what is worth a second request."""
        try:
            answer = await self.ledger.ask(name, request)
        except LLMUnavailable as error:
            self.unavailable = str(error)
            return {}
        except LLMMisbehaved as error:
            self.misbehaved = str(error)
            return {}
        verdict = self.judge.judge(self.prompter.restored(answer), request.asked)
        self.accepted.update(verdict.accepted)
        self.checks.update(check for why in verdict.rejected.values() for check in why.checks)
        return dict(verdict.rejected)

    @property
    def reason(self) -> str:
        """Why nothing of the model's could be used; the same words for the same cause, so that they can be counted."""
        if self.unavailable or self.misbehaved:
            return str(self.unavailable or self.misbehaved)
        if not self.checks:
            return "the workflow's data is more than one request may hold"
        return f"no text of the model passed the checks (most often: {self.checks.most_common(1)[0][0]})"

    def notes(self, base: Runbook) -> list[str]:
        """What the reader should know: integrations that were too long to be sent."""
        labels = {section.node_key: section.node_label or section.node_key for section in base.sections}
        why = "its data is more than one request to the model may hold"
        return [f'The catalogue wrote the section of "{labels[key]}": {why}.' for key in self.prompter.left_out]


@lru_cache(maxsize=LINES_REMEMBERED)
def _cleaned_line(line: str) -> str:
    return redact(line, personal=True)


def cleaned(text: str, *, rules: Rules = ()) -> str:
    """The text as it may be sent. Line by line, as most lines are the catalogue's and come again and again."""
    if rules:
        return redact(text, rules, personal=True)
    return "\n".join(map(_cleaned_line, text.split("\n")))


class _Ledger:
    """Answers for one runbook: those paid for earlier are used, new ones are kept as they arrive."""

    def __init__(
        self,
        connection: "Connection",
        paid: PaidAnswers,
        keep: Keep | None,
        purses: Sequence[Purse],
        prices: Prices | None,
    ) -> None:
        from runbooks.adapters.llm import Usage

        self._connection = connection
        self._keep = keep
        self._texts: dict[str, list[str | bool]] = _read_kept(paid.text)
        self._paid = paid
        self._usage = Usage()
        self._purses = purses
        self._prices = prices

    @property
    def tokens(self) -> Tokens:
        return self._paid.tokens + self._usage.tokens

    @property
    def cost_usd(self) -> float | None:
        if self._prices is None:
            return self._paid.cost_usd
        return (self._paid.cost_usd or 0.0) + self._prices.cost(self._usage.tokens)

    @property
    def calls(self) -> int:
        return self._usage.calls

    async def ask(self, name: str, request: Request) -> Answer:
        if name not in self._texts:
            reply = await self._connection.ask(request.prompt, self._usage, self._purses)
            self._texts[name] = [reply.text, reply.cut]
            if self._keep:
                # A model may make up what looks like a secret; nothing that does is ever stored.
                kept = json.dumps({name: [redact(str(text)), cut] for name, (text, cut) in self._texts.items()})
                await self._keep(PaidAnswers(kept, self.tokens, self.cost_usd))
        text, cut = self._texts[name]
        return read_answer(str(text), cut=bool(cut))


def _read_kept(text: str) -> dict[str, list[str | bool]]:
    """What an earlier run kept; a form that is not ours counts as nothing, and is asked for again."""
    try:
        kept = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(kept, dict):
        return {}
    return {name: pair for name, pair in kept.items() if isinstance(pair, list) and len(pair) == 2}
