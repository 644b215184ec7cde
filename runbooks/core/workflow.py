"""A workflow as the pipeline sees it: parsed, without layout, the same for every dialect."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of the domain's models: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Dialect(StrEnum):
    """Which platform wrote the definition; told by looking at the document."""

    LINKFLOW = "linkflow"
    N8N = "n8n"


class Node(Frozen):
    """One step of a workflow."""

    key: str
    """What executions and edges call it: LinkFlow's `id`, n8n's `name`."""
    type: str
    label: str
    """What a person sees in the editor; the key when there is no label."""
    config: dict[str, Any] = Field(default_factory=dict)
    """The node's own settings as they stand in the definition. **May hold secrets.**"""
    credentials: dict[str, str] = Field(default_factory=dict)
    """Credential type → credential name, where the definition names one."""
    disabled: bool = False
    timeout_s: float | None = None
    """The node's own time limit in seconds, where the definition sets one."""
    max_attempts: int | None = None
    """Calls in all, the first included; None when the definition is silent."""
    continue_on_error: bool = False
    has_error_output: bool = False


class Edge(Frozen):
    """A connection between two nodes, by key."""

    source: str
    target: str
    kind: str = "main"
    """`main`, `error`, or n8n's `ai_*` kinds (where the source serves the target)."""
    handle: str | None = None
    """Which output of the source: LinkFlow's sourceHandle, n8n's output index."""


class Workflow(Frozen):
    """One workflow with the definition that the engine runs."""

    id: str
    workspace_id: str = ""
    name: str
    description: str = ""
    dialect: Dialect = Dialect.LINKFLOW
    trigger_type: str = ""
    """manual, webhook, schedule, event; empty when unknown."""
    trigger_config: dict[str, Any] = Field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    timeout_s: float | None = None
    """The platform's limit for a whole execution in seconds."""
    node_timeout_s: float | None = None
    """The platform's limit for one node in seconds."""
    max_attempts: int | None = None
    """The workflow's own default of attempts a node; None when retries are off or not set."""
    version: str | None = None
    """The version's number where the platform knows it."""
    owner: str | None = None
    """Name or address of the person who created it."""
    problems: tuple[str, ...] = ()
    """What was odd but did not stop the reading: edges to nowhere, a node without a type, …"""

    def node(self, key: str) -> Node:
        """The node with that key; KeyError when there is none."""
        for node in self.nodes:
            if node.key == key:
                return node
        raise KeyError(key)
