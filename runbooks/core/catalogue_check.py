"""What is wrong or thin in the failure catalogue, found by looking at every scenario under every condition."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from runbooks.core.catalogue import Catalogue, Knowledge
from runbooks.core.coverage import REQUIRED_CLASSES
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integration import IntegrationKind
from runbooks.core.scenario import PARTS, Scenario, Step
from runbooks.core.selection import choose

MOST_STEPS = 7
FEWEST_WORDS = 5
STEP_PARTS = ("diagnosis", "remediation", "verification", "prevention")

_OPPOSITES = (("read", "write"), ("inbound", "outbound"), ("linkflow", "n8n"), ("public_host", "private_host"))
_IMPLIES = (
    ("credential", "auth"),
    ("inline_secret", "auth"),
    ("oauth2", "auth"),
    ("signature", "auth"),
    ("http_host", "host_known"),
    ("private_host", "host_known"),
    ("sends", "write"),
    ("moves_money", "write"),
)
_EXCLUDES = (
    ("credential", "inline_secret"),
    ("oauth2", "signature"),
    ("inbound", "upstream"),
    ("webhook_triggered", "scheduled"),
    ("webhook_triggered", "form_triggered"),
    ("form_triggered", "scheduled"),
    ("form_triggered", "event_triggered"),
    ("webhook_triggered", "event_triggered"),
    ("scheduled", "event_triggered"),
)
_BRANCH = re.compile(r"\b(if|else|when|means?|only|is about|before|names?|tell|which|whether)\b|;", re.IGNORECASE)
_VAGUE = re.compile(
    r"check the logs?\b|as appropriate|if necessary|if needed|\bTBD\b|\bTODO\b|verify (that )?it works|as usual steps"
    r"|contact support|investigate further|see documentation",
    re.IGNORECASE,
)
_CHANGING = re.compile(
    r"^(?:if [^,]*, |for [^,]*, |or )?(?:then )?(?:create|enter|set|raise|lower|switch|add|remove|restore|change"
    r"|replace|activate|deactivate|reconnect|rotate|delete|grant|enable|disable|install|move|rename|put|choose|correct"
    r"|lengthen|narrow|limit|map|pin|connect|edit|update)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should look at."""

    scenario_id: str
    text: str
    wrong: bool = False
    """True for what makes a runbook bad; False for what could be better."""


def check_catalogue(catalogue: Catalogue) -> list[Finding]:
    """All findings, each once, in a stable order."""
    found: dict[Finding, None] = {}
    scenarios: dict[Scenario, None] = {}
    for name, knowledge in _all_knowledge(catalogue):
        found.update(dict.fromkeys(_missing_classes(name, knowledge)))
        scenarios.update(dict.fromkeys(knowledge.scenarios))
    for scenario in scenarios:
        found.update(dict.fromkeys(_check_scenario(scenario)))
    for name, file in catalogue.files.items():
        found.update(dict.fromkeys(_dead_terms(catalogue, name)))
        if file.services and not any(one.failure_class is FailureClass.RATE_LIMITED for one in file.scenarios):
            found[Finding(name, "no rate limit scenario of its own")] = None
    return sorted(found, key=lambda finding: (not finding.wrong, finding.scenario_id, finding.text))


def consistent_conditions(names: Sequence[str]) -> Iterator[frozenset[str]]:
    """Every set of true conditions that can occur, among those named."""
    for values in product((False, True), repeat=len(names)):
        true = dict(zip(names, values, strict=True))
        if _can_be(true):
            yield frozenset(name for name, value in true.items() if value)


def conditions_of(scenario: Scenario) -> list[str]:
    """The conditions that decide what a scenario says, with the opposites of those that have one."""
    used = {*scenario.when.needs, *scenario.when.forbids}
    for part in PARTS:
        for step in getattr(scenario, part):
            used |= step.when.needs | step.when.forbids
    for pair in _OPPOSITES:
        if used & set(pair):
            used |= set(pair)
    return sorted(used)


