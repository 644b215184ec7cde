"""Which names announce a secret, and which values look like one."""

import re
from enum import Enum
from functools import lru_cache
from itertools import pairwise


class Strength(Enum):
    """How much a name says about its value."""

    NONE = 0
    WEAK = 1
    """The value is a secret only when it looks random: `key`, `session`."""
    STRONG = 2
    """The value is a secret unless it is plainly a word or a template: `api_key`."""
    PASSWORD = 3
    """As strong, and people choose the value: it may look like a word."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PASSWORD = re.compile(r"(?:password|passwd|passphrase|passwort|passcode|pwd)s?$")
_STRONG = re.compile(
    r"(?:secrets?|token|bearer|jwt|authorization|cookies?|(?:api|access|secret|private|auth|account|encryption)keys?"
    r"|privkey|authinfo|cvv|cvc)$"
)
# `api key`, `signing key`, …: the word before `key` that makes it a secret one.
_KEYS = _words(
    "access account admin aes api auth authentication consumer deploy encrypt encryption function functions "
    "gpg hmac integration master pgp private rsa secret shared sign signing ssh subscription"
)
_TOKENS = frozenset({"access", "auth", "refresh", "api", "bearer", "bot"})
_WEAK = frozenset(
    {"key", "keys", "auth", "session", "sid", "code", "signature", "sig", "credential", "credentials", "pin"}
    | {"appid"}
)
# The last word that turns a name into one about a secret: `token_type`, `passwordField`.
_ABOUT = _words(
    "age algorithm at budget column count credential cursor duration enabled endpoint env error expiration "
    "expired expires expiry field fields format header headers hint id ids in index kind label length limit "
    "limits location max message method min missing mode name names page param parameter path placement policy "
    "prefix provider required reset rotation scheme selector size source status strategy ttl type uri url "
    "usage used valid version"
)
# The first word that makes a token a counter or a bookmark: `max_tokens`, `nextPageToken`.
_NO_SECRET_BEFORE = frozenset(
    {"max", "min", "num", "total", "prompt", "completion", "page", "next", "continuation", "sync", "cursor", "public"}
    | {"publishable", "primary", "foreign", "unexpected", "idempotency", "partition", "sort"}
)
_STOP_WORDS = _words(
    "a access an and any api are as at auth authentication authorization authorized await bad basic be bearer "
    "been bool boolean bot but by bytes cannot changed check client code cookie could credential credentials "
    "decode default deleted denied disabled does doesn empty enabled encrypted endpoint error exist exists "
    "expected expire expired failed failure false field for forbidden format found from grant has have header "
    "hidden incorrect input int integer invalid is it jwt key length malformed masked matches mismatch missing "
    "must name new nil no none not null number oauth oauth2 object of ok on only optional or parameter parse "
    "passed password present provided read redacted refresh rejected removed required response revoked same "
    "scope secret session set should signature specified str string success supplied text that the this to "
    "token tokens too true type unable unauthorized undefined unexpected unknown unset unsupported update uri "
    "url use used user valid value verify was with wrong you your"
)
_TEMPLATE = re.compile(
    r"\{\{.*?\}\}|\$\{[^{}]*\}|<%.*?%>|<[^<>\n]{1,80}>|%[A-Z][A-Z0-9_]*%|\$\([^()]*\)"
    r"|\$(?:[A-Z_][A-Z0-9_]*|json|node|env|vars|secrets|credentials|input|item|parameter)(?![A-Za-z0-9])[\w.\[\]]*",
    re.DOTALL,
)
_SCHEME = re.compile(r"=?\s*(?:(?:basic|bearer|token|apikey|bot|key)(?:\s+|\Z))?", re.IGNORECASE)
_MASK = re.compile(r"[xX*.•_#-]+")
_YOURS = re.compile(r"(?i)\[?(?:your|my|the|insert|enter|replace)(?:[-_ ][a-z]+)+(?:[-_ ]here)?\]?")
_CONSTANT = re.compile(r"[A-Z][A-Z]*(?:_[A-Z0-9]+)+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LETTERS = re.compile(r"[A-Za-z]+")


@lru_cache(maxsize=4096)
def strength_of(name: str) -> Strength:
    """How strongly a field's, header's or variable's name announces a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in ("value", "v")):
        words.pop()
    if words[-2:] in (["secret", "id"], ["connection", "string"], ["basic", "auth"]) or words[-1:] == ["pass"]:
        return Strength.STRONG
    if not words or words[-1] in _ABOUT or not _NO_SECRET_BEFORE.isdisjoint(words[:-1]):
        return Strength.NONE
    if any(_PASSWORD.search(word) for word in words):
        return Strength.PASSWORD
    if any(_STRONG.search(word) for word in words) or _has_pair(words):
        return Strength.STRONG
    return Strength.WEAK if words[-1] in _WEAK else Strength.NONE


