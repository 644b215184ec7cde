"""How good a written runbook is, in figures that rules can tell, so that two writers can be compared."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from pydantic import Field

from runbooks.core import wording
from runbooks.core.answer import ScenarioAnswer
from runbooks.core.coverage import class_coverage
from runbooks.core.digest import steps_text
from runbooks.core.facts import Facts
from runbooks.core.judging import Judge
from runbooks.core.runbook import FailureScenario, Runbook
from runbooks.core.workflow import Frozen

LONGEST_SENTENCE = 30
"""Words; a longer one is read twice."""
_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+")
_NOT_WORD = re.compile(r"[\W_]+")


class RunbookScore(Frozen):
    """Figures of one runbook, shares from 0 to 1; 1 is best, but for redundancy."""

    workflow: str
    scenarios: int
    scenarios_by_llm: int
    grounding: float
    """Scenarios in which every name, number, address and quotation is from the facts or the catalogue."""
    unsupported_claims: int
    """Lines that hold something else; the goal is 0."""
    completeness: float
    """Integrations that have a section, times the required failure classes that the sections have."""
    specificity: float
    """Steps that name something of this workflow."""
    actionability: float
    """Steps that say where to look or what to do, and leave no gap."""
    readability: float
    """Sentences of at most 30 words."""
    redundancy: float
    """Lines that another line of the same section says already."""
    failed_checks: dict[str, int] = Field(default_factory=dict)
    """Of what is stored; the goal is none."""
    rejected: dict[str, int] = Field(default_factory=dict)
    """Checks that texts of the model's failed before it was stored."""
    cost_usd: float | None = None
    tokens: int = 0
    seconds: float = 0.0
    fallback_reason: str | None = None


class Evaluation(Frozen):
    """Figures over all runbooks."""

    writer: str
    workflows: int
    averages: dict[str, float]
    unsupported_claims: int
    failed_checks: dict[str, int]
    rejected: dict[str, int]
    scenarios: int
    scenarios_by_llm: int
    cost_usd: float | None
    tokens: int
    seconds: float
    """Of one workflow on average, waiting for its turn included."""
    fallbacks: dict[str, int]
    cases: tuple[RunbookScore, ...]


SHARES = ("grounding", "completeness", "specificity", "actionability", "readability", "redundancy")


def score(facts: Facts, base: Runbook, runbook: Runbook) -> RunbookScore:
    """Score a runbook. `base`: the catalogue's for the same facts, which says what may be said."""
    judge = Judge(facts, base, shown={}, steps=steps_text(facts, around=()))
    placed = [(one.node_key, scenario) for one in runbook.sections for scenario in one.failure_scenarios]
    unsupported = {key: judge.unsupported(_answer(*key)) for key in placed}
    failed = Counter(check for key in placed for check in judge.failed(_answer(*key)))
    steps = list(_steps(facts, runbook))
    lines = [line for _, scenario in placed for line in _lines(scenario)]
    return RunbookScore(
        workflow=facts.workflow.name,
        scenarios=len(placed),
        scenarios_by_llm=sum(scenario.source == "llm" for _, scenario in placed),
        grounding=_share(not found for found in unsupported.values()),
        unsupported_claims=sum(map(len, unsupported.values())),
        completeness=_completeness(facts, runbook),
        specificity=_share(any(name in step.lower() for name in names) for step, names in steps),
        actionability=_share(_is_actionable(step) for step, _ in steps),
        readability=_share(len(one.split()) <= LONGEST_SENTENCE for line in lines for one in _SENTENCE_END.split(line)),
        redundancy=_redundancy(runbook),
        failed_checks=dict(failed),
    )


def evaluation_of(writer: str, cases: Sequence[RunbookScore]) -> Evaluation:
    """Sum up; there must be at least one."""
    costs = [case.cost_usd for case in cases if case.cost_usd is not None]
    return Evaluation(
        writer=writer,
        workflows=len(cases),
        averages={name: round(fmean(getattr(case, name) for case in cases), 4) for name in SHARES},
        unsupported_claims=sum(case.unsupported_claims for case in cases),
        failed_checks=_added(case.failed_checks for case in cases),
        rejected=_added(case.rejected for case in cases),
        scenarios=sum(case.scenarios for case in cases),
        scenarios_by_llm=sum(case.scenarios_by_llm for case in cases),
        cost_usd=round(sum(costs), 6) if costs else None,
        tokens=sum(case.tokens for case in cases),
        seconds=round(fmean(case.seconds for case in cases), 3),
        fallbacks=Counter(case.fallback_reason for case in cases if case.fallback_reason),
        cases=tuple(cases),
    )


def _answer(node_key: str, scenario: FailureScenario) -> ScenarioAnswer:
    # Not validated: the catalogue may write more lines than a model.
    return ScenarioAnswer.model_construct(
        node_key=node_key,
        scenario_id=scenario.scenario_id,
        symptoms=list(scenario.symptoms),
        diagnosis=list(scenario.diagnosis),
        remediation=list(scenario.remediation),
    )


def _steps(facts: Facts, runbook: Runbook) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each step, and what of this workflow it may name."""
    nodes = [name for node in facts.workflow.nodes for name in (node.label, node.key) if name]
    for section in runbook.sections:
        own = (section.integration, section.host, section.credential, section.operation, facts.workflow.name)
        names = tuple({name.lower() for name in (*nodes, *own) if name})
        for scenario in section.failure_scenarios:
            yield from ((step, names) for step in (*scenario.diagnosis, *scenario.remediation))


def _lines(scenario: FailureScenario) -> tuple[str, ...]:
    return (*scenario.symptoms, *scenario.diagnosis, *scenario.remediation)


def _is_actionable(step: str) -> bool:
    return not (wording.is_too_thin(step) or wording.VAGUE.find(step) or wording.PLACEHOLDER.find(step))


def _completeness(facts: Facts, runbook: Runbook) -> float:
    wanted = {integration.node_key for integration in facts.integrations}
    if not wanted:
        return 1.0
    present = {section.node_key for section in runbook.sections}
    classes = class_coverage(
        (scenario.failure_class.value for scenario in section.failure_scenarios) for section in runbook.sections
    )
    return len(wanted & present) / len(wanted) * (classes.covered / classes.total if classes.total else 0.0)


def _redundancy(runbook: Runbook) -> float:
    repeated = total = 0
    for section in runbook.sections:
        plain = [_NOT_WORD.sub("", line.lower()) for one in section.failure_scenarios for line in _lines(one)]
        repeated += len(plain) - len(set(plain))
        total += len(plain)
    return repeated / total if total else 0.0


def _share(found: Iterable[bool]) -> float:
    all_found = list(found)
    return sum(all_found) / len(all_found) if all_found else 1.0


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())
