"""Who is called: reading the host out of an address that may be a template, and naming it."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.core.integration import IntegrationKind
from runbooks.core.services import Service, slug_of

LONGEST_ADDRESS = 4000
HOLE = "\0"
"""Stands for a template while an address is taken apart."""
PRIVATE_SUFFIXES = tuple(
    f".{name}"
    for name in (
        *("local", "internal", "lan", "corp", "home", "intranet", "localdomain", "localhost", "private", "svc"),
        *("home.arpa", "test", "consul", "docker"),
    )
)

_TEMPLATE = re.compile(r"\{\{(.*?)(?:\}\}|\Z)|\$\{(.*?)\}", re.DOTALL)
_PLACEHOLDER = re.compile(r"<[^<>]*>|\[[^\[\]:]*\](?!:\d)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{1,30})://")
_HOST = re.compile(r"[^\W_](?:[\w\-.]*[^\W_])?\.?")
_QUOTED_HOST = re.compile(r"[\"'`]\s*https?://((?:[\w\-]+\.)+[A-Za-z][\w\-]+)(?=[/:?#\"'`\s]|$)")
_QUOTED_PATH = re.compile(r"[\"'`]\s*https?://[^/\"'`\s]+(/[^\"'`?#\s]*)")
_EARLIER_NODE = re.compile(r"\$(?:node\[|\(|items\()\s*([\"'])((?:(?!\1).){1,60})\1")
_VARIABLE = re.compile(r"\$(?:env|vars)(?:\.|\[\s*[\"'])(\w+)")
_LAST_NAME = re.compile(r"(?:^|[.$]|\[[\"'])([A-Za-z_]\w{0,39})(?:[\"']\])?\s*$")
_PRIVATE_PORT = re.compile(r":\d*$")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, as far as the definition tells it. Holds neither user, password nor query."""

    host: str | None = None
    note: str | None = None
    """Why the host is not known, or what is special about it."""
    path: str = ""
    """With templates as `{name}`; may still hold ids and tokens."""
    hint: str = ""
    """Words that may tell who is called where the host does not: the name of a variable, the fixed end of the host."""
    scheme: str = ""
    has_user: bool = False
    query: str = ""
    """**May hold secrets**; for looking at its keys only."""


NOWHERE = Endpoint()


def read_endpoint(raw: Any) -> Endpoint:
    """Take an address apart; templates in it (`{{ … }}`, n8n's `=…`, `${…}`) are marked, never evaluated."""
    if not isinstance(raw, str) or not raw.strip():
        return NOWHERE
    text = raw[:LONGEST_ADDRESS].replace(HOLE, "").strip()
    text = text[1:].strip() if text.startswith("=") else text
    holes: list[str] = []
    masked = _TEMPLATE.sub(lambda found: _hole(found, holes), text)
    scheme = _SCHEME.match(masked)
    rest = masked[scheme.end() :] if scheme else masked
    authority, path, query = _split(rest)
    user, at, address = authority.rpartition("@")
    if not scheme and HOLE in address:
        return _from_template(holes, path, query)
    host, note, hint = _host(address, holes)
    if not scheme and (not host or ("." not in host.strip(".") and host != "localhost")):
        return Endpoint(note="the address names no host", path=_readable(path or rest, holes))
    return Endpoint(
        host=host,
        note=note,
        path=_readable(path, holes),
        hint=hint,
        scheme=scheme[1].lower() if scheme else "",
        has_user=bool(at) and HOLE not in user,
        query=query,
    )


def _hole(found: re.Match[str], holes: list[str]) -> str:
    holes.append(found[1] if found[1] is not None else found[2] or "")
    return HOLE


