"""Which LinkFlow nodes call something outside, and whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from runbooks.core.call import Call, Proof
from runbooks.core.hosts import NOWHERE, Endpoint, read_endpoint
from runbooks.core.http_calls import (
    authentication_by_headers,
    has_literal_secret,
    holds_secret,
    operation_of,
    service_of,
)
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.node_types import NodeKnowledge, NodeType
from runbooks.core.operations import (
    READS,
    UNTOLD,
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

HTTP_TIMEOUT_S = 30.0
INTERNAL_PREFIXES = ("logic_", "transform_", "output_")
ROLE_PREFIX = re.compile(r"^(integration|action|trigger|connector)_")
HTTP_TYPES = frozenset({"action_http_request", "http_request"})
AI_TYPES = frozenset({"ai", "action_ai"})
AI_HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
AI_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "claude": "anthropic", "gemini": "google_gemini"}
DATABASES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlserver": "microsoft_sql",
    "mssql": "microsoft_sql",
    "mongodb": "mongodb",
    "redis": "redis",
    "rediss": "redis",
    "oracle": "oracle_database",
    "clickhouse": "clickhouse",
}
STORAGE_PROVIDERS = {"s3": "s3", "aws": "s3", "gcs": "google_cloud_storage", "azure": "azure_storage"}
_CREDENTIAL = re.compile(r"\{\{\s*\$?credentials?\.([\w\-]+)")


@dataclass(frozen=True, slots=True)
class NodeCatalogueEntry:
    """A row of the platform's own list of node types."""

    name: str
    node_kind: str
    """trigger, action, logic or transform."""
    credential_type: str | None


def linkflow_call(node: Node, knowledge: NodeKnowledge, listed: NodeCatalogueEntry | None) -> Call | None:
    """The call that a node makes; None for nodes that call nothing outside."""
    if node.disabled:
        return None
    known = knowledge.node_types.get(node.type)
    if known is not None and known.external == "no" and not (listed and listed.credential_type):
        return None
    if node.type in HTTP_TYPES:
        return _http(node, knowledge)
    if known is not None and known.service is not None:
        return _known(node, known, known.service, knowledge)
    return _unknown_type(node, knowledge, listed)


def _http(node: Node, knowledge: NodeKnowledge) -> Call:
    config = node.config
    endpoint = read_endpoint(config.get("url"))
    texts = (*_credential_names(config), *node.credentials.values(), endpoint.path, node.key, node.label)
    service, note = service_of(endpoint, knowledge.hosts, knowledge.services, texts=texts, label=node.label)
    method = _word(config.get("method", "GET")).upper()
    return Call(
        service=service,
        operation=operation_of(method, endpoint.path) if endpoint.host or endpoint.path else method,
        effect=effect_of_method(method, endpoint.path, service.kind),
        method=method or None,
        host=endpoint.host,
        host_note=note,
        proof=_http_proof(node, endpoint),
        timeout_s=HTTP_TIMEOUT_S,
    )


def _known(node: Node, known: NodeType, service: Service, knowledge: NodeKnowledge) -> Call | None:
    config = node.config
    if service.id == "storage":
        return _storage(node, service, knowledge)
    if service.kind is IntegrationKind.DATABASE:
        return _database(node, service, knowledge)
    if node.type in AI_TYPES:
        return _ai(node, service, knowledge)
    if service.kind is IntegrationKind.EMAIL:
        return _email(node, service, knowledge)
    if config.get("url"):
        call = _http(node, knowledge)
        return replace(call, service=service if call.service.kind is IntegrationKind.HTTP_API else call.service)
    endpoint = read_endpoint(config.get("webhook_url")) if "webhook_url" in config else NOWHERE
    operation, effect = _operation(node, known, service)
    return Call(
        service,
        known.direction,
        operation,
        effect,
        host=endpoint.host or known.host,
        host_note=None if known.host else endpoint.note,
        proof=_proof(node),
    )


