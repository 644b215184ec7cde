"""The runbook that meets the incident: one failed execution, the scenario that fits it, ready to be stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbooks.core.classifier import Classifier, ErrorFacts
from runbooks.core.failed_execution import Failure, error_of
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.incident_text import (
    TROUBLE,
    attempts_sentence,
    before_sentences,
    error_sentence,
    title_of,
    trouble_inside,
)
from runbooks.core.known_workflow import Known, Write, runbook_for
from runbooks.core.matching import Match, Matching, match
from runbooks.core.recurrence import recurrence, recurrence_sentences
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection
from runbooks.core.terms import Names, tidy
from runbooks.core.workflow import Frozen, Workflow

OTHER_DEFINITION = (
    "The workflow was changed after this runbook was written; names and limits in it may be those of before."
)

UNKNOWN = FailureClass.UNKNOWN


class Incident(Frozen):
    """One failed execution with what to do about it."""

    execution_id: str
    workflow_id: str
    workspace_id: str
    workflow_name: str
    title: str
    summary: str
    severity: Severity
    section: RunbookSection
    """The section of the failed node with the scenarios that fit, the best first."""
    failure_class: FailureClass
    rule: str
    """The rule that told the class."""
    why: tuple[str, ...]
    """For each scenario why it stands where it stands."""
    error: str
    attempts: str
    """How the calls of the node ended; empty when there was at most one."""
    seen_before: tuple[str, ...]
    done_before: tuple[str, ...]
    """What had been done by then, and what a re-run would repeat."""
    escalation_matrix: dict[str, str]
    owner: str | None = None
    notes: tuple[str, ...] = ()
    from_stored: bool = True
    """Whether the scenarios come from the stored runbook; else they were written for this failure."""
    runbook_id: str = ""
    """Its row, once it is stored."""
    outcome: str = ""
    """What became of the row: `created`, `updated`, `unchanged`, or `edited`: left as a person made it."""

    @property
    def ai_generated(self) -> bool:
        """Whether a model wrote the text of a scenario."""
        return any(scenario.source == "llm" for scenario in self.section.failure_scenarios)

    @property
    def fitting(self) -> FailureScenario | None:
        """The scenario to start with, when the error tells; else all are equal candidates."""
        scenarios = self.section.failure_scenarios
        return scenarios[0] if scenarios and self.failure_class is not UNKNOWN else None


def explain(failure: Failure, known: Known, classifier: Classifier, write: Write) -> Incident:
    """Find the scenario that fits a failure and put the incident's own facts beside it.

    `write` is called when the workflow has no stored runbook, or none that has the node and its failure. Raises
    DefinitionError when there is neither a stored runbook nor a definition to write one from.
    """
    error = error_of(failure, _service(known, failure.node_key))
    failure_class = classifier.classify(error)
    runbook = runbook_for(failure.node_key, failure_class, known, write)
    found = _narrowed(match(runbook, failure.node_key, error, classifier))
    return _Explained(failure, known, runbook, found, error).incident(classifier)


def _narrowed(found: Matching) -> Matching:
    """Without what is only of the same class about other things, where the node's own section knows better."""
    if not found.matches or found.matches[0].node_key is None or found.classification.failure_class is UNKNOWN:
        return found
    kept = [one for one in found.matches[:-1] if one.node_key is not None or one.seen]
    return replace(found, matches=(*kept, found.matches[-1]))


def _service(known: Known, node_key: str) -> str | None:
    stored = known.runbook.sections if known.runbook else ()
    found = known.facts.integrations if known.facts else ()
    names = {section.node_key: section.integration for section in stored} | {one.node_key: one.service for one in found}
    return names.get(node_key)


