"""What redaction keeps, how it names what it takes, and what it costs."""

import json
import random
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.core.redaction import contains_secret, redact, redact_config
from runbooks.core.secret_names import Strength, strength_of
from tests.support.fake_secrets import SHAPED, run

ORDINARY = (
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "commit 4720193b0f86e8a09c8e5f800889844d0b6f3bb4 broke the build",
    "execution 0192f8a4-6c1e-7d30-9b5e-2f7a8c9d0e1f failed after 3 attempts",
    "order 1048576, customer cus_NffrFeUfNV2Hib, charge ch_3MmlLrLkdIwHu7ix0snN0B15",
    "http_stripe → slack_notify → output_log",
    "2026-01-02T03:04:05.678Z",
    "1735787045678",
    "db-primary-01.eu-west-1.rds.amazonaws.com:5432",
    "arn:aws:lambda:eu-west-1:123456789012:function:charge-card",
    "C02ABCDEF12 is not in channel C0123456789",
    "Get Image Keywords",
    'HTTP request failed: Get "https://api.example.com/v1/orders?page=2": dial tcp: lookup api.example.com: no host',
    "server error: status 503",
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    "Slack error: invalid_auth",
    "rate limited by Discord: retry after 1.25s, bucket a1b2c3",
    "failed to send email: 535 5.7.8 Username and Password not accepted",
    'failed to get connection: pq: password authentication failed for user "orders"',
    "Invalid token: expired",
    "The token has expired; refresh token required",
    "JWT expired at 2026-01-02T03:04:05Z",
    "Unexpected token < in JSON at position 0",
    "Unexpected token o in JSON at position 1",
    '{"errors": {"password": ["The password must be at least 8 characters."], "token": "invalid_token"}}',
    '{"error": {"code": "invalid_api_key", "type": "authentication_error", "param": null}}',
    "missing required header: X-Api-Key",
    "Authorization: header missing",
    "www-authenticate: Bearer realm=api, error=invalid_token",
    "max_tokens: 4096, prompt_tokens: 1200, completion_tokens=350",
    "nextPageToken: CAESBwoFCAEQASgB",
    "token_type=bearer expires_in=3600",
    "secret_name: prod/stripe, key_id: 42",
    "password: required, api_key: string, secret: null",
    "api_key = process.env.STRIPE_KEY",
    "const token = $json.token;",
    "headers: { Authorization: `Bearer ${token}` }",
    "Authorization: Bearer $API_TOKEN",
    "Authorization: Bearer YOUR_API_KEY",
    'curl -X POST https://api.example.com/v1/charges -u "$STRIPE_KEY:" -d amount=1000 -d currency=eur',
    "curl -H 'Authorization: Bearer <token>' https://api.example.com/health",
    "curl -sS -o /dev/null -w '%{http_code}' https://api.example.com/health",
    "See [Slack's list of errors](https://api.slack.com/methods/chat.postMessage#errors) and `chat.postMessage`.",
    "https://docs.stripe.com/error-codes#api-key-expired",
    "https://developers.google.com/sheets/api/limits?hl=en",
    "https://docs.google.com/spreadsheets/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit#gid=0",
    "https://example.com/a/b?key=value&tokens=12",
    "https://platform.openai.com/account/api-keys",
    "https://localhost:5678/webhook/orders",
    "http://user@example.com/path",
    "sentry: https://example.com:8443/x?email=ada@example.com",
    "| Key | Value |\n|---|---|\n| `api_key` | which key is used |",
    "**Check** whether the API key in *Settings → Credentials* is `Stripe live`.",
    "Rotate the secret key, then restart the workflow.",
    "The API token of the bot was revoked by ada@example.com on 3 May.",
    "SELECT id, token FROM sessions WHERE token = $1 AND expires_at > now()",
    'duplicate key value violates unique constraint "orders_pkey"\nDETAIL:  Key (id)=(4711) already exists.',
    "E11000 duplicate key error index: dbName.users.$_id_ dup key: { : ObjectId('5469eb08370fea375383e2d3') }",
    "S3 key: uploads/2026/01/02/report-4711.csv",
    "Jira key: OPS-1234",
    "cache key order:4711:status",
    "primary_key=4711 foreign_key=42",
    "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "request id req_8f3a2b1c9d0e7f6a, cf-ray 7d1e2f3a4b5c6d7e-FRA",
    "discord.com/channels/123456789012345678/234567890123456789",
    "snowflake 1234567890123456789",
    "+1 555 0100 called",
    "v2.14.3-rc.1+build.5678",
    "10.0.0.5:6379, [2001:db8::1]:443",
    "node-1, node-2 and 15 more",
    "x-ratelimit-reset: 1735787045",
    "monkey business: key-value store, key-value-pairs-2024",
    "task-scheduler-worker-3 restarted; disk-usage-report-2026 sent",
    "Basic authentication failed",
    "basic concepts of workflows",
    "a bearer of good news arrived",
    "sessions: 12, session timeout: 30s",
    "code: ECONNREFUSED, errno: -111, syscall: connect",
    "status code: 401, code=invalid_grant",
    "signature mismatch: expected sha256=<digest>",
    "ya29 is short; AKIA is a prefix; sk- too; xoxb as well",
    "ACCOUNT_SUSPENDED SKIPPED ACTION_REQUIRED",
    "Schlüssel fehlt: Passwort prüfen",
    "パスワードが無効です",
)
TEMPLATES = (
    "{{ credential.name }}",
    "{{ $json.token }}",
    "={{ $env.KEY }}",
    "=Bearer {{ $json.access_token }}",
    "Bearer {{ credential.stripe }}",
    '{{ $node["HTTP Request1"].json["token"] }}',
    "={{ $('Set Token2').item.json.api_key }}",
    "${API_KEY}",
    "$STRIPE_KEY",
    "<your token>",
    "********",
    "",
)


