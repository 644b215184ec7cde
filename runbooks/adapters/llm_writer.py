"""The LLM writer: the catalogue's runbook, made specific by a model as far as its text passes the checks."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.adapters.breaker import Breaker
from runbooks.adapters.ledger import Keep, Ledger, PaidAnswers
from runbooks.adapters.line import Line
from runbooks.adapters.slots import Slots
from runbooks.adapters.writing_pool import AnyManuscript, LocalManuscript, ProcessLost, WritingPool
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.manuscript import Finished, Manuscript
from runbooks.core.prompting import Limits, Request
from runbooks.core.prompts import Prompts
from runbooks.core.redaction import Rules
from runbooks.core.runbook import Runbook
from runbooks.core.spending import NO_TOKENS, Allowance, Prices, Purse, Tokens
from runbooks.errors import LLMMisbehaved, LLMUnavailable

if TYPE_CHECKING:
    from runbooks.adapters.llm import LLM, Connection

logger = logging.getLogger(__name__)

UNDER_WAY_A_SLOT = 1.5
"""Workflows that are worked on for each request that may be in flight: the rest are drafted, judged and kept."""


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
        self,
        llm: "LLM",
        *,
        catalogue: CatalogueWriter,
        prompts: Prompts,
        limits: Limits,
        purse: Purse | None = None,
        pool: WritingPool | None = None,
    ) -> None:
        """`pool`: where manuscripts may lie beside this process."""
        self.llm = llm
        self.catalogue = catalogue
        self.prompts = prompts
        self.limits = limits
        self.purse = purse
        self.pool = pool
        self.breaker = Breaker()
        self.asks_once = False
        self.under_way = Slots(round(UNDER_WAY_A_SLOT * llm.concurrency) + 1)

    @property
    def signature(self) -> str:
        """Whose text it is: model, server, prompts, and how many scenarios are asked for."""
        return f"{self.llm.model}@{self.llm.server}:{self.prompts.version}:{self.limits.scenarios}"

    def ask_no_more(self, reason: str) -> None:
        """Use the answers that were paid for ahead, and nothing else; what of them fails is not asked for again."""
        self.asks_once = True
        self.breaker.open(reason)

    @contextmanager
    def prepared(self, workflows: int) -> Iterator[None]:
        """Have all that writing so many needs beside the model."""
        with self.pool.opened(workflows) if self.pool else nullcontext():
            yield

    @asynccontextmanager
    async def session(self, workflows: int = 1) -> AsyncIterator["LLMSession"]:
        """Connections for the running event loop, to write so many."""
        with self.prepared(workflows):
            async with self.llm.connect(self.breaker) as connection:
                yield LLMSession(self, connection)

    def manuscript(self, facts: Facts, rules: Rules) -> Manuscript:
        """A runbook to be written."""
        return Manuscript(facts, catalogue=self.catalogue, prompts=self.prompts, limits=self.limits, rules=rules)


class LLMSession:
    """Writes runbooks within one event loop."""

    def __init__(self, writer: LLMWriter, connection: "Connection") -> None:
        self._writer = writer
        self._connection = connection
        self._line = Line()

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
        ledger = Ledger(self._connection, paid or PaidAnswers(), keep, self._purses(allowance), self.prices)
        async with self._writer.under_way:
            remote = self._writer.pool.begin(facts, rules) if self._writer.pool else None
            if remote is not None:
                try:
                    return await self._write(remote, ledger)
                except ProcessLost as error:
                    logger.debug("workflow %s: a process for writing was lost: %s", facts.workflow.id, error)
                finally:
                    remote.close()
            return await self._write(LocalManuscript(self._writer.manuscript(facts, rules)), ledger)

    async def _write(self, manuscript: AnyManuscript, ledger: Ledger) -> Written:
        job = _Job(manuscript, ledger, asks_once=self._writer.asks_once)
        with self._line.place() as reached:
            requests = await manuscript.requests()
            await reached
        for number, request in enumerate(requests):
            await job.fulfil(f"{number}", request, last=self.model if number == len(requests) - 1 else None)
        finished = await manuscript.finished(self.model)
        return self._written(finished, job)

    def _purses(self, allowance: Allowance | None) -> list[Purse]:
        own = Purse(allowance, prices=self.prices, whose="the workspace's policy") if allowance else None
        return [purse for purse in (own, self._writer.purse) if purse is not None]

    def _written(self, finished: Finished, job: "_Job") -> Written:
        runbook, checks = finished.runbook, finished.failed_checks
        if not runbook.sections:
            return Written(runbook)
        if checks:
            logger.info("workflow %s: checks failed: %s", runbook.workflow_id, dict(checks))
        return Written(
            runbook,
            tokens=job.ledger.tokens,
            cost_usd=job.ledger.cost_usd,
            calls=job.ledger.calls,
            failed_checks=dict(checks),
            fallback_reason=None if runbook.ai_generated else job.reason(checks),
            retry_later=job.unavailable is not None and not runbook.ai_generated,
        )


@dataclass
class _Job:
    """The requests for one runbook, and what came of them."""

    manuscript: AnyManuscript
    ledger: Ledger
    asks_once: bool = False
    unavailable: str | None = None
    misbehaved: str | None = None

    async def fulfil(self, name: str, request: Request, *, last: str | None) -> None:
        """Ask, judge, and ask once more for what failed. `last`: the model's name where nothing else is to be asked."""
        again = await self._ask(name, request, last)
        if again and not self.asks_once:
            await self._ask(f"{name}-again", again, last)

    async def _ask(self, name: str, request: Request, last: str | None) -> Request | None:
        """Hand in what comes back; return what is worth a second request."""
        try:
            reply = await self.ledger.ask(name, request, self.manuscript)
        except LLMUnavailable as error:
            self.unavailable = str(error)
            return None
        except LLMMisbehaved as error:
            self.misbehaved = str(error)
            return None
        return await self.manuscript.take(reply.text, cut=reply.cut, asked=request.asked, last=last)

    def reason(self, failed_checks: Mapping[str, int]) -> str:
        """Why nothing of the model's could be used; the same words for the same cause, so that they can be counted."""
        if self.unavailable or self.misbehaved:
            return str(self.unavailable or self.misbehaved)
        if not failed_checks:
            return "the workflow's data is more than one request may hold"
        return f"no text of the model passed the checks (most often: {Counter(failed_checks).most_common(1)[0][0]})"
