"""Fake secrets of many kinds, put together at run time so that no scanner takes this file for a leak."""

import base64
import random
import string
from collections.abc import Callable

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
URLSAFE = ALNUM + "-_"

Maker = Callable[[random.Random], str]


def run(rng: random.Random, alphabet: str, length: int) -> str:
    """A run of characters with at least one digit and one letter in it, as generated secrets have."""
    while True:
        text = "".join(rng.choice(alphabet) for _ in range(length))
        if any(map(str.isdigit, text)) and any(map(str.isalpha, text)) and text[0] not in "-_" and text[-1] not in "-_":
            return text


def prefixed(prefix: str, alphabet: str, length: int) -> Maker:
    """A maker of secrets with a vendor's prefix."""
    return lambda rng: prefix + run(rng, alphabet, length)


def uuid(rng: random.Random) -> str:
    """A UUID in lower case."""
    return "-".join(run(rng, HEX, length) for length in (8, 4, 4, 4, 12))


def json_web_token(rng: random.Random) -> str:
    """Three parts, the first two of them base64 of JSON."""
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    payload = base64.urlsafe_b64encode(f'{{"sub":"{rng.randrange(10**9)}"}}'.encode()).decode().rstrip("=")
    return f"{header}.{payload}.{run(rng, URLSAFE, 43)}"


def card_number(rng: random.Random) -> str:
    """Sixteen digits that pass the Luhn check."""
    digits = [4] + [rng.randrange(10) for _ in range(14)]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    return "".join(map(str, [*digits, -sum(doubled) % 10]))


def private_key(rng: random.Random) -> str:
    """The body of a PEM block."""
    return "\n".join(run(rng, ALNUM + "+/", 64) for _ in range(6))


# Known by their own shape: they are found wherever they stand.
SHAPED: dict[str, Maker] = {
    "stripe_live": prefixed("sk_" + "live_", ALNUM, 24),
    "stripe_test": prefixed("sk_" + "test_", ALNUM, 99),
    "stripe_restricted": prefixed("rk_" + "live_", ALNUM, 24),
    "stripe_webhook": prefixed("whs" + "ec_", ALNUM, 32),
    "openai": prefixed("s" + "k-", ALNUM, 48),
    "openai_project": prefixed("sk-" + "proj-", URLSAFE, 74),
    "anthropic": prefixed("sk-" + "ant-api03-", URLSAFE, 95),
    "openrouter": prefixed("sk-" + "or-v1-", HEX, 64),
    "aws_access": prefixed("AK" + "IA", UPPER, 16),
    "aws_temporary": prefixed("AS" + "IA", UPPER, 16),
    "github_classic": prefixed("gh" + "p_", ALNUM, 36),
    "github_app": prefixed("gh" + "s_", ALNUM, 36),
    "github_fine": lambda rng: "github_" + "pat_" + run(rng, ALNUM, 22) + "_" + run(rng, ALNUM, 59),
    "gitlab": prefixed("gl" + "pat-", URLSAFE, 20),
    "slack_bot": lambda rng: (
        "xo" + f"xb-{rng.randrange(10**11, 10**12)}-{rng.randrange(10**12)}-" + run(rng, ALNUM, 24)
    ),
    "slack_app": lambda rng: "xa" + "pp-1-A" + run(rng, UPPER, 10) + f"-{rng.randrange(10**12)}-" + run(rng, HEX, 64),
    "google_api": prefixed("AI" + "za", URLSAFE, 35),
    "google_oauth": prefixed("ya" + "29.", URLSAFE, 60),
    "google_client": prefixed("GOC" + "SPX-", URLSAFE, 28),
    "twilio_key": prefixed("S" + "K", HEX, 32),
    "sendgrid": lambda rng: "S" + "G." + run(rng, URLSAFE, 22) + "." + run(rng, URLSAFE, 43),
    "telegram": lambda rng: f"{rng.randrange(10**8, 10**10)}:A" + "A" + run(rng, URLSAFE, 33),
    "notion_old": prefixed("sec" + "ret_", ALNUM, 43),
    "notion_new": prefixed("nt" + "n_", ALNUM, 46),
    "airtable": lambda rng: "pa" + "t" + run(rng, ALNUM, 14) + "." + run(rng, HEX, 64),
    "hubspot": lambda rng: "pat" + "-na1-" + uuid(rng),
    "shopify": prefixed("shp" + "at_", HEX, 32),
    "npm": prefixed("np" + "m_", ALNUM, 36),
    "mailgun": prefixed("ke" + "y-", HEX, 32),
    "mailchimp": lambda rng: run(rng, HEX, 32) + "-u" + f"s{rng.randrange(1, 22)}",
    "pypi": prefixed("pyp" + "i-AgEIcHlwaS5vcmc", URLSAFE, 90),
    "digitalocean": prefixed("dop" + "_v1_", HEX, 64),
    "square": prefixed("sq0" + "csp-", URLSAFE, 43),
    "meta": prefixed("EA" + "A", ALNUM, 120),
    "huggingface": prefixed("h" + "f_", ALNUM, 34),
    "groq": prefixed("gs" + "k_", ALNUM, 52),
    "linear": prefixed("lin" + "_api_", ALNUM, 40),
    "postman": lambda rng: "PM" + "AK-" + run(rng, HEX, 24) + "-" + run(rng, HEX, 34),
    "atlassian": prefixed("AT" + "ATT3xFfGF0", URLSAFE, 120),
    "figma": prefixed("fig" + "d_", URLSAFE, 40),
    "databricks": prefixed("da" + "pi", HEX, 32),
    "new_relic": prefixed("NR" + "AK-", UPPER, 27),
    "vault": prefixed("hv" + "s.", URLSAFE, 90),
    "grafana": prefixed("gl" + "sa_", ALNUM, 41),
    "brevo": lambda rng: "xkey" + "sib-" + run(rng, HEX, 64) + "-" + run(rng, ALNUM, 16),
    "azure_client": lambda rng: run(rng, ALNUM, 3) + "8Q" + "~" + run(rng, ALNUM, 34),
    "discord_bot": lambda rng: "M" + run(rng, ALNUM, 23) + "." + run(rng, ALNUM, 6) + "." + run(rng, URLSAFE, 38),
    "jwt": json_web_token,
    "card": card_number,
}

# Nothing in them tells: the name in front of them does.
NAMED: dict[str, Maker] = {
    "hex32": lambda rng: run(rng, HEX, 32),
    "hex64": lambda rng: run(rng, HEX, 64),
    "uuid": uuid,
    "base64": lambda rng: run(rng, ALNUM + "+/", 43) + "=",
    "aws_secret": lambda rng: run(rng, ALNUM + "+/", 40),
    "short": lambda rng: run(rng, ALNUM, 12),
    "password": lambda rng: rng.choice(["Summer", "winter", "Tr0ub4dor", "hunter"]) + f"{rng.randrange(10, 9999)}!",
    "symbols": lambda rng: run(rng, LOWER, 6) + "#" + run(rng, ALNUM, 5) + "$",
}
