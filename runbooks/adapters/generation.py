"""Writing the runbooks of a batch: what is unchanged is left, what was paid for is used, the rest is written."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runbooks.adapters.database import Database
from runbooks.adapters.llm_writer import LLMWriter, Written
from runbooks.adapters.platform import Wanted
from runbooks.adapters.store import Draft, read_drafts, read_fingerprints, save_draft
from runbooks.core.batch import Batch, Candidate, Failed, Generated
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.fingerprint import fingerprint
from runbooks.core.runbook import Runbook


@dataclass(frozen=True)
class Writers:
    """The catalogue writer, and the LLM writer in front of it when one is asked for."""

    catalogue: CatalogueWriter
    catalogue_version: str
    llm: LLMWriter | None = None
    keep_llm: bool = False
    """`auto` without a configured LLM: what an LLM wrote earlier stays until its workflow changes."""

    @property
    def catalogue_signature(self) -> str:
        """Which knowledge the catalogue writer writes from."""
        return f"catalogue:{self.catalogue_version}"

    @property
    def signature(self) -> str:
        """The writer whose work counts as current."""
        if self.llm is None:
            return self.catalogue_signature
        return f"llm:{self.llm.signature}:{self.catalogue_version}"

    @property
    def wanted(self) -> Wanted:
        """The same, for finding what is not current."""
        return Wanted(signature=self.signature, keep_llm=self.keep_llm)


def generate_batch(
    batch: Batch, *, database: Database, writers: Writers, window_days: int, full: bool = False
) -> Batch:
    """Write what needs writing; `full` writes also what has not changed."""
    return _BatchRun(batch, database, writers, window_days).run(full=full)


class _BatchRun:
    def __init__(self, batch: Batch, database: Database, writers: Writers, window_days: int) -> None:
        self.batch = batch
        self.database = database
        self.writers = writers
        self.window_days = window_days

    def run(self, *, full: bool) -> Batch:
        wanted, unchanged = self._split(full=full)
        results = asyncio.run(self._write_with_llm(wanted)) if self.writers.llm else self._write_from_catalogue(wanted)
        return replace(
            self.batch,
            facts=(),
            generated=tuple(result for result in results if isinstance(result, Generated)),
            unchanged=tuple(unchanged),
            failed=(*self.batch.failed, *(result for result in results if isinstance(result, Failed))),
        )

    def _split(self, *, full: bool) -> tuple[list[Facts], list[Candidate]]:
        with self.database.begin() as connection:
            stored = read_made_from(connection, list(self.batch.candidates), schema=self.database.schema)
        wanted: list[Facts] = []
        unchanged: list[Candidate] = []
        for facts in self.batch.facts:
            known = stored.get(facts.workflow.id)
            if known is None or full or not self._is_current(facts, known):
                wanted.append(facts)
            else:
                unchanged.append(self._candidate(facts))
        return wanted, unchanged

    def _is_current(self, facts: Facts, known: MadeFrom) -> bool:
        if self.writers.keep_llm and known.writer == "llm":
            return known.definition_hash == facts.definition_hash
        return known.fingerprint == self._fingerprint(facts, self.writers.signature)

    def _write_from_catalogue(self, wanted: Sequence[Facts]) -> list[Generated | Failed]:
        return [self._guarded(facts) for facts in wanted]

    def _guarded(self, facts: Facts, *, fallback_reason: str | None = None) -> Generated | Failed:
        started = time.perf_counter()
        try:
            runbook = self.writers.catalogue.write(facts)
        except Exception as error:  # noqa: BLE001 - one odd workflow must not stop the others; it is reported
            return Failed(facts.workflow.id, f"no runbook could be written: {type(error).__name__}")
        return self._finish(facts, runbook, self.writers.catalogue_signature, started, fallback_reason=fallback_reason)

    async def _write_with_llm(self, wanted: Sequence[Facts]) -> list[Generated | Failed]:
        llm = self.writers.llm
        assert llm is not None  # noqa: S101 - the caller asked
        prints = {facts.workflow.id: self._fingerprint(facts, self.writers.signature) for facts in wanted}
        with self.database.begin() as connection:
            drafts = read_drafts(connection, list(prints.values()))
        async with llm.session() as session:
            return await asyncio.gather(
                *(self._write_one(session, facts, prints[facts.workflow.id], drafts) for facts in wanted)
            )

    async def _write_one(
        self, session: LLMSession, facts: Facts, fingerprint: str, drafts: Mapping[str, Draft]
    ) -> Generated | Failed:
        started = time.perf_counter()
        draft = drafts.get(fingerprint)
        try:
            written = await session.write(
                facts,
                draft=draft.text if draft else None,
                on_draft=lambda answer: self._keep(facts.workflow.id, fingerprint, answer),
            )
        except Exception as error:  # noqa: BLE001 - as in _guarded
            return Failed(facts.workflow.id, f"no runbook could be written: {type(error).__name__}")
        # An LLM that was down is asked again by the next sweep; one that answered badly is not, for the same input.
        signature = self.writers.catalogue_signature if written.retry_later else self.writers.signature
        return self._finish(facts, written.runbook, signature, started, written=written)

    def _keep(self, workflow_id: str, fingerprint: str, draft: Draft) -> None:
        with self.database.begin() as connection:
            save_draft(connection, workflow_id, fingerprint, draft, schema=self.database.schema)

    def _finish(
        self,
        facts: Facts,
        runbook: Runbook,
        signature: str,
        started: float,
        *,
        written: Written | None = None,
    ) -> Generated:
        candidate = self._candidate(facts)
        stamped = stamp(runbook, facts, fingerprint=self._fingerprint(facts, signature), window_days=self.window_days)
        return Generated(
            workflow_id=facts.workflow.id,
            workspace_id=facts.workflow.workspace_id,
            runbook=stamped,
            source_digest=candidate.source_digest,
            history_signature=candidate.history_signature if facts.history_included else HISTORY_LEFT_OUT,
            writer_signature=signature,
            integrations=len(facts.integrations),
            prompt_tokens=written.prompt_tokens if written else 0,
            completion_tokens=written.completion_tokens if written else 0,
            calls=written.calls if written else 0,
            duration_ms=round((time.perf_counter() - started) * 1000),
            fallback_reason=written.fallback_reason if written else None,
        )

    def _candidate(self, facts: Facts) -> Candidate:
        return self.batch.candidates[facts.workflow.id]

    def _fingerprint(self, facts: Facts, writer_signature: str) -> str:
        return fingerprint(
            facts,
            history_signature=self._candidate(facts).history_signature,
            writer_signature=writer_signature,
        )
