"""The head of a runbook: what the workflow depends on, what is likeliest to fail, what the reader should know."""

from collections.abc import Sequence

from runbooks.core.facts import Facts
from runbooks.core.node_roles import WorkflowShape
from runbooks.core.reliability import Reliability
from runbooks.core.runbook import FailureScenario, RunbookSection
from runbooks.core.terms import Names, tidy

NAMED_SERVICES = 5
_STARTS = {
    "webhook": "starts on a webhook call",
    "schedule": "runs on a schedule",
    "event": "starts on an event",
    "manual": "is started by hand",
    "called": "is started by another workflow",
}


def summary_of(
    facts: Facts,
    names: Names,
    shape: WorkflowShape,
    sections: Sequence[RunbookSection],
    general: Sequence[FailureScenario],
) -> str:
    """Two or three sentences."""
    start = _STARTS.get(shape.trigger_type, "runs")
    if not sections:
        first = general[0].scenario if general else "an unknown failure"
        return (
            f"{_capital(names.workflow)} {start} and calls nothing outside the platform. "
            f"What can fail is inside it; look first at: {_lower(first)}."
        )
    services = list(dict.fromkeys(section.integration for section in sections))
    nodes = f"{len(sections)} node{'s' if len(sections) != 1 else ''}"
    sentences = [f"{_capital(names.workflow)} {start} and depends on {_listed(services)} ({nodes})."]
    sentences.append(_likeliest(facts, names, sections))
    worst = max(sections, key=lambda section: section.severity.rank)
    sentences.append(f"The worst to lose is {worst.integration} at {names[worst.node_key]} ({worst.severity.value}).")
    return " ".join(sentence for sentence in sentences if sentence)


def _likeliest(facts: Facts, names: Names, sections: Sequence[RunbookSection]) -> str:
    seen = [(facts.reliability_of(section.node_key), section) for section in sections]
    failing = [(history, section) for history, section in seen if history.failures and history.scope == "node"]
    if failing:
        history, section = max(failing, key=lambda pair: pair[0].failures)
        return (
            f"Likeliest to fail: {names[section.node_key]} ({section.integration}), {_rate(history)}; "
            f"first suspect: {_lower(section.failure_scenarios[0].scenario)}."
        )
    first = max(sections, key=lambda section: section.severity.rank)
    why = "No failure of its nodes is on record" if facts.history_included else "History was left out"
    return f"{why}; by experience look first at {names[first.node_key]}: {_lower(first.failure_scenarios[0].scenario)}."


def _rate(history: Reliability) -> str:
    window = f"{history.window_days} days" if history.window_days != 1 else "day"
    return f"{history.failures:,} of {history.calls:,} calls failed in the last {window}"


def notes_of(facts: Facts, names: Names) -> tuple[str, ...]:
    """What the reader should know about the runbook itself."""
    notes = [tidy(problem, 300) for problem in facts.workflow.problems]
    open_secrets = [one.node_key for one in facts.integrations if one.inline_secret]
    if open_secrets:
        notes.append(
            f"A secret stands in clear text in the settings of {names.several(open_secrets)}; "
            "move it to a credential, so that it can be rotated in one place."
        )
    notes += [f"{names[one.node_key]}: {tidy(one.host_note, 200)}" for one in facts.integrations if one.host_note]
    if not facts.workflow.owner:
        notes.append("Owner required: the platform names nobody for this workflow.")
    if not facts.history_included:
        notes.append("History was left out on request, so nothing here is ordered by past failures.")
    return tuple(notes)


def _listed(services: Sequence[str]) -> str:
    shown = list(services[:NAMED_SERVICES])
    rest = len(services) - len(shown)
    if rest:
        shown.append(f"{rest} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(title: str) -> str:
    """A title inside a sentence; a name keeps its capital."""
    first, _, rest = title.partition(" ")
    second_is_capital = len(first) > 1 and not first[1:].islower()
    return title if second_is_capital or first in _PROPER else f"{first.lower()} {rest}" if rest else first.lower()


_PROPER = frozenset(
    {
        "Google",
        "Slack",
        "Gmail",
        "Stripe",
        "Notion",
        "Shopify",
        "Discord",
        "Telegram",
        "Twilio",
        "Salesforce",
        "Airtable",
    }
)