def test_ordinary_text_stays() -> None:
    assert len(ORDINARY) > 75
    assert [text for text in ORDINARY if redact(text) != text] == []


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("key", ["api_key", "Authorization", "password", "token", "webhook_url", "connection_string"])
def test_a_template_is_no_secret(template: str, key: str) -> None:
    assert redact_config({key: template}) == {key: template}
    assert redact(f"{key}: {template}") == f"{key}: {template}"
    assert redact(f"https://api.example.com/v1?{key}={template}") == f"https://api.example.com/v1?{key}={template}"


def test_a_secret_inside_a_template_is_taken_out() -> None:
    left = redact_config({"Authorization": "={{ 'Basic ' + $base64('robot:n0tReal') + $('Set Token2').x }}"})
    assert left == {"Authorization": "={{ 'Basic ' + $base64('<secret:authorization>') + $('Set Token2').x }}"}


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("password", Strength.PASSWORD),
        ("dbPassword", Strength.PASSWORD),
        ("SMTP_PASSWD", Strength.PASSWORD),
        ("Password1", Strength.PASSWORD),
        ("api_key", Strength.STRONG),
        ("X-API-KEY", Strength.STRONG),
        ("apiKey", Strength.STRONG),
        ("APIKey", Strength.STRONG),
        ("authToken", Strength.STRONG),
        ("aws_secret_access_key", Strength.STRONG),
        ("clientSecretValue", Strength.STRONG),
        ("Set-Cookie", Strength.STRONG),
        ("access_tokens", Strength.STRONG),
        ("secret_id", Strength.STRONG),
        ("key", Strength.WEAK),
        ("session", Strength.WEAK),
        ("token_type", Strength.NONE),
        ("passwordField", Strength.NONE),
        ("max_tokens", Strength.NONE),
        ("nextPageToken", Strength.NONE),
        ("idempotency_key", Strength.NONE),
        ("publishableKey", Strength.NONE),
        ("monkey", Strength.NONE),
        ("keyboard", Strength.NONE),
        ("secretary", Strength.NONE),
        ("compass", Strength.NONE),
        ("url", Strength.NONE),
        ("", Strength.NONE),
    ],
)
def test_names_tell_how_secret_a_value_is(name: str, strength: Strength) -> None:
    assert strength_of(name) is strength


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"api_key": "x9y8"}, {"api_key": "<secret:api_key>"}),
        ({"password": "letmein"}, {"password": "<secret:password>"}),
        ({"password": 12345678, "port": 5432, "pin": 1}, {"password": "<secret:password>", "port": 5432, "pin": 1}),
        ({"token": None, "secret": True, "api_key": ""}, {"token": None, "secret": True, "api_key": ""}),
        ({"max_tokens": 512, "key": "orders/4711"}, {"max_tokens": 512, "key": "orders/4711"}),
        (
            {"headers": [{"name": "X-Api-Key", "value": "n0tReal"}, {"name": "Accept", "value": "text/html"}]},
            {
                "headers": [
                    {"name": "X-Api-Key", "value": "<secret:x_api_key>"},
                    {"name": "Accept", "value": "text/html"},
                ]
            },
        ),
        (
            {"secrets": {"stripe": "n0tReal", "type": "vault", "list": ["a1b2"]}},
            {"secrets": {"stripe": "<secret:secrets>", "type": "vault", "list": ["<secret:secrets>"]}},
        ),
        (
            {"webhook_url": "https://chat.example.com/hooks/a/b?c=d", "path": "/a/b"},
            {"webhook_url": "https://chat.example.com/<secret:webhook_url>", "path": "/a/b"},
        ),
        (
            {"connection_string": "postgres://app:n0tReal@db.example.com:5432/orders"},
            {"connection_string": "postgres://app:<secret:password>@db.example.com:5432/orders"},
        ),
        (
            {"connection_string": "Server=db.example.com;User ID=app;Password=n0t;Encrypt=true"},
            {"connection_string": "Server=db.example.com;User ID=app;Password=<secret:password>;Encrypt=true"},
        ),
        (
            {"connection_string": "postgres://db.example.com/orders"},
            {"connection_string": "postgres://db.example.com/orders"},
        ),
        ({"connection_string": "opaque0123"}, {"connection_string": "<secret:connection_string>"}),
        ({"Authorization": "Bearer abc"}, {"Authorization": "<secret:authorization>"}),
        (
            {"credential": "Stripe live", "authentication": "headerAuth"},
            {"credential": "Stripe live", "authentication": "headerAuth"},
        ),
        ("plain text", "plain text"),
        (None, None),
    ],
)
def test_settings_are_redacted_by_the_names_of_keys(value: Any, expected: Any) -> None:
    assert redact_config(value) == expected


