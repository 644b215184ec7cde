"""The platform's tables, as standalone mode creates them: the columns that are read, with UUID ids.

Types are the platform's own (`json`, enums as varchar with a CHECK, timestamps without zone that hold UTC), so that
one code path reads both. `execution_runbooks` comes as the host has it; `additions` adds the rest, there as here.
"""

from runbooks.migrations.steps import Step

ID = "id uuid PRIMARY KEY DEFAULT gen_random_uuid()"
TIMESTAMPS = "created_at timestamp(0), updated_at timestamp(0)"

TABLES = {
    "users": f"""
CREATE TABLE users (
    {ID},
    name varchar(255) NOT NULL,
    email varchar(255) NOT NULL UNIQUE,
    {TIMESTAMPS}
)""",
    "workspaces": f"""
CREATE TABLE workspaces (
    {ID},
    name varchar(255) NOT NULL,
    slug varchar(255) NOT NULL UNIQUE,
    settings json,
    owner_id uuid REFERENCES users (id) ON DELETE SET NULL,
    {TIMESTAMPS}
)""",
    "workflows": f"""
CREATE TABLE workflows (
    {ID},
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    name varchar(255) NOT NULL,
    description text,
    is_active boolean NOT NULL DEFAULT false,
    is_locked boolean NOT NULL DEFAULT false,
    trigger_type varchar(20) NOT NULL DEFAULT 'manual',
    trigger_config json,
    nodes json NOT NULL,
    edges json NOT NULL,
    viewport json,
    settings json,
    current_version_id uuid,
    execution_count integer NOT NULL DEFAULT 0,
    last_executed_at timestamp(0),
    success_rate numeric(5,2) NOT NULL DEFAULT 0,
    {TIMESTAMPS},
    deleted_at timestamp(0)
)""",
    "workflow_versions": f"""
CREATE TABLE workflow_versions (
    {ID},
    workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    version_number integer NOT NULL,
    name varchar(255),
    description text,
    trigger_type varchar(20),
    trigger_config json,
    nodes json,
    edges json,
    viewport json,
    settings json,
    change_summary text,
    is_published boolean NOT NULL DEFAULT false,
    published_at timestamp(0),
    {TIMESTAMPS},
    UNIQUE (workflow_id, version_number)
)""",
    "nodes": f"""
CREATE TABLE nodes (
    {ID},
    type varchar(100) NOT NULL UNIQUE,
    name varchar(255) NOT NULL,
    node_kind varchar(255) NOT NULL CHECK (node_kind IN ('trigger', 'action', 'logic', 'transform')),
    credential_type varchar(100),
    config_schema json,
    is_active boolean NOT NULL DEFAULT true,
    cost_hint_usd numeric(10,4),
    latency_hint_ms integer,
    {TIMESTAMPS}
)""",
    "credentials": f"""
CREATE TABLE credentials (
    {ID},
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    type varchar(100) NOT NULL,
    name varchar(255) NOT NULL,
    data text NOT NULL DEFAULT '',
    expires_at timestamp(0),
    {TIMESTAMPS}
)""",
    "workflow_credentials": f"""
CREATE TABLE workflow_credentials (
    {ID},
    workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    credential_id uuid NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    node_id varchar(100) NOT NULL,
    {TIMESTAMPS},
    UNIQUE (workflow_id, credential_id, node_id)
)""",
    "executions": f"""
CREATE TABLE executions (
    {ID},
    workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    status varchar(255) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'waiting')),
    mode varchar(255) NOT NULL DEFAULT 'manual' CHECK (mode IN ('manual', 'webhook', 'schedule', 'retry')),
    started_at timestamp(0),
    finished_at timestamp(0),
    duration_ms integer,
    error json,
    attempt integer NOT NULL DEFAULT 1,
    max_attempts integer NOT NULL DEFAULT 1,
    parent_execution_id uuid REFERENCES executions (id) ON DELETE SET NULL,
    replay_of_execution_id uuid REFERENCES executions (id) ON DELETE SET NULL,
    is_deterministic_replay boolean NOT NULL DEFAULT false,
    {TIMESTAMPS}
)""",
    "execution_nodes": f"""
CREATE TABLE execution_nodes (
    {ID},
    execution_id uuid NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    node_id varchar(100) NOT NULL,
    node_type varchar(100) NOT NULL,
    node_name varchar(255),
    status varchar(255) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'skipped')),
    started_at timestamp(3),
    finished_at timestamp(3),
    duration_ms integer,
    error json,
    sequence integer NOT NULL DEFAULT 0,
    {TIMESTAMPS}
)""",
    "connector_call_attempts": f"""
CREATE TABLE connector_call_attempts (
    {ID},
    execution_id uuid NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    execution_node_id uuid REFERENCES execution_nodes (id) ON DELETE SET NULL,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    connector_key varchar(120) NOT NULL,
    connector_operation varchar(120) NOT NULL,
    provider varchar(255),
    attempt_no smallint NOT NULL DEFAULT 1,
    is_retry boolean NOT NULL DEFAULT false,
    status varchar(255) NOT NULL
        CHECK (status IN ('success', 'client_error', 'server_error', 'timeout', 'network_error', 'cancelled')),
    status_code smallint,
    duration_ms integer,
    request_fingerprint char(64) NOT NULL,
    idempotency_key varchar(255),
    error_code varchar(120),
    error_message text,
    meta json,
    happened_at timestamp(3) NOT NULL,
    {TIMESTAMPS}
)""",
    "connector_metrics_daily": f"""
CREATE TABLE connector_metrics_daily (
    {ID},
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    connector_key varchar(120) NOT NULL,
    connector_operation varchar(120) NOT NULL,
    day date NOT NULL,
    total_calls integer NOT NULL DEFAULT 0,
    success_calls integer NOT NULL DEFAULT 0,
    failure_calls integer NOT NULL DEFAULT 0,
    retry_calls integer NOT NULL DEFAULT 0,
    timeout_calls integer NOT NULL DEFAULT 0,
    p50_latency_ms integer,
    p95_latency_ms integer,
    p99_latency_ms integer,
    {TIMESTAMPS},
    UNIQUE (workspace_id, connector_key, connector_operation, day)
)""",
    "workspace_policies": f"""
CREATE TABLE workspace_policies (
    {ID},
    workspace_id uuid NOT NULL UNIQUE REFERENCES workspaces (id) ON DELETE CASCADE,
    enabled boolean NOT NULL DEFAULT false,
    allowed_node_types json,
    blocked_node_types json,
    allowed_ai_models json,
    blocked_ai_models json,
    max_ai_tokens integer,
    max_execution_cost_usd numeric(10,4),
    redaction_rules json,
    {TIMESTAMPS}
)""",
    "execution_runbooks": f"""
CREATE TABLE execution_runbooks (
    {ID},
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    execution_id uuid UNIQUE REFERENCES executions (id) ON DELETE CASCADE,
    severity varchar(255) NOT NULL DEFAULT 'medium' CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    title varchar(255) NOT NULL,
    summary text NOT NULL,
    content text,
    steps json NOT NULL,
    tags json,
    status varchar(255) NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
    acknowledged_by uuid REFERENCES users (id) ON DELETE SET NULL,
    acknowledged_at timestamp(0),
    resolved_at timestamp(0),
    {TIMESTAMPS}
)""",
}

LATER = (
    "ALTER TABLE workflows ADD FOREIGN KEY (current_version_id) REFERENCES workflow_versions (id) ON DELETE SET NULL",
    "CREATE INDEX ON workflows (workspace_id, is_active)",
    "CREATE INDEX ON executions (workflow_id, status)",
    "CREATE INDEX ON executions (workspace_id, created_at)",
    "CREATE INDEX ON executions (status, created_at)",
    "CREATE INDEX ON execution_nodes (execution_id)",
    "CREATE INDEX ON connector_call_attempts (workspace_id, connector_key, happened_at)",
    "CREATE INDEX ON connector_call_attempts (execution_id)",
    "CREATE INDEX ON connector_call_attempts (status, happened_at)",
    "CREATE INDEX ON execution_runbooks (workspace_id, status)",
)


def platform_tables() -> Step:
    """Create them all."""
    return Step(f"the platform's tables: {', '.join(TABLES)}", (*TABLES.values(), *LATER), tuple(TABLES))
