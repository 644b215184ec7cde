"""A thousand planted secrets of many kinds, in the places where people leave them: none survives."""

import base64
import json
import random
from collections.abc import Iterator

import pytest

from runbooks.core.redaction import contains_secret, redact, redact_config
from tests.support.fake_secrets import NAMED, SHAPED, private_key, run, uuid

# Where a secret of any kind may stand: messages, addresses, code.
ANYWHERE = (
    "{}",
    "Incorrect API key provided: {}. You can find your API key in the dashboard.",
    'request to "https://api.example.com/v1/items?limit=20" failed with {} (401)',
    "Error: credential {} was rejected; see https://docs.example.com/errors/401",
    "`{}`",
    "({}), again.",
    'const client = new Client("{}");',
    "line one\nline two {}\nline three",
    '{{{{ "{}" }}}}',
)
# Where a name announces it.
BEHIND_A_NAME = (
    "api_key={}",
    'HTTP 401 {{"error": "bad key", "apiKey": "{}", "code": 7}}',
    "https://api.example.com/v2/search?q=boots&token={}&page=2",
    "https://api.example.com/v2/search?access_token={}",
    "Authorization: Bearer {}",
    "authorization: Token {}",
    "X-Api-Key: {}",
    'request headers: {{"X-Auth-Token": "{}", "Accept": "*/*"}}',
    "AUTH_TOKEN={}\nLOG_LEVEL=debug",
    "client_secret={}&grant_type=client_credentials",
    'payload: {{\\"password\\": \\"{}\\", \\"user\\": \\"ada\\"}}',
    "Server=tcp:db.example.com,1433;User ID=app;Password={};Encrypt=true",
    "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net",
    "connection to postgres://app:{}@db.example.com:5432/orders failed",
    "curl -H 'X-Api-Key: {}' https://api.example.com",
    "curl -u admin:{} https://api.example.com",
    "db_password: '{}'",
    '{{"secret": "{}',
    "<Password>{}</Password>",
    "dsn=mysql+pymysql://root:{}@10.0.0.5/shop",
    "const secretKey = '{}';",
    "refresh_token => {}",
)
KEYS = (
    *("api_key", "apiKey", "auth_token", "password", "dbPassword", "Authorization", "X-Api-Key", "client_secret"),
    *("accessToken", "secret", "webhook_secret", "signing_secret", "privateKey", "encryption_key", "refreshToken"),
    *("PASSWORD", "bot_token", "smtp_password", "cookie", "aws_secret_access_key", "connection_string", "passphrase"),
)


