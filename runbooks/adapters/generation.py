"""Writing the runbooks of a batch: what is unchanged is left, what was paid for is used, the rest is written."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runbooks.adapters.database import Database
from runbooks.adapters.draft_keeper import DraftKeeper, Drafts
from runbooks.adapters.interruption import run_interruptible
from runbooks.adapters.ledger import PaidAnswers
from runbooks.adapters.llm_writer import LLMSession, LLMWriter, Written
from runbooks.adapters.patience import PATIENCE_S, Tell
from runbooks.adapters.policies import read_policies
from runbooks.adapters.store import Draft, MadeFrom, read_drafts, read_made_from, save_drafts
from runbooks.adapters.writers import Writers, stamp
from runbooks.core.batch import Batch, Candidate, Failed, Generated
from runbooks.core.facts import Facts
from runbooks.core.fingerprint import fingerprint
from runbooks.core.importance import most_important_first
from runbooks.core.markdown import to_markdown
from runbooks.core.policy import NO_POLICY, WorkspacePolicy
from runbooks.errors import DatabaseError, PolicyUnusable

logger = logging.getLogger(__name__)

HISTORY_LEFT_OUT = "history left out"
"""Stored in place of the history's signature, so that the next sweep, which does look at history, writes anew."""

LONGEST_S = 4 * 3600.0
"""For one batch and a slow model; what it has answered by then is kept, and used by the next attempt."""

Result = Generated | Failed


def generate_batch(
    batch: Batch,
    *,
    database: Database,
    writers: Writers,
    window_days: int,
    full: bool = False,
    patience_s: float = PATIENCE_S,
    tell: Tell = logger.warning,
) -> Batch:
    """Write what needs writing; `full` writes also what has not changed.

    Answers of a model that cannot be kept, because the database is away or full, wait in memory for `patience_s`, and
    `tell` says so.
    """
    return _BatchRun(batch, database, writers, window_days, patience_s, tell).run(full=full)


