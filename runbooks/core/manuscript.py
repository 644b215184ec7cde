"""One runbook while a model writes parts of it: what to ask, what of the answers can be stored, what comes out.

Pure, and told of nothing but facts and texts, so that it can lie in another process than the one that asks the model.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from runbooks.core.answer import ScenarioAnswer, read_answer
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.judging import Judge, ScenarioKey
from runbooks.core.merge import merge
from runbooks.core.outgoing import cleaned
from runbooks.core.prompting import Limits, Prompter, Request
from runbooks.core.prompts import Prompts
from runbooks.core.redaction import Rules
from runbooks.core.runbook import Runbook


@dataclass(frozen=True)
class Finished:
    """A runbook, and which checks the model's texts failed how often."""

    runbook: Runbook
    failed_checks: Mapping[str, int] = field(default_factory=dict)


class Manuscript:
    """The catalogue's runbook of one workflow, and what a model made better of it so far."""

    def __init__(
        self, facts: Facts, *, catalogue: CatalogueWriter, prompts: Prompts, limits: Limits, rules: Rules = ()
    ) -> None:
        """`rules`: further expressions that must not be sent."""
        self._facts = facts
        self._prompts = prompts
        self._base = catalogue.write(facts)
        clean = partial(cleaned, rules=rules)
        self._prompter = Prompter(facts, self._base, prompts=prompts, limits=limits, clean=clean)
        self._accepted: dict[ScenarioKey, ScenarioAnswer] = {}
        self._checks: Counter[str] = Counter()

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self._facts, self._base, shown=self._prompter.shown, steps=self._prompter.steps)

    def requests(self) -> list[Request]:
        """What to ask; nothing where the workflow calls nothing."""
        return self._prompter.requests() if self._base.sections else []

    def take(self, text: str, *, cut: bool, asked: Sequence[ScenarioKey]) -> Request | None:
        """Keep what of an answer can be stored; returns what is to be asked once more for the rest."""
        answer = self._prompter.restored(read_answer(text, cut=cut))
        verdict = self._judge.judge(answer, asked)
        self._accepted.update(verdict.accepted)
        self._checks.update(check for why in verdict.rejected.values() for check in why.checks)
        return self._prompter.repair(verdict.rejected) if verdict.rejected else None

    def finished(self, model: str) -> Finished:
        """The runbook with all that was kept; `model` wrote the answers."""
        if not self._base.sections:
            return Finished(self._base)
        runbook = merge(self._base, self._accepted)
        made = {"model": model, "prompt_version": self._prompts.version}
        if runbook.ai_generated:
            made["writer"] = "llm"
        runbook = runbook.model_copy(
            update={
                "notes": (*runbook.notes, *self._notes()),
                "provenance": runbook.provenance.model_copy(update=made),
            }
        )
        return Finished(runbook, dict(self._checks))

    def _notes(self) -> list[str]:
        """What the reader should know: integrations that were too long to be sent."""
        labels = {section.node_key: section.node_label or section.node_key for section in self._base.sections}
        why = "its data is more than one request to the model may hold"
        return [f'The catalogue wrote the section of "{labels[key]}": {why}.' for key in self._prompter.left_out]
