"""Calls by address, the same in both dialects: method, path, host, and secrets that stand in the settings."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runbooks.core.hosts import Endpoint, HostNames
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.redaction import contains_secret
from runbooks.core.secret_names import Strength, is_constant, is_placeholder, is_prose, looks_random, strength_of
from runbooks.core.services import Service, ServiceNames

LONGEST_PATH = 120
LONGEST_LABEL = 60
SHORTEST_SECRET = 6
SHORTEST_TOKEN = 16
HIDDEN = "…"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_BOT = re.compile(r"(?:bot)?\d{6,}:[\w\-]{20,}")


def operation_of(method: str | None, path: str) -> str:
    """`POST /v1/charges`: parts that look generated are masked, long paths cut."""
    shown = "/".join(HIDDEN if _is_token(part) else part for part in path.split("/"))[:LONGEST_PATH]
    return " ".join(part for part in (method, shown or "/") if part)


def _is_token(part: str) -> bool:
    if len(part) < SHORTEST_TOKEN or part.startswith("{"):
        return False
    return bool(_UUID.fullmatch(part) or _BOT.fullmatch(part)) or looks_random(part)


def holds_secret(endpoint: Endpoint) -> bool:
    """Whether the address itself opens the door: user and password, a key in the query, a webhook's token."""
    if endpoint.has_user or has_literal_secret(_query_pairs(endpoint.query)):
        return True
    return any(_is_token(part) for part in endpoint.path.split("/")) and contains_secret(
        f"https://{endpoint.host or 'host'}{endpoint.path}"
    )


def is_literal_secret(name: str, value: Any) -> bool:
    """Whether a setting's name announces a secret and a literal one stands in it, no template and no placeholder."""
    strength = strength_of(name)
    if strength is Strength.NONE or not isinstance(value, str) or len(value) < SHORTEST_SECRET:
        return False
    literal = value.strip("= \"'`")
    if "{{" in literal or is_placeholder(literal) or is_constant(literal) or _names_a_secret(literal):
        return False
    return looks_random(literal) if strength is Strength.WEAK else not is_prose(literal)


def _names_a_secret(value: str) -> bool:
    """Whether a value only says what belongs there: `scrapeless_api_key`, `your-key here`."""
    return value.isascii() and not any(map(str.isdigit, value)) and strength_of(value) is not Strength.NONE


def has_literal_secret(pairs: Iterable[tuple[str, Any]]) -> bool:
    """Whether one of the settings holds a literal secret."""
    return any(is_literal_secret(name, value) for name, value in pairs)


def _query_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values of a query, as written."""
    return [(name, value) for part in query.split("&")[:100] for name, _, value in (part.partition("="),)]


def authentication_by_headers(headers: Mapping[str, Any]) -> Authentication | None:
    """What the headers tell of the way to authenticate."""
    for name, value in headers.items():
        if name.lower() == "authorization":
            word = str(value).strip().lstrip("=").lower()
            return Authentication.BASIC if word.startswith("basic") else Authentication.TOKEN
        if strength_of(name) is not Strength.NONE:
            return Authentication.API_KEY
    return None


def service_of(
    endpoint: Endpoint, hosts: HostNames, services: ServiceNames, *, texts: Iterable[str], label: str
) -> tuple[Service, str | None]:
    """Who is called at an address, and how that is known when the host does not tell."""
    if endpoint.host:
        return hosts.service(endpoint.host, endpoint.path), endpoint.note
    end = endpoint.hint.partition(" ")[0]
    by_end = hosts.service_of_end(end) if "." in end else None
    if by_end is not None:
        return by_end, endpoint.note
    note = endpoint.note or "the address is not set"
    for text in (endpoint.hint, *texts):
        found = services.mentioned_in(text)
        if found is not None:
            return found, f"{note}; the name is taken from the settings"
    return Service(f'HTTP endpoint of "{label[:LONGEST_LABEL]}"', "http", IntegrationKind.HTTP_API), note
