"""Our own tables: what has to be remembered beside the runbook itself."""

from runbooks.migrations.steps import Step
from runbooks.migrations.v0001.host import Host
from runbooks.migrations.v0001.own_api import API_TABLES, api_tables


def own_tables(host: Host) -> list[Step]:
    """Create them, with the host's id type."""
    tables = _tables(host) | api_tables(host)
    return [
        Step(
            f"{name}: new table",
            (create, *indexes),
            (name,),
        )
        for name, (create, *indexes) in tables.items()
    ]


def _tables(host: Host) -> dict[str, tuple[str, ...]]:
    host_id, runbook_id = host.id_type, host.runbook_id_type
    workflow = " REFERENCES workflows (id) ON DELETE CASCADE" if host.workflows_have_key else ""
    runbook = " REFERENCES execution_runbooks (id) ON DELETE CASCADE" if host.runbooks_have_key else ""
    return {
        # What a workflow's runbook was made from and how. `source_digest` is the md5 of the raw definition columns.
        "runbook_generations": (
            f"""
CREATE TABLE runbook_generations (
    workflow_id {host_id} PRIMARY KEY{workflow},
    runbook_id {runbook_id} NOT NULL{runbook},
    fingerprint text NOT NULL,
    definition_hash text NOT NULL,
    source_digest text NOT NULL,
    history_signature text NOT NULL DEFAULT '',
    writer text NOT NULL CHECK (writer IN ('catalogue', 'llm')),
    writer_signature text NOT NULL,
    model text,
    prompt_version text,
    catalogue_version text,
    server text,
    calls integer,
    prompt_tokens integer,
    cached_tokens integer,
    completion_tokens integer,
    cost_usd numeric(12, 6),
    failed_checks jsonb,
    scenarios integer,
    scenarios_by_llm integer,
    duration_ms integer,
    fallback_reason text,
    integrations integer,
    required_covered integer,
    covered jsonb,
    scenario_order jsonb,
    details jsonb,
    generated_at timestamptz NOT NULL
)""",
            "CREATE INDEX ON runbook_generations (runbook_id)",
        ),
        # Answers of a model that were paid for but are not stored as a runbook yet.
        "runbook_drafts": (
            f"""
CREATE TABLE runbook_drafts (
    fingerprint text PRIMARY KEY,
    workflow_id {host_id} NOT NULL{workflow},
    draft jsonb NOT NULL,
    model text,
    prompt_tokens integer,
    cached_tokens integer,
    completion_tokens integer,
    cost_usd numeric(12, 6),
    created_at timestamptz NOT NULL DEFAULT now()
)""",
            "CREATE INDEX ON runbook_drafts (workflow_id)",
        ),
        # Batches handed to a model's server, until somebody collects their answers. `made_from`: fingerprints by
        # workflow id. `batch` is the server's id, unknown while it is being started.
        "runbook_batches": (
            """
CREATE TABLE runbook_batches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    input_file text NOT NULL,
    batch text,
    server text NOT NULL,
    model text NOT NULL,
    requests integer NOT NULL,
    made_from jsonb NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    outcome text
)""",
            "CREATE INDEX ON runbook_batches (server, model) WHERE ended_at IS NULL",
        ),
        # Every version of a proactive runbook, the latest of them without `document`: that one is in
        # `execution_runbooks`. When it is replaced its text moves here, with what people had said of it.
        "runbook_versions": (
            f"""
CREATE TABLE runbook_versions (
    runbook_id {runbook_id} NOT NULL{runbook},
    workflow_id {host_id} NOT NULL{workflow},
    version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    fingerprint text NOT NULL,
    definition_hash text NOT NULL,
    reason text NOT NULL,
    writer text NOT NULL,
    model text,
    severity text,
    provenance jsonb NOT NULL,
    document jsonb,
    status text,
    acknowledged_by text,
    acknowledged_at timestamp,
    PRIMARY KEY (workflow_id, version)
)""",
            "CREATE INDEX ON runbook_versions (runbook_id)",
        ),
        # History of each node, as the last sweep aggregated it. Rewritten as a whole, so without foreign keys. A row
        # without node key is about the calls of one connector in a workflow that name no node. What starts with
        # `noted_` is the state that the workflow's signature was last made from: it moves only when history does.
        # `active_days`: bit n is set when it had calls n days ago.
        # `calls_by_hour`: {hour of the week: [calls, weeks in which they came, as bits]}.
        "runbook_node_history": (
            f"""
CREATE TABLE runbook_node_history (
    workflow_id {host_id} NOT NULL,
    node_key text NOT NULL,
    connector_key text NOT NULL,
    source text NOT NULL CHECK (source IN ('attempts', 'executions')),
    calls bigint NOT NULL,
    failures bigint NOT NULL,
    timeouts bigint NOT NULL,
    retries bigint NOT NULL,
    recovered bigint NOT NULL,
    mean_ms double precision,
    p50_ms double precision,
    p95_ms double precision,
    p99_ms double precision,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    last_failure_at timestamptz,
    recent_calls bigint NOT NULL,
    recent_failures bigint NOT NULL,
    noted_rate double precision,
    noted_p95_ms double precision,
    noted_failure text,
    active_days bigint NOT NULL,
    outages integer,
    calls_by_hour jsonb,
    refreshed_at timestamptz NOT NULL,
    PRIMARY KEY (workflow_id, node_key, connector_key, source)
)""",
        ),
        # Failures of each node that say the same, counted; `message` is folded. Rewritten as above.
        # `by_hour`: {hour of the week: [failures, weeks, as above]}.
        "runbook_failure_groups": (
            f"""
CREATE TABLE runbook_failure_groups (
    workflow_id {host_id} NOT NULL,
    node_key text NOT NULL,
    connector_key text NOT NULL,
    source text NOT NULL,
    status text,
    status_code integer,
    error_code text,
    message text,
    failures bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    by_hour jsonb NOT NULL
)""",
            "CREATE INDEX ON runbook_failure_groups (workflow_id)",
        ),
        # History of each connector of a workspace: the platform's rollup, and the attempts that it does not have yet.
        "runbook_connector_history": (
            f"""
CREATE TABLE runbook_connector_history (
    workspace_id {host_id} NOT NULL,
    connector_key text NOT NULL,
    calls bigint NOT NULL,
    failures bigint NOT NULL,
    timeouts bigint NOT NULL,
    retries bigint NOT NULL,
    recent_calls bigint NOT NULL,
    recent_failures bigint NOT NULL,
    refreshed_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, connector_key)
)""",
        ),
        "runbook_ratings": (
            f"""
CREATE TABLE runbook_ratings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    runbook_id {runbook_id} NOT NULL{runbook},
    rater text NOT NULL,
    rating text NOT NULL CHECK (rating IN ('not_useful', 'somewhat_useful', 'useful', 'very_useful')),
    scenario_id text,
    comment text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (runbook_id, rater)
)""",
        ),
        # What we last wrote into the row of a failed execution, so that a row that a person edited is told from ours.
        "runbook_incidents": (
            f"""
CREATE TABLE runbook_incidents (
    runbook_id {runbook_id} PRIMARY KEY{runbook},
    content_hash text NOT NULL,
    node_key text,
    failure_class text NOT NULL,
    scenario_id text,
    written_at timestamptz NOT NULL
)""",
        ),
        # A row without workspace is about all of them.
        "runbook_coverage_snapshots": (
            f"""
CREATE TABLE runbook_coverage_snapshots (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id {host_id},
    taken_at timestamptz NOT NULL,
    report jsonb NOT NULL
)""",
            "CREATE INDEX ON runbook_coverage_snapshots (workspace_id, taken_at DESC)",
        ),
    }


OWN_TABLES = (
    *API_TABLES,
    "runbook_incidents",
    "runbook_coverage_snapshots",
    "runbook_ratings",
    "runbook_connector_history",
    "runbook_failure_groups",
    "runbook_node_history",
    "runbook_versions",
    "runbook_batches",
    "runbook_drafts",
    "runbook_generations",
)
