"""LinkFlow's definitions: `nodes` with an id each, `edges` between ids."""

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

ERROR_HANDLES = frozenset({"error", "on_error", "onerror", "failure", "failed", "catch"})
# What the editor keeps in `data` beside the settings of the node.
COSMETIC = frozenset(
    {"config", "label", "name", "type", "position", "positionAbsolute", "width", "height", "selected", "dragging"}
    | {"style", "className", "icon", "color", "status", "description", "disabled", "settings", "retry"}
    | {"error_handling", "errorHandling", "credential", "credentials"}
)
TRIGGERS = {"manual": "manual", "webhook": "webhook", "schedule": "schedule", "cron": "schedule", "event": "event"}


def read_linkflow(document: dict[str, Any], raw_nodes: list[tuple[int, dict[str, Any]]], problems: Problems) -> Parts:
    """Read nodes, edges, trigger and limits of a LinkFlow definition."""
    nodes: dict[str, Node] = {}
    for position, raw in raw_nodes:
        node = _read_node(position, raw, problems)
        if node.key in nodes:
            problems.add("nodes share an id, the last one counts", node.key)
        nodes[node.key] = node
    edges = tuple(dict.fromkeys(_read_edges(document, nodes, problems)))
    failing = {edge.source for edge in edges if edge.kind == "error"}
    settings = as_object(decoded(document.get("settings")))
    limits = settings.get("timeout")
    trigger_type, trigger_config = _read_trigger(document, nodes)
    return Parts(
        nodes=tuple(
            node.model_copy(update={"has_error_output": True}) if node.key in failing else node
            for node in nodes.values()
        ),
        edges=edges,
        trigger_type=trigger_type,
        trigger_config=trigger_config,
        timeout_s=as_seconds(limits.get("workflow") if isinstance(limits, dict) else limits),
        node_timeout_s=as_seconds(as_object(limits).get("node")),
        max_attempts=_default_attempts(as_object(settings.get("retry"))),
    )


def _read_node(position: int, raw: dict[str, Any], problems: Problems) -> Node:
    data = as_object(raw.get("data"))
    key = as_text(raw.get("id"))
    if not key:
        key = f"node-{position}"
        problems.add("nodes without an id are called by their place in the list", key)
    node_type = first_text(raw.get("type"), data.get("type"))
    if not node_type:
        problems.add("nodes without a type cannot be judged", key)
    config = _config(raw, data)
    places = _places(raw, data, config)
    return Node(
        key=key,
        type=node_type or UNKNOWN_TYPE,
        label=first_text(data.get("label"), raw.get("label"), data.get("name"), raw.get("name"), key),
        config=config,
        credentials=_credentials(raw, data, config),
        disabled=is_on(raw.get("disabled")) or is_on(data.get("disabled")),
        timeout_s=next((limit for limit in (as_seconds(place.get("timeout")) for place in places) if limit), None),
        max_attempts=_attempts(places),
        continue_on_error=any(_continues(place) for place in places),
    )


def _config(raw: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The engine reads `data.config`; older documents have `config`, or the settings in `data` itself."""
    inner, outer = decoded(data.get("config")), decoded(raw.get("config"))
    if isinstance(inner, dict) or isinstance(outer, dict):
        return {**as_object(outer), **as_object(inner)}
    return {key: value for key, value in data.items() if key not in COSMETIC}


def _places(raw: dict[str, Any], data: dict[str, Any], config: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a node's error handling may stand, the most specific first."""
    outer = [config, data, raw]
    inner = ("error_handling", "errorHandling", "settings", "retry")
    return outer + [place[name] for place in outer for name in inner if isinstance(place.get(name), dict)]


def _attempts(places: list[dict[str, Any]]) -> int | None:
    for place in places:
        attempts = as_attempts(place.get("max_attempts", place.get("maxAttempts")))
        if attempts is not None:
            return 1 if place.get("enabled") is False else attempts
    return None


def _continues(place: dict[str, Any]) -> bool:
    if is_on(place.get("continue_on_error")) or is_on(place.get("continueOnError")):
        return True
    return as_text(place.get("on_error", place.get("onError"))).lower().startswith("continue")


def _credentials(raw: dict[str, Any], data: dict[str, Any], config: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for place in (config, data, raw):
        for name in ("credential", "credential_name", "credentials"):
            value = place.get(name)
            if isinstance(value, dict):
                kind, label = first_text(value.get("type"), "credential"), as_text(value.get("name"))
                found.update({kind: label} if label else {})
            elif isinstance(value, str) and value.strip() and "{{" not in value:
                found["credential"] = value.strip()
    return found


def _read_edges(document: dict[str, Any], nodes: dict[str, Node], problems: Problems) -> Iterator[Edge]:
    raw_edges = decoded(document.get("edges"))
    if raw_edges is None:
        return
    if not isinstance(raw_edges, list):
        problems.add("`edges` is not a list: how the nodes are connected is unknown")
        return
    for raw in raw_edges:
        source, target = as_text(as_object(raw).get("source")), as_text(as_object(raw).get("target"))
        if source not in nodes or target not in nodes:
            problems.add("edges lead from or to a node that does not exist", f"{source or '?'} → {target or '?'}")
            continue
        handle = first_text(raw.get("sourceHandle"), raw.get("source_handle"), raw.get("handle")) or None
        kind = "error" if (handle or "").lower() in ERROR_HANDLES else "main"
        yield Edge(source=source, target=target, kind=kind, handle=handle)


def _read_trigger(document: dict[str, Any], nodes: dict[str, Node]) -> tuple[str, dict[str, Any]]:
    stated = as_object(document.get("trigger"))
    config = as_object(decoded(document.get("trigger_config"))) or as_object(stated.get("config"))
    kind = first_text(document.get("trigger_type"), stated.get("type"), document.get("trigger"))
    for node in nodes.values():
        if node.type.startswith("trigger") and not node.disabled:
            suffix = node.type.removeprefix("trigger").strip("_")
            return kind or TRIGGERS.get(suffix, "event"), config or node.config
    return kind, config


def _default_attempts(retry: dict[str, Any]) -> int | None:
    if not is_on(retry.get("enabled", True)):
        return None
    return as_attempts(retry.get("max_attempts", retry.get("maxAttempts")))
