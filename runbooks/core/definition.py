"""Read a workflow definition of either dialect, and tell whether two definitions are the same."""

import hashlib
import json
from typing import Any

from runbooks.core.document import Problems, as_object, clean_text, cleaned, decoded, first_text
from runbooks.core.linkflow import read_linkflow
from runbooks.core.n8n import read_n8n
from runbooks.core.workflow import Dialect, Workflow
from runbooks.errors import DefinitionError

WRAPPERS = ("workflow", "data", "workflowData", "workflow_data")
"""Names under which APIs and execution logs wrap a definition."""
N8N_TYPE = "n8n-nodes-"

# A runbook does not depend on these: who asked, and under which number.
IDENTITY = {"id", "workspace_id", "version", "owner"}


def parse_definition(
    document: Any,
    *,
    workflow_id: str = "",
    workspace_id: str = "",
    name: str = "",
    description: str = "",
    trigger_type: str = "",
    version: str | None = None,
    owner: str | None = None,
) -> Workflow:
    """Read a definition; what the caller knows wins over what the document says.

    Raises DefinitionError with a one-line reason when nothing sensible can be read. What is odd but bearable stands
    in the workflow's `problems`.
    """
    content = _unwrapped(cleaned(document))
    problems = Problems()
    raw_nodes = _nodes(content, problems)
    dialect = _dialect(content, raw_nodes)
    read = read_n8n if dialect is Dialect.N8N else read_linkflow
    parts = read(content, raw_nodes, problems)
    if not parts.nodes:
        problems.add("the workflow has no nodes")
    return Workflow(
        id=clean_text(workflow_id) or first_text(content.get("id")),
        workspace_id=clean_text(workspace_id) or first_text(content.get("workspace_id")),
        name=clean_text(name) or first_text(content.get("name")),
        description=clean_text(description) or first_text(content.get("description")),
        dialect=dialect,
        trigger_type=clean_text(trigger_type) or parts.trigger_type,
        trigger_config=parts.trigger_config,
        nodes=parts.nodes,
        edges=parts.edges,
        timeout_s=parts.timeout_s,
        node_timeout_s=parts.node_timeout_s,
        max_attempts=parts.max_attempts,
        version=version or first_text(content.get("version_number")) or None,
        owner=owner,
        problems=problems.lines(),
    )


def definition_hash(workflow: Workflow) -> str:
    """SHA-256 of everything in the definition that a runbook is made from, as 64 hex digits.

    Layout is not in the model, and the order of nodes and edges is the editor's own affair: neither moves the hash.
    """
    content = workflow.model_dump(exclude=IDENTITY)
    content["nodes"] = sorted(content["nodes"], key=lambda node: str(node["key"]))
    content["edges"] = sorted(content["edges"], key=lambda edge: json.dumps(edge, sort_keys=True))
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _unwrapped(document: Any) -> dict[str, Any]:
    """The object that holds `nodes`, with the name and description of what was wrapped around it."""
    content = decoded(document)
    outer: dict[str, Any] = {}
    while isinstance(content, dict) and "nodes" not in content:
        outer |= {key: content[key] for key in ("id", "name", "description") if content.get(key)}
        content = next((inner for key in WRAPPERS if isinstance(inner := decoded(content.get(key)), dict)), None)
    if not isinstance(content, dict):
        raise DefinitionError("no workflow definition: an object with a list `nodes` is expected")
    return {**content, **{key: value for key, value in outer.items() if not content.get(key)}}


def _nodes(content: dict[str, Any], problems: Problems) -> list[tuple[int, dict[str, Any]]]:
    raw_nodes = decoded(content["nodes"])
    if not isinstance(raw_nodes, list):
        raise DefinitionError(f"`nodes` is not a list but {_kind(raw_nodes)}")
    found = []
    for position, raw in enumerate(raw_nodes, start=1):
        if isinstance(raw, dict):
            found.append((position, raw))
        else:
            problems.add("entries of `nodes` that are no objects were left out", f"entry {position} ({_kind(raw)})")
    if raw_nodes and not found:
        raise DefinitionError("`nodes` holds no object: there is no node to read")
    return found


def _kind(value: Any) -> str:
    """What JSON calls a value's type."""
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def _dialect(content: dict[str, Any], raw_nodes: list[tuple[int, dict[str, Any]]]) -> Dialect:
    if any(isinstance(kind := raw.get("type"), str) and N8N_TYPE in kind for _, raw in raw_nodes):
        return Dialect.N8N
    has_connections = bool(as_object(decoded(content.get("connections"))))
    return Dialect.N8N if has_connections and "edges" not in content else Dialect.LINKFLOW
