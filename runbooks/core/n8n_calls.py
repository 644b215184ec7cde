"""Which n8n nodes call something outside, and whom."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runbooks.core.call import Call, Proof
from runbooks.core.constants import Constants, with_constants
from runbooks.core.hosts import Endpoint, read_endpoint
from runbooks.core.http_calls import (
    authentication_by_headers,
    has_literal_secret,
    holds_secret,
    operation_of,
    service_of,
)
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.node_types import BUILT_IN, NodeKnowledge, NodeType
from runbooks.core.operations import (
    READING_KINDS,
    READS,
    SENDING_KINDS,
    WRITES_AGAIN,
    WRITES_ONCE,
    Effect,
    effect_of_method,
    effect_of_operation,
    effect_of_sql,
    sql_verb,
)
from runbooks.core.services import Service, slug_of, words_of
from runbooks.core.workflow import Node

HTTP_TIMEOUT_S = 300.0
"""n8n gives an HTTP request up when it has waited so long, unless the node sets a limit."""

NO_CONSTANTS: Constants = {}
ADDRESSES = {
    "httpRequest": ("url",),
    "toolHttpRequest": ("url",),
    "graphql": ("endpoint",),
    "rssFeedRead": ("url",),
    "rssFeedReadTrigger": ("feedUrl",),
    "sseTrigger": ("url",),
    "mcpClient": ("endpointUrl", "sseEndpoint"),
    "mcpClientTool": ("endpointUrl", "sseEndpoint"),
}
"""Where nodes that call an address of the user's choice keep it."""
METHOD_FIELDS = {"facebookGraphApi": "httpRequestMethod"}
"""Nodes of one service that work like an HTTP request, and where they keep the method."""
NAMED_BY_HOST = frozenset({"httpRequest", "toolHttpRequest", "graphql"})
GENERIC = {
    "httpBasicAuth": Authentication.BASIC,
    "httpDigestAuth": Authentication.BASIC,
    "httpHeaderAuth": Authentication.API_KEY,
    "httpMultipleHeadersAuth": Authentication.API_KEY,
    "httpQueryAuth": Authentication.API_KEY,
    "httpCustomAuth": Authentication.API_KEY,
    "httpBearerAuth": Authentication.TOKEN,
    "oAuth2Api": Authentication.OAUTH2,
    "oAuth1Api": Authentication.SIGNATURE,
    "jwtAuth": Authentication.SIGNATURE,
}
SHARED_CREDENTIALS = frozenset({"google", "microsoft", "aws", "atlassian"})
"""Credentials that open many services: the host says which one."""
SQL_FIELDS = ("query", "sqlQuery", "statement")

OWN_PACKAGES = frozenset({*BUILT_IN, "", "CUSTOM"})
"""Packages whose name says nothing of the service: the platform's own, and nodes that were put in by hand."""

# Words in the names of community packages whose nodes only compute.
COMPUTING = frozenset(
    """
    array barcode bcrypt bcryptjs batch binary cache calculator chunk code compress converter convert crypto csv
    date debug decode delay diff docx docxtemplater encode encoder encryption excel exif faker ffmpeg file files
    filter flow global globals handlebars hash hashing html image jmespath json jsonata liquid logger loop markdown
    markitdown math merge parser pdf python qrcode random regex sanitizer script sleep slugify sort splitter string
    switch template templates tesseract tesseractjs text throttle time tokenizer tools util utilities utility utils
    uuid validation validator word xlsx xml xpath zip
    """.split()  # noqa: SIM905 - as text it is read and changed more easily
)


def n8n_call(node: Node, knowledge: NodeKnowledge, constants: Constants = NO_CONSTANTS) -> Call | None:
    """The call that a node makes; None for nodes that call nothing outside."""
    if node.disabled:
        return None
    known = knowledge.n8n_type(node.type)
    if known is None:
        return _unknown_type(node, knowledge)
    if known.external == "no" or (known.external == "credentialed" and not node.credentials):
        return None
    name = _base_name(node.type)
    if name in ADDRESSES:
        return _by_address(node, name, known, knowledge, constants)
    return _by_type(node, name, known, knowledge)


