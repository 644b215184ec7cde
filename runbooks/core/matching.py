"""From a concrete error to the scenario of the runbook that fits it, with the reason."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runbooks.core.classifier import Classification, Classifier, ErrorFacts, read_evidence
from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import words
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection

_QUOTED = re.compile(r'"([^"]{2,80})"|“([^”]{2,80})”')
_CODE = re.compile(r"\b(?:[45]\d\d|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z]{5,}|[a-z]+(?:_[a-z]+)+|[A-Z][a-z]+[A-Z]\w*)\b")


@dataclass(frozen=True)
class Match:
    """A scenario, and why it stands where it stands."""

    scenario: FailureScenario
    node_key: str | None
    """The node whose section it comes from; None for a scenario of the workflow as a whole."""
    why: str
    seen: tuple[str, ...] = ()
    """Texts and codes of its symptoms that the error has."""


@dataclass(frozen=True)
class Matching:
    """Scenarios for one error, the most fitting first; never empty for a runbook that has scenarios."""

    classification: Classification
    section: RunbookSection | None
    """The node's section; None when the node calls nothing outside the platform."""
    matches: tuple[Match, ...]


def match(runbook: Runbook, node_key: str, error: ErrorFacts, classifier: Classifier) -> Matching:
    """Rank the scenarios of a runbook for an error of one of its nodes.

    A class that the text does not tell gives the section's own order, not a guess. The scenario for the failure
    that nobody foresaw is always there, and always last.
    """
    classification = classifier.explain(error)
    section = next((one for one in runbook.sections if one.node_key == node_key), None)
    candidates = tuple(_candidates(runbook, section, error))
    if classification.failure_class is FailureClass.UNKNOWN:
        ranked = _in_own_order(candidates)
    else:
        ranked = _by_class(candidates, classification)
    return Matching(classification, section, tuple(ranked))


@dataclass(frozen=True)
class _Candidate:
    scenario: FailureScenario
    node_key: str | None
    seen: tuple[str, ...]

    @property
    def weight(self) -> int:
        """How specific what was seen is: its words, so that a sentence outweighs a code."""
        return sum(len(words(text).split()) for text in self.seen)

    def because(self, why: str) -> Match:
        mentions = ", ".join(f'"{text}"' for text in self.seen)
        return Match(
            self.scenario, self.node_key, f"{why}; its symptoms mention {mentions}" if mentions else why, self.seen
        )


def _candidates(runbook: Runbook, section: RunbookSection | None, error: ErrorFacts) -> Iterator[_Candidate]:
    evidence = read_evidence(error, frozenset())
    row = f"{evidence.row}{evidence.status_code} " if evidence.status_code else evidence.row
    # Names of this workflow are quoted in symptoms too, and say nothing about the failure.
    names = {words(name) for name in _names(runbook, section)}
    for scenario in section.failure_scenarios if section else ():
        yield _Candidate(scenario, section.node_key if section else None, _seen(scenario, row, names))
    for scenario in runbook.general:
        yield _Candidate(scenario, None, _seen(scenario, row, names))


def _names(runbook: Runbook, section: RunbookSection | None) -> Iterator[str]:
    yield runbook.workflow_name
    for one in runbook.sections:
        yield from (one.node_label, one.node_key, one.integration)
    if section and section.credential:
        yield section.credential


def _seen(scenario: FailureScenario, row: str, names: set[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for text in _telling(scenario.symptoms):
        looked_for = words(text)
        if looked_for and looked_for not in names and f" {looked_for} " in row:
            found.setdefault(looked_for, text)
    return tuple(found.values())


def _telling(symptoms: Iterable[str]) -> Iterator[str]:
    """The quoted texts and the codes of symptoms."""
    for symptom in symptoms:
        yield from (first or second for first, second in _QUOTED.findall(symptom))
        yield from _CODE.findall(symptom)


def _in_own_order(candidates: tuple[_Candidate, ...]) -> Iterator[Match]:
    for candidate in _last_resort_last(candidates):
        yield candidate.because(
            _unforeseen(candidate) or "the error does not tell its class; this is the runbook's own order"
        )


def _by_class(candidates: tuple[_Candidate, ...], classification: Classification) -> Iterator[Match]:
    wanted = classification.failure_class
    fitting = [one for one in candidates if one.scenario.failure_class is wanted]
    # `sorted` keeps the runbook's order, by evidence and then by what is usual, among equals.
    for candidate in sorted(fitting, key=lambda one: (one.node_key is None, -one.weight)):
        yield candidate.because(f"the error is {wanted} by rule {classification.rule}")
    others = [one for one in candidates if one.scenario.failure_class is not wanted]
    if not fitting:
        others = sorted(others, key=lambda one: -one.weight)
        missing = f"the error is {wanted} by rule {classification.rule}, and no scenario is of that class"
        for candidate in _last_resort_last(others):
            yield candidate.because(_unforeseen(candidate) or missing)
        return
    for candidate in others:
        if _is_last_resort(candidate):
            yield candidate.because(_unforeseen(candidate))


def _last_resort_last(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    return sorted(candidates, key=_is_last_resort)


def _is_last_resort(candidate: _Candidate) -> bool:
    return candidate.node_key is None and candidate.scenario.failure_class is FailureClass.UNKNOWN


def _unforeseen(candidate: _Candidate) -> str:
    return "for when none of the others fits" if _is_last_resort(candidate) else ""
