"""One scenario of the catalogue: its texts, checked and compiled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.core.catalogue_source import CatalogueFile, ScenarioSource, StepSource
from runbooks.core.conditions import INTEGRATION_CONDITIONS, WORKFLOW_CONDITIONS, When, parse_when
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.templates import Template, compile_template
from runbooks.core.terms import INTEGRATION_PLACEHOLDERS, TERMS, WORKFLOW_PLACEHOLDERS

PARTS = ("symptoms", "diagnosis", "remediation", "verification", "prevention")
REQUIRED = ("title", "severity", "prior", *PARTS, "handover")
NOT_THE_PROVIDERS = frozenset({FailureClass.NETWORK, FailureClass.TLS})
"""Classes about which a provider's page of error codes has nothing to say."""


@dataclass(frozen=True, slots=True)
class Step:
    """One sentence of a scenario."""

    text: Template
    when: When
    undo: Template | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to fail, with all texts that it may need."""

    id: str
    """File and key: `stripe.auth_failed`. Stable, so that a runbook's scenario can be traced and rated."""
    failure_class: FailureClass
    title: str
    severity: Severity
    prior: int
    """How likely without any history, against the other scenarios of the same integration."""
    when: When
    node_fails: bool
    own: bool
    """Written for this very service, not only for its kind."""
    symptoms: tuple[Step, ...]
    diagnosis: tuple[Step, ...]
    remediation: tuple[Step, ...]
    verification: tuple[Step, ...]
    prevention: tuple[Step, ...]
    handover: Template
    docs: str | None = None


class FileRejected(ValueError):
    """A file's content does not hold; `where` is the path inside the document."""

    def __init__(self, file: str, where: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.where = where
        self.reason = reason


@dataclass(frozen=True)
class Layer:
    """A scenario on its way up: the fields so far, and the file that spoke last."""

    fields: Mapping[str, Any]
    file: str
    own: bool


def compile_scenario(key: str, layer: Layer, last: CatalogueFile) -> Scenario:
    """Compile a scenario whose every part is there; its texts were checked when their file was."""
    fields = layer.fields
    conditions, placeholders = _vocabulary(last)
    parts = {part: _compile_steps(fields[part], conditions, placeholders) for part in PARTS}
    return Scenario(
        id=f"{layer.file}.{key}",
        failure_class=fields["failure_class"],
        title=fields["title"],
        severity=fields["severity"],
        prior=fields["prior"],
        when=parse_when(fields.get("when") or (), conditions),
        node_fails=fields.get("node_fails") is not False,
        own=layer.own,
        handover=compile_template(fields["handover"], placeholders),
        docs=fields.get("docs") or (None if fields["failure_class"] in NOT_THE_PROVIDERS else last.docs),
        **parts,
    )


def _compile_steps(steps: Sequence[StepSource], conditions: frozenset[str], known: frozenset[str]) -> tuple[Step, ...]:
    return tuple(
        Step(
            compile_template(step.text, known),
            parse_when(step.when, conditions),
            compile_template(step.undo, known) if step.undo else None,
        )
        for step in steps
    )


def _vocabulary(file: CatalogueFile) -> tuple[frozenset[str], frozenset[str]]:
    if file.workflow:
        return WORKFLOW_CONDITIONS, WORKFLOW_PLACEHOLDERS
    return INTEGRATION_CONDITIONS, INTEGRATION_PLACEHOLDERS


def check_texts(name: str, file: CatalogueFile) -> None:
    """Raise FileRejected for a condition, placeholder or term that nobody knows, or a key that stands twice."""
    conditions, placeholders = _vocabulary(file)
    for term, text in file.terms.items():
        if term not in TERMS:
            raise FileRejected(name, ("terms", term), f"{term!r} is no term; known are {', '.join(sorted(TERMS))}")
        _checked(name, ("terms", term), compile_template, text, INTEGRATION_PLACEHOLDERS - TERMS)
    seen: set[str] = set()
    for position, scenario in enumerate(file.scenarios):
        where = ("scenarios", position)
        if scenario.key in seen:
            raise FileRejected(name, where, f"scenario {scenario.key} stands twice; give the second one an `id`")
        seen.add(scenario.key)
        _checked(name, (*where, "when"), parse_when, scenario.when or (), conditions)
        _check_scenario(name, where, scenario, conditions, placeholders)


def _check_scenario(
    name: str, where: tuple[str | int, ...], scenario: ScenarioSource, conditions: Any, placeholders: Any
) -> None:
    if scenario.title:
        _checked(name, (*where, "title"), compile_template, scenario.title, frozenset())
    if scenario.handover:
        _checked(name, (*where, "handover"), compile_template, scenario.handover, placeholders)
    for part in PARTS:
        for number, step in enumerate(getattr(scenario, part) or ()):
            here = (*where, part, number)
            _checked(name, here, compile_template, step.text, placeholders)
            _checked(name, here, parse_when, step.when, conditions)
            if step.undo:
                _checked(name, (*here, "undo"), compile_template, step.undo, placeholders)
                if part != "remediation":
                    raise FileRejected(name, here, "only a step of the remediation has an `undo`")


def _checked(name: str, where: tuple[str | int, ...], read: Any, *arguments: Any) -> None:
    try:
        read(*arguments)
    except ValueError as error:
        raise FileRejected(name, where, str(error)) from None