def test_a_known_kind_is_named_rather_than_the_key() -> None:
    key = SHAPED["stripe_live"](random.Random(1))
    assert redact_config({"api_key": key}) == {"api_key": "<secret:stripe_key>"}
    assert redact_config({"Authorization": f"Bearer {key}"}) == {"Authorization": "Bearer <secret:stripe_key>"}


def test_secrets_in_the_names_of_keys_are_taken_out() -> None:
    key = SHAPED["github_classic"](random.Random(2))
    assert redact_config({key: 1}) == {"<secret:github_token>": 1}


def test_the_same_secret_gives_the_same_placeholder() -> None:
    key = SHAPED["sendgrid"](random.Random(3))
    assert redact(f"{key} and again {key}") == "<secret:sendgrid_key> and again <secret:sendgrid_key>"


def test_the_sense_of_a_message_stays() -> None:
    key = SHAPED["openai"](random.Random(4))
    message = (
        f'POST https://api.openai.com/v1/chat/completions: 401 {{"message": "Incorrect API key provided: {key}."}}'
    )
    assert redact(message) == message.replace(key, "<secret:openai_key>")


def test_extra_rules_are_applied_in_text_and_settings() -> None:
    rules = [re.compile(r"CUST-\d+")]
    assert redact("refund for CUST-4711", rules) == "refund for <hidden:workspace_rule>"
    assert redact_config({"note": "CUST-4711"}, rules) == {"note": "<hidden:workspace_rule>"}


def test_named_fields_are_hidden_in_any_spelling() -> None:
    value = {"customerTaxId": "DE123", "nested": [{"customer_tax_id": 7, "other": 8}], "tax": "DE123"}
    assert redact_config(value, fields=["customer-tax-id"]) == {
        "customerTaxId": "<hidden:customer_tax_id>",
        "nested": [{"customer_tax_id": "<hidden:customer_tax_id>", "other": 8}],
        "tax": "DE123",
    }


def test_personal_data_goes_only_when_asked() -> None:
    text = "ask ada.lovelace@example.com or +44 20 7946 0958"
    assert redact(text) == text
    assert redact(text, personal=True) == "ask <email> or <phone>"


def test_card_numbers_are_told_from_other_long_numbers() -> None:
    assert redact("paid with 4242 4242 4242 4242") == "paid with <secret:card_number>"
    assert redact("paid with 4242424242424243") == "paid with 4242424242424243"


def test_settings_that_nest_without_end_are_cut() -> None:
    value: Any = "end"
    for _ in range(900):
        value = [value]
    assert "nested too deeply" in json.dumps(redact_config(value))


