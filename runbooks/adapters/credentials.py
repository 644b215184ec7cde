"""What the platform knows of credentials: which node uses which, and until when it holds. Never what is in them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.credential import SOON, CredentialFacts, CredentialState, soonest
from runbooks.core.redaction import redact
from runbooks.core.terms import tidy

NOW = "(now() AT TIME ZONE 'UTC')"


def read_credentials(
    connection: Connection, workflow_ids: Sequence[str], *, schema: HostSchema, now: datetime | None = None
) -> dict[tuple[str, str], CredentialFacts]:
    """The credential of each node by (workflow id, node key), the one that ends first where it has several.

    `now` is the database's own clock when it is not given. Empty where our user may not read the tables.
    """
    if not schema.credentials_readable:
        return {}
    query = f"""
        SELECT u.workflow_id::text, u.node_id, c.name, c.type, c.expires_at AT TIME ZONE 'UTC' AS expires_at,
               c.created_at AT TIME ZONE 'UTC' AS created_at, c.updated_at AT TIME ZONE 'UTC' AS updated_at,
               coalesce(CAST(:now AS timestamptz), now()) AS seen_at
        FROM workflow_credentials u JOIN credentials c ON c.id = u.credential_id
        WHERE u.workflow_id = ANY(CAST(:ids AS {schema.id_type}[]))
    """  # noqa: S608 - a type name read from the catalogue
    found: dict[tuple[str, str], list[CredentialFacts]] = defaultdict(list)
    for workflow_id, node_key, name, kind, *times in connection.execute(
        text(query), {"ids": list(workflow_ids), "now": now}
    ):
        expires_at, created_at, updated_at, seen_at = times
        found[workflow_id, node_key].append(
            CredentialFacts(
                name=tidy(redact(name)),
                type=tidy(kind),
                seen_at=seen_at,
                expires_at=expires_at,
                created_at=created_at,
                updated_at=updated_at,
            )
        )
    return {key: soonest(several) for key, several in found.items()}


def credential_notes_sql() -> str:
    """SQL of a subquery (workflow_id, note): the ends of credentials, coarsely, so that few notes change a day.

    The states are those of `CredentialFacts`; credentials without an end are not noted.
    """
    return f"""
        SELECT u.workflow_id, concat_ws(chr(31), 'credential', u.node_id, c.name, c.expires_at, CASE
            WHEN c.expires_at <= {NOW} THEN '{CredentialState.EXPIRED}'
            WHEN c.expires_at <= {NOW} + interval '{SOON.days} days' THEN '{CredentialState.EXPIRING}' END) AS note
        FROM workflow_credentials u JOIN credentials c ON c.id = u.credential_id WHERE c.expires_at IS NOT NULL
    """  # noqa: S608 - constants