def _base_name(node_type: str) -> str:
    name = node_type.rpartition(".")[2]
    return name.removesuffix("Tool") if name != "mcpClientTool" else name


def _by_type(node: Node, name: str, known: NodeType, knowledge: NodeKnowledge) -> Call:
    service = known.service or Service(node.type, slug_of(node.type), IntegrationKind.OTHER)
    if known.external == "credentialed":
        service = next((one.service for one in _specific(node, knowledge)), service)
    operation, effect = _operation(node, name, known, service.kind)
    host, note = known.host, None
    override = read_endpoint(_base_url(node.config))
    if override.host:
        host, service = override.host, knowledge.hosts.known(override.host) or service
    elif override.note and _base_url(node.config):
        host, note = None, override.note
    return Call(
        service=service,
        direction=known.direction,
        operation=operation,
        effect=READS if known.direction == "inbound" else effect,
        host=host,
        host_note=note,
        proof=_proof(node, knowledge),
    )


def _base_url(config: Mapping[str, Any]) -> Any:
    options = config.get("options")
    return (options.get("baseURL") if isinstance(options, dict) else None) or config.get("baseURL")


def _operation(node: Node, name: str, known: NodeType, kind: IntegrationKind) -> tuple[str, Effect]:
    """`resource.operation` with the defaults that exports leave out; empty where an expression chooses it."""
    config = node.config
    if "ectorStore" in name:
        return _vector_store(name, config)
    if name in METHOD_FIELDS:
        method = _plain(config.get(METHOD_FIELDS[name], "GET")).upper()
        return method, effect_of_method(method, "", kind)
    if name == "discord" and config.get("authentication") == "webhook":
        return "message.send", WRITES_AGAIN
    resource = _plain(config.get("resource", known.resource))
    default = known.operations.get(resource, known.operations.get("", ""))
    operation = _plain(config.get("operation", default))
    sql = next((config[field] for field in SQL_FIELDS if isinstance(config.get(field), str)), None)
    if sql is not None and (not operation or "query" in operation.lower()):
        return sql_verb(sql) or operation, effect_of_sql(sql)
    text = f"{resource}.{operation}" if resource and operation else operation
    if name.startswith("memory"):
        return text or "chat history", WRITES_ONCE
    if operation:
        return text, effect_of_operation(operation, kind)
    if known.access:
        return text, WRITES_AGAIN if known.access == "write" else READS
    if kind in SENDING_KINDS and "operation" not in config:
        return text, WRITES_AGAIN
    return text, READS if kind in READING_KINDS else effect_of_operation("", kind)


def _vector_store(name: str, config: Mapping[str, Any]) -> tuple[str, Effect]:
    mode = (
        "insert"
        if name.endswith("Insert")
        else "load"
        if name.endswith("Load")
        else _plain(config.get("mode", "retrieve"))
    )
    return mode, WRITES_AGAIN if mode == "insert" else WRITES_ONCE if mode == "update" else READS


def _plain(value: Any) -> str:
    """A fixed choice; empty for an expression or anything that is no short text."""
    if not isinstance(value, str) or value.startswith("=") or len(value) > 60:
        return ""
    return value if re.fullmatch(r"[\w\-:. ]*", value) else ""


def _by_address(
    node: Node, name: str, known: NodeType, knowledge: NodeKnowledge, constants: Constants = NO_CONSTANTS
) -> Call:
    endpoint = _endpoint(node, name, constants)
    service, note = _service(node, name, known, endpoint, knowledge)
    method, effect = _method(node, name, endpoint, service.kind)
    inbound = known.direction == "inbound"
    return Call(
        service=service,
        direction=known.direction,
        operation=_http_operation(name, method, endpoint),
        effect=READS if inbound else effect,
        method=method,
        host=endpoint.host,
        host_note=note,
        proof=_http_proof(node, endpoint, knowledge),
        timeout_s=HTTP_TIMEOUT_S if name in NAMED_BY_HOST else None,
    )


