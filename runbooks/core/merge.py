"""The model's texts in the catalogue's runbook."""

from collections.abc import Mapping

from runbooks.core.answer import LISTS, ScenarioAnswer
from runbooks.core.judging import ScenarioKey
from runbooks.core.runbook import FailureScenario, Runbook


def merge(runbook: Runbook, texts: Mapping[ScenarioKey, ScenarioAnswer]) -> Runbook:
    """Put the model's texts in the place of the catalogue's; everything else stays what code and data made it."""
    sections = tuple(
        section.model_copy(
            update={
                "failure_scenarios": tuple(
                    _merged(scenario, texts.get((section.node_key, scenario.scenario_id)))
                    for scenario in section.failure_scenarios
                )
            }
        )
        for section in runbook.sections
    )
    by_model = any(scenario.source == "llm" for section in sections for scenario in section.failure_scenarios)
    return runbook.model_copy(update={"sections": sections, "ai_generated": by_model})


def _merged(scenario: FailureScenario, text: ScenarioAnswer | None) -> FailureScenario:
    if text is None:
        return scenario
    written = {name: tuple(getattr(text, name)) for name in LISTS}
    if all(getattr(scenario, name) == lines for name, lines in written.items()):
        return scenario  # copied word for word: it is the catalogue's
    return scenario.model_copy(update={**written, "source": "llm"})
