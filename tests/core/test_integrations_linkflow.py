"""Which LinkFlow nodes call something outside, whom, and what is told of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.definition import parse_definition
from runbooks.core.integration import Authentication, Integration
from runbooks.core.integrations import NodeCatalogueEntry, extract_integrations

LISTED = {
    "acme_lookup": NodeCatalogueEntry("Acme Lookup", "action", "acme_api"),
    "trigger_acme": NodeCatalogueEntry("Acme Events", "trigger", "acme_api"),
    "billing_push": NodeCatalogueEntry("Push invoice", "action", "stripe_key"),
    "logic_plain": NodeCatalogueEntry("Plain", "logic", None),
}


def found_in(*nodes: dict[str, Any], **rest: Any) -> dict[str, Integration]:
    workflow = parse_definition({"name": "w", "nodes": list(nodes), "edges": [], **rest})
    found = extract_integrations(workflow, knowledge=load_node_knowledge(), node_catalogue=LISTED)
    return {one.node_key: one for one in found}


def node(node_type: str, key: str = "n", **config: Any) -> dict[str, Any]:
    return {"id": key, "type": node_type, "data": {"config": config, "label": "A step"}}


def one(node_type: str, **config: Any) -> Integration:
    return found_in(node(node_type, **config))["n"]


@pytest.mark.parametrize(
    "node_type",
    """
    trigger_manual trigger_webhook trigger_schedule trigger_event logic_condition condition logic_delay delay logic_loop
    loop action_approval transform_set transform_filter transform_code transform transform_new code action_script
    output_log workflow logic_plain frobnicate
    """.split(),  # noqa: SIM905 - a list of words
)
def test_what_stays_inside_the_platform_is_no_integration(node_type: str) -> None:
    assert found_in(node(node_type)) == {}


@pytest.mark.parametrize(
    ("node_type", "service", "slug", "kind"),
    [
        ("slack", "Slack", "slack", "messaging"),
        ("action_slack", "Slack", "slack", "messaging"),
        ("action_slack_message", "Slack", "slack", "messaging"),
        ("discord", "Discord", "discord", "messaging"),
        ("action_discord", "Discord", "discord", "messaging"),
        ("twilio", "Twilio", "twilio", "messaging"),
        ("action_twilio", "Twilio", "twilio", "messaging"),
        ("email", "Email (SMTP)", "smtp", "email"),
        ("action_email", "Email (SMTP)", "smtp", "email"),
        ("action_send_email", "Email (SMTP)", "smtp", "email"),
        ("database_postgres", "Postgres", "postgres", "database"),
        ("database_mysql", "MySQL", "mysql", "database"),
        ("integration_stripe", "Stripe API", "stripe", "payments"),
        ("integration_github", "GitHub", "github", "developer"),
        ("integration_google_sheets", "Google Sheets", "google_sheets", "spreadsheet"),
        ("integration_hubspot", "HubSpot", "hubspot", "crm"),
        ("action_notion", "Notion", "notion", "productivity"),
    ],
)
def test_what_calls_a_service_is_an_integration(node_type: str, service: str, slug: str, kind: str) -> None:
    integration = one(node_type)
    assert (integration.service, integration.service_id, integration.kind) == (service, slug, kind)


def test_an_unknown_integration_type_is_external_and_named_by_itself() -> None:
    integration = one("integration_acme_erp", operation="push_order")
    assert (integration.service, integration.operation, integration.kind) == ("Acme Erp", "push_order", "other")


def test_a_listed_type_with_a_credential_is_external() -> None:
    assert one("acme_lookup").service == "Acme Lookup"
    assert one("trigger_acme").direction == "inbound"
    assert one("billing_push").service_id == "stripe"


def test_a_charge_by_http_is_named_after_stripe() -> None:
    integration = found_in(
        node(
            "action_http_request",
            "http_stripe",
            url="https://api.stripe.com/v1/charges/{{ trigger.body.charge_id }}?expand[]=x",
            method="post",
            headers={"Authorization": "Bearer {{ credential.stripe_live }}"},
        )
    )["http_stripe"]
    assert (integration.service, integration.service_id, integration.kind) == ("Stripe API", "stripe", "payments")
    assert integration.operation == "POST /v1/charges/{charge_id}"
    assert (integration.host, integration.timeout_s) == ("api.stripe.com", 30)
    assert (integration.authentication, integration.credential) == (Authentication.TOKEN, "stripe_live")
    assert not integration.inline_secret
    assert integration.repeats == ("http_stripe",)


def test_the_node_s_own_limit_goes_before_the_workflow_s_and_that_before_the_platform_s() -> None:
    settings = {"timeout": {"node": 50}, "retry": {"enabled": True, "max_attempts": 4}}
    found = found_in(
        node("http_request", "own", url="https://example.com", timeout=5),
        node("http_request", "default", url="https://example.com"),
        settings=settings,
    )
    assert (found["own"].timeout_s, found["default"].timeout_s) == (5, 50)
    assert found["own"].max_attempts == 4


def test_a_database_is_told_by_its_connection_string_which_is_not_shown() -> None:
    integration = one(
        "database",
        connection_string="mysql://svc:fake-pass@db.example.com:3306/orders",
        operation="execute",
        query="INSERT INTO orders VALUES (1)",
    )
    assert (integration.service, integration.service_id, integration.host) == ("MySQL", "mysql", "db.example.com")
    assert (integration.operation, integration.access) == ("execute insert", "write")
    assert (integration.authentication, integration.inline_secret) == (Authentication.CONNECTION_STRING, True)
    assert "fake-pass" not in integration.model_dump_json()


def test_a_named_connection_is_the_credential() -> None:
    integration = one("database_postgres", connection_name="orders-db", query="select 1")
    assert (integration.credential, integration.access, integration.inline_secret) == ("orders-db", "read", False)


def test_local_storage_is_no_integration_and_a_bucket_is() -> None:
    assert found_in(node("storage", provider="local")) == {}
    assert found_in(node("storage")) == {}
    assert one("storage", provider="s3", bucket="b", operation="put").service == "AWS S3"


@pytest.mark.parametrize(
    ("config", "service", "host"),
    [
        ({"provider": "openai", "model": "some-model"}, "OpenAI", "api.openai.com"),
        ({"provider": "anthropic"}, "Anthropic", "api.anthropic.com"),
        ({"provider": "custom", "endpoint": "https://openrouter.ai/api"}, "OpenRouter", "openrouter.ai"),
        ({"provider": "custom", "endpoint": "http://10.0.0.5:8000/v1"}, "internal service 10.0.0.5", "10.0.0.5"),
        ({"provider": "custom", "endpoint": "{{ credential.llm }}"}, "AI model", None),
    ],
)
def test_an_ai_node_is_named_by_its_provider_or_endpoint(
    config: dict[str, Any], service: str, host: str | None
) -> None:
    integration = one("action_ai", **config)
    assert (integration.service, integration.host, integration.kind) == (service, host, "ai_model")
    assert integration.access == "read"


def test_a_mail_server_keeps_the_slug_of_smtp_whoever_runs_it() -> None:
    integration = one("action_send_email", host="smtp.gmail.com", username="a@example.com", password="fake-pass-1")
    assert (integration.service, integration.service_id, integration.host) == ("Gmail (SMTP)", "smtp", "smtp.gmail.com")
    assert (integration.authentication, integration.inline_secret) == (Authentication.BASIC, True)


@pytest.mark.parametrize(
    ("node_type", "config"),
    [
        ("twilio", {"account_sid": "ACfake", "auth_token": "fake0123456789abcdef"}),
        ("ai", {"provider": "openai", "api_key": "sk-proj-fake0123456789abcdefFAKE"}),
        ("slack", {"token": "xoxb-0123456789-fakefakefakefake"}),
        ("slack", {"webhook_url": "https://hooks.slack.com/services/T0FAKE000/B0FAKE000/fakeFAKE0123456789fakeFA"}),
        ("http_request", {"url": "https://example.com", "headers": {"X-Api-Key": "fake0123456789abcdef"}}),
        ("http_request", {"url": "https://example.com", "query_params": {"api_key": "fake0123456789abcdef"}}),
    ],
)
def test_a_secret_in_the_settings_is_seen_and_not_shown(node_type: str, config: dict[str, Any]) -> None:
    integration = one(node_type, **config)
    assert integration.inline_secret
    assert "fake0123" not in integration.model_dump_json()
    assert "fakefake" not in integration.model_dump_json().lower()


def test_a_templated_secret_is_a_credential_and_no_inline_secret() -> None:
    integration = one("twilio", account_sid="ACfake", auth_token="{{ credential.twilio_main }}")
    assert (integration.credential, integration.inline_secret) == ("twilio_main", False)


def test_an_unknown_type_with_an_address_is_a_call() -> None:
    assert one("action_frobnicate", url="https://api.example.com/x").service == "example.com"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.just("{{ credential.x }}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    "url method headers query_params connection_string provider endpoint host operation query webhook_url".split()  # noqa: SIM905
)
TYPES = st.sampled_from(
    ["action_http_request", "database", "ai", "storage", "email", "slack", "integration_x", "acme_lookup", "", "twilio"]
)


@given(st.lists(st.tuples(TYPES, st.dictionaries(FIELDS, JSON, max_size=6)), min_size=1, max_size=4))
def test_no_malformed_definition_breaks_the_analysis(nodes: list[tuple[str, dict[str, Any]]]) -> None:
    documents = [node(node_type, f"n{number}", **config) for number, (node_type, config) in enumerate(nodes)]
    for key, integration in found_in(*documents).items():
        assert key.startswith("n")
        assert integration.service
