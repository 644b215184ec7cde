"""Tables of the HTTP API: who may, what was asked for, what is still to be done."""

from runbooks.migrations.v0001.host import Host


def api_tables(host: Host) -> dict[str, tuple[str, ...]]:
    """Statements by table, with the host's id type."""
    host_id = host.id_type
    workflow = " REFERENCES workflows (id) ON DELETE CASCADE" if host.workflows_have_key else ""
    return {
        # The token itself is shown once and not stored. Without workspace it opens all of them.
        "runbook_tokens": (
            f"""
CREATE TABLE runbook_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash text NOT NULL UNIQUE,
    name text NOT NULL DEFAULT '',
    workspace_id {host_id},
    scopes text[] NOT NULL,
    user_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
)""",
        ),
        # Requests for a runbook. One a workflow is under way at a time, whatever process works on it; a process that
        # dies stops moving `alive_at`. The result is kept as the text that is answered.
        "runbook_requests": (
            f"""
CREATE TABLE runbook_requests (
    id uuid PRIMARY KEY,
    workspace_id {host_id} NOT NULL,
    workflow_id {host_id} NOT NULL{workflow},
    include_historical_data boolean NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed', 'failed')),
    status integer,
    message text,
    result json,
    created_at timestamptz NOT NULL DEFAULT now(),
    alive_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
)""",
            "CREATE UNIQUE INDEX ON runbook_requests (workflow_id, include_historical_data) WHERE state = 'running'",
            "CREATE INDEX ON runbook_requests (created_at)",
        ),
        # Idempotency keys: which request a key of a token stands for, and what was asked with it.
        "runbook_request_keys": (
            """
CREATE TABLE runbook_request_keys (
    token_id bigint NOT NULL REFERENCES runbook_tokens (id) ON DELETE CASCADE,
    key text NOT NULL,
    request_id uuid NOT NULL REFERENCES runbook_requests (id) ON DELETE CASCADE,
    asked text NOT NULL,
    PRIMARY KEY (token_id, key)
)""",
            "CREATE INDEX ON runbook_request_keys (request_id)",
        ),
        # Signatures of webhooks that were accepted, so that each is accepted once, by whatever process.
        "runbook_webhook_receipts": (
            """
CREATE TABLE runbook_webhook_receipts (
    signature text PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
)""",
            "CREATE INDEX ON runbook_webhook_receipts (received_at)",
        ),
        # What webhooks told and nobody has acted on yet: one row a subject, however often it was told of. `tellings`
        # counts them, so that what is told while a run is under way is not lost.
        "runbook_pending_events": (
            """
CREATE TABLE runbook_pending_events (
    kind text NOT NULL CHECK (kind IN ('workflow-published', 'execution-failed')),
    subject text NOT NULL,
    payload jsonb NOT NULL,
    tellings bigint NOT NULL DEFAULT 1,
    failures integer NOT NULL DEFAULT 0,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL,
    taken_at timestamptz,
    PRIMARY KEY (kind, subject)
)""",
            "CREATE INDEX ON runbook_pending_events (due_at)",
        ),
    }


API_TABLES = (
    "runbook_pending_events",
    "runbook_webhook_receipts",
    "runbook_request_keys",
    "runbook_requests",
    "runbook_tokens",
)
