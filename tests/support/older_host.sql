-- A platform database of the older generation, as its own migrations leave it: bigserial ids, json columns.

CREATE TABLE migrations (id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch integer NOT NULL);

CREATE TABLE users (
    id bigserial PRIMARY KEY,
    first_name varchar(255) NOT NULL,
    last_name varchar(255) NOT NULL,
    email varchar(255) NOT NULL CONSTRAINT users_email_unique UNIQUE,
    created_at timestamp(0), updated_at timestamp(0)
);

CREATE TABLE workspaces (
    id bigserial PRIMARY KEY,
    name varchar(255) NOT NULL,
    slug varchar(255) NOT NULL CONSTRAINT workspaces_slug_unique UNIQUE,
    owner_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    settings json,
    created_at timestamp(0), updated_at timestamp(0)
);

CREATE TABLE workflows (
    id bigserial PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    created_by bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    description text,
    is_active boolean NOT NULL DEFAULT false,
    is_locked boolean NOT NULL DEFAULT false,
    trigger_type varchar(20) NOT NULL,
    trigger_config json,
    nodes json NOT NULL,
    edges json NOT NULL,
    viewport json,
    settings json,
    current_version_id bigint,
    execution_count integer NOT NULL DEFAULT 0,
    last_executed_at timestamp(0),
    success_rate numeric(5,2) NOT NULL DEFAULT 0,
    created_at timestamp(0), updated_at timestamp(0),
    deleted_at timestamp(0)
);
CREATE INDEX workflows_workspace_id_is_active_index ON workflows (workspace_id, is_active);

CREATE TABLE workflow_versions (
    id bigserial PRIMARY KEY,
    workflow_id bigint NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    version_number integer NOT NULL,
    name varchar(255),
    description text,
    trigger_type varchar(20) NOT NULL,
    trigger_config json,
    nodes json NOT NULL,
    edges json NOT NULL,
    viewport json,
    settings json,
    change_summary text,
    is_published boolean NOT NULL DEFAULT false,
    published_at timestamp(0),
    created_at timestamp(0), updated_at timestamp(0),
    UNIQUE (workflow_id, version_number)
);
ALTER TABLE workflows ADD FOREIGN KEY (current_version_id) REFERENCES workflow_versions (id) ON DELETE SET NULL;

CREATE TABLE nodes (
    id bigserial PRIMARY KEY,
    type varchar(100) NOT NULL CONSTRAINT nodes_type_unique UNIQUE,
    name varchar(255) NOT NULL,
    node_kind varchar(255) NOT NULL CHECK (node_kind IN ('trigger', 'action', 'logic', 'transform')),
    credential_type varchar(100),
    config_schema json NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    cost_hint_usd numeric(10,4),
    latency_hint_ms integer,
    created_at timestamp(0), updated_at timestamp(0)
);

CREATE TABLE credentials (
    id bigserial PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    type varchar(100) NOT NULL,
    data text NOT NULL,
    expires_at timestamp(0),
    created_at timestamp(0), updated_at timestamp(0)
);

CREATE TABLE workflow_credentials (
    id bigserial PRIMARY KEY,
    workflow_id bigint NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    credential_id bigint NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    node_id varchar(100) NOT NULL,
    created_at timestamp(0), updated_at timestamp(0)
);

CREATE TABLE executions (
    id bigserial PRIMARY KEY,
    workflow_id bigint NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    workspace_id bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    status varchar(255) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'waiting')),
    mode varchar(255) NOT NULL CHECK (mode IN ('manual', 'webhook', 'schedule', 'retry')),
    started_at timestamp(0),
    finished_at timestamp(0),
    duration_ms integer,
    error json,
    attempt integer NOT NULL DEFAULT 1,
    max_attempts integer NOT NULL DEFAULT 1,
    parent_execution_id bigint REFERENCES executions (id) ON DELETE SET NULL,
    replay_of_execution_id bigint REFERENCES executions (id) ON DELETE SET NULL,
    is_deterministic_replay boolean NOT NULL DEFAULT false,
    created_at timestamp(0), updated_at timestamp(0)
);
CREATE INDEX executions_workflow_id_status_index ON executions (workflow_id, status);

CREATE TABLE execution_nodes (
    id bigserial PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
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
    created_at timestamp(0), updated_at timestamp(0)
);
CREATE INDEX execution_nodes_execution_id_index ON execution_nodes (execution_id);