@dataclass
class _BatchRun:
    batch: Batch
    database: Database
    writers: Writers
    window_days: int
    patience_s: float
    tell: Tell
    policies: Mapping[str, WorkspacePolicy] = field(default_factory=dict)

    def run(self, *, full: bool) -> Batch:
        wanted, unchanged = self._split(full=full)
        results = (
            run_interruptible(self._write_with_llm(self.writers.llm, wanted), timeout_s=LONGEST_S)
            if self.writers.llm
            else self._write(wanted)
        )
        return replace(
            self.batch,
            facts=(),
            generated=tuple(result for result in results if isinstance(result, Generated)),
            unchanged=tuple(unchanged),
            failed=(*self.batch.failed, *(result for result in results if isinstance(result, Failed))),
        )

    def _split(self, *, full: bool) -> tuple[list[Facts], list[Candidate]]:
        schema = self.database.schema
        with self.database.begin() as connection:
            stored = read_made_from(connection, list(self.batch.candidates), schema=schema)
            if self.writers.llm:
                workspaces = sorted({facts.workflow.workspace_id for facts in self.batch.facts})
                self.policies = read_policies(connection, workspaces, schema=schema)
        wanted: list[Facts] = []
        unchanged: list[Candidate] = []
        for facts in self.batch.facts:
            known = stored.get(facts.workflow.id)
            if full or known is None or not self._is_current(facts, known):
                wanted.append(facts)
            else:
                unchanged.append(self._candidate(facts))
        return wanted, unchanged

    def _is_current(self, facts: Facts, known: MadeFrom) -> bool:
        if self.writers.keep_llm and known.writer == "llm":
            return known.definition_hash == facts.definition_hash
        return known.fingerprint == self._fingerprint(facts, self.writers.signature)

    def _write(self, wanted: Sequence[Facts]) -> list[Result]:
        return [self._write_from_catalogue(facts) for facts in wanted]

    def _write_from_catalogue(self, facts: Facts, *, reason: str | None = None, retry_later: bool = False) -> Result:
        started = time.perf_counter()
        try:
            runbook = self.writers.catalogue.write(facts)
        except Exception as error:  # one odd workflow must not stop the others; it is reported
            return Failed(facts.workflow.id, f"no runbook could be written: {type(error).__name__}")
        return self._finish(facts, Written(runbook, fallback_reason=reason, retry_later=retry_later), started)

    async def _write_with_llm(self, llm: LLMWriter, wanted: Sequence[Facts]) -> list[Result]:
        prints = {facts.workflow.id: self._fingerprint(facts, self.writers.signature) for facts in wanted}
        with self.database.begin() as connection:
            drafts = read_drafts(connection, list(prints.values()))
        try:
            async with self._keeper(llm) as keeper, llm.session(len(wanted)) as session, asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._write_one(keeper, session, facts, prints[facts.workflow.id], drafts))
                    for facts in most_important_first(wanted)
                ]
        except ExceptionGroup as failures:  # the task's retry knows single errors
            raise failures.exceptions[0] from failures
        return [task.result() for task in tasks]

    async def _write_one(
        self, keeper: DraftKeeper, session: LLMSession, facts: Facts, made_from: str, drafts: Mapping[str, Draft]
    ) -> Result:
        policy = self.policies.get(facts.workflow.workspace_id, NO_POLICY)
        refusal = policy.refuses(session.model, priced=session.prices is not None)
        if refusal is not None:
            return self._write_from_catalogue(facts, reason=refusal)
        started = time.perf_counter()
        try:
            written = await session.write(
                facts,
                paid=_paid(drafts.get(made_from)),
                keep=lambda paid: keeper.keep(facts.workflow.id, made_from, _draft(paid)),
                rules=policy.rules,
                allowance=policy.allowance if policy.allowance.is_limited else None,
            )
        except PolicyUnusable as error:
            return self._write_from_catalogue(facts, reason=str(error))
        except DatabaseError:
            raise  # an answer that cannot be kept will not be stored either
        except Exception as error:  # as above
            return self._write_from_catalogue(facts, reason=f"the LLM writer failed: {type(error).__name__}")
        return self._finish(facts, written, started)

    def _keeper(self, llm: LLMWriter) -> DraftKeeper:
        return DraftKeeper(self._save, patience_s=self.patience_s, meanwhile=llm.llm.holding, tell=self.tell)

    def _save(self, drafts: Drafts) -> None:
        with self.database.begin() as connection:
            save_drafts(connection, drafts, schema=self.database.schema)

    def _finish(self, facts: Facts, written: Written, started: float) -> Generated:
        # An LLM that was down is asked again by the next sweep; one that answered badly is not, for the same input.
        signature = self.writers.catalogue_signature if written.retry_later else self.writers.signature
        candidate = self._candidate(facts)
        made_from = self._fingerprint(facts, signature)
        runbook = stamp(written.runbook, facts, fingerprint=made_from, window_days=self.window_days)
        return Generated(
            workflow_id=facts.workflow.id,
            workspace_id=facts.workflow.workspace_id,
            runbook=runbook,
            source_digest=candidate.source_digest,
            history_signature=candidate.history_signature if facts.history_included else HISTORY_LEFT_OUT,
            writer_signature=signature,
            integrations=len(facts.integrations),
            tokens=written.tokens,
            cost_usd=written.cost_usd,
            calls=written.calls,
            failed_checks=written.failed_checks,
            server=self.writers.llm.llm.server if self.writers.llm and written.runbook.provenance.model else None,
            duration_ms=round((time.perf_counter() - started) * 1000),
            fallback_reason=written.fallback_reason,
            page=to_markdown(runbook) if self.writers.llm else None,  # there is time while the model thinks
        )

    def _candidate(self, facts: Facts) -> Candidate:
        return self.batch.candidates[facts.workflow.id]

    def _fingerprint(self, facts: Facts, writer_signature: str) -> str:
        return fingerprint(
            facts,
            history_signature=self._candidate(facts).history_signature,
            writer_signature=writer_signature,
        )


def _draft(paid: PaidAnswers) -> Draft:
    return Draft(paid.text, paid.tokens, paid.cost_usd)


def _paid(draft: Draft | None) -> PaidAnswers | None:
    return PaidAnswers(draft.text, draft.tokens, draft.cost_usd) if draft else None
