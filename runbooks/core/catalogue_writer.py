"""The writer without a language model: picks the scenarios that fit, and fills in what is known of this workflow."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbooks.core.catalogue import Catalogue, Knowledge
from runbooks.core.conditions import integration_conditions, workflow_conditions
from runbooks.core.consequences import impact_text, rerun_text
from runbooks.core.credential import CredentialFacts
from runbooks.core.credential_text import credential_notes, likelier_by, login_evidence
from runbooks.core.diagram import mermaid
from runbooks.core.escalation import DEFAULT_MATRIX, escalation_text
from runbooks.core.evidence import connector_words, evidence_sentences, history_sentences
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import Integration
from runbooks.core.node_roles import WorkflowShape, shape_of
from runbooks.core.reliability import FailureGroup, Reliability
from runbooks.core.runbook import FailureScenario, Provenance, Runbook, RunbookSection
from runbooks.core.selection import Chosen, Room, by_evidence, choose, observed_classes, room_for
from runbooks.core.severity import severity_of
from runbooks.core.summary import notes_of, summary_of
from runbooks.core.templates import Template
from runbooks.core.terms import Names, integration_values, tidy, workflow_values

LONGEST_TITLE = 200
_ARROW = re.compile(r"(?:--|\.-)> i\d")
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all sections of one runbook share."""

    facts: Facts
    names: Names
    shape: WorkflowShape
    matrix: Values
    labels: Values
    """By node key, as the workflow's nodes have them, where they are redacted."""
    error_outputs: frozenset[str]
    """Keys of the nodes that have an output for their errors."""
    room: Room