CREATE TABLE connector_call_attempts (
    id bigserial PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    execution_node_id bigint REFERENCES execution_nodes (id) ON DELETE SET NULL,
    workspace_id bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id bigint NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
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
    created_at timestamp(0), updated_at timestamp(0)
);
CREATE INDEX cca_workspace_connector_index ON connector_call_attempts (workspace_id, connector_key, happened_at);
CREATE INDEX cca_execution_id_index ON connector_call_attempts (execution_id);
CREATE INDEX cca_status_happened_at_index ON connector_call_attempts (status, happened_at);

CREATE TABLE connector_metrics_daily (
    id bigserial PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
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
    created_at timestamp(0), updated_at timestamp(0),
    UNIQUE (workspace_id, connector_key, connector_operation, day)
);

CREATE TABLE workspace_policies (
    id bigserial PRIMARY KEY,
    workspace_id bigint NOT NULL UNIQUE REFERENCES workspaces (id) ON DELETE CASCADE,
    enabled boolean NOT NULL DEFAULT false,
    allowed_node_types json,
    blocked_node_types json,
    allowed_ai_models json,
    blocked_ai_models json,
    max_execution_cost_usd numeric(10,4),
    max_ai_tokens integer,
    redaction_rules json,
    created_at timestamp(0), updated_at timestamp(0)
);

CREATE TABLE execution_runbooks (
    id bigserial PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id bigint NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    execution_id bigint NOT NULL CONSTRAINT execution_runbooks_execution_id_unique UNIQUE
        REFERENCES executions (id) ON DELETE CASCADE,
    severity varchar(255) NOT NULL DEFAULT 'medium'
        CONSTRAINT execution_runbooks_severity_check CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    title varchar(255) NOT NULL,
    summary text NOT NULL,
    steps json NOT NULL,
    tags json,
    status varchar(255) NOT NULL DEFAULT 'open'
        CONSTRAINT execution_runbooks_status_check CHECK (status IN ('open', 'acknowledged', 'resolved')),
    acknowledged_by bigint REFERENCES users (id) ON DELETE SET NULL,
    acknowledged_at timestamp(0),
    resolved_at timestamp(0),
    created_at timestamp(0), updated_at timestamp(0)
);
CREATE INDEX execution_runbooks_workspace_id_status_index ON execution_runbooks (workspace_id, status);
CREATE INDEX execution_runbooks_workflow_id_created_at_index ON execution_runbooks (workflow_id, created_at);

-- Rows. Workflow 1 has a history, 2 runs what its version says, 3 is paused, 4 deleted, 5 another workspace's.

INSERT INTO migrations (migration, batch) VALUES ('create_execution_runbooks_table', 1);

INSERT INTO users (first_name, last_name, email) VALUES
    ('Ada', 'Moreau', 'ada@example.com'), ('Ben', 'Okafor', 'ben@example.com');

INSERT INTO workspaces (name, slug, owner_id, settings) VALUES
    ('Shop', 'shop', 1, '{"timezone": "Europe/Paris"}'), ('Sales', 'sales', 2, NULL);

INSERT INTO nodes (type, name, node_kind, credential_type, config_schema) VALUES
    ('action_http_request', 'HTTP request', 'action', NULL, '{}'),
    ('integration_stripe', 'Stripe', 'action', 'stripe_api', '{}');

INSERT INTO workflows (workspace_id, created_by, name, is_active, trigger_type, nodes, edges, execution_count,
                       created_at, updated_at, deleted_at)
VALUES
    (1, 1, 'Order Processing Pipeline', true, 'webhook',
     '[{"id": "trigger_1", "type": "trigger_webhook"},
       {"id": "http_stripe", "type": "action_http_request", "position": {"x": 10, "y": 20}, "data": {"label": "Charge",
        "config": {"url": "https://api.stripe.com/v1/charges", "method": "POST",
                   "headers": {"Authorization": "Bearer sk_test_notarealkey"}}}}]',
     '[{"id": "e1", "source": "trigger_1", "target": "http_stripe"}]', 4, '2026-03-01 08:00', '2026-03-01 08:00', NULL),
    (1, 1, 'Nightly Export', true, 'schedule', '[]', '[]', 0, '2026-03-01 08:00', '2026-03-01 08:00', NULL),
    (1, 1, 'Paused', false, 'manual', '[{"id": "1", "type": "trigger_manual"}]', '[]', 0, NULL, NULL, NULL),
    (1, 1, 'Deleted', true, 'manual', '[{"id": "1", "type": "trigger_manual"}]', '[]', 0, NULL, NULL, '2026-03-02 08:00'),
    (2, 2, 'Lead Sync', true, 'webhook',
     '[{"id": "1", "type": "trigger_webhook"},
       {"id": "4", "type": "action_slack_message", "config": {"channel": "#leads", "text": "{{ trigger.body.email }}"}}]',
     '[{"id": "e1", "source": "1", "target": "4"}]', 0, '2026-03-01 08:00', '2026-03-01 08:00', NULL);

