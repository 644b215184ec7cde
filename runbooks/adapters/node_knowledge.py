"""The tables of node types, credentials and hosts, read from the files of `prompts/`."""

import csv
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files

from runbooks.core.hosts import HostNames
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.node_types import CredentialType, NodeKnowledge, NodeType
from runbooks.core.services import Service, ServiceNames
from runbooks.errors import CatalogueError

NODE_FILES = ("node_types.csv", "linkflow_types.csv")


@cache
def load_node_knowledge() -> NodeKnowledge:
    """Read the tables once a process; CatalogueError names the file and line that is wrong."""
    node_types = {row["type"]: _node_type(row, file) for file in NODE_FILES for row in _rows(file)}
    credentials = {row["credential"]: _credential_type(row) for row in _rows("credential_types.csv")}
    hosts = {row["host"]: _service(row, "hosts.csv") for row in _rows("hosts.csv")}
    shared: dict[str, dict[str, Service]] = {}
    for row in _rows("shared_hosts.csv"):
        shared.setdefault(row["host"], {})[row["segment"]] = _service(row, "shared_hosts.csv")
    known = [one.service for one in node_types.values() if one.service] + list(hosts.values())
    known += [one.service for one in credentials.values()]
    # Postgres, met as a vector store and as a database, is a database.
    known.sort(key=lambda service: service.kind is IntegrationKind.VECTOR_STORE)
    return NodeKnowledge(node_types, credentials, HostNames(hosts, _registrable_domain, shared), ServiceNames(known))


def _rows(file: str) -> Iterator[dict[str, str]]:
    with (files("prompts") / file).open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _service(row: dict[str, str], file: str) -> Service:
    try:
        return Service(row["service"], row["service_id"], IntegrationKind(row["kind"]))
    except ValueError as error:
        raise CatalogueError(f"prompts/{file}: {row['service']!r} has the unknown kind {row['kind']!r}") from error


def _node_type(row: dict[str, str], file: str) -> NodeType:
    if row["external"] == "no":
        return NodeType("no")
    operations = (pair.rpartition(".") for pair in row["operations"].split())
    return NodeType(
        external=row["external"],
        service=_service(row, file),
        direction=row["direction"],
        host=row["host"] or None,
        resource=row["resource"],
        operations={resource: operation for resource, _, operation in operations},
        access=row["access"],
    )


def _credential_type(row: dict[str, str]) -> CredentialType:
    return CredentialType(
        _service(row, "credential_types.csv"), Authentication(row["authentication"]), row["host"] or None
    )


def _registrable_domain(host: str) -> str | None:
    return _public_suffixes()(host)


@cache
def _public_suffixes() -> Callable[[str], str | None]:
    from publicsuffixlist import PublicSuffixList  # takes 35 ms, and many workflows call known hosts only

    return PublicSuffixList().privatesuffix
