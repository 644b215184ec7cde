"""Values that a workflow keeps in one node and uses in others: `{{ $('Config').item.json.base_url }}`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runbooks.core.workflow import Node

LONGEST_VALUE = 500
BEGINNINGS = ("", "http://", "https://")

_REFERENCE = re.compile(
    r"""\{\{\s*(?:
        \$\(\s*(?P<quote>["'])(?P<node>(?:(?!(?P=quote)).)+)(?P=quote)\s*\)(?:\.(?:item|first\(\)|last\(\)|all\(\)\[0\]))?
        | \$node\[\s*(?P<quote2>["'])(?P<node2>(?:(?!(?P=quote2)).)+)(?P=quote2)\s*\]
    )\.json(?:\.(?P<field>\w+)|\[\s*(?P<quote3>["'])(?P<field2>(?:(?!(?P=quote3)).)+)(?P=quote3)\s*\])\s*\}\}""",
    re.VERBOSE,
)

Constants = Mapping[str, Mapping[str, str]]
"""Node → field → the text that is written there."""


def constants_of(nodes: Iterable[Node]) -> Constants:
    """The fixed texts in n8n's Set nodes, of all versions; expressions are left out."""
    found: dict[str, dict[str, str]] = {}
    for node in nodes:
        if node.type.endswith(".set") and not node.disabled:
            fixed = {name: value for name, value in _assignments(node.config) if _is_fixed(value)}
            if fixed:
                found[node.key] = fixed
    return found


def with_constants(address: Any, constants: Constants) -> tuple[Any, str | None]:
    """The address with its beginning filled in from such a value, and the node that it came from.

    Only the beginning: what stands further behind is an id or a secret, and is better shown by its name.
    """
    if not constants or not isinstance(address, str):
        return address, None
    found = _REFERENCE.search(address)
    if found is None or address[: found.start()].lstrip("= ").lower() not in BEGINNINGS:
        return address, None
    node = found["node"] or found["node2"]
    value = constants.get(node, {}).get(found["field"] or found["field2"])
    if value is None:
        return address, None
    return f"{address[: found.start()]}{value}{address[found.end() :]}", node


def _assignments(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for place, lists in (("assignments", ("assignments",)), ("values", ("string",)), ("fields", ("values",))):
        held = config.get(place)
        for name in lists if isinstance(held, dict) else ():
            entries = held.get(name) if isinstance(held, dict) else None
            for entry in entries if isinstance(entries, list) else ():
                value = entry.get("value", entry.get("stringValue")) if isinstance(entry, dict) else None
                if isinstance(value, str) and isinstance(entry.get("name"), str):
                    yield entry["name"], value


def _is_fixed(value: str) -> bool:
    return 0 < len(value) <= LONGEST_VALUE and "{{" not in value and not value.startswith("=")