def _http_operation(name: str, method: str | None, endpoint: Endpoint) -> str:
    if name.startswith("mcp"):
        return "tools"
    verb = method or ("" if name in NAMED_BY_HOST else "GET")
    return operation_of(verb, endpoint.path) if endpoint.host or endpoint.path else verb


def _endpoint(node: Node, name: str, constants: Constants) -> Endpoint:
    address = next((node.config[field] for field in ADDRESSES[name] if node.config.get(field)), None)
    if isinstance(address, dict):
        address = address.get("value")
    if name == "toolHttpRequest" and isinstance(address, str):
        address = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", r"{{ $\1 }}", address)
    filled, source = with_constants(address, constants)
    endpoint = read_endpoint(filled)
    if source is None or endpoint.host is None:
        return endpoint
    return replace(endpoint, note=endpoint.note or f'written in the node "{source}"')


def _service(
    node: Node, name: str, known: NodeType, endpoint: Endpoint, knowledge: NodeKnowledge
) -> tuple[Service, str | None]:
    if known.service is not None and name not in NAMED_BY_HOST:
        return _named_with_domain(known.service, endpoint, knowledge), None if endpoint.host else endpoint.note
    specific = _predefined(node, knowledge)
    if specific is not None and (specific.id not in SHARED_CREDENTIALS or not endpoint.host):
        return specific, endpoint.note
    if not endpoint.host:
        used = next((one.service for one in _specific(node, knowledge)), None)
        if used is not None:
            return used, endpoint.note
    texts = (*node.credentials.values(), _host_words(endpoint.path), node.label)
    return service_of(endpoint, knowledge.hosts, knowledge.services, texts=texts, label=node.label)


def _host_words(path: str) -> str:
    """Only the fixed parts of a path: what stands in a template is data."""
    return re.sub(r"\{[^}]*\}", " ", path)


def _named_with_domain(service: Service, endpoint: Endpoint, knowledge: NodeKnowledge) -> Service:
    if not endpoint.host:
        return service
    answering = knowledge.hosts.service(endpoint.host)
    return Service(f"{service.name} {answering.name.removeprefix('internal service ')}", service.id, service.kind)


def _predefined(node: Node, knowledge: NodeKnowledge) -> Service | None:
    """The service of the credential that an HTTP request borrows from another node."""
    stated = node.config.get("nodeCredentialType")
    if not isinstance(stated, str) or node.config.get("authentication") == "none":
        return None
    known = knowledge.credential_types.get(stated)
    if known is not None:
        return known.service
    words = re.sub(r"(OAuth2|OAuth1)?Api$", "", stated)
    return knowledge.services.called(words) or (knowledge.services.mentioned_in(words) if words else None)


def _specific(node: Node, knowledge: NodeKnowledge) -> list[Any]:
    return [knowledge.credential_types[kind] for kind in node.credentials if kind in knowledge.credential_types]


def _method(node: Node, name: str, endpoint: Endpoint, kind: IntegrationKind) -> tuple[str | None, Effect]:
    if name == "graphql":
        query = node.config.get("query")
        writes = isinstance(query, str) and re.search(r"^\s*=?\s*mutation\b", query) is not None
        return _plain(node.config.get("requestMethod", "GET")).upper() or None, WRITES_AGAIN if writes else READS
    if name not in NAMED_BY_HOST:
        return None, READS if not name.startswith("mcp") else Effect()
    stated = node.config.get("method", node.config.get("requestMethod", "GET"))
    method = _plain(stated).upper()
    return method or None, effect_of_method(method, endpoint.path, kind)


def _proof(node: Node, knowledge: NodeKnowledge) -> Proof:
    literal = has_literal_secret((name, value) for name, value in node.config.items())
    for kind, label in node.credentials.items():
        known = knowledge.credential_types.get(kind)
        way = known.authentication if known else GENERIC.get(kind, _way_by_name(kind))
        return Proof(way, label or None, literal)
    return Proof(Authentication.API_KEY if literal else Authentication.UNKNOWN, None, literal)


