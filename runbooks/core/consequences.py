"""What stops when an integration fails, and what would happen twice when its execution is run again."""

import re

from runbooks.core.integration import Integration, IntegrationKind
from runbooks.core.terms import Names

_TWICE = {
    IntegrationKind.PAYMENTS: "a second charge or refund",
    IntegrationKind.EMAIL: "a second mail",
    IntegrationKind.MESSAGING: "a second message",
    IntegrationKind.SOCIAL: "a second post",
    IntegrationKind.DATABASE: "a second row, or the same change twice",
    IntegrationKind.QUEUE: "a second message for every receiver",
    IntegrationKind.COMMERCE: "a second order or stock change",
    IntegrationKind.CRM: "a second record",
    IntegrationKind.MARKETING: "a second subscription or mailing",
    IntegrationKind.SPREADSHEET: "a second row",
    IntegrationKind.PRODUCTIVITY: "a second entry",
    IntegrationKind.DEVELOPER: "a second issue, comment or run",
    IntegrationKind.REMOTE_SHELL: "the command run twice",
    IntegrationKind.AI_MODEL: "a second, charged answer",
}
_OVERWRITES = frozenset({IntegrationKind.STORAGE, IntegrationKind.FILE_TRANSFER, IntegrationKind.VECTOR_STORE})
_REPEATABLE_METHODS = frozenset({"PUT", "DELETE"})
_REPEATABLE_OPERATIONS = frozenset(
    {"delete", "remove", "update", "upsert", "set", "replace", "mark", "archive", "move"}
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\s-]+")


def impact_text(integration: Integration, names: Names) -> str:
    """Name the nodes that do not run, or what the rest has to do without."""
    node = names[integration.node_key]
    after = [key for key in integration.downstream if key != integration.node_key]
    if integration.direction == "inbound":
        return f"While node {node} fails, no execution starts; nothing shows as failed, the work just does not arrive."
    if integration.continue_on_error:
        if not after:
            return f"The execution goes on when node {node} fails and ends as completed, so nobody notices by itself."
        return (
            f"The execution goes on without the result of node {node}, so nobody notices by itself; "
            f"{names.several(after)} then {_works(after)} with missing or wrong data."
        )
    if not after:
        return (
            f"The execution ends as failed at node {node}; nothing comes after it, and what ran before it stays done."
        )
    return (
        f"The execution ends as failed at node {node}; {names.several(after)} {_does(after)} not run, "
        "and what ran before it stays done."
    )


def rerun_text(integration: Integration, names: Names) -> str:
    """Say whether a re-run is safe, naming the nodes that would act twice."""
    node = names[integration.node_key]
    if integration.direction == "inbound":
        return (
            f"Nothing to run again: node {node} receives or fetches by itself. Once it works, look whether what "
            "arrived in between comes late, twice or not at all."
        )
    before = [key for key in integration.repeats if key != integration.node_key]
    own = _own_repeat(integration, node)
    if not before:
        return own or f"Safe: nothing before node {node} changes anything, and its own call only reads."
    again = (
        f"Not as a whole: a full re-run would make {names.several(before)} act a second time. "
        f"Re-run from node {node} where the platform allows it, else undo or skip what is done already."
    )
    return f"{again} {own}" if own else again


def _own_repeat(integration: Integration, node: str) -> str:
    if integration.access == "read":
        return ""
    if _leaves_the_same_state(integration):
        return f"The call of node {node} itself can be repeated: a second one leaves the same state."
    twice = _TWICE.get(integration.kind, "the same change twice")
    acts = "writes" if integration.access == "write" else "may write"
    refusal = "a refusal (4xx)" if integration.method else "a clear refusal"
    lost = "a timeout, a lost connection or a 5xx" if integration.method else "a timeout or a lost connection"
    retries = (
        f" It makes up to {integration.max_attempts} attempts by itself, so that may have happened already."
        if integration.max_attempts > 1
        else ""
    )
    return (
        f"Node {node} {acts}: after {refusal} it can be repeated; after {lost} look first whether the call took "
        f"effect, else there may be {twice}.{retries}"
    )


def _leaves_the_same_state(integration: Integration) -> bool:
    if (integration.method or "").upper() in _REPEATABLE_METHODS or integration.kind in _OVERWRITES:
        return True
    if integration.method:
        return False
    words = _CAMEL.sub(" ", integration.operation.rpartition(".")[2]).lower().split()
    return bool(words) and words[0] in _REPEATABLE_OPERATIONS


def _does(keys: list[str]) -> str:
    return "does" if len(keys) == 1 else "do"


def _works(keys: list[str]) -> str:
    return "works" if len(keys) == 1 else "work"
