"""Write node_types.csv and credential_types.csv again, from the metadata that n8n publishes and from our judgements.

    npm pack n8n-nodes-base @n8n/n8n-nodes-langchain      # in a folder of its own; unpack both
    python -m prompts.derive_node_types BASE/dist/types/nodes.json LANGCHAIN/dist/types/nodes.json

Only facts are taken: names, which credentials a node takes, default operations, hosts. `credentials.json` is read from
beside each `nodes.json`. What a newer version brings and nobody judged yet is listed on stderr.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

HERE = Path(__file__).parent
BASE, LANGCHAIN = "n8n-nodes-base", "@n8n/n8n-nodes-langchain"
NODE_FIELDS = (
    "type",
    "external",
    "service",
    "service_id",
    "kind",
    "direction",
    "host",
    "resource",
    "operations",
    "access",
)
CREDENTIAL_FIELDS = ("credential", "service", "service_id", "kind", "authentication", "host")
GENERIC_CREDENTIAL = re.compile(
    r"^(http\w+Auth|oAuth[12]Api|jwtAuth|totpApi|crypto|httpMultipleHeadersAuth|httpSslAuth)$"
)
ROLE_WORDS = re.compile(
    r"\b(Chat Model|Embeddings|Chat Memory|Vector Store: (Insert|Load)|Vector Store|Reranker|Trigger|Model|Inference)\b"
    r"|: (Insert|Load)|\(\w+\)|\bNemotron\b"
)
CREDENTIAL_WORDS = re.compile(
    r"\b(OAuth2?|API|Api|App Token|(Personal )?Access Token|Token|Service Account|Basic Auth|Shared Key|JWT|Self-Hosted"
    r"|Cloud instance|account|2$)\b|\((IAM|Assume Role|API Key)\)"
)

Node = dict[str, Any]


def main(paths: list[str], folder: Path = HERE) -> int:
    """Derive both tables; 1 when a node waits for a judgement, 2 for bad usage."""
    if len(paths) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    judged = yaml.safe_load((HERE / "node_judgements.yaml").read_text(encoding="utf-8"))
    nodes = [
        (package, name, versions)
        for package, path in zip((BASE, LANGCHAIN), paths, strict=True)
        for name, versions in _by_name(_json(path)).items()
    ]
    credentials = [one for path in paths for one in _json(str(Path(path).with_name("credentials.json")))]
    hosts = {one["name"]: _host(one) for one in credentials}
    rows = [_node_row(package, name, versions, judged, hosts) for package, name, versions in nodes]
    rows += list(_retired_rows(judged))
    _write(folder / "node_types.csv", NODE_FIELDS, sorted(rows, key=lambda row: row["type"].lower()))
    found = [_credential_row(one, rows, hosts) for one in credentials]
    _write(
        folder / "credential_types.csv",
        CREDENTIAL_FIELDS,
        sorted(filter(None, found), key=lambda row: row["credential"].lower()),
    )
    unjudged = [row["type"] for row in rows if row["external"] != "no" and not row["kind"]]
    for node_type in unjudged:
        print(f"{node_type}: say its kind in node_judgements.yaml", file=sys.stderr)
    return 1 if unjudged else 0


def _json(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _by_name(descriptions: Iterable[Node]) -> dict[str, list[Node]]:
    """All versions of each node; `…Tool` variants of the same node are left to the rule at run time."""
    found: dict[str, list[Node]] = {}
    for description in descriptions:
        found.setdefault(description["name"], []).append(description)
    return found


def _node_row(
    package: str, name: str, versions: list[Node], judged: dict[str, Any], hosts: dict[str, str]
) -> dict[str, str]:
    latest = max(versions, key=_latest_version)
    credentials = [one["name"] for version in versions for one in version.get("credentials", [])]
    row = dict.fromkeys(NODE_FIELDS, "")
    row |= {"type": f"{package}.{name}", "external": _external(name, credentials, judged)}
    if row["external"] == "no":
        return row
    base = name.removesuffix("Trigger")
    service = judged["names"].get(base) or judged["names"].get(name) or _service(latest["displayName"])
    kind = _kind(base, latest, judged)
    resource, operations = _defaults(versions)
    inbound = "trigger" in latest["group"]
    return row | {
        "service": service,
        "service_id": _slug(service, judged),
        "kind": kind,
        "direction": "inbound" if inbound else "outbound",
        "host": judged["hosts"].get(service) or _first_host(latest, credentials, hosts),
        "resource": resource,
        "operations": "" if inbound else operations,
        "access": _access(name, kind, inbound=inbound, operations=operations, judged=judged),
    }


def _latest_version(description: Node) -> float:
    versions = description["version"]
    return float(max(versions) if isinstance(versions, list) else versions)


def _external(name: str, credentials: list[str], judged: dict[str, Any]) -> str:
    if name in judged["when_credentialed"]:
        return "credentialed"
    if name in judged["not_integrations"]:
        return "no"
    return "yes" if credentials or name in judged["external_without_credentials"] else "no"


def _service(display_name: str) -> str:
    return re.sub(r"\s+", " ", ROLE_WORDS.sub(" ", display_name)).strip(" ,-")


def _slug(service: str, judged: dict[str, Any]) -> str:
    return judged["slugs"].get(service) or re.sub(r"[^a-z0-9]+", "_", service.lower()).strip("_")


def _kind(base: str, description: Node, judged: dict[str, Any]) -> str:
    for kind, names in judged["kinds"].items():
        if base in names:
            return str(kind)
    if base.startswith(("lm", "embeddings", "reranker")):
        return "ai_model"
    if "ectorStore" in base:
        return "vector_store"
    categories = (description.get("codex") or {}).get("categories") or []
    return next((kind for category, kind in judged["categories"].items() if category in categories), "")


def _first_host(description: Node, credentials: list[str], hosts: dict[str, str]) -> str:
    own = _literal_host(str((description.get("requestDefaults") or {}).get("baseURL", "")))
    return own or next((hosts[name] for name in credentials if hosts.get(name)), "")


def _host(credential: Node) -> str:
    request = (credential.get("test") or {}).get("request") or {}
    stated = (credential.get("httpRequestNode") or {}).get("apiBaseUrl", "")
    return _literal_host(str(request.get("baseURL", ""))) or _literal_host(str(stated))


def _literal_host(url: str) -> str:
    return urlsplit(url).hostname or "" if url.startswith("http") and "{{" not in url.split("/")[2] else ""


def _defaults(versions: list[Node]) -> tuple[str, str]:
    """The latest default resource, and the default operation of each resource on which all versions agree."""
    default = ""
    operations: dict[str, set[str]] = {}
    for version in sorted(versions, key=_latest_version):
        for field in version.get("properties", []):
            if field.get("name") == "resource" and isinstance(field.get("default"), str):
                default = field["default"]
            if field.get("name") == "operation" and isinstance(field.get("default"), str):
                for resource in ((field.get("displayOptions") or {}).get("show") or {}).get("resource", [""]):
                    operations.setdefault(str(resource), set()).add(field["default"])
    agreed = {resource: min(found) for resource, found in operations.items() if len(found) == 1 and min(found)}
    pairs = sorted(f"{resource}.{operation}" if resource else operation for resource, operation in agreed.items())
    return default, " ".join(pairs)


def _access(name: str, kind: str, *, inbound: bool, operations: str, judged: dict[str, Any]) -> str:
    """`read` or `write` where no operation tells."""
    if name in judged["writing"]:
        return "write"
    if inbound or kind in {"ai_model", "search", "feed"}:
        return "read"
    return "" if operations else "read" if name in judged["reading"] else ""


def _retired_rows(judged: dict[str, Any]) -> Iterator[dict[str, str]]:
    for node_type, facts in judged["retired"].items():
        row = dict.fromkeys(NODE_FIELDS, "") | {"type": node_type, "external": "yes" if facts else "no"}
        if facts:
            service, kind = facts
            direction = "inbound" if node_type.endswith("Trigger") else "outbound"
            row |= {"service": service, "service_id": _slug(service, judged), "kind": kind, "direction": direction}
        yield row


def _credential_row(credential: Node, rows: list[dict[str, str]], hosts: dict[str, str]) -> dict[str, str]:
    name = credential["name"]
    if GENERIC_CREDENTIAL.match(name):
        return {}
    supported = {
        (row["service"], row["service_id"], row["kind"])
        for row in rows
        if row["type"].rpartition(".")[2] in credential.get("supportedNodes", []) and row["external"] != "no"
    }
    if len({slug for _, slug, _ in supported}) == 1:
        service, slug, kind = min(supported)
    else:
        service = re.sub(r"\s+", " ", CREDENTIAL_WORDS.sub(" ", credential["displayName"])).strip()
        slug = re.sub(r"[^a-z0-9]+", "_", service.lower()).strip("_")
        kind = _kinds_by_host_table().get(slug, "http_api")
    return {
        "credential": name,
        "service": service,
        "service_id": slug,
        "kind": kind,
        "authentication": _authentication(credential),
        "host": hosts[name],
    }


@cache
def _kinds_by_host_table() -> dict[str, str]:
    with (HERE / "hosts.csv").open(encoding="utf-8") as lines:
        return {row["service_id"]: row["kind"] for row in csv.DictReader(lines)}


def _authentication(credential: Node) -> str:
    parents = credential.get("extends") or []
    if any("OAuth2" in name or name == "oAuth2Api" for name in [credential["name"], *parents]):
        return "oauth2"
    if any("oAuth1" in name or "OAuth1" in name for name in [credential["name"], *parents]):
        return "signature"
    fields = {str(field["name"]).lower() for field in credential.get("properties", [])}
    if credential["name"].startswith("aws") or "secretaccesskey" in fields:
        return "signature"
    if "password" in fields and fields & {"user", "username", "email", "login"}:
        return "basic"
    if "privatekey" in fields:
        return "signature"
    if "connectionstring" in fields:
        return "connection_string"
    return "token" if any("token" in field for field in fields) else "api_key"


def _write(path: Path, fields: tuple[str, ...], rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