def planted_in_text(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    for kind, maker in SHAPED.items():
        for frame in rng.sample(ANYWHERE, 6) + rng.sample(BEHIND_A_NAME, 6):
            secret = maker(rng)
            yield kind, secret, frame.format(secret)
    for kind, maker in NAMED.items():
        for frame in BEHIND_A_NAME:
            secret = maker(rng)
            if not ("://" in frame and "@" in frame and "#" in secret):
                yield kind, secret, frame.format(secret)


def planted_in_settings(rng: random.Random) -> Iterator[tuple[str, str, object]]:
    makers = list({**SHAPED, **NAMED}.items())
    for number in range(300):
        kind, maker = makers[number % len(makers)]
        secret, key = maker(rng), rng.choice(KEYS)
        yield (
            kind,
            secret,
            rng.choice(
                [
                    {"url": "https://api.example.com", key: secret},
                    {"headers": {key: f"Bearer {secret}"}},
                    {"headers": [{"name": key, "value": secret}]},
                    {
                        "headerParameters": {
                            "parameters": [{"name": key, "value": secret}, {"name": "Accept", "value": "x"}]
                        }
                    },
                    {"options": {"deep": [{key: {"value": secret}}]}},
                    {"body": json.dumps({"order": 7, key: secret})},
                    {key: [secret]},
                ]
            ),
        )


def test_no_planted_secret_survives_in_text() -> None:
    cases = list(planted_in_text(random.Random(1)))
    survivors = [(kind, text) for kind, secret, text in cases if secret in redact(text)]
    assert len(cases) >= 700
    assert len({kind for kind, _, _ in cases}) >= 50
    assert survivors == []


def test_no_planted_secret_survives_in_settings() -> None:
    cases = list(planted_in_settings(random.Random(2)))
    survivors = [(kind, value) for kind, secret, value in cases if secret in json.dumps(redact_config(value))]
    assert len(cases) >= 300
    assert survivors == []


def test_what_is_left_of_a_planted_secret_is_not_worth_having() -> None:
    for kind, secret, text in planted_in_text(random.Random(3)):
        left = redact(text)
        pieces = [secret[start : start + 8] for start in range(4, len(secret) - 8)]
        assert not any(piece in left for piece in pieces), (kind, text, left)


def test_detect_secrets_finds_nothing_more() -> None:
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import default_settings

    noisy = {"Hex High Entropy String", "Base64 High Entropy String", "Secret Keyword", "Public IP (ipv4)"}
    with default_settings():
        for kind, _, text in planted_in_text(random.Random(4)):
            found = {secret.type for line in redact(text).splitlines() for secret in scan_line(line)} - noisy
            assert found == set(), (kind, text)


def test_a_redacted_text_holds_no_secret() -> None:
    for kind, _, text in planted_in_text(random.Random(5)):
        assert not contains_secret(redact(text)), (kind, text, redact(text), redact(redact(text)))


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        ("https://hooks.sla" + "ck.com/services/{}/{}/{}", "hooks.slack.com/services/<secret:slack_webhook>"),
        ("https://disc" + "ord.com/api/webhooks/123456789012345678/{}{}{}", "discord.com/api/webhooks/"),
        ("https://acme.webhook.off" + "ice.com/webhookb2/{}@{}/IncomingWebhook/{}/x", "office.com/webhookb2/"),
        ("https://hooks.zap" + "ier.com/hooks/catch/{}/{}{}/", "hooks.zapier.com/hooks/catch/<secret:zapier_webhook>"),
        ("https://hook.eu1.ma" + "ke.com/{}{}{}", "hook.eu1.make.com/<secret:make_webhook>"),
        ("https://maker.ifttt.com/trigger/order/with/key/{}{}{}", "/with/key/<secret:ifttt_key>"),
        ("https://api.example.com/hooks/{}{}{}", "https://api.example.com/hooks/<secret:url_token>"),
        ("https://prod-1.westeurope.logic.azure.com/x?sp=run&sig={}{}{}", "logic.azure.com/x?sp=run&sig=<secret:sig>"),
    ],
)
def test_an_address_that_is_a_secret_keeps_its_host(frame: str, kept: str) -> None:
    rng = random.Random(6)
    parts = [run(rng, "ABCDEFGHJK0123456789", 12) for _ in range(3)]
    left = redact(f"POST {frame.format(*parts)} returned 404")
    assert kept in left
    assert not any(part in left for part in parts[1:])
    assert left.startswith("POST https://")
    assert left.endswith("returned 404")


def test_the_path_of_an_n8n_webhook_is_a_secret() -> None:
    path = uuid(random.Random(7))
    assert redact(f"https://n8n.example.com/webhook/{path}") == "https://n8n.example.com/webhook/<secret:webhook_path>"


@pytest.mark.parametrize("end", ["-----END {}-----", ""], ids=["complete", "cut off"])
@pytest.mark.parametrize("kind", ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_private_keys_are_taken_out_whole(kind: str, end: str) -> None:
    body = private_key(random.Random(8))
    text = f"could not load -----BEGIN {kind}-----\n{body}\n" + end.format(kind)
    assert redact(text).startswith("could not load <secret:private_key>")
    assert not any(line in redact(text) for line in body.splitlines())
    assert body[:64] not in redact(json.dumps({"key": text}))


def test_basic_authentication_is_taken_out_without_its_header() -> None:
    encoded = base64.b64encode(b"robot:not-a-real-one").decode()
    assert redact(f"tried Basic {encoded}") == "tried Basic <secret:basic_auth>"


def test_the_secret_key_beside_an_aws_access_key_goes_with_it() -> None:
    rng = random.Random(9)
    access, secret = SHAPED["aws_access"](rng), NAMED["aws_secret"](rng)
    assert redact(f"{access} / {secret}") == "<secret:aws_access_key> / <secret:aws_secret_key>"
