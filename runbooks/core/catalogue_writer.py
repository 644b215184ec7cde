"""The writer without a language model: picks the scenarios that fit, and fills in what is known of this workflow."""

from collections.abc import Mapping, Sequence

from runbooks.core.catalogue import Catalogue, Knowledge
from runbooks.core.conditions import integration_conditions, workflow_conditions
from runbooks.core.consequences import impact_text, rerun_text
from runbooks.core.escalation import DEFAULT_MATRIX, escalation_text
from runbooks.core.evidence import connector_words, evidence_sentences, history_sentences
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import Integration
from runbooks.core.node_roles import WorkflowShape, shape_of
from runbooks.core.reliability import FailureGroup, Reliability
from runbooks.core.runbook import FailureScenario, Provenance, Runbook, RunbookSection
from runbooks.core.selection import Chosen, by_evidence, choose, observed_classes
from runbooks.core.severity import severity_of
from runbooks.core.summary import notes_of, summary_of
from runbooks.core.templates import Template
from runbooks.core.terms import Names, integration_values, tidy, workflow_values

LONGEST_TITLE = 200
Values = Mapping[str, str]


class CatalogueWriter:
    """Writes complete runbooks; pure, and the same facts always give the same text."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._chosen: dict[tuple[int, frozenset[str], frozenset[FailureClass]], tuple[Chosen, ...]] = {}

    def write(self, facts: Facts) -> Runbook:
        """Write the runbook of one workflow."""
        shape = shape_of(facts.workflow)
        names = Names(facts.workflow)
        matrix = {severity.value: contact_of(facts, severity) for severity in Severity}
        sections = tuple(self._section(facts, one, names, shape, matrix) for one in facts.integrations)
        severity = Severity.worst([section.severity for section in sections])
        general = self._general(facts, names, shape, matrix, severity)
        return Runbook(
            title=f"Runbook: {tidy(facts.workflow.name, LONGEST_TITLE)}",
            summary=summary_of(facts, names, shape, sections, general),
            sections=sections,
            escalation_matrix=matrix,
            general=general,
            workflow_id=facts.workflow.id,
            workflow_name=facts.workflow.name,
            owner=facts.workflow.owner,
            severity=severity if sections else Severity.worst([scenario.severity for scenario in general]),
            notes=notes_of(facts, names),
            provenance=Provenance(
                definition_hash=facts.definition_hash,
                version=facts.workflow.version,
                catalogue_version=self.catalogue.version,
                window_days=max((one.window_days for one in facts.reliability.values()), default=30),
            ),
        )

    def _section(
        self, facts: Facts, integration: Integration, names: Names, shape: WorkflowShape, matrix: Values
    ) -> RunbookSection:
        knowledge = self._knowledge(integration)
        reliability = facts.reliability_of(integration.node_key)
        values = integration_values(integration, names, shape, knowledge.terms)
        true = integration_conditions(integration, facts.workflow.dialect)
        chosen = self._choose(knowledge, true, observed_classes(reliability))
        node, connector = values["node"], connector_words(integration.node_type)
        scenarios = tuple(
            _write_scenario(
                one,
                values,
                matrix,
                severity_of(
                    one.scenario.severity,
                    one.scenario.failure_class,
                    integration,
                    node_fails=one.scenario.node_fails,
                ),
                _evidence(group, reliability, node, connector),
            )
            for one, group in by_evidence(chosen, reliability)
        )
        return RunbookSection(
            integration=tidy(integration.service, LONGEST_TITLE),
            node_key=integration.node_key,
            failure_scenarios=scenarios,
            node_label=_label(facts, integration),
            node_type=integration.node_type,
            kind=integration.kind.value,
            operation=tidy(integration.operation),
            host=integration.host,
            credential=integration.credential,
            severity=Severity.worst([scenario.severity for scenario in scenarios]),
            history=history_sentences(
                reliability,
                node=node,
                connector=connector,
                included=facts.history_included,
                timeout_s=integration.timeout_s,
            ),
            impact=impact_text(integration, names),
            rerun=rerun_text(integration, names),
        )

    def _knowledge(self, integration: Integration) -> Knowledge:
        if integration.direction == "inbound":
            return self.catalogue.trigger_knowledge(integration.service_id, integration.kind)
        return self.catalogue.knowledge(integration.service_id, integration.kind)

    def _general(
        self, facts: Facts, names: Names, shape: WorkflowShape, matrix: Values, worst: Severity
    ) -> tuple[FailureScenario, ...]:
        values = workflow_values(facts.workflow, names, shape)
        chosen = self._choose(
            self.catalogue.workflow, workflow_conditions(facts.workflow, shape, facts.integrations), frozenset()
        )
        return tuple(_write_scenario(one, values, matrix, _general_severity(one, worst), ()) for one in chosen)

    def _choose(
        self, knowledge: Knowledge, true: frozenset[str], observed: frozenset[FailureClass]
    ) -> tuple[Chosen, ...]:
        key = (id(knowledge), true, observed)
        if key not in self._chosen:
            self._chosen[key] = choose(knowledge, true, observed)
        return self._chosen[key]


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


def _general_severity(one: Chosen, worst: Severity) -> Severity:
    """A failure that nobody foresaw may be as bad as the worst foreseen one, short of critical."""
    if one.scenario.failure_class is not FailureClass.UNKNOWN:
        return one.scenario.severity
    capped = worst if worst is not Severity.CRITICAL else Severity.HIGH
    return Severity.worst([one.scenario.severity, capped])


def _label(facts: Facts, integration: Integration) -> str:
    """The label as the workflow's nodes have it, where it is redacted."""
    for node in facts.workflow.nodes:
        if node.key == integration.node_key:
            return tidy(node.label or node.key)
    return tidy(integration.node_key)