def _way_by_name(kind: str) -> Authentication:
    words = words_of(kind)
    if "oauth" in "".join(words) or "auth2" in words:
        return Authentication.OAUTH2
    return Authentication.API_KEY if "api" in words else Authentication.UNKNOWN


def _http_proof(node: Node, endpoint: Endpoint, knowledge: NodeKnowledge) -> Proof:
    config = node.config
    headers = dict(_parameters(config, "header"))
    literal = has_literal_secret([*headers.items(), *_parameters(config, "query")]) or holds_secret(endpoint)
    stated = config.get(
        "nodeCredentialType" if config.get("authentication") == "predefinedCredentialType" else "genericAuthType"
    )
    chosen = [kind for kind in (stated, *node.credentials) if isinstance(kind, str)]
    if chosen and config.get("authentication") != "none":
        kind = chosen[0]
        known = knowledge.credential_types.get(kind)
        way = known.authentication if known else GENERIC.get(kind, _way_by_name(kind))
        return Proof(way, node.credentials.get(kind) or next(iter(node.credentials.values()), None), literal)
    if endpoint.has_user:
        return Proof(Authentication.BASIC, None, True)
    way_told = authentication_by_headers(headers)
    if way_told or literal:
        return Proof(way_told or Authentication.API_KEY, None, literal)
    return Proof(Authentication.NONE)


def _parameters(config: Mapping[str, Any], what: str) -> list[tuple[str, Any]]:
    """Names and values of headers or query parameters, from the places of all versions."""
    found: list[tuple[str, Any]] = []
    for place in (f"{what}Parameters", f"{what}ParametersUi", f"parameters{what.title()}"):
        lists = config.get(place)
        for entries in lists.values() if isinstance(lists, dict) else ():
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                    found.append((entry["name"], entry.get("value")))
    return found


def _unknown_type(node: Node, knowledge: NodeKnowledge) -> Call | None:
    """A community node, or a built-in one that is newer or older than the table."""
    package, _, name = node.type.rpartition(".")
    bare = re.sub(r"(Trigger|Tool)$", "", name)
    own = package in OWN_PACKAGES
    title = bare if own else re.sub(r"^(n8n-nodes-|nodes-|@)", "", package.rpartition("/")[2])
    specific = _specific(node, knowledge)
    named = specific[0].service if specific else knowledge.services.called(bare) or knowledge.services.called(title)
    if named is None and own:
        named = knowledge.services.mentioned_in(bare)
    if not _plainly_external(node, package, title, bare, known=named is not None):
        return None
    named = (
        named
        or knowledge.services.mentioned_in(title)
        or _made_up(bare if _letters(bare) == _letters(title) else title)
    )
    inbound = name.endswith("Trigger")
    operation = ".".join(
        filter(None, (_plain(node.config.get("resource", "")), _plain(node.config.get("operation", ""))))
    )
    return Call(
        service=named,
        direction="inbound" if inbound else "outbound",
        operation=operation,
        effect=READS if inbound else effect_of_operation(operation, named.kind),
        proof=_proof(node, knowledge),
    )


def _plainly_external(node: Node, package: str, title: str, bare: str, *, known: bool) -> bool:
    if node.credentials or known:
        return True
    if package in OWN_PACKAGES:
        return bool(re.match(r"(lm[A-Z]|embeddings|vectorStore(?!InMemory)|reranker)", bare)) or (
            "resource" in node.config and "operation" in node.config
        )
    return not set(words_of(f"{title} {bare}")) & COMPUTING


def _letters(name: str) -> str:
    return "".join(words_of(name))


def _made_up(title: str) -> Service:
    """A service that no table knows, named like the package or type that calls it."""
    words = words_of(title)
    name = " ".join(
        word.upper() if len(word) < 4 and word in {"api", "ai", "crm", "sms", "mcp"} else word.capitalize()
        for word in words
    )
    return Service(name or "Unknown service", slug_of(name) or "unknown", IntegrationKind.OTHER)