def _operation(node: Node, known: NodeType, service: Service) -> tuple[str, Effect]:
    default = ".".join(filter(None, (known.resource, known.operations.get(known.resource))))
    operation = _word(node.config.get("operation") or node.config.get("action") or default)
    if known.access:
        return operation, WRITES_AGAIN if known.access == "write" else READS
    return operation, effect_of_operation(operation, service.kind)


def _storage(node: Node, service: Service, knowledge: NodeKnowledge) -> Call | None:
    provider = _word(node.config.get("provider", "local")).lower()
    if provider in {"local", "disk", "filesystem"}:
        return None
    known = knowledge.services.by_id(STORAGE_PROVIDERS.get(provider, provider))
    endpoint = read_endpoint(node.config.get("endpoint"))
    operation = _word(node.config.get("operation") or node.config.get("action"))
    return Call(
        known or service,
        operation=operation,
        effect=effect_of_operation(operation, IntegrationKind.STORAGE) if operation else UNTOLD,
        host=endpoint.host,
        host_note=endpoint.note,
        proof=_proof(node),
    )


def _database(node: Node, service: Service, knowledge: NodeKnowledge) -> Call:
    config = node.config
    address = config.get("connection_string")
    endpoint = read_endpoint(address)
    known = knowledge.services.by_id(DATABASES.get(endpoint.scheme.partition("+")[0], ""))
    operation = _word(config.get("operation", "query")).lower()
    effect = effect_of_sql(config.get("query"))
    if effect is UNTOLD and operation in {"execute", "transaction"}:
        effect = WRITES_ONCE
    host = endpoint.host or _bare_host(config.get("host"))
    name = config.get("connection_name")
    proof = Proof(
        Authentication.CONNECTION_STRING if address else Authentication.UNKNOWN,
        _word(name) or next(iter(_credential_names(config)), None) or next(iter(node.credentials.values()), None),
        _has_password(address) or has_literal_secret(config.items()),
    )
    verb = sql_verb(config.get("query"))
    return Call(
        known or service,
        operation=f"{operation} {verb}".strip() if verb and verb != operation else operation,
        effect=effect,
        host=host,
        host_note=endpoint.note if address and not host else None,
        proof=proof,
    )


def _has_password(address: Any) -> bool:
    if not isinstance(address, str):
        return False
    found = re.search(r"://[^/@\s]*?:([^@\s]+)@|(?:password|pwd)\s*=\s*([^;\s]+)", address, re.IGNORECASE)
    return found is not None and "{{" not in (found[1] or found[2])


def _bare_host(value: Any) -> str | None:
    return read_endpoint(f"tcp://{value}" if isinstance(value, str) and "://" not in value else value).host


def _ai(node: Node, service: Service, knowledge: NodeKnowledge) -> Call:
    provider = _word(node.config.get("provider")).lower()
    endpoint = read_endpoint(node.config.get("endpoint"))
    known = knowledge.services.by_id(AI_PROVIDERS.get(provider, provider))
    hosted = knowledge.hosts.service(endpoint.host) if endpoint.host else None
    stated = bool(node.config.get("endpoint"))
    note = endpoint.note if stated else None
    if hosted is not None and (provider in {"custom", ""} or known is None):
        known = Service(hosted.name, hosted.id, IntegrationKind.AI_MODEL)
    return Call(
        known or service,
        operation=_word(node.config.get("model")) or "prompt",
        effect=READS,
        host=endpoint.host or (None if stated or known is None else AI_HOSTS.get(known.id)),
        host_note=note,
        proof=_proof(node),
    )


def _email(node: Node, service: Service, knowledge: NodeKnowledge) -> Call:
    host = _bare_host(node.config.get("host"))
    # The slug stays that of SMTP: whoever runs the server, it fails as SMTP servers fail.
    known = knowledge.hosts.known(host) if host else None
    return Call(
        Service(f"{known.name} (SMTP)", service.id, service.kind) if known else service,
        operation="send",
        effect=WRITES_AGAIN,
        host=host,
        host_note=None if host or not node.config.get("host") else "host is built from an expression",
        proof=_proof(node, basic=True),
    )


