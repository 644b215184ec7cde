"""Calls by address, the same in both dialects: method, path, host, and secrets that stand in the settings."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runbooks.core.hosts import Endpoint, HostNames
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.services import Service, ServiceNames

LONGEST_PATH = 120
HIDDEN = "…"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_\-:.~=+%]{20,}|[A-Za-z0-9_\-]{32,}|bot\d{6,}.*|\d+:[\w\-]{20,}")
_SECRET_KEY = re.compile(
    r"(^|[_\-.])(api[_\-]?key|apikey|key|token|access[_\-]?token|auth[_\-]?token|secret|password|passwd|pwd|authorization"
    r"|x-api-key|sig|signature|appid|client[_\-]?secret|bearer|private[_\-]?key|credentials?)$",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\{\{|\$\{|^=|^\s*$|^<.*>$", re.DOTALL)
_SCHEME_WORD = re.compile(r"^(bearer|basic|token|apikey|api-key|key)\s+", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"^[\[<({].*[\])>}]$|^(your|my|insert|enter|add|replace|put|set|change|xxx+|\*+|\.\.\.+|…|x{4,})", re.IGNORECASE
)


def operation_of(method: str | None, path: str) -> str:
    """`POST /v1/charges`: ids that look like tokens are masked, long paths cut."""
    shown = "/".join(_shown(part) for part in path.split("/"))[:LONGEST_PATH]
    return " ".join(part for part in (method, shown or "/") if part)


def _shown(part: str) -> str:
    return HIDDEN if _UUID.fullmatch(part) or (_TOKEN.fullmatch(part) and not part.startswith("{")) else part


def holds_token(path: str) -> bool:
    """Whether a part of the path looks like a secret of its own."""
    return any(_TOKEN.fullmatch(part) and not part.startswith("{") for part in path.split("/"))


def is_literal_secret(name: str, value: Any) -> bool:
    """Whether a setting's name asks for a secret and a literal one stands in it, no template and no placeholder."""
    if not isinstance(value, str) or not _SECRET_KEY.search(name):
        return False
    bare = _SCHEME_WORD.sub("", value.strip())
    return len(bare) >= 6 and not _TEMPLATE.search(bare) and not _PLACEHOLDER.search(bare)


def has_literal_secret(pairs: Iterable[tuple[str, Any]]) -> bool:
    """Whether one of the settings holds a literal secret."""
    return any(is_literal_secret(name, value) for name, value in pairs)


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values of a query, as written."""
    return [(name, value) for part in query.split("&")[:100] for name, _, value in (part.partition("="),)]


def authentication_by_headers(headers: Mapping[str, Any]) -> Authentication | None:
    """What the headers tell of the way to authenticate."""
    for name, value in headers.items():
        if name.lower() == "authorization":
            word = str(value).strip().lstrip("=").lower()
            return Authentication.BASIC if word.startswith("basic") else Authentication.TOKEN
        if _SECRET_KEY.search(name):
            return Authentication.API_KEY
    return None


def service_of(
    endpoint: Endpoint, hosts: HostNames, services: ServiceNames, *, texts: Iterable[str], label: str
) -> tuple[Service, str | None]:
    """Who is called at an address, and how that is known when the host does not tell."""
    if endpoint.host:
        return hosts.service(endpoint.host), endpoint.note
    end = endpoint.hint.partition(" ")[0]
    by_end = hosts.known(end) if "." in end else None
    if by_end is not None:
        return by_end, endpoint.note
    note = endpoint.note or "the address is not set"
    for text in (endpoint.hint, *texts):
        found = services.mentioned_in(text)
        if found is not None:
            return found, f"{note}; the name is taken from the settings"
    return Service(f"HTTP endpoint of {label}"[:LONGEST_PATH], "http", IntegrationKind.HTTP_API), note