def _split(rest: str) -> tuple[str, str, str]:
    """Authority, path and query of what follows the scheme."""
    end = min((position for mark in "/?#\\" if (position := rest.find(mark)) >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    path, _, query = tail.partition("?")
    return authority, path.partition("#")[0], query


def _host(address: str, holes: list[str]) -> tuple[str | None, str | None, str]:
    """Host, note and hint of an authority."""
    if HOLE in address:
        literal = address.partition(HOLE)[0].partition(":")[0]
        # A template right behind a whole host starts the port or the path.
        if re.search(r"\.[A-Za-z]{2,}$", literal) and not address.partition(HOLE)[2].startswith((".", "-")):
            return literal.lower(), None, ""
        end = address.rpartition(HOLE)[2].partition(":")[0].lstrip(".-").lower()
        return None, _why(holes, f"….{end}" if "." in end else ""), f"{end} {_names(holes)}"
    if _PLACEHOLDER.search(address):
        end = _PLACEHOLDER.split(address)[-1].partition(":")[0].lstrip(".-").lower()
        ends = f" (ends in ….{end})" if "." in end else ""
        return None, f"a placeholder stands where the host belongs{ends}", f"{end} {address}"
    bare = (
        address[1 : address.index("]")]
        if address.startswith("[") and "]" in address
        else _PRIVATE_PORT.sub("", address)
    )
    if _HOST.fullmatch(bare) or is_ip(bare):
        return bare.rstrip(".").lower(), None, ""
    return None, "a placeholder stands where the host belongs" if address else "the address names no host", address


def _from_template(holes: list[str], path: str, query: str) -> Endpoint:
    """The address, or its beginning, is a template: look for hosts that are written out inside it."""
    first = holes[0]
    hosts = list(dict.fromkeys(host.lower() for host in _QUOTED_HOST.findall(first)))
    if hosts:
        note = f"chosen by an expression: one of {', '.join(hosts)}" if len(hosts) > 1 else None
        written = _QUOTED_PATH.search(first)
        return Endpoint(
            host=hosts[0], note=note, path=written[1] if written else _readable(path, holes[1:]), query=query
        )
    return Endpoint(note=_why(holes, ""), path=_readable(path, holes[1:]), hint=_names(holes), query=query)


def _why(holes: list[str], end: str) -> str:
    """Where a templated host comes from."""
    ends = f" (ends in {end})" if end else ""
    text = " ".join(holes)
    variable = _VARIABLE.search(text)
    if variable:
        return f"host is set by the variable {variable[1]}{ends}"
    if "credential" in text.lower():
        return f"host is set by a credential{ends}"
    if "$fromAI" in text:
        return f"host is chosen by the AI agent{ends}"
    earlier = _EARLIER_NODE.search(text)
    if earlier:
        return f'host comes from the data of the node "{earlier[2]}"{ends}'
    if "$json" in text or "$node" in text or "$(" in text or "trigger." in text or "$input" in text:
        return f"host comes from the data of an earlier step{ends}"
    return f"host is built from an expression{ends}"


def _names(holes: list[str]) -> str:
    variables = [name for hole in holes for name in _VARIABLE.findall(hole)]
    return " ".join(variables or [_last_name(hole) for hole in holes])[:200]


def _last_name(hole: str) -> str:
    found = _LAST_NAME.search(hole.strip())
    return found[1] if found else ""


def _readable(path: str, holes: list[str]) -> str:
    """The path with `{name}` for each template, as far as a name can be told."""
    start = len(holes) - path.count(HOLE)
    names = iter(holes[max(start, 0) :])
    return re.sub(HOLE, lambda _: "{" + (_last_name(next(names, "")) or "…") + "}", path)


def is_ip(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_private(host: str) -> bool:
    """Whether a host is an address or a name that only an inner network knows."""
    return is_ip(host) or "." not in host or host.endswith(PRIVATE_SUFFIXES) or ".svc." in host


class HostNames:
    """Well-known hosts, and the registrable domain for all others."""

    def __init__(
        self,
        known: Mapping[str, Service],
        registrable_domain: Callable[[str], str | None],
        shared: Mapping[str, Mapping[str, Service]] | None = None,
    ) -> None:
        """`shared`: hosts that many services share → a segment of the path, in lower case → the service."""
        self._known = known
        self._registrable_domain = registrable_domain
        self._shared = shared or {}

    def known(self, host: str, path: str = "") -> Service | None:
        """The service of a well-known host or of a subdomain of it; the longest match counts."""
        name = host
        while name:
            if path and name in self._shared:
                segments = self._shared[name]
                found = next((segments[one] for one in path.lower().split("/") if one in segments), None)
                if found is not None:
                    return found
            if name in self._known:
                return self._known[name]
            name = name.partition(".")[2]
        return None

    def service(self, host: str, path: str = "") -> Service:
        """Who answers at a host; where services share it, the first telling segment of the path decides."""
        known = self.known(host, path)
        if known is not None:
            return known
        if is_private(host):
            return Service(f"internal service {host}", "internal", IntegrationKind.HTTP_API)
        domain = self._registrable_domain(host) or host
        return Service(domain, slug_of(domain), IntegrationKind.HTTP_API)

    def service_of_end(self, end: str) -> Service | None:
        """Who answers at all hosts with that ending: `myshopify.com`; None when it is too short to tell."""
        return self.known(end) or (self.service(end) if self._registrable_domain(end) else None)
