"""The dependency picture: which integrations a workflow passes, as a Mermaid flowchart for Markdown."""

from collections import deque
from collections.abc import Iterable, Sequence

from runbooks.core.failure_classes import Severity
from runbooks.core.graph import SERVING
from runbooks.core.integration import Integration
from runbooks.core.node_roles import shape_of
from runbooks.core.redaction import redact
from runbooks.core.workflow import Workflow

MOST_BOXES = 40
"""A larger picture cannot be read; GitHub refuses much larger ones."""
MOST_ARROWS = 120
LONGEST_LABEL = 48
COLOURS = {
    Severity.CRITICAL: "fill:#f8d7da,stroke:#842029,color:#2b0a0d",
    Severity.HIGH: "fill:#ffe5d0,stroke:#984c0c,color:#331904",
    Severity.MEDIUM: "fill:#fff3cd,stroke:#997404,color:#332701",
    Severity.LOW: "fill:#d1e7dd,stroke:#0f5132,color:#051b11",
}
"""By criticality; dark text on a light ground reads on a light and on a dark page."""
START = "start"


def mermaid(workflow: Workflow, integrations: Sequence[Integration]) -> str:
    """The flowchart, without the fence; empty when there is nothing to show.

    Internal nodes are folded: an arrow means that one integration comes after another, whatever lies between. Dotted
    arrows serve (a model, a tool), those with `on error` run when the source fails.
    """
    if not integrations:
        return ""
    shown = _most_critical(integrations)
    names = {integration.node_key: f"i{number}" for number, integration in enumerate(shown)}
    arrows = _arrows(workflow, names)
    lines = ["flowchart LR", f'    {START}(["{_text(_trigger(workflow))}"])'] if _starts(arrows) else ["flowchart LR"]
    lines += [f"    {names[one.node_key]}{_box(one)}:::{one.criticality.value}" for one in shown]
    lines += arrows[:MOST_ARROWS]
    left_out = len(integrations) - len(shown)
    if left_out:
        lines.append(f'    more["… and {left_out} less critical integrations"]')
    used = {one.criticality for one in shown}
    lines += [f"    classDef {severity.value} {COLOURS[severity]}" for severity in COLOURS if severity in used]
    return "\n".join(lines)


def _most_critical(integrations: Sequence[Integration]) -> list[Integration]:
    """The worst ones where there are too many, in the order of the definition."""
    if len(integrations) <= MOST_BOXES:
        return list(integrations)
    ranked = sorted(integrations, key=lambda one: -one.criticality.rank)[:MOST_BOXES]
    chosen = {one.node_key for one in ranked}
    return [one for one in integrations if one.node_key in chosen]


def _box(integration: Integration) -> str:
    """Rounded for what starts the workflow, a plain box for calls."""
    label = _text(integration.node_label, integration.service)
    return f'(["{label}"])' if integration.direction == "inbound" else f'["{label}"]'


def _text(*parts: str) -> str:
    """Labels as Mermaid reads them: everything but letters, digits and blanks as character entities."""
    lines = [_escaped(" ".join(part.split())[:LONGEST_LABEL]) for part in dict.fromkeys(parts) if part.strip()]
    return "<br/>".join(lines) or "?"


def _escaped(text: str) -> str:
    return "".join(
        char if char.isalnum() or char in " .,-_" else f"#{ord(char)};" for char in text if char.isprintable()
    )


def _trigger(workflow: Workflow) -> str:
    kind = shape_of(workflow).trigger_type
    if kind == "called":
        return "another workflow"
    return f"{kind} trigger" if kind else redact(workflow.name) or "start"


def _starts(arrows: Iterable[str]) -> bool:
    return any(arrow.startswith(f"    {START} ") for arrow in arrows)


def _arrows(workflow: Workflow, names: dict[str, str]) -> list[str]:
    """Arrows between shown integrations, and from the trigger to the first ones."""
    following: dict[str, list[tuple[str, str]]] = {node.key: [] for node in workflow.nodes}
    has_source: set[str] = set()
    for edge in workflow.edges:
        if edge.source in following and edge.target in following:
            following[edge.source].append((edge.target, edge.kind))
            has_source.add(edge.target)
    starts = [node.key for node in workflow.nodes if node.key not in has_source and node.key not in names]
    # A sub-node without a source is no start: it runs when its root does.
    starts = [key for key in starts if any(not kind.startswith(SERVING) for _, kind in following[key])]
    found = _reached(starts, following, names, START)
    for key, name in names.items():
        if len(found) >= MOST_ARROWS:
            break
        found |= _reached([key], following, names, name)
    return list(found)


def _reached(
    starts: Sequence[str], following: dict[str, list[tuple[str, str]]], names: dict[str, str], source: str
) -> dict[str, None]:
    """Arrows from a source to the next shown integrations, passing through everything that is not shown."""
    arrows: dict[str, None] = {}
    queue = deque((key, "") for key in starts)
    seen = set(starts)
    while queue and len(arrows) < MOST_ARROWS:
        key, style = queue.popleft()
        for target, kind in following.get(key, ()):
            way = style or _style(kind)
            if target in names and names[target] != source:
                arrows[f"    {source} {way or '-->'} {names[target]}"] = None
            if target not in names and target not in seen:
                seen.add(target)
                queue.append((target, way))
    return arrows


def _style(kind: str) -> str:
    if kind == "error":
        return "-. on error .->"
    return "-.->" if kind.startswith(SERVING) else ""
