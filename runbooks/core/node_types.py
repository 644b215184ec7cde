"""What is known of node types: whether they call something outside, and whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbooks.core.hosts import HostNames
from runbooks.core.integration import Authentication, IntegrationKind
from runbooks.core.services import Service, ServiceNames

BUILT_IN = ("n8n-nodes-base", "@n8n/n8n-nodes-langchain")
TOOL = "Tool"


@dataclass(frozen=True, slots=True)
class NodeType:
    """One row of the table of node types."""

    external: str
    """`yes`, `no`, or `credentialed`: only when the node carries credentials."""
    service: Service | None = None
    direction: str = "outbound"
    host: str | None = None
    """The service's host, where it is the same for everybody."""
    resource: str = ""
    """Default resource, which exports leave out."""
    operations: Mapping[str, str] = field(default_factory=dict)
    """Resource → its default operation; the empty resource for nodes that have none."""
    access: str = ""
    """`read` or `write`, where no operation tells."""


@dataclass(frozen=True, slots=True)
class CredentialType:
    """Whom a credential is for, and how it proves who is calling."""

    service: Service
    authentication: Authentication
    host: str | None = None


@dataclass(frozen=True)
class NodeKnowledge:
    """The tables, ready for look-ups."""

    node_types: Mapping[str, NodeType]
    credential_types: Mapping[str, CredentialType]
    hosts: HostNames
    services: ServiceNames

    def n8n_type(self, node_type: str) -> NodeType | None:
        """The row of a type; tools count as the node that they are made of, a missing or wrong package is forgiven."""
        found = self.node_types.get(node_type)
        if found is not None:
            return found
        package, _, name = node_type.rpartition(".")
        if package and package not in BUILT_IN:
            return None
        names = (name, name.removesuffix(TOOL)) if name.endswith(TOOL) else (name,)
        keys = (f"{where}.{one}" for one in names for where in BUILT_IN)
        return next((self.node_types[key] for key in keys if key in self.node_types), None)

    def kind_of_service(self, slug: str) -> IntegrationKind | None:
        """The kind of a service by its slug."""
        service = self.services.by_id(slug)
        return service.kind if service else None
