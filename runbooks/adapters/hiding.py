"""What a workspace wants hidden besides secrets: a row of ours may be shown where the platform's is not."""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from runbooks.adapters.policies import read_policies
from runbooks.adapters.schema import HostSchema
from runbooks.core.policy import NO_POLICY
from runbooks.core.redaction import Rules, redact
from runbooks.errors import PolicyUnusable

logger = logging.getLogger(__name__)

WITHHELD = "[withheld: the workspace's redaction rules are unusable]"


@dataclass(frozen=True)
class Hiding:
    """Redacts by the workspace's rules; where they cannot be applied nothing is shown, and the rest still helps."""

    rules: Rules | None
    """None: they are not understood."""

    def text(self, said: str) -> str:
        """What may be shown of a text."""
        return said and (self._shown(said) or WITHHELD)

    def name(self, said: str) -> str | None:
        """What may be shown of a name or a code, if anything."""
        return self._shown(said) or None

    def _shown(self, said: str) -> str | None:
        try:
            return None if self.rules is None else redact(said, self.rules)
        except PolicyUnusable:
            return None


def read_hiding(connection: Connection, workspace_id: str, *, schema: HostSchema) -> Hiding:
    """The rules of a workspace."""
    policy = read_policies(connection, [workspace_id], schema=schema).get(workspace_id, NO_POLICY)
    if policy.rules_are_known:
        return Hiding(policy.rules)
    logger.warning("workspace %s: error texts are withheld: %s", workspace_id, policy.problem)
    return Hiding(None)