class CatalogueWriter:
    """Writes complete runbooks; pure, and the same facts always give the same text."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._chosen: dict[tuple[int, frozenset[str], frozenset[FailureClass], Room], tuple[Chosen, ...]] = {}

    def write(self, facts: Facts) -> Runbook:
        """Write the runbook of one workflow."""
        setting = _setting(facts)
        sections = tuple(self._section(setting, one) for one in facts.integrations)
        severity = Severity.worst([section.severity for section in sections])
        general = self._general(setting, severity)
        return Runbook(
            title=f"Runbook: {tidy(facts.workflow.name, LONGEST_TITLE)}",
            summary=summary_of(facts, setting.names, setting.shape, sections, general),
            sections=sections,
            escalation_matrix=dict(setting.matrix),
            general=general,
            workflow_id=facts.workflow.id,
            workflow_name=facts.workflow.name,
            owner=facts.workflow.owner,
            severity=severity if sections else Severity.worst([scenario.severity for scenario in general]),
            notes=(
                *notes_of(facts, setting.names),
                *credential_notes(facts, setting.names),
                *_note_of_size(setting),
            ),
            diagram=_picture(facts),
            provenance=Provenance(
                definition_hash=facts.definition_hash,
                version=facts.workflow.version,
                catalogue_version=self.catalogue.version,
                window_days=max((one.window_days for one in facts.reliability.values()), default=30),
            ),
        )

    def _section(self, setting: _Setting, integration: Integration) -> RunbookSection:
        names, facts = setting.names, setting.facts
        knowledge = self._knowledge(integration)
        reliability = facts.reliability_of(integration.node_key)
        values = integration_values(integration, names, setting.shape, knowledge.terms)
        true = integration_conditions(integration, facts.workflow.dialect)
        credential = facts.credentials.get(integration.node_key)
        likelier = likelier_by(credential)
        chosen = self._choose(knowledge, true, observed_classes(reliability), setting.room)
        node, connector = values["node"], connector_words(integration.node_type)
        scenarios = tuple(
            _write_scenario(
                one,
                values,
                setting.matrix,
                severity_of(
                    one.scenario.severity,
                    one.scenario.failure_class,
                    integration,
                    node_fails=one.scenario.node_fails,
                ),
                (
                    *_evidence(group, reliability, node, connector),
                    *_of_credential(one, group, reliability, credential),
                ),
            )
            for one, group in by_evidence(chosen, reliability, likelier)
        )
        return RunbookSection(
            integration=tidy(integration.service, LONGEST_TITLE),
            node_key=integration.node_key,
            failure_scenarios=scenarios,
            node_label=setting.labels.get(integration.node_key) or tidy(integration.node_key),
            node_type=integration.node_type,
            kind=integration.kind.value,
            direction=integration.direction,
            operation=tidy(integration.operation),
            host=integration.host,
            credential=integration.credential,
            severity=Severity.worst([scenario.severity for scenario in scenarios]),
            history=history_sentences(
                reliability,
                node=node,
                connector=connector,
                included=facts.history_included,
                from_file=facts.from_file,
                timeout_s=integration.timeout_s,
                credential=credential,
            ),
            impact=impact_text(integration, names, error_output=integration.node_key in setting.error_outputs),
            rerun=rerun_text(integration, names),
        )

    def _knowledge(self, integration: Integration) -> Knowledge:
        if integration.direction == "inbound":
            return self.catalogue.trigger_knowledge(integration.service_id, integration.kind)
        return self.catalogue.knowledge(integration.service_id, integration.kind)

    def _general(self, setting: _Setting, worst: Severity) -> tuple[FailureScenario, ...]:
        workflow, shape = setting.facts.workflow, setting.shape
        values = workflow_values(workflow, setting.names, shape)
        true = workflow_conditions(workflow, shape, setting.facts.integrations)
        chosen = self._choose(self.catalogue.workflow, true, frozenset())
        return tuple(_write_scenario(one, values, setting.matrix, _general_severity(one, worst), ()) for one in chosen)

    def _choose(
        self, knowledge: Knowledge, true: frozenset[str], observed: frozenset[FailureClass], room: Room = Room.ALL
    ) -> tuple[Chosen, ...]:
        key = (id(knowledge), true, observed, room)
        if key not in self._chosen:
            self._chosen[key] = choose(knowledge, true, observed, room)
        return self._chosen[key]


def _setting(facts: Facts) -> _Setting:
    return _Setting(
        facts=facts,
        names=Names(facts.workflow),
        shape=shape_of(facts.workflow),
        matrix={severity.value: contact_of(facts, severity) for severity in Severity},
        labels={node.key: tidy(node.label or node.key) for node in facts.workflow.nodes},
        error_outputs=frozenset(node.key for node in facts.workflow.nodes if node.has_error_output),
        room=room_for(len(facts.integrations)),
    )


def _picture(facts: Facts) -> str:
    """The dependency picture, where there is more to see than boxes."""
    if len(facts.integrations) < 2:
        return ""
    diagram = mermaid(facts.workflow, facts.integrations)
    return diagram if _ARROW.search(diagram) else ""


def _note_of_size(setting: _Setting) -> tuple[str, ...]:
    if setting.room is Room.ALL:
        return ()
    cut = ", each with its first steps" if setting.room is Room.FIRST_STEPS else ""
    return (
        f"{len(setting.facts.integrations):,} integrations are too many for all that can fail: each section has only "
        f"a timeout, a refused login, a rate limit, a changed request or answer, and what history has seen{cut}.",
    )


def contact_of(facts: Facts, severity: Severity) -> str:
    """Whom the workspace tells at a severity."""
    return facts.escalation_matrix.get(severity.value) or DEFAULT_MATRIX[severity.value]


def _write_scenario(
    one: Chosen, values: Values, matrix: Values, severity: Severity, evidence: tuple[str, ...]
) -> FailureScenario:
    scenario = one.scenario
    return FailureScenario(
        scenario=scenario.title,
        symptoms=_fill(one.symptoms, values),
        diagnosis=_fill(one.diagnosis, values),
        remediation=tuple(_step(text, undo, values) for text, undo in one.remediation),
        severity=severity,
        failure_class=scenario.failure_class,
        scenario_id=scenario.id,
        verification=_fill(one.verification, values),
        prevention=_fill(one.prevention, values),
        escalation=escalation_text(severity, matrix, scenario.handover.fill(values)),
        evidence=evidence,
        docs_url=scenario.docs,
    )


def _fill(templates: Sequence[Template], values: Values) -> tuple[str, ...]:
    return tuple(template.fill(values) for template in templates)


def _step(text: Template, undo: Template | None, values: Values) -> str:
    return f"{text.fill(values)} Undo: {undo.fill(values)}" if undo else text.fill(values)


def _evidence(group: FailureGroup | None, reliability: Reliability, node: str, connector: str) -> tuple[str, ...]:
    return evidence_sentences(group, reliability, node=node, connector=connector) if group else ()


def _of_credential(
    one: Chosen, group: FailureGroup | None, reliability: Reliability, credential: CredentialFacts | None
) -> tuple[str, ...]:
    if one.scenario.failure_class is not FailureClass.AUTH_FAILED:
        return ()
    return login_evidence(credential, group, reliability.scope)


def _general_severity(one: Chosen, worst: Severity) -> Severity:
    """A failure that nobody foresaw may be as bad as the worst foreseen one, short of critical."""
    if one.scenario.failure_class is not FailureClass.UNKNOWN:
        return one.scenario.severity
    capped = worst if worst is not Severity.CRITICAL else Severity.HIGH
    return Severity.worst([one.scenario.severity, capped])
