"""The head of a runbook: what the workflow depends on, what is likeliest to fail, what the reader should know."""

from collections.abc import Sequence

from runbooks.core.facts import Facts
from runbooks.core.node_roles import WorkflowShape, short_type
from runbooks.core.reliability import Reliability
from runbooks.core.runbook import FailureScenario, RunbookSection, by_risk
from runbooks.core.terms import NAMELESS, Names, tidy

NAMED_SERVICES = 5
_STARTS_AT = {
    "formtrigger": "starts when somebody sends its form",
    "chattrigger": "starts on a chat message",
    "mcptrigger": "starts when an AI client calls it as a tool",
}
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
    start = f"{_capital(names.workflow)} {_start(shape)}"
    if not sections:
        first = general[0].scenario if general else "An unknown failure"
        return f"{start} and calls nothing outside the platform. What can fail is inside it; look first at: {first}."
    services = _services(sections)
    nodes = f" ({len(sections)} nodes)" if len(sections) > len({one.integration for one in sections}) else ""
    return f"{start} and depends on {_listed(services)}{nodes}. {_suspects(facts, names, by_risk(sections))}"


def _start(shape: WorkflowShape) -> str:
    by_node = _STARTS_AT.get(short_type(shape.trigger.type)) if shape.trigger else None
    return by_node or _STARTS.get(shape.trigger_type, "runs")


def _services(sections: Sequence[RunbookSection]) -> list[str]:
    """Each once; addresses that only their node names are counted together."""
    named = dict.fromkeys(one.integration for one in sections if not _is_called_after_its_node(one))
    nameless = sum(map(_is_called_after_its_node, sections))
    if not nameless:
        return list(named)
    return [*named, f"{nameless} HTTP endpoints" if nameless > 1 else "an HTTP endpoint"]


def _is_called_after_its_node(section: RunbookSection) -> bool:
    return section.integration == f'{NAMELESS}{section.node_label}"'


def _suspects(facts: Facts, names: Names, ranked: Sequence[RunbookSection]) -> str:
    """What fails most, and what is worst to lose, which is the first of the ranked sections."""
    seen = [(facts.reliability_of(section.node_key), section) for section in ranked]
    failing = [(history, section) for history, section in seen if history.failures and history.scope == "node"]
    worst = ranked[0]
    if not failing:
        return (
            f"{_no_failures(facts)}. The worst to lose is {_node(worst, names, worst.severity.value)}; "
            f"by experience its first suspect is: {worst.failure_scenarios[0].scenario}."
        )
    history, section = max(failing, key=lambda pair: pair[0].failures)
    likeliest = (
        f"Likeliest to fail: {_node(section, names, section.severity.value)}, {_rate(history)}; "
        f"first suspect: {section.failure_scenarios[0].scenario}."
    )
    if section.severity is worst.severity:
        return likeliest
    return f"{likeliest} The worst to lose is {_node(worst, names, worst.severity.value)}."


def _no_failures(facts: Facts) -> str:
    if facts.from_file:
        return "Its history is not known here"
    return "No failure of its nodes is on record" if facts.history_included else "History was left out"


def _node(section: RunbookSection, names: Names, *more: str) -> str:
    told = section.integration == section.node_label or _is_called_after_its_node(section)
    beside = ", ".join([*([] if told else [section.integration]), *more])
    return f"{names[section.node_key]} ({beside})" if beside else names[section.node_key]


def _rate(history: Reliability) -> str:
    window = f"{history.window_days} days" if history.window_days != 1 else "day"
    unit = "node runs" if history.source == "executions" else "calls"
    return f"{history.failures:,} of {history.calls:,} {unit} failed in the last {window}"


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
    if facts.from_file:
        notes.append("Written from an exported file alone: history, owner and whom to tell are the platform's to know.")
        return tuple(notes)
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