INSERT INTO workflow_versions (workflow_id, version_number, trigger_type, nodes, edges, is_published, published_at)
VALUES (2, 1, 'schedule',
        '[{"id": "1", "type": "trigger_schedule"},
          {"id": "2", "type": "storage", "config": {"provider": "s3", "bucket": "exports", "key": "today.csv"}}]',
        '[{"id": "e1", "source": "1", "target": "2"}]', true, '2026-03-01 09:00');
UPDATE workflows SET current_version_id = 1 WHERE id = 2;

INSERT INTO credentials (workspace_id, name, type, data) VALUES (1, 'Stripe live', 'stripe_api', 'encrypted');
INSERT INTO workflow_credentials (workflow_id, credential_id, node_id) VALUES (1, 1, 'http_stripe');

INSERT INTO workspace_policies (workspace_id, enabled, blocked_ai_models) VALUES (2, true, '["gpt-blocked"]');

-- Executions 1 and 4 completed, 2 failed, 3 is a replay of 2.
INSERT INTO executions (workflow_id, workspace_id, status, mode, started_at, finished_at, duration_ms, error,
                        replay_of_execution_id, is_deterministic_replay, created_at)
SELECT 1, 1, status, 'webhook', at, at + interval '1 second', 1000, CAST(error AS json), replay_of, replay, at
FROM (VALUES
    ('completed', 5, NULL, NULL, false),
    ('failed', 4, '{"message": "context deadline exceeded"}', NULL, false),
    ('failed', 3, '{"message": "MISSING_REPLAY_FIXTURE"}', 2, true),
    ('completed', 2, NULL, NULL, false)
) AS given (status, days_ago, error, replay_of, replay),
LATERAL (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => days_ago) AS at) AS times;

INSERT INTO execution_nodes (execution_id, node_id, node_type, node_name, status, started_at, finished_at, duration_ms,
                             error, sequence)
SELECT id, 'http_stripe', 'action_http_request', 'Charge', status, started_at, finished_at, duration_ms, error, 1
FROM executions ORDER BY id;

INSERT INTO connector_call_attempts (execution_id, execution_node_id, workspace_id, workflow_id, connector_key,
                                     connector_operation, provider, status, status_code, duration_ms,
                                     request_fingerprint, error_code, error_message, meta, happened_at)
SELECT e.id, e.id, 1, 1, 'action_http_request', 'request', 'http', given.status, status_code, ms, repeat('a', 64), code,
       message, CAST(meta AS json), e.started_at
FROM (VALUES
    (1, 'success', 200, 240, NULL, NULL, '{}'),
    (2, 'timeout', NULL, 30000, 'HTTP_TIMEOUT', 'context deadline exceeded', '{}'),
    (2, 'timeout', NULL, 30000, 'HTTP_TIMEOUT', 'context deadline exceeded', '{}'), -- arrived twice
    (3, 'client_error', NULL, 1, 'MISSING_REPLAY_FIXTURE', 'no fixture', '{"replay_mode": true}'),
    (4, 'success', 200, 310, NULL, NULL, NULL)
) AS given (execution, status, status_code, ms, code, message, meta) JOIN executions e ON e.id = given.execution
ORDER BY e.id;

INSERT INTO connector_metrics_daily (workspace_id, connector_key, connector_operation, day, total_calls, success_calls,
                                     failure_calls, timeout_calls, p50_latency_ms, p95_latency_ms, p99_latency_ms)
SELECT 1, 'action_http_request', 'request', happened_at::date, count(*), count(*) FILTER (WHERE status = 'success'),
       count(*) FILTER (WHERE status <> 'success'), count(*) FILTER (WHERE status = 'timeout'), 240, 30000, 30000
FROM connector_call_attempts GROUP BY happened_at::date;

-- The platform's own runbook of the failed execution; open again after it was resolved.
INSERT INTO execution_runbooks (workspace_id, workflow_id, execution_id, severity, title, summary, steps, tags,
                                resolved_at, created_at, updated_at)
VALUES (1, 1, 2, 'high', 'Execution Failure Runbook', 'The execution failed at http_stripe.',
        '[{"title": "Check the node", "description": "Open http_stripe."}]',
        '["auto-generated", "execution-failure", "action_http_request"]',
        '2026-03-02 10:00', '2026-03-02 09:00', '2026-03-02 11:00');