def _can_be(true: dict[str, bool]) -> bool:
    opposites = all(true[one] != true[other] for one, other in _OPPOSITES if one in true and other in true)
    implied = all(not true[one] or true.get(other, True) for one, other in _IMPLIES if one in true)
    return opposites and implied and not any(true.get(one) and true.get(other) for one, other in _EXCLUDES)


def _all_knowledge(catalogue: Catalogue) -> Iterator[tuple[str, Knowledge]]:
    yield "workflow", catalogue.workflow
    for kind in IntegrationKind:
        yield kind.value, catalogue.knowledge("", kind)
        yield f"trigger of {kind.value}", catalogue.trigger_knowledge("", kind)
    for service in catalogue.services:
        kind_of = catalogue.kind_of(service)
        for kind in [kind_of] if kind_of else IntegrationKind:
            yield f"{service} ({kind.value})", catalogue.knowledge(service, kind)


def _missing_classes(name: str, knowledge: Knowledge) -> Iterator[Finding]:
    if name == "workflow":
        if not knowledge.scenarios or knowledge.scenarios[-1].failure_class is not FailureClass.UNKNOWN:
            yield Finding(name, "the last scenario must be the one for an unknown failure", wrong=True)
        return
    for true in consistent_conditions(("auth", "read", "write", "inbound", "outbound")):
        classes = {one.scenario.failure_class for one in choose(knowledge, true, frozenset())}
        for required in REQUIRED_CLASSES:
            if not required & classes:
                listed = " or ".join(sorted(required))
                yield Finding(name, f"no scenario for {listed} when {', '.join(sorted(true))}", wrong=True)


def _check_scenario(scenario: Scenario) -> Iterator[Finding]:
    for true in consistent_conditions(conditions_of(scenario)):
        if scenario.when.holds(true):
            yield from _check_shown(scenario, true)
    for part in STEP_PARTS:
        for step in getattr(scenario, part):
            yield from _check_step(scenario, part, step)


def _check_shown(scenario: Scenario, true: frozenset[str]) -> Iterator[Finding]:
    when = f"when {', '.join(sorted(true)) or 'nothing holds'}"
    for part in PARTS:
        shown = [step for step in getattr(scenario, part) if step.when.holds(true)]
        if not shown:
            yield Finding(scenario.id, f"{part} is empty {when}", wrong=True)
        if part in ("diagnosis", "remediation") and len(shown) > MOST_STEPS:
            yield Finding(scenario.id, f"{part} has more than {MOST_STEPS} steps {when}")
        if part == "diagnosis" and not any(_BRANCH.search(step.text.pattern) for step in shown):
            yield Finding(scenario.id, f"diagnosis does not branch {when}", wrong=True)


def _check_step(scenario: Scenario, part: str, step: Step) -> Iterator[Finding]:
    text = step.text.pattern
    if len(text.split()) < FEWEST_WORDS:
        yield Finding(scenario.id, f"{part}: {text!r} has fewer than {FEWEST_WORDS} words")
    if _VAGUE.search(text):
        yield Finding(scenario.id, f"{part}: {text!r} says nothing definite", wrong=True)
    if part == "remediation" and step.undo is None and _CHANGING.match(text):
        yield Finding(scenario.id, f"{part}: {text!r} changes something and does not say how to undo it", wrong=True)


def _dead_terms(catalogue: Catalogue, name: str) -> Iterator[Finding]:
    file = catalogue.files[name]
    if not file.terms:
        return
    kinds = [file.kind] if file.kind else list(IntegrationKind)
    service = file.services[0] if file.services else ""
    used: set[str] = set()
    for kind in kinds:
        for knowledge in (catalogue.knowledge(service, kind), catalogue.trigger_knowledge(service, kind)):
            for scenario in knowledge.scenarios:
                used |= _placeholders(scenario)
    for term in sorted(set(file.terms) - used):
        yield Finding(name, f"the term {term} is in no sentence")


def _placeholders(scenario: Scenario) -> set[str]:
    used = set(scenario.handover.names)
    for part in PARTS:
        for step in getattr(scenario, part):
            used |= step.text.names | (step.undo.names if step.undo else frozenset())
    return used
