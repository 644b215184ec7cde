"""Services by name: finding a known one in a type, a credential's name, a label or the name of a variable."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runbooks.core.integration import IntegrationKind

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
LONGEST_NAME = 5
"""Words of the longest service name that is looked for."""

GENERIC = frozenset(
    {"ai_model", "database", "generic", "graphql", "http_request", "sql_database", "storage", "unknown"}
)
"""Slugs of services that are no particular one, and so are never recognised by name."""

# Names that are also everyday words: found only where the whole text is the name.
EVERYDAY = frozenset(
    {"affinity", "agent", "apify", "autopilot", "box", "bubble", "cal", "coda", "copper", "cortex", "currents", "drift"}
    | {
        "email",
        "facebook",
        "flow",
        "form",
        "generic",
        "git",
        "google",
        "graphql",
        "harvest",
        "http_request",
        "hunter",
        "imap",
    }
    | {
        "keap",
        "ldap",
        "line",
        "linear",
        "matrix",
        "mcp",
        "medium",
        "mocean",
        "n8n",
        "orbit",
        "oura",
        "postbin",
        "rss",
        "s3",
    }
    | {
        "segment",
        "seven",
        "smtp",
        "sql_database",
        "sse",
        "ssh",
        "strata",
        "taiga",
        "twist",
        "vero",
        "wise",
        "x",
        "zoom",
    }
)


@dataclass(frozen=True, slots=True)
class Service:
    """Somebody at the other end."""

    name: str
    id: str
    kind: IntegrationKind


def slug_of(name: str) -> str:
    """`Google Sheets` → `google_sheets`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def words_of(text: str) -> list[str]:
    """The words of a name in any of its spellings: camelCase, snake_case, UPPER_CASE, prose."""
    return [word.lower() for word in _WORD.findall(text)]


class ServiceNames:
    """The services that are known, for finding them by name."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._by_id: dict[str, Service] = {}
        self._by_letters: dict[str, Service] = {}
        for service in services:
            self._by_id.setdefault(service.id, service)
            if service.id in GENERIC:
                continue
            for spelling in (service.id, service.name.partition(" (")[0]):
                self._by_letters.setdefault(_letters(spelling), service)

    def by_id(self, slug: str) -> Service | None:
        """The service with that slug."""
        return self._by_id.get(slug)

    def called(self, name: str) -> Service | None:
        """The service that has this very name, however it is spelled."""
        return self._by_letters.get(_letters(name))

    def mentioned_in(self, text: str) -> Service | None:
        """The service with the longest name that the text holds as whole words; everyday words do not count."""
        words = words_of(text[:200])
        for length in range(min(LONGEST_NAME, len(words)), 0, -1):
            for start in range(len(words) - length + 1):
                found = self._by_letters.get("".join(words[start : start + length]))
                if found is not None and (found.id not in EVERYDAY or length == len(words)):
                    return found
        return None


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
