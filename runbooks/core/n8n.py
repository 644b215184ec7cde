"""n8n's exports: `nodes` known by name, `connections` from name to name."""

from collections.abc import Iterator
from typing import Any

from runbooks.core.document import (
    UNKNOWN_TYPE,
    Parts,
    Problems,
    as_attempts,
    as_object,
    as_seconds,
    as_text,
    decoded,
    first_text,
    is_on,
)
from runbooks.core.workflow import Edge, Node

NOT_A_STEP = frozenset({"stickyNote"})
ERROR_KINDS = frozenset({"error", "onerror"})
MOST_TRIES, FEWEST_TRIES, DEFAULT_TRIES = 5, 2, 3
"""The engine's own bounds for a node that is retried."""
MILLISECONDS = 1000

MANUAL = frozenset({"manualTrigger", "start"})
WEBHOOK = frozenset({"webhook", "formTrigger", "chatTrigger", "mcpTrigger"})
SCHEDULE = frozenset({"scheduleTrigger", "cron", "interval"})
EVENT = frozenset({"emailReadImap", "emailReadImapTrigger"})

# The error output comes after the regular ones; these types have more than one, a switch any number.
REGULAR_OUTPUTS = {"if": 2, "filter": 2, "splitInBatches": 2, "compareDatasets": 4, "switch": 1000}


def read_n8n(document: dict[str, Any], raw_nodes: list[tuple[int, dict[str, Any]]], problems: Problems) -> Parts:
    """Read nodes, connections, trigger and limits of an n8n export."""
    nodes: dict[str, Node] = {}
    key_by_id: dict[str, str] = {}
    for position, raw in raw_nodes:
        if short_type(as_text(raw.get("type"))) in NOT_A_STEP:
            continue
        node = _read_node(position, raw, problems)
        if node.key in nodes:
            problems.add("nodes share a name, the last one counts", node.key)
        nodes[node.key] = node
        key_by_id[as_text(raw.get("id"))] = node.key
    edges = tuple(dict.fromkeys(_read_edges(document, nodes, key_by_id, problems)))
    failing = {edge.source for edge in edges if edge.kind == "error"}
    trigger_type, trigger_config = _read_trigger(nodes)
    return Parts(
        nodes=tuple(
            node.model_copy(update={"has_error_output": True}) if node.key in failing else node
            for node in nodes.values()
        ),
        edges=edges,
        trigger_type=trigger_type,
        trigger_config=trigger_config,
        timeout_s=as_seconds(as_object(decoded(document.get("settings"))).get("executionTimeout")),
    )


def short_type(node_type: str) -> str:
    """The type without its package: `n8n-nodes-base.httpRequest` → `httpRequest`."""
    return node_type.rpartition(".")[2]


def _read_node(position: int, raw: dict[str, Any], problems: Problems) -> Node:
    key = raw["name"] if isinstance(raw.get("name"), str) and raw["name"].strip() else first_text(raw.get("id"))
    if not key:
        key = f"node-{position}"
        problems.add("nodes without a name are called by their place in the list", key)
    node_type = as_text(raw.get("type"))
    if not node_type:
        problems.add("nodes without a type cannot be judged", key)
    config = as_object(raw.get("parameters"))
    on_error = as_text(raw.get("onError"))
    return Node(
        key=key,
        type=node_type or UNKNOWN_TYPE,
        label=key,
        config=config,
        credentials=_credentials(as_object(raw.get("credentials"))),
        disabled=is_on(raw.get("disabled")),
        timeout_s=as_seconds(as_object(config.get("options")).get("timeout"), MILLISECONDS),
        max_attempts=_attempts(raw),
        continue_on_error=on_error == "continueRegularOutput" or (not on_error and is_on(raw.get("continueOnFail"))),
        has_error_output=on_error == "continueErrorOutput",
    )


def _credentials(raw: dict[str, Any]) -> dict[str, str]:
    """Old exports name a credential with a bare string, newer ones with an object."""
    return {
        kind: first_text(value.get("name"), value.get("id")) if isinstance(value, dict) else as_text(value)
        for kind, value in raw.items()
    }


def _attempts(raw: dict[str, Any]) -> int | None:
    if "retryOnFail" not in raw:
        return None
    if not is_on(raw["retryOnFail"]):
        return 1
    return min(MOST_TRIES, max(FEWEST_TRIES, as_attempts(raw.get("maxTries")) or DEFAULT_TRIES))


def _read_edges(
    document: dict[str, Any], nodes: dict[str, Node], key_by_id: dict[str, str], problems: Problems
) -> Iterator[Edge]:
    connections = decoded(document.get("connections"))
    if connections is not None and connections != [] and not isinstance(connections, dict):
        problems.add("`connections` is not an object: how the nodes are connected is unknown")
    for name, outputs_by_kind in as_object(connections).items():
        source = name if name in nodes else key_by_id.get(name, name)
        for kind, output, target_name in _targets(outputs_by_kind):
            target = target_name if target_name in nodes else key_by_id.get(target_name, target_name)
            if source not in nodes or target not in nodes:
                problems.add("connections lead from or to a node that does not exist", f"{source} → {target or '?'}")
            else:
                edge_kind = _edge_kind(nodes[source], kind, output)
                yield Edge(source=source, target=target, kind=edge_kind, handle=str(output))


def _targets(outputs_by_kind: Any) -> Iterator[tuple[str, int, str]]:
    """Kind, output index and name of every target; hand-written exports leave out levels of the nesting."""
    by_kind = outputs_by_kind if isinstance(outputs_by_kind, dict) else {"main": outputs_by_kind}
    for kind, outputs in by_kind.items():
        for output, target in _numbered(outputs):
            name = target.get("node") if isinstance(target, dict) else target
            yield kind, output, name if isinstance(name, str) else ""


def _numbered(outputs: Any) -> Iterator[tuple[int, Any]]:
    """Every target with the index of its output: a list a output, or all of them in one flat list."""
    if isinstance(outputs, dict) and "node" not in outputs:
        outputs = list(outputs.values())
    if not isinstance(outputs, list):
        outputs = [[outputs]]
    for output, targets in enumerate(outputs):
        if isinstance(targets, list):
            yield from ((output, target) for target in targets if target is not None)
        elif targets is not None:
            yield 0, targets


def _edge_kind(source: Node, kind: str, output: int) -> str:
    if kind.lower() in ERROR_KINDS:
        return "error"
    if kind == "main" and source.has_error_output and output >= REGULAR_OUTPUTS.get(short_type(source.type), 1):
        return "error"
    return kind


def _read_trigger(nodes: dict[str, Node]) -> tuple[str, dict[str, Any]]:
    """The trigger that runs an active workflow: a manual one counts only where there is no other."""
    found = [(kind, node) for node in nodes.values() if not node.disabled and (kind := _trigger_kind(node.type))]
    for kind, node in found:
        if kind != "manual":
            return kind, node.config
    return ("manual", found[0][1].config) if found else ("", {})


def _trigger_kind(node_type: str) -> str:
    short = short_type(node_type)
    for kind, types in (("manual", MANUAL), ("webhook", WEBHOOK), ("schedule", SCHEDULE), ("event", EVENT)):
        if short in types:
            return kind
    return "event" if short.lower().endswith("trigger") else ""
