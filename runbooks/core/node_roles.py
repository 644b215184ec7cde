"""What the nodes inside a workflow do that call nothing outside: trigger, approve, wait, loop, branch, run code."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runbooks.core.workflow import Node, Workflow


class Role(StrEnum):
    """A way in which a node can make its workflow fail without any call."""

    TRIGGER = "trigger"
    APPROVAL = "approval"
    WAIT = "wait"
    LOOP = "loop"
    CODE = "code"
    SUBWORKFLOW = "subworkflow"
    CONDITION = "condition"


@dataclass(frozen=True)
class WorkflowShape:
    """How a workflow starts and what happens inside it."""

    trigger_type: str
    """manual, webhook, schedule, event, called (by another workflow); empty when nothing tells."""
    by_role: Mapping[Role, tuple[Node, ...]]
    has_steps: bool
    """Whether anything runs after the trigger."""

    @property
    def trigger(self) -> Node | None:
        """The node that starts the workflow; the first of several."""
        return next(iter(self.by_role[Role.TRIGGER]), None)


_ROLE_OF_TYPE: dict[str, Role] = {
    **dict.fromkeys(("actionapproval", "approval", "humaninput"), Role.APPROVAL),
    **dict.fromkeys(("logicdelay", "delay", "wait"), Role.WAIT),
    **dict.fromkeys(("logicloop", "loop", "splitinbatches", "loopoveritems"), Role.LOOP),
    **dict.fromkeys(
        ("transformcode", "code", "actionscript", "script", "function", "functionitem", "codetool", "toolcode"),
        Role.CODE,
    ),
    **dict.fromkeys(("workflow", "executeworkflow", "toolworkflow", "subworkflow"), Role.SUBWORKFLOW),
    **dict.fromkeys(("logiccondition", "condition", "if", "switch", "filter", "transformfilter"), Role.CONDITION),
}
_TRIGGER_KIND = {
    "triggermanual": "manual",
    "manualtrigger": "manual",
    "start": "manual",
    "executeworkflowtrigger": "called",
    "triggerwebhook": "webhook",
    "webhook": "webhook",
    "formtrigger": "webhook",
    "chattrigger": "webhook",
    "triggerschedule": "schedule",
    "scheduletrigger": "schedule",
    "cron": "schedule",
    "interval": "schedule",
    "triggerevent": "event",
}
_NOT_LETTERS = re.compile(r"[^a-z0-9]")


def shape_of(workflow: Workflow) -> WorkflowShape:
    """Look at every enabled node's type."""
    found: dict[Role, list[Node]] = {role: [] for role in Role}
    kinds: list[str] = []
    steps = False
    for node in workflow.nodes:
        if node.disabled:
            continue
        name = short_type(node.type)
        kind = _trigger_kind(name)
        if kind is not None:
            found[Role.TRIGGER].append(node)
            kinds.append(kind)
        elif name != "stickynote":
            steps = True
            role = _ROLE_OF_TYPE.get(name)
            if role is not None:
                found[role].append(node)
    return WorkflowShape(
        trigger_type=_how_it_starts(workflow.trigger_type, kinds),
        by_role={role: tuple(nodes) for role, nodes in found.items()},
        has_steps=steps,
    )


def _how_it_starts(said: str, kinds: Sequence[str]) -> str:
    """What the platform says, unless that is vague and a node knows better; one by hand only where it is alone."""
    first = next((kind for kind in kinds if kind != "manual"), "manual" if kinds else "")
    return first if first and said in ("", "event") else said


def short_type(node_type: str) -> str:
    """The letters of a type without its package: `n8n-nodes-base.splitInBatches` → `splitinbatches`."""
    return _NOT_LETTERS.sub("", node_type.rsplit(".", 1)[-1].lower())


def _trigger_kind(name: str) -> str | None:
    if name in _TRIGGER_KIND:
        return _TRIGGER_KIND[name]
    return "event" if name.endswith("trigger") or name.startswith("trigger") else None