def _has_pair(words: list[str]) -> bool:
    pairs = list(pairwise(words))
    return any((b in ("key", "keys") and a in _KEYS) or (b == "tokens" and a in _TOKENS) for a, b in pairs)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str:
    """The name as part of a placeholder: `clientSecret` → `client_secret`."""
    return "_".join(word.lower() for word in _WORDS.findall(name))[:40] or "value"


def is_placeholder(value: str) -> bool:
    """Whether a value only stands for a secret: a template, a mask, an environment variable, `your-api-key`."""
    rest = _SCHEME.sub("", _TEMPLATE.sub("", value).strip(), count=1)
    return bool(not rest or _MASK.fullmatch(rest) or _YOURS.fullmatch(rest))


def is_constant(value: str) -> bool:
    """Whether a value is the name of a constant, as in `Bearer OPENAI_API_KEY`."""
    return _CONSTANT.fullmatch(value) is not None


def is_prose(value: str) -> bool:
    """Whether a value says something about a secret instead of being one: `expired`, `must not be empty`."""
    words = _LETTERS.findall(value.lower())
    return _STOP_WORDS.issuperset(words) if words else not any(map(str.isdigit, value))


def is_sentence(value: str) -> bool:
    """Whether several words talk about a secret; a passphrase has none of the words that people explain errors with."""
    words = _LETTERS.findall(value.lower())
    return len(words) > 8 or not _STOP_WORDS.isdisjoint(words)


def looks_chosen(value: str) -> bool:
    """Whether a word has letters and digits, as passwords that people choose have: `hunter22`."""
    has_both = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return len(value) >= 6 and has_both and not re.search(r"[\s/.:]", value) and not _ALGORITHM.fullmatch(value)


def looks_mixed(value: str) -> bool:
    """Whether a word has the mixture of characters of a password or token, not of a word, path, host or date."""
    if len(value) < 6 or not any(map(str.isalpha, value)) or value.startswith(("http:", "https:", "arn:")):
        return False
    has_digit = any(map(str.isdigit, value))
    if len(value) < 8:
        return has_digit and any(not char.isalnum() for char in value.strip(".,:;()[]{}"))
    if has_digit:
        return not _is_everyday(value)
    if not value.isalpha():
        return False
    return len(value) >= 22 or (len(value) >= 16 and any(map(str.isupper, value[1:])) and not _is_camel_case(value))


def looks_random(value: str) -> bool:
    """Whether a value looks generated: long, letters and digits in one piece."""
    if len(value) < 16 or _UUID.fullmatch(value):
        return False
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    return digits >= 2 and letters >= 4 and not re.search(r"[\s/\\.:,(){}]", value) and not _is_everyday(value)


_EVERYDAY = re.compile(
    r"v?\d[\d.:/_TZ-]*"  # versions, dates, times
    r"|[\w-]+(?:\.[a-z][\w-]*)+(?::\d+)?(?:/.*)?"  # hosts, file names, dotted paths
    r"|(?:[A-Z]?[a-z]+|[A-Z]+)[-_ ]?\d{1,4}"  # one word and its number
    r"|/?(?:[A-Za-z]{3,}|v?\d{1,4})(?:[-_/](?:[A-Za-z]{2,}|v?\d{1,4}))+(?:\.[a-z]{2,4})?"  # slugs and paths
)
_ALGORITHM = re.compile(
    r"(?i)(?:h?mac|rsa|aes|sha|md|base|utf|oauth|pbkdf|argon|scram|http|ipv?|v)[-_]?[\d-]+[a-z]{0,3}"
)
_CAMEL = re.compile(r"[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)+|(?:[A-Z][a-z]+)+[A-Z]?")


def _is_everyday(value: str) -> bool:
    return _EVERYDAY.fullmatch(value[:256]) is not None


def _is_camel_case(value: str) -> bool:
    return _CAMEL.fullmatch(value[:256]) is not None
