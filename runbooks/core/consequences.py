"""What stops when an integration fails, and what would happen twice when its execution is run again."""

import re
from collections.abc import Sequence

from runbooks.core.conditions import moves_money, sends
from runbooks.core.graph import LONGEST_LIST
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
    IntegrationKind.DEVELOPER: "a second issue, entry or run",
    IntegrationKind.REMOTE_SHELL: "the command run twice",
    IntegrationKind.AI_MODEL: "a second, charged answer",
}
_OVERWRITES = frozenset({IntegrationKind.STORAGE, IntegrationKind.FILE_TRANSFER, IntegrationKind.VECTOR_STORE})
_REPEATABLE_METHODS = frozenset({"PUT", "DELETE"})
_REPEATABLE_OPERATIONS = frozenset(
    {"delete", "remove", "update", "upsert", "set", "replace", "mark", "archive", "move"}
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\s-]+")


def impact_text(integration: Integration, names: Names, *, error_output: bool = False) -> str:
    """Name the nodes that do not run, or what the rest has to do without.

    `error_output`: the node has an output for its errors, whether or not anything is connected to it.
    """
    node = names[integration.node_key]
    after = _others(integration, integration.downstream)
    if integration.direction == "inbound":
        return f"While node {node} fails, no execution starts; nothing shows as failed, the work just does not arrive."
    if integration.continue_on_error:
        if not after:
            return f"The execution goes on when node {node} fails and ends as completed, so nobody notices by itself."
        return (
            f"The execution goes on without the result of node {node}, so nobody notices by itself; "
            f"{_several(after, names)} then {_works(after)} with missing or wrong data."
        )
    if integration.error_branch or error_output:
        return _on_error(_others(integration, integration.error_branch), after, names)
    if not after:
        return (
            f"The execution ends as failed at node {node}; nothing comes after it, and what ran before it stays done."
        )
    return (
        f"The execution ends as failed at node {node}; {_several(after, names)} {_does(after)} not run, "
        "and what ran before it stays done."
    )


def _on_error(branch: Sequence[str], after: Sequence[str], names: Names) -> str:
    skipped = f"{_several(after, names)} {_does(after)} not run" if after else ""
    if not branch:
        stops = f"{skipped}, and the" if skipped else "The"
        return f"Nothing is connected to its error output: {stops} execution ends as completed, so nobody notices."
    runs = (
        f"The execution goes on at its error output: {_several(branch, names)} {'runs' if _is_one(branch) else 'run'}"
    )
    skipped = f", {skipped}" if skipped else ""
    return f"{runs}{skipped}. It ends as completed unless one of these fails, so look at the node, not at the status."


def _others(integration: Integration, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key != integration.node_key]


def _several(keys: Sequence[str], names: Names) -> str:
    """Named as far as a sentence can; where the list was cut, its length is no count."""
    return names.several(keys, more="many more" if len(keys) >= LONGEST_LIST - 1 else None)


def rerun_text(integration: Integration, names: Names) -> str:
    """Say whether a re-run is safe, naming the nodes that would act twice."""
    node = names[integration.node_key]
    if integration.direction == "inbound":
        return (
            f"Nothing to run again: node {node} receives or fetches by itself. Once it works, look whether what "
            "arrived in between comes late, twice or not at all."
        )
    before = _others(integration, integration.repeats)
    own = _own_repeat(integration, node)
    if not before:
        return own or f"Safe: nothing before node {node} changes anything, and its own call only reads."
    again = (
        f"Not as a whole: a full re-run would make {_several(before, names)} act a second time. "
        f"Re-run from node {node} where the platform allows it, else undo or skip what is done already."
    )
    return f"{again} {own}" if own else again


def _own_repeat(integration: Integration, node: str) -> str:
    if integration.access == "read":
        return ""
    if _leaves_the_same_state(integration):
        return f"The call of node {node} itself can be repeated: a second one leaves the same state."
    twice = _twice(integration)
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


def _twice(integration: Integration) -> str:
    kind = integration.kind
    harmless = (kind is IntegrationKind.PAYMENTS and not moves_money(integration)) or (
        kind in (IntegrationKind.EMAIL, IntegrationKind.MESSAGING) and not sends(integration)
    )
    return "the same change twice" if harmless else _TWICE.get(kind, "the same change twice")


def _leaves_the_same_state(integration: Integration) -> bool:
    if (integration.method or "").upper() in _REPEATABLE_METHODS or integration.kind in _OVERWRITES:
        return True
    if integration.method:
        return False
    words = _CAMEL.sub(" ", integration.operation.rpartition(".")[2]).lower().split()
    return bool(words) and words[0] in _REPEATABLE_OPERATIONS


def _does(keys: Sequence[str]) -> str:
    return "does" if _is_one(keys) else "do"


def _works(keys: Sequence[str]) -> str:
    return "works" if _is_one(keys) else "work"


def _is_one(keys: Sequence[str]) -> bool:
    return len(keys) == 1
