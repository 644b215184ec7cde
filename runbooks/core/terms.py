"""What the gaps in the catalogue's texts are filled with: names, limits and places of this workflow and service."""

import re
from collections.abc import Mapping, Sequence

from runbooks.core.conditions import authenticates, is_private, shell_host
from runbooks.core.integration import Authentication, Integration
from runbooks.core.node_roles import Role, WorkflowShape
from runbooks.core.templates import Template
from runbooks.core.workflow import Node, Workflow

TERMS = frozenset({"status_page", "secret", "console", "request_log", "quota_page", "limits"})
"""What a catalogue file may name in `terms`, because each service calls it differently."""
COMMON = frozenset({"node", "workflow", "next_runs", "trigger"})
INTEGRATION_PLACEHOLDERS = (
    COMMON
    | TERMS
    | {"service", "credential", "credential_place", "host", "operation", "upstream", "next_node", "timeout", "attempts"}
)
WORKFLOW_PLACEHOLDERS = COMMON | {
    "workflow_timeout",
    "approvals",
    "waits",
    "loops",
    "codes",
    "subworkflows",
    "conditions",
}

LONGEST_NAME = 80
NAMELESS = 'HTTP endpoint of "'
"""How a service is called of which neither name nor host is known."""
NAMED_NODES = 3
"""How many nodes a list names before it counts the rest."""

_SECRET_OF = {
    Authentication.API_KEY: "API key",
    Authentication.TOKEN: "token",
    Authentication.OAUTH2: "OAuth sign-in",
    Authentication.BASIC: "password",
    Authentication.CONNECTION_STRING: "password",
    Authentication.SIGNATURE: "signing key",
}
_NEXT_RUNS = {
    "schedule": "the next two scheduled executions",
    "manual": "the next two executions",
}
# `GET /orders/{id}` in a sentence looks like a gap that nobody filled; `/orders/:id` does not.
_PATH_GAP = re.compile(r"\{([^{}]*)\}")
_PRINTABLE = str.maketrans({**dict.fromkeys([*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029], " "), ord("`"): "'"})


def tidy(text: str, longest: int = LONGEST_NAME) -> str:
    """One line of printable characters, cut to a length."""
    line = " ".join(text.translate(_PRINTABLE).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


class Names:
    """What the nodes of one workflow are called; a label that occurs twice gets its key beside it."""

    def __init__(self, workflow: Workflow) -> None:
        labels = {node.key: tidy(node.label or node.key) for node in workflow.nodes}
        times: dict[str, int] = {}
        for label in labels.values():
            times[label] = times.get(label, 0) + 1
        self._names = {
            key: f'"{label}"' if times[label] == 1 or label == tidy(key) else f'"{label}" ({tidy(key)})'
            for key, label in labels.items()
        }
        self.workflow = f'"{tidy(workflow.name)}"' if tidy(workflow.name) else "the workflow"

    def __getitem__(self, key: str) -> str:
        """The node's name in quotes."""
        return self._names.get(key) or f'"{tidy(key)}"'

    def several(self, keys: Sequence[str], *, joint: str = "and", more: str | None = None) -> str:
        """`"A", "B" and "C"`, or the first ones and a count; `more` stands for a count that is not known."""
        named = len(keys) if len(keys) == NAMED_NODES + 1 else NAMED_NODES
        shown = [self[key] for key in keys[:named]]
        rest = len(keys) - len(shown)
        if rest:
            shown.append(more or f"{rest} more")
        return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def integration_values(
    integration: Integration, names: Names, shape: WorkflowShape, terms: Mapping[str, Template]
) -> dict[str, str]:
    """Fill every placeholder of an integration's scenarios."""
    node = names[integration.node_key]
    service = _service(integration.service)
    values = {
        **_common(names, shape, node),
        "service": service,
        "credential": _credential(integration, node),
        "credential_place": _credential_place(integration, node),
        "host": shell_host(integration) or (f"the host of {service}" if integration.host is None else service),
        "operation": _PATH_GAP.sub(r":\1", tidy(integration.operation)) or "the call",
        "upstream": f"node {names[integration.upstream[0]]}" if integration.upstream else "the start of the workflow",
        "next_node": names[integration.downstream[0]] if integration.downstream else "the last one",
        "timeout": seconds(integration.timeout_s) if integration.timeout_s is not None else "its time limit",
        "attempts": f"{integration.max_attempts} attempts" if integration.max_attempts > 1 else "attempts",
    }
    for term, default in _default_terms(integration, service).items():
        template = terms.get(term)
        values[term] = template.fill(values) if template else default
    if integration.authentication is Authentication.OAUTH2 and "sign-in" not in values["secret"]:
        values["secret"] = _SECRET_OF[Authentication.OAUTH2]
    return values


def workflow_values(workflow: Workflow, names: Names, shape: WorkflowShape) -> dict[str, str]:
    """Fill every placeholder of the scenarios of the workflow as a whole."""
    trigger = names[shape.trigger.key] if shape.trigger else '"trigger"'
    limit = workflow.timeout_s
    return {
        **_common(names, shape, trigger),
        "workflow_timeout": seconds(limit) if limit is not None else "the platform's time limit",
        "approvals": _one_of(shape.by_role[Role.APPROVAL], names),
        "waits": _one_of(shape.by_role[Role.WAIT], names),
        "loops": _one_of(shape.by_role[Role.LOOP], names),
        "codes": _one_of(shape.by_role[Role.CODE], names),
        "subworkflows": _one_of(shape.by_role[Role.SUBWORKFLOW], names),
        "conditions": _one_of(shape.by_role[Role.CONDITION], names),
    }


def seconds(value: float) -> str:
    """`45 s`, `5 min`, `2 h`; never rounded to another value than the setting's own."""
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= size and value % size == 0:
            return f"{value / size:g} {unit}"
    return f"{value:g} s"


def _common(names: Names, shape: WorkflowShape, node: str) -> dict[str, str]:
    return {
        "node": node,
        "workflow": names.workflow,
        "next_runs": _NEXT_RUNS.get(shape.trigger_type, "the next three executions"),
        "trigger": f"trigger {names[shape.trigger.key]}" if shape.trigger else "the trigger",
    }


def _service(name: str) -> str:
    """Its name; an address that only its node names is not worth a name in every sentence."""
    return "the called service" if name.startswith(NAMELESS) else tidy(name) or "the service"


def _credential(integration: Integration, node: str) -> str:
    if integration.credential:
        return f'credential "{tidy(integration.credential)}"'
    if integration.inline_secret or not authenticates(integration):
        return f"node {node}"
    return f"the credential of node {node}"


def _credential_place(integration: Integration, node: str) -> str:
    """Where a person changes what the node authenticates with."""
    if integration.credential:
        return f'credential "{tidy(integration.credential)}" on the Credentials page'
    if integration.inline_secret or not authenticates(integration):
        return f"the settings of node {node}"
    return f"the credential of node {node} on the Credentials page"


def _default_terms(integration: Integration, service: str) -> dict[str, str]:
    private = is_private(shell_host(integration) or "")
    return {
        "status_page": f"the monitoring of {service}" if private else f"the status page of {service}",
        "secret": _SECRET_OF.get(integration.authentication, "key or password"),
        "console": f"the access settings of {service}",
        "request_log": f"the records of {service}",
        "quota_page": f"the account page of {service}",
        "limits": f"the limits that {service} documents",
    }


def _one_of(nodes: Sequence[Node], names: Names) -> str:
    if not nodes:
        return "the node"
    listed = names.several([node.key for node in nodes], joint="or")
    return f"node {listed}" if len(nodes) == 1 else f"one of the nodes {listed}"