def test_the_value_given_is_not_changed() -> None:
    value = {"api_key": "n0tReal", "list": [{"password": "n0tReal"}]}
    before = json.dumps(value)
    redact_config(value)
    assert json.dumps(value) == before


@given(st.text(max_size=300))
def test_any_text_can_be_redacted_and_twice_is_as_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert contains_secret(text) == (once != text)


ASSEMBLED = st.lists(
    st.sampled_from(
        ["password", "=", ": ", '"', "'", "\\", "a1b2c3d4", "token", "://", "@", "{{", "}}", " ", "\n", "Bearer "]
    )
    | st.sampled_from(
        ["<", ">", "api_key", "user:", "Authorization", "$json.x", "&", "?", ",", ";", "basic ", "[", "eyJ", "."]
    )
    | st.text(max_size=5),
    max_size=30,
)


@given(ASSEMBLED.map("".join))
def test_text_full_of_half_secrets_is_redacted_once_and_for_all(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


HOSTILE = (
    *(
        "eyJ-",
        "sk-",
        "://a:",
        "postgres://a:b",
        "password",
        "password=",
        'token="',
        "key: ",
        'token=\\"',
        "<password>",
        "M.",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "bearer a",
        " -u a:",
        "authorization: ",
        "token={{",
        "token=${",
        "4 ",
        "token=a,",
        "a-",
    ),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    started = time.perf_counter()
    redact(piece * (200_000 // len(piece)))
    assert time.perf_counter() - started < 4


def test_thousands_of_texts_a_second() -> None:
    texts = [f"{text} ({run(random.Random(5), '0123456789abcdef', 8)})" for text in ORDINARY] * 20
    started = time.perf_counter()
    for text in texts:
        redact(text)
    assert len(texts) / (time.perf_counter() - started) > 4000


TOKEN = "a1B2c3D4" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("using password hunter22 for bob", "using password <secret:password> for bob"),
        ("The password for bob is hunter22.", "The password for bob is <secret:password>."),
        ('Login failed with password "n0tReal"', 'Login failed with password "<secret:password>"'),
        (f"API key {TOKEN} is not valid", "API key <secret:api_key> is not valid"),
        ("Incorrect API key provided: fake-key-1234", "Incorrect API key provided: <secret:api_key>"),
        ('{"password": "pa ss word"}', '{"password": "<secret:password>"}'),
        ('{"api_key": "FAKE_KEY_FOR_TESTS"}', '{"api_key": "<secret:api_key>"}'),
        ("export DB_PASSWORD=letmeinplease", "export DB_PASSWORD=<secret:db_password>"),
        ("deploy --password hunter22 --force", "deploy --password <secret:password> --force"),
        ("mysql -u root -pn0tReal shop", "mysql -u root -p<secret:password> shop"),
        ("ALTER USER app WITH PASSWORD 'n0tReal'", "ALTER USER app WITH PASSWORD '<secret:password>'"),
        ("CREATE USER x IDENTIFIED BY 'abc'", "CREATE USER x IDENTIFIED BY '<secret:password>'"),
        ("PWD={n0t;Real};Server=db", "PWD={<secret:pwd>};Server=db"),
        ("jdbc:oracle:thin:scott/tiger9@//db:1521/x", "jdbc:oracle:thin:scott/<secret:password>@//db:1521/x"),
        ("postgres://u:p@ss/w0rd@db:5432/x", "postgres://u:<secret:password>@db:5432/x"),
        ("Cookie: PHPSESSID=abcd1234; theme=dark", "Cookie: <secret:cookie>"),
        (
            'Authorization: Digest username="a", response="6629fae4"\nHost: x',
            "Authorization: Digest <secret:authorization>\nHost: x",
        ),
        (f"https://{TOKEN}@github.com/x/y.git", "https://<secret:key>@github.com/x/y.git"),
        (
            f"https://api.example.com/v1?appid={TOKEN}&q=Berlin",
            "https://api.example.com/v1?appid=<secret:appid>&q=Berlin",
        ),
        (r"{\"token\":\"" + TOKEN + r"\"}", r"{\"token\":\"<secret:token>\"}"),
        ("x-hub-signature-256: sha256=" + "ab12" * 16, "x-hub-signature-256: <secret:x_hub_signature_256>"),
    ],
)
def test_secrets_are_told_from_what_stands_around_them(text: str, expected: str) -> None:
    assert redact(text) == expected
