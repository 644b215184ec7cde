"""Which workflows come first when there is not enough for all: those that run, fail and matter most."""

from collections.abc import Iterable

from runbooks.core.facts import Facts

PRIOR_CALLS, PRIOR_FAILURES = 20, 1
"""Counted to each history, so that neither none at all nor three calls without a failure mean that nothing fails."""


def importance(facts: Facts) -> float:
    """Executions times failures times criticality, of the integration for which that is the most; 0 without any."""
    scores = [0.0]
    for integration in facts.integrations:
        history = facts.reliability_of(integration.node_key)
        failing = (history.failures + PRIOR_FAILURES) / (history.calls + PRIOR_CALLS)
        scores.append((history.calls + 1) * failing * (integration.criticality.rank + 1))
    return max(scores)


def most_important_first(facts: Iterable[Facts]) -> list[Facts]:
    """Sorted; of equal ones the order stays."""
    return sorted(facts, key=importance, reverse=True)
