"""From a model's answer to texts that may be stored: matched to what was asked for, checked one by one."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from runbooks.core.answer import Answer, ScenarioAnswer
from runbooks.core.answer_checks import Context, findings
from runbooks.core.facts import Facts
from runbooks.core.grounding import Grounding
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection

ScenarioKey = tuple[str, str]
"""Node key and scenario id."""


@dataclass(frozen=True)
class Rejected:
    """Why a scenario's text cannot be stored: the checks' names, and sentences for the model."""

    checks: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What of an answer can be stored, and what was asked for and cannot."""

    accepted: Mapping[ScenarioKey, ScenarioAnswer] = field(default_factory=dict)
    rejected: Mapping[ScenarioKey, Rejected] = field(default_factory=dict)


class Judge:
    """Knows one workflow, and judges what a model writes about it."""

    def __init__(self, facts: Facts, runbook: Runbook, *, shown: Mapping[str, str], steps: str) -> None:
        """`shown` and `steps`: the integrations, by node key, and the workflow's steps as the model saw them."""
        self._sections = {section.node_key: section for section in runbook.sections}
        self._shown = shown
        names = dict.fromkeys(name for node in facts.workflow.nodes for name in (node.label, node.key))
        general = [line for scenario in runbook.general for line in _lines(scenario)]
        self._shared = Grounding([*general, facts.workflow.name, steps], names=names)
        self._contexts: dict[ScenarioKey, Context] = {}
        self._groundings: dict[str, Grounding] = {}

    def judge(self, answer: Answer, asked: Collection[ScenarioKey]) -> Verdict:
        """Sort an answer into what can be stored and what cannot; what was not asked for is dropped."""
        accepted: dict[ScenarioKey, ScenarioAnswer] = {}
        rejected: dict[ScenarioKey, Rejected] = {}
        given = {one.key: one for one in answer.scenarios if one.key in set(asked)}
        for key in asked:
            if key in answer.malformed:
                rejected[key] = Rejected(("schema",), (answer.malformed[key],))
            elif key not in given:
                reason = answer.problem or "the answer does not hold it under its node_key and scenario_id"
                rejected[key] = Rejected(("missing",), (reason,))
            else:
                found = findings(given[key], self._context(key))
                if found:
                    rejected[key] = Rejected(tuple(one.check for one in found), tuple(one.reason for one in found))
                else:
                    accepted[key] = given[key]
        return Verdict(accepted, rejected)

    def failed(self, text: ScenarioAnswer) -> list[str]:
        """Names of the checks that a text fails, wherever it comes from."""
        return [finding.check for finding in findings(text, self._context(text.key))]

    def unsupported(self, text: ScenarioAnswer) -> list[str]:
        """Lines that name something which is neither in the facts nor in the catalogue."""
        grounding = self._context(text.key).grounding
        return [line for line in text.lines if grounding.unknown(line)]

    def _context(self, key: ScenarioKey) -> Context:
        if key not in self._contexts:
            section = self._sections[key[0]]
            names = (section.node_label, section.node_key, section.integration, section.host, section.credential)
            self._contexts[key] = Context(
                catalogue=next(one for one in section.failure_scenarios if one.scenario_id == key[1]),
                grounding=self._grounding(section),
                specific=tuple(name.lower() for name in names if name),
            )
        return self._contexts[key]

    def _grounding(self, section: RunbookSection) -> Grounding:
        if section.node_key not in self._groundings:
            own = dict.fromkeys(line for scenario in section.failure_scenarios for line in _lines(scenario))
            shown = self._shown.get(section.node_key, "").split("\n")
            self._groundings[section.node_key] = Grounding(
                [*own, *_facts_of(section), *(line for line in shown if line.removeprefix("- ") not in own)],
                names=[section.credential] if section.credential else [],
                beneath=self._shared,
            )
        return self._groundings[section.node_key]


def _lines(scenario: FailureScenario) -> Iterable[str]:
    yield scenario.scenario
    for lines in (
        scenario.symptoms,
        scenario.diagnosis,
        scenario.remediation,
        scenario.verification,
        scenario.prevention,
        scenario.evidence,
    ):
        yield from lines
    yield scenario.escalation


def _facts_of(section: RunbookSection) -> list[str]:
    single = (section.integration, section.operation, section.host, section.credential, section.impact, section.rerun)
    return [*(text for text in single if text), *section.history]
