"""Who writes the runbooks of a run, and writing without a database."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runbooks.adapters.llm_writer import LLMWriter
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.fingerprint import fingerprint
from runbooks.core.runbook import Runbook

if TYPE_CHECKING:
    from runbooks.adapters.platform import Wanted

logger = logging.getLogger(__name__)

DEFAULT_WINDOW_DAYS = 30


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
    def wanted(self) -> "Wanted":
        """The same, for finding what is not current."""
        # Imported here: a preview needs no database, and its driver takes a third of a second to load.
        from runbooks.adapters.platform import Wanted

        return Wanted(signature=self.signature, keep_llm=self.keep_llm)


def stamp(runbook: Runbook, facts: Facts, *, fingerprint: str, window_days: int = DEFAULT_WINDOW_DAYS) -> Runbook:
    """Note in a runbook what it was made from, and when."""
    made = runbook.provenance.model_copy(
        update={
            "fingerprint": fingerprint,
            "definition_hash": facts.definition_hash,
            "version": facts.workflow.version,
            "window_days": window_days,
            "generated_at": datetime.now(UTC),
        }
    )
    return runbook.model_copy(update={"provenance": made})


async def write_unstored(writers: Writers, facts: Sequence[Facts]) -> list[Runbook]:
    """Write a runbook for each, in order, without looking into a database or storing anything."""
    if writers.llm is None:
        return [_stamped(writers, one, writers.catalogue.write(one)) for one in facts]
    async with writers.llm.session(len(facts)) as session:
        written = await session.write_all(facts)
    for reason, count in Counter(one.fallback_reason for one in written if one.fallback_reason).items():
        logger.warning("%d of %d runbooks written by the catalogue alone: %s", count, len(written), reason)
    return [_stamped(writers, one, result.runbook) for one, result in zip(facts, written, strict=True)]


def _stamped(writers: Writers, facts: Facts, runbook: Runbook) -> Runbook:
    made_from = fingerprint(facts, history_signature="", writer_signature=writers.signature)
    return stamp(runbook, facts, fingerprint=made_from)