def _unknown_type(node: Node, knowledge: NodeKnowledge, listed: NodeCatalogueEntry | None) -> Call | None:
    bare = ROLE_PREFIX.sub("", node.type)
    known = knowledge.services.called(bare) or knowledge.services.mentioned_in(bare)
    asked = bool(listed and listed.credential_type) or node.type.startswith("integration_")
    if not asked and (
        node.type.startswith(INTERNAL_PREFIXES) or (listed and listed.node_kind in {"logic", "transform"})
    ):
        return None
    if not asked and known is None:
        has_address = isinstance(node.config.get("url"), str) and read_endpoint(node.config["url"]).host is not None
        return _http(node, knowledge) if has_address and not node.type.startswith("trigger") else None
    if known is None and listed and listed.credential_type:
        known = knowledge.services.mentioned_in(listed.credential_type) or knowledge.services.mentioned_in(listed.name)
    service = known or _made_up(bare, listed)
    inbound = node.type.startswith("trigger_") or bool(listed and listed.node_kind == "trigger")
    if node.config.get("url") and not inbound:
        return replace(_http(node, knowledge), service=service)
    operation = _word(node.config.get("operation") or node.config.get("action"))
    return Call(
        service,
        "inbound" if inbound else "outbound",
        operation,
        READS if inbound else effect_of_operation(operation, service.kind),
        proof=_proof(node),
    )


def _made_up(bare: str, listed: NodeCatalogueEntry | None) -> Service:
    """A service that no table knows, named as the platform names the node."""
    name = listed.name if listed and listed.name else " ".join(word.capitalize() for word in words_of(bare))
    return Service(name[:80] or bare, slug_of(bare) or "unknown", IntegrationKind.OTHER)


def _word(value: Any) -> str:
    """A short fixed text; empty for a template or anything else."""
    if not isinstance(value, str) or "{{" in value or not 0 < len(value) <= 80:
        return ""
    return value.strip() if re.fullmatch(r"[\w\-:./ ]*", value) else ""


def _credential_names(config: Mapping[str, Any]) -> list[str]:
    """Names of the credentials that templates in the settings refer to."""
    values = list(config.values())
    values += [inner for value in values if isinstance(value, dict) for inner in value.values()]
    return list(
        dict.fromkeys(name for value in values if isinstance(value, str) for name in _CREDENTIAL.findall(value))
    )


def _http_proof(node: Node, endpoint: Endpoint) -> Proof:
    headers = node.config.get("headers")
    named = headers if isinstance(headers, dict) else {}
    params = node.config.get("query_params")
    pairs = [*named.items(), *(params.items() if isinstance(params, dict) else ()), *node.config.items()]
    literal = has_literal_secret(pairs) or holds_secret(endpoint)
    credential = next(iter([*_credential_names(node.config), *node.credentials.values()]), None)
    way = Authentication.BASIC if endpoint.has_user else authentication_by_headers(named)
    if way is None:
        way = Authentication.API_KEY if literal or credential else Authentication.NONE
    return Proof(way, credential, literal)


def _proof(node: Node, *, basic: bool = False) -> Proof:
    config = node.config
    literal = has_literal_secret(config.items()) or holds_secret(read_endpoint(config.get("webhook_url")))
    credential = next(iter([*_credential_names(config), *node.credentials.values()]), None)
    if basic or "password" in config:
        return Proof(Authentication.BASIC if "password" in config else Authentication.UNKNOWN, credential, literal)
    if any("token" in name for name in config):
        return Proof(Authentication.TOKEN, credential, literal)
    way = Authentication.API_KEY if credential or literal or "api_key" in config else Authentication.UNKNOWN
    return Proof(way, credential, literal)
