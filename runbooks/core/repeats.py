"""Finds scenarios that a page has written out already, for another node that calls the same service in the same way."""

from dataclasses import dataclass

from runbooks.core.runbook import FailureScenario, RunbookSection


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scenario is written out, and for which node."""

    number: str
    anchor: str
    node: str


class Repeats:
    """Remembers what a page has written out; two scenarios are alike when only the node's own name differs."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, ...], Place] = {}

    def earlier(self, section: RunbookSection, scenario: FailureScenario, *, number: str, anchor: str) -> Place | None:
        """Where the same steps stand already; None for the first time, which is remembered."""
        node = f'"{section.node_label or section.node_key}"'
        steps = (*scenario.diagnosis, *scenario.remediation, *scenario.verification, *scenario.prevention)
        key = (scenario.scenario_id, *(step.replace(node, "\0") for step in steps))
        place = self._places.setdefault(key, Place(number, anchor, node))
        return None if place.number == number else place
