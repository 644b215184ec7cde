"""What is known of the workflow of a failed execution, and which runbook has something to say about the failure."""

from collections.abc import Callable

from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.reliability import FailureGroup, Reliability, Scope
from runbooks.core.runbook import Runbook
from runbooks.core.workflow import Frozen
from runbooks.errors import DefinitionError

UNKNOWN = FailureClass.UNKNOWN

Write = Callable[[Facts], Runbook]
"""Writes a runbook from the catalogue."""


class Known(Frozen):
    """What is known of the workflow whose execution failed."""

    runbook: Runbook | None = None
    """Its stored proactive runbook."""
    facts: Facts | None = None
    """From its definition; None when that cannot be read."""
    problem: str = ""
    """Why it cannot be read."""

    @property
    def survived(self) -> frozenset[str]:
        """Keys of the nodes whose failure the workflow lives with."""
        nodes = self.facts.workflow.nodes if self.facts else ()
        return frozenset(node.key for node in nodes if node.continue_on_error or node.has_error_output)

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.facts.workflow.name if self.facts else self.runbook.workflow_name if self.runbook else ""


def runbook_for(node_key: str, failure_class: FailureClass, known: Known, write: Write) -> Runbook:
    """The stored runbook, or one from the catalogue when that is what has the scenario."""
    stored, facts = known.runbook, known.facts
    if facts is None:
        if stored is None:
            raise DefinitionError(known.problem or "the workflow's definition cannot be read")
        return stored
    is_integration = any(one.node_key == node_key for one in facts.integrations)
    if stored is not None and (not is_integration or _has(stored, node_key, failure_class)):
        return stored
    written = _without_history(write(_with_observed(facts, node_key, failure_class)))
    has_none = stored is None or not any(section.node_key == node_key for section in stored.sections)
    return written if stored is None or has_none or _has(written, node_key, failure_class) else stored


def _has(runbook: Runbook, node_key: str, failure_class: FailureClass) -> bool:
    """Whether the node's section has a scenario of the class; for an unknown class any section will do."""
    section = next((one for one in runbook.sections if one.node_key == node_key), None)
    if section is None or failure_class is UNKNOWN:
        return section is not None
    return any(scenario.failure_class is failure_class for scenario in section.failure_scenarios)


def _with_observed(facts: Facts, node_key: str, failure_class: FailureClass) -> Facts:
    """Let the writer know of the failure: a class that was seen gets its scenario, however rare it is."""
    if failure_class is UNKNOWN:
        return facts
    group = FailureGroup(failure_class=failure_class, count=1, share=1.0)
    seen = Reliability(scope=Scope.NODE, calls=1, failures=1, groups=(group,))
    return facts.model_copy(update={"reliability": {**facts.reliability, node_key: seen}})


def _without_history(runbook: Runbook) -> Runbook:
    """Figures are the incident's own matter; those of a runbook that was written for it count this one failure."""
    sections = tuple(
        section.model_copy(
            update={
                "history": (),
                "failure_scenarios": tuple(
                    scenario.model_copy(update={"evidence": ()}) for scenario in section.failure_scenarios
                ),
            }
        )
        for section in runbook.sections
    )
    return runbook.model_copy(update={"sections": sections})
