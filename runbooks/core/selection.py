"""Which scenarios a section has, which of their sentences, and in which order."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType

from runbooks.core.catalogue import Knowledge
from runbooks.core.coverage import REQUIRED_CLASSES
from runbooks.core.failure_classes import FailureClass
from runbooks.core.reliability import FailureGroup, Reliability, Scope
from runbooks.core.scenario import Scenario, Step
from runbooks.core.templates import Template

MANY = 150
VERY_MANY = 2000
FIRST_STEPS = 2


NOTHING_LIKELIER: Mapping[FailureClass, float] = MappingProxyType({})


class Room(IntEnum):
    """How much a section may hold; a workflow of thousands of integrations would fill hundreds of megabytes."""

    ALL = 0
    REQUIRED = 1
    """From MANY integrations on: the required failures and those seen."""
    FIRST_STEPS = 2
    """From VERY_MANY on: of these only the first steps."""


def room_for(integrations: int) -> Room:
    """What each section of a runbook of so many integrations may hold."""
    if integrations < MANY:
        return Room.ALL
    return Room.REQUIRED if integrations < VERY_MANY else Room.FIRST_STEPS


@dataclass(frozen=True, slots=True)
class Chosen:
    """A scenario, reduced to the sentences that hold under given conditions."""

    scenario: Scenario
    symptoms: tuple[Template, ...]
    diagnosis: tuple[Template, ...]
    remediation: tuple[tuple[Template, Template | None], ...]
    verification: tuple[Template, ...]
    prevention: tuple[Template, ...]


def choose(
    knowledge: Knowledge, true: Set[str], observed: Set[FailureClass], room: Room = Room.ALL
) -> tuple[Chosen, ...]:
    """Scenarios that can happen and are usual, known of this very service, or seen; likeliest first.

    What was seen is chosen even where the definition says that it cannot happen: the definition may be incomplete.
    """
    possible = [scenario for scenario in knowledge.scenarios if scenario.when.holds(true)]
    explained = {scenario.failure_class for scenario in possible}
    for failure_class in observed - explained:
        possible += [one for one in knowledge.scenarios if one.failure_class is failure_class][:1]
    wanted = [
        scenario
        for scenario in possible
        if scenario.own or scenario.failure_class in knowledge.standard or scenario.failure_class in observed
    ]
    wanted.sort(key=lambda scenario: -scenario.prior)
    if room is not Room.ALL:
        wanted = _required(wanted, observed)
    chosen = tuple(_reduce(scenario, true) for scenario in wanted)
    return tuple(map(_first_steps, chosen)) if room is Room.FIRST_STEPS else chosen


def _required(scenarios: Sequence[Scenario], observed: Set[FailureClass]) -> list[Scenario]:
    """The likeliest scenario of each required failure, and whatever was seen."""
    first = {
        next((one.id for one in scenarios if one.failure_class in required), None) for required in REQUIRED_CLASSES
    }
    return [one for one in scenarios if one.id in first or one.failure_class in observed]


def _first_steps(one: Chosen) -> Chosen:
    return replace(
        one,
        symptoms=one.symptoms[:FIRST_STEPS],
        diagnosis=one.diagnosis[:FIRST_STEPS],
        remediation=one.remediation[:FIRST_STEPS],
        prevention=(),
    )


def _reduce(scenario: Scenario, true: Set[str]) -> Chosen:
    return Chosen(
        scenario,
        symptoms=_texts(scenario.symptoms, true),
        diagnosis=_texts(scenario.diagnosis, true),
        remediation=tuple((step.text, step.undo) for step in scenario.remediation if step.when.holds(true)),
        verification=_texts(scenario.verification, true),
        prevention=_texts(scenario.prevention, true),
    )


def _texts(steps: Sequence[Step], true: Set[str]) -> tuple[Template, ...]:
    return tuple(step.text for step in steps if step.when.holds(true))


def observed_classes(reliability: Reliability) -> frozenset[FailureClass]:
    """Classes that history has a failure of and that a scenario can be about."""
    return frozenset(
        group.failure_class
        for group in reliability.groups
        if group.count > 0 and group.failure_class is not FailureClass.UNKNOWN
    )


def by_evidence(
    chosen: Sequence[Chosen], reliability: Reliability, likelier: Mapping[FailureClass, float] = NOTHING_LIKELIER
) -> list[tuple[Chosen, FailureGroup | None]]:
    """Put the scenarios in order: most seen first, then by prior; with what was seen of each.

    A figure of the whole workspace mixes other hosts in, so it only moves a scenario up among its like. `likelier` says
    what is known to come: failure class → as how many failures it counts, beside those that were seen.
    """
    groups = {group.failure_class: group for group in reliability.groups if group.count > 0}
    if not groups and not likelier:
        return [(one, None) for one in chosen]
    total = sum(group.count for group in groups.values())
    own = reliability.scope in (Scope.NODE, Scope.WORKFLOW)
    keeper = {failure_class: _best_match(chosen, group) for failure_class, group in groups.items()}
    pairs: list[tuple[Chosen, FailureGroup | None]] = []
    for one in chosen:
        failure_class = one.scenario.failure_class
        pairs.append((one, groups[failure_class] if keeper.get(failure_class) is one else None))

    def rank(pair: tuple[Chosen, FailureGroup | None]) -> tuple[float, float]:
        one, group = pair
        known = likelier.get(one.scenario.failure_class, 0)
        if group is None:
            return (-known, -one.scenario.prior)
        if own:
            return (-known - group.count, -one.scenario.prior)
        return (-known, -one.scenario.prior - 30 * group.count / total)

    return sorted(pairs, key=rank)


def _best_match(chosen: Sequence[Chosen], group: FailureGroup) -> Chosen | None:
    """Of several scenarios of one class, the one whose symptoms the message has; the likeliest otherwise."""
    candidates = [one for one in chosen if one.scenario.failure_class is group.failure_class]
    if len(candidates) < 2 or not group.message:
        return max(candidates, key=_is_plain, default=None)
    message = group.message.lower()
    return max(candidates, key=lambda one: (_likeness(one, message), _is_plain(one)))


def _is_plain(one: Chosen) -> bool:
    return one.scenario.id.endswith(f".{one.scenario.failure_class.value}")


def _likeness(one: Chosen, message: str) -> int:
    """How many of the error words in the symptoms occur in a message."""
    found = 0
    for symptom in one.symptoms:
        for part in symptom.pattern.lower().replace('"', ",").replace(";", ",").split(","):
            word = part.strip().removeprefix("or ").removeprefix("error text contains ").strip()
            found += 4 <= len(word) <= 60 and word in message
    return found