@dataclass(frozen=True)
class _Explained:
    failure: Failure
    known: Known
    runbook: Runbook
    found: Matching
    error: ErrorFacts

    def incident(self, classifier: Classifier) -> Incident:
        execution, classification = self.failure.execution, self.found.classification
        seen = recurrence_sentences(
            recurrence(self.failure, self.error, classification.failure_class, classifier), self._names[self._key]
        ) if self._key else ()  # fmt: skip
        done = before_sentences(self.failure, self.known.facts, self._names)
        return Incident(
            execution_id=execution.id,
            workflow_id=execution.workflow_id,
            workspace_id=execution.workspace_id,
            workflow_name=self.known.name,
            title=title_of(self._trouble, subject=self._subject, node=self._label),
            summary=self._summary(seen, done),
            severity=self._severity(),
            section=self._section(seen, done),
            failure_class=classification.failure_class,
            rule=classification.rule,
            why=tuple(one.why for one in self.found.matches),
            error=error_sentence(self.failure),
            attempts=attempts_sentence(self.failure.attempts),
            seen_before=seen,
            done_before=done,
            escalation_matrix=dict(self.runbook.escalation_matrix),
            owner=self.runbook.owner,
            notes=self._notes(),
            from_stored=self.runbook is self.known.runbook,
        )

    @property
    def _key(self) -> str:
        return self.failure.node_key

    @property
    def _names(self) -> Names:
        """Names of the definition; of nodes that it does not have, what the platform recorded."""
        facts = self.known.facts
        return Names(facts.workflow if facts else Workflow(id="", name=self.known.name))

    @property
    def _label(self) -> str:
        section, run = self.found.section, self.failure.run
        nodes = self.known.facts.workflow.nodes if self.known.facts else ()
        in_definition = next((node.label for node in nodes if node.key == self._key), "")
        return in_definition or (section.node_label if section else "") or (run.node_name if run else "") or self._key

    @property
    def _subject(self) -> str:
        return self.found.section.integration if self.found.section else tidy(self.known.name) or "Workflow"

    @property
    def _trouble(self) -> str:
        """The class in words; inside the platform, where these are about calls, the scenario that fits."""
        failure_class = self.found.classification.failure_class
        if self.found.section is not None or failure_class is UNKNOWN:
            return TROUBLE[failure_class]
        first = self.found.matches[0] if self.found.matches else None
        if first is None or not (first.seen or first.scenario.failure_class is failure_class):
            return "failed"
        return trouble_inside(first.scenario.scenario)

    def _severity(self) -> Severity:
        """That of the scenario to start with; of an unknown failure that of the scenario for it."""
        if not self.found.matches:
            return Severity.MEDIUM
        is_told = self.found.classification.failure_class is not UNKNOWN
        return self.found.matches[0 if is_told else -1].scenario.severity

    def _section(self, seen: Sequence[str], done: Sequence[str]) -> RunbookSection:
        section, run = self.found.section, self.failure.run
        update = {"failure_scenarios": _with_evidence(self.found.matches, seen), "rerun": " ".join(done)}
        if section is not None:
            return section.model_copy(update={**update, "severity": self._severity()})
        return RunbookSection(
            integration=self._subject,
            node_key=self._key,
            node_label=tidy(self._label),
            node_type=run.node_type if run else "",
            kind="workflow",
            direction="internal",
            severity=self._severity(),
            failure_scenarios=_with_evidence(self.found.matches, seen),
            rerun=" ".join(done),
        )

    def _summary(self, seen: Sequence[str], done: Sequence[str]) -> str:
        execution = self.failure.execution
        service = f" ({self.found.section.integration})" if self.found.section else ""
        place = f" at node {self._names[self._key]}{service}" if self._key else ""
        first = self.found.matches[0].scenario.scenario if self.found.matches else ""
        look = f"Look first at: {first}." if first else ""
        if first and self.found.classification.failure_class is UNKNOWN:
            look = f"The error does not tell its kind; the likeliest is: {first}."
        return " ".join(
            part
            for part in (
                f"Execution {execution.id} of {self._names.workflow} failed{place} on "
                f"{execution.failed_at:%Y-%m-%d %H:%M} UTC.",
                f"Error: {error_sentence(self.failure)}.",
                *seen[:2],
                *(done[:1] if len(done) > 1 else ()),  # what was done; the advice alone is for the page
                look,
            )
            if part
        )

    def _notes(self) -> tuple[str, ...]:
        stored, facts = self.known.runbook, self.known.facts
        notes = []
        if stored is self.runbook and facts and stored and stored.provenance.definition_hash != facts.definition_hash:
            notes.append(OTHER_DEFINITION)
        if facts is None:
            notes.append(f"The definition cannot be read now: {tidy(self.known.problem, 200)}.")
        if self._key and facts and all(node.key != self._key for node in facts.workflow.nodes):
            notes.append(f"The workflow's definition of today has no node {self._names[self._key]}.")
        return tuple(notes)


def _with_evidence(matches: Sequence[Match], seen: Sequence[str]) -> tuple[FailureScenario, ...]:
    """Scenarios in their order; what was seen before is evidence of the first."""
    scenarios = [one.scenario for one in matches]
    if scenarios and seen:
        scenarios[0] = scenarios[0].model_copy(update={"evidence": (*seen, *scenarios[0].evidence)})
    return tuple(scenarios)
