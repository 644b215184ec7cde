"""Secrets that are known by their own shape: vendors' keys, tokens, webhook addresses, private keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter


@dataclass(frozen=True)
class Shape:
    """One kind of secret. Group `keep`, where there is one, stays in front of the placeholder."""

    kind: str
    literals: tuple[str, ...]
    """One of them, in lower case, is in every text that has the secret: most texts cost no regular expression."""
    pattern: re.Pattern[str]
    length: int = 0
    """Of the word, the literal included, that such a secret is in at the least; 0 where it may be in several words."""


_length = attrgetter("length")

_START = r"(?<![A-Za-z0-9])"
_TAIL = r"[A-Za-z0-9_-]"
_BASE64_END = r"={0,2}(?![\w=])"


def _shape(kind: str, literals: str, pattern: str, flags: int = 0, *, length: int = 0) -> Shape:
    return Shape(kind, tuple(literals.split()), re.compile(pattern, flags), length)


def _token(kind: str, literals: str, prefix: str, least: int = 16, tail: str = _TAIL) -> Shape:
    """A prefix that no ordinary word has, and a run of characters; bounded, so that hostile text stays cheap."""
    return _shape(kind, literals, f"{_START}{prefix}{tail}{{{least},512}}", length=least)


PRIVATE_KEY = _shape(
    "private_key",
    "-----begin",
    r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END \1-----|\Z)",
    re.DOTALL,
)

TOKENS = (
    _token("anthropic_key", "sk-ant-", "sk-ant-", 8),
    _token("openrouter_key", "sk-or-", "sk-or-", 12),
    _shape(
        "openai_key",
        "sk-",
        rf"{_START}sk-(?:(?=[\w-]{{0,120}}[0-9A-Z])[\w-]{{16,512}}|[A-Za-z0-9]{{20,512}})",
        length=19,
    ),
    _token("stripe_key", "sk_live_ sk_test_ rk_live_ rk_test_", "[sr]k_(?:live|test)_", 6),
    _token("webhook_secret", "whsec_", "whsec_", 8, "[A-Za-z0-9+/=_-]"),
    _token("aws_access_key", "akia asia abia acca a3t", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)", 12, "[A-Z0-9]"),
    _token("github_token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", "(?:gh[pousr]|github_pat)_"),
    _token(
        "gitlab_token", "gl", r"(?:gl(?:pat|dt|ft|soat|rt|ptt|imt|agent|oas|rtr|ffct)-|glcbt-|GR1348941)", 16, r"[\w.-]"
    ),
    _token("slack_token", "xox xapp-", r"(?:xoxe?(?:\.xox)?[a-z]|xapp-\d)-", 8),
    _token("google_api_key", "aiza", "AIza", 30),
    _token("google_oauth_token", "ya29.", r"ya29\.", 12, r"[\w.-]"),
    _token("google_refresh_token", "1//", "1//0"),
    _token("google_client_secret", "gocspx-", "GOCSPX-", 12),
    _shape("twilio_key", "ac sk", rf"{_START}(?:AC|SK)[0-9a-f]{{32}}(?![0-9a-f])", length=34),
    _shape("sendgrid_key", "sg.", rf"{_START}SG\.[\w-]{{10,100}}\.[\w-]{{10,100}}", length=24),
    _shape("telegram_token", ":aa", r"(?<!\d)\d{8,10}:AA[\w-]{30,40}", length=41),
    _token("notion_token", "secret_ ntn_", "(?:secret|ntn)_", 24, "[A-Za-z0-9]"),
    _shape("airtable_token", "pat", rf"{_START}pat[A-Za-z0-9]{{14}}\.[0-9a-f]{{32,80}}", length=50),
    _shape(
        "airtable_key",
        "key",
        rf"{_START}key(?=[A-Za-z0-9]{{0,13}}\d)(?=[A-Za-z0-9]{{0,13}}[A-Z])[A-Za-z0-9]{{14}}(?!\w)",
        length=17,
    ),
    _token("hubspot_token", "pat-", r"pat-[a-z]{2}\d-", 20, "[0-9a-fA-F-]"),
    _token("shopify_token", "shpat_ shpca_ shppa_ shpss_", "shp(?:at|ca|pa|ss)_", 16, "[A-Za-z0-9]"),
    _token("npm_token", "npm_", "npm_", 24, "[A-Za-z0-9]"),
    _token("mailgun_key", "key-", "key-", 24, "[0-9a-z]"),
    _shape("mailgun_key", "-", rf"{_START}[0-9a-f]{{32}}-[0-9a-f]{{8}}-[0-9a-f]{{8}}(?!\w)", length=50),
    _shape("mailchimp_key", "-us", rf"{_START}[0-9a-z]{{32}}-us\d{{1,2}}(?!\w)", length=36),
    _token("pypi_token", "pypi-", "pypi-", 40),
    _shape("discord_token", ".", rf"{_START}[MNO][\w-]{{23,27}}\.[\w-]{{6}}\.[\w-]{{27,40}}(?![\w-])", length=59),
    _token("digitalocean_token", "_v1_", "do[opr]_v1_", 32, "[0-9a-f]"),
    _token("square_token", "sq0", "sq0[a-z]{3}-", 20),
    _token("meta_token", "eaa", "EAA", 40),
    _token("huggingface_token", "hf_", "hf_", 20, "[A-Za-z0-9]"),
    _token("replicate_token", "r8_", "r8_", 20, "[A-Za-z0-9]"),
    _token("groq_key", "gsk_", "gsk_", 20, "[A-Za-z0-9]"),
    _token("perplexity_key", "pplx-", "pplx-", 20, "[A-Za-z0-9]"),
    _token("xai_key", "xai-", "xai-", 32, "[A-Za-z0-9]"),
    _token("tavily_key", "tvly-", "tvly-"),
    _token("pinecone_key", "pcsk_", "pcsk_", 20),
    _token("langsmith_key", "lsv2_", "lsv2_(?:pt|sk)_", 20),
    _token("elevenlabs_key", "sk_", "sk_", 32, "[0-9a-f]"),
    _token("firecrawl_key", "fc-", "fc-", 32, "[0-9a-f]"),
    _token("apify_token", "apify_api_", "apify_api_", 16, "[A-Za-z0-9]"),
    _token("linear_key", "lin_api_ lin_oauth_", "lin_(?:api|oauth)_"),
    _token("postman_key", "pmak-", "PMAK-", 20),
    _token("dropbox_token", "sl.", r"sl\.(?:u\.)?", 40),
    _token("atlassian_token", "atatt3 atctt3", "AT[AC]TT3", 20, "[A-Za-z0-9_=-]"),
    _token("figma_token", "figd_", "figd_", 20),
    _token("databricks_token", "dapi", "dapi", 32, "[0-9a-f]"),
    _token("newrelic_key", "nrak-", "NRAK-", 20, "[A-Z0-9]"),
    _token("sentry_token", "sntry", "sntry[su]_", 20, "[A-Za-z0-9_=+/-]"),
    _token("vault_token", "hvs. hvb. hvr.", r"hv[sbr]\.", 20),
    _token("doppler_token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?", 30, "[A-Za-z0-9]"),
    _token("grafana_token", "glsa_ glc_", "gl(?:sa|c)_", 20, "[A-Za-z0-9_=+/]"),
    _shape("asana_token", "/", rf"{_START}[0-2]/\d{{12,20}}(?:/\d{{12,20}})?:[0-9a-f]{{32}}", length=47),
    _token("clickup_token", "pk_", r"pk_\d{4,12}_", 20, "[A-Z0-9]"),
    _token("typeform_token", "tfp_", "tfp_", 30, r"[\w.=-]"),
    _token("brevo_key", "xkeysib- xsmtpsib-", "x(?:key|smtp)sib-", 32),
    _token("resend_key", "re_", "re_[A-Za-z0-9]{8}_", 16, "[A-Za-z0-9]"),
    _token("supabase_key", "sbp_ sb_secret_", "(?:sbp|sb_secret)_", 20),
    _token("planetscale_token", "pscale_", "pscale_(?:tkn|pw|oauth)_", 20, r"[\w.-]"),
    _shape("azure_secret", "q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}", length=37),
    _token("zoho_token", "1000.", r"1000\.[0-9a-f]{32}\.", 32, "[0-9a-f]"),
    _token("plaid_token", "access-", "access-(?:sandbox|development|production)-", 30, "[0-9a-f-]"),
    _token("flutterwave_key", "flwseck", "FLWSECK(?:_TEST)?-", 12),
    _token("netlify_token", "nfp_", "nfp_", 30, "[A-Za-z0-9]"),
    _token("age_key", "age-secret-key-", "AGE-SECRET-KEY-1", 40, "[A-Z0-9]"),
    _shape(
        "jwt", "eyj", r"(?<![A-Za-z0-9_-])eyJ[\w-]{6,4096}\.[\w-]{4,8192}(?:\.[\w-]{0,4096})?(?:\.[\w-]{0,4096}){0,2}"
    ),
    _shape(
        "bearer_token",
        "bearer",
        rf"(?i)(?P<keep>\bbearer\s{{1,3}})(?=[\w.~+/-]{{0,256}}\d)[\w.~+/-]{{8,4096}}{_BASE64_END}",
    ),
    _shape(
        "bearer_token",
        "bearer",
        rf"(?P<keep>\b[Bb]earer\s{{1,3}})(?=[\w.~+/-]{{0,256}}[a-z])[\w.~+/-]{{16,4096}}{_BASE64_END}",
    ),
)

ADDRESSES = (
    _shape(
        "slack_webhook",
        "hooks.slack.com",
        r"(?i)(?P<keep>hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)[\w/-]{8,200}",
    ),
    _shape(
        "discord_webhook",
        "/webhooks/",
        r"(?i)(?P<keep>discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{1,24}/)[\w-]{8,200}",
    ),
    _shape("teams_webhook", "/webhook", r"(?i)(?P<keep>(?:office\.com|office365\.com)/webhook(?:b2)?/)[\w@/-]{8,400}"),
    _shape("power_automate_webhook", "/workflows/", r"(?i)(?P<keep>/workflows/)[0-9a-f]{32}(?![0-9a-f])"),
    _shape(
        "zapier_webhook", "hooks.zapier.com", r"(?i)(?P<keep>hooks\.zapier\.com/hooks/(?:catch|standard)/)[\w/-]{4,100}"
    ),
    _shape(
        "make_webhook",
        "hook.",
        r"(?i)(?P<keep>hook\.(?:[a-z0-9-]{1,20}\.)?(?:make|integromat)\.com/)[\w-]{12,100}",
    ),
    _shape(
        "webhook_path",
        "webhook",
        r"(?i)(?P<keep>/webhook(?:-test|-waiting)?/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    ),
    _shape("airtable_webhook", "hooks.airtable.com", r"(?i)(?P<keep>hooks\.airtable\.com/workflows/)[\w/-]{8,200}"),
    _shape("ifttt_key", "/with/key/", r"(?i)(?P<keep>/with/key/)[\w-]{8,100}"),
    _shape("pagerduty_key", "/integration/", r"(?i)(?P<keep>/integration/)[0-9a-f]{32}"),
    _shape("pipedream_webhook", "pipedream.net", r"(?i)(?P<keep>://)[a-z0-9]{10,40}(?=\.m\.pipedream\.net)"),
    _shape("webhook_path", "webhook.site", r"(?i)(?P<keep>webhook\.site/)[0-9a-f-]{30,40}"),
    _shape(
        "url_token",
        "://",
        r"(?i)(?P<keep>/(?:web)?(?:hooks?|token|key|api[_-]?key|secret|catch)/)"
        r"(?=[\w-]{0,60}\d)(?=[\w-]{0,60}[a-z])[\w-]{20,200}",
    ),
)

SHAPES = (PRIVATE_KEY, *ADDRESSES, *TOKENS)
_BY_LENGTH = tuple((length, tuple(shapes)) for length, shapes in groupby(sorted(SHAPES, key=_length), key=_length))

# detect-secrets knows these vendors, too. Its import takes 0.1 to 0.3 s, so it waits for a text that names one.
_DETECTORS = {
    "artifactory": ("ArtifactoryDetector", ("artifactory", "jfrog", "akc")),
    "cloudant": ("CloudantDetector", ("cloudant",)),
    "ibm_cloud_iam": ("IbmCloudIamDetector", ("ibm",)),
    "ibm_cos_hmac": ("IbmCosHmacDetector", ("ibm", "cos_", "cos-")),
    "softlayer": ("SoftlayerDetector", ("softlayer",)),
    "azure_storage_key": ("AzureStorageKeyDetector", ("accountkey=",)),
}


def shapes_in(lowered: str) -> list[Shape]:
    """The shapes of which a text, given in lower case, may hold one.

    The longer a secret, the fewer words it can be in: in prose next to nothing is left to search for most shapes.
    """
    found: set[Shape] = set()
    words, text = lowered.split(), lowered
    for length, shapes in _BY_LENGTH:
        if length:
            words = [word for word in words if len(word) >= length]
            text = " ".join(words)
        if not words:
            break
        found.update(shape for shape in shapes if any(map(text.__contains__, shape.literals)))
    return [shape for shape in SHAPES if shape in found] if found else []


def detectors_in(lowered: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Kind and pattern of the rarer vendors that a text, given in lower case, names."""
    for module, (name, literals) in _DETECTORS.items():
        if any(literal in lowered for literal in literals):
            yield from ((module, pattern) for pattern in _patterns(module, name))


@cache
def _patterns(module: str, name: str) -> tuple[re.Pattern[str], ...]:
    from importlib import import_module

    return tuple(getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist)
