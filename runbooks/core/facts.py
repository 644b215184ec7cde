"""Everything a writer may use about one workflow; what is not in here must not be in the runbook."""

from collections.abc import Mapping

from pydantic import Field

from runbooks.core.credential import CredentialFacts
from runbooks.core.integration import Integration
from runbooks.core.reliability import Reliability, Scope
from runbooks.core.workflow import Frozen, Workflow

NO_HISTORY = Reliability(scope=Scope.NONE)


class Facts(Frozen):
    """One workflow, its integrations, and what history says about each."""

    workflow: Workflow
    integrations: tuple[Integration, ...]
    reliability: Mapping[str, Reliability] = Field(default_factory=dict)
    """By node key; a missing key means that there is no history."""
    credentials: Mapping[str, CredentialFacts] = Field(default_factory=dict)
    """By node key, what the platform knows of the node's credential; missing where it knows none."""
    from_file: bool = False
    """Only an exported file is known: neither history nor owner nor contacts, so nothing may be said of them."""
    history_included: bool = True
    """False when history was left out on request, so the text must not claim that there is none."""
    definition_hash: str = ""
    """Of the definition as it was read, before anything was redacted."""
    escalation_matrix: Mapping[str, str] = Field(default_factory=dict)
    """Severity → contact, all four severities, from the workspace's settings or the defaults."""

    def reliability_of(self, node_key: str) -> Reliability:
        """History of one integration; scope `none` when there is none."""
        return self.reliability.get(node_key, NO_HISTORY)
