"""Take secrets out of text and settings before they leave the process. Placeholders say what was there."""

import base64
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from runbooks.core import secret_names
from runbooks.core.named_secrets import (
    NAME_LITERALS,
    SHORTEST,
    only_stands_for,
    placeholder,
    without_named,
    without_prose,
)
from runbooks.core.secret_names import Strength, kind_of, strength_of
from runbooks.core.secret_shapes import Shape, detectors_in, shapes_in

DEEPEST = 200
TOO_DEEP = "<not shown: nested too deeply>"


class Rule(Protocol):
    """A further expression to take out."""

    def sub(self, replacement: str, text: str, /) -> str:
        """The text with what it matches replaced."""


Rules = Sequence[Rule]


def redact(text: str, extra: Rules = (), *, personal: bool = False) -> str:
    """The text with a placeholder such as `<secret:stripe_key>` for every secret.

    `extra` are further expressions to take out; `personal` takes out e-mail addresses and phone numbers, too.
    Templates (`{{ credential.name }}`) stay. Redacting twice changes nothing.
    """
    if len(text) >= SHORTEST:
        for step in _steps_for(text.lower()):
            text = step(text)
    for rule in extra:
        text = rule.sub("<hidden:workspace_rule>", text)
    return _without_personal(text) if personal else text


def contains_secret(text: str) -> bool:
    """Whether `redact` would change the text."""
    return redact(text) != text


def redact_config(value: Any, extra: Rules = (), *, fields: Collection[str] = ()) -> Any:
    """A copy of a JSON value, redacted in depth, by the names of keys as well as by what the texts hold.

    `fields` names further keys whose values are hidden, in any spelling (`customerTaxId` is `customer_tax_id`).
    """
    return _config(value, "", extra, frozenset(kind_of(name) for name in fields), 0)


# --- text ---

_BASIC = re.compile(r"(?i)(?P<keep>\bbasic\s{1,3})(?P<value>[A-Za-z0-9+/]{8,4096}={0,2})(?![\w+/=])")
_USERINFO = re.compile(
    r"(?P<keep>[a-z][a-z0-9+.-]{1,30}://[^\s/?#:@\"'<>]{0,256}:)(?P<value>[^\s/?#\"'<>]{1,256})(?=@)"
)
_DATABASE_USERINFO = re.compile(
    r"(?P<keep>(?:postgres(?:ql)?|mysql|mariadb|mongodb|redis|rediss|amqps?|mssql|sqlserver|clickhouse|s?ftp|smtps?|ldaps?|kafka)"
    r"(?:\+[a-z0-9]{1,20})?://[^\s/?#:@\"'<>]{0,256}:)(?!\d{1,5}[/?#])(?P<value>[^\s\"'<>]{1,256})(?=@)"
)
_LONE_USERINFO = re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{1,30}://)(?P<value>[A-Za-z0-9_.~-]{16,256})(?=@)")
_CURL_USER = re.compile(
    r"(?P<keep>(?:\s-u|--user|--proxy-user)[\s=]{1,2}[\"']?[^\s:\"'{}$]{1,128}:)(?P<value>[^\s\"']{1,256})"
)
_FLAG = re.compile(r"(?i)(?P<keep>--(?P<name>[a-z][a-z-]{2,40})\s{1,2}[\"']?)(?P<value>[^\s\"'-][^\s\"']{2,256})")
_SHORT_FLAG = re.compile(
    r"(?P<keep>\b(?:mysql(?:dump|admin)?\b[^\n|;]{0,100}?\s-p|sshpass\s{1,2}-p\s{0,2})[\"']?)(?P<value>[^\s\"']{3,256})"
)
_ORACLE = re.compile(r"(?P<keep>\bjdbc:oracle:\w{1,10}:[^\s/:@]{1,64}/)(?P<value>[^\s@]{1,128})(?=@)")
_IDENTIFIED = re.compile(r"(?i)(?P<keep>\bidentified\s+by\s+[\"'])(?P<value>[^\"'\n]{1,256})")
_AWS_COMPANION = re.compile(r"(?<![A-Za-z0-9+/=])(?![0-9a-f]{40})[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])")
_TWILIO_COMPANION = re.compile(r"(?<![A-Za-z0-9])[0-9a-f]{32}(?![A-Za-z0-9])")
_MANY_DIGITS = re.compile(r"\d(?:[ -]?\d){12}")
_CARD = re.compile(r"(?<![\w.-])(?:[3-6]|2(?=[ -]?[2-7]))(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_PHONE = re.compile(r"(?<![\w+])(?:\+\d{1,3}[ .-]?)(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])")

Step = Callable[[str], str]


def _steps_for(lowered: str) -> list[Step]:
    """Only what a text can need, told by plain searches: most texts need nothing."""
    steps: list[Step] = [_by_shape(shape) for shape in shapes_in(lowered)]
    if "://" in lowered and "@" in lowered:
        steps.insert(0, _without_userinfo)
    if any(literal in lowered for literal in NAME_LITERALS):
        steps += [without_named, without_prose]
    if "basic" in lowered:
        steps.append(_without_basic)
    if any(literal in lowered for literal in ("-u", "--", "-p", "identified", "jdbc:oracle")):
        steps.append(_without_command_secrets)
    steps += [lambda text, kind=kind, rule=rule: _by_detector(text, kind, rule) for kind, rule in detectors_in(lowered)]  # type: ignore[misc]
    if _MANY_DIGITS.search(lowered):
        steps.append(_without_cards)
    return steps


def _by_shape(shape: Shape) -> Step:
    def step(text: str) -> str:
        found = shape.pattern.sub(lambda match: match.groupdict().get("keep", "") + placeholder(shape.kind), text)
        if found != text and shape.kind == "aws_access_key":
            return _AWS_COMPANION.sub(placeholder("aws_secret_key"), found)
        if found != text and shape.kind == "twilio_key":
            return _TWILIO_COMPANION.sub(placeholder("twilio_token"), found)
        return found

    return step


def _by_detector(text: str, kind: str, rule: re.Pattern[str]) -> str:
    def replace(match: re.Match[str]) -> str:
        whole, secret = match[0], match[match.lastindex or 0]
        return whole if "<secret:" in whole else whole.replace(secret, placeholder(kind))

    return rule.sub(replace, text)


def _without_userinfo(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        value = match["value"]
        if only_stands_for(value):
            return match[0]
        return match["keep"] + placeholder("password")

    def replace_lone(match: re.Match[str]) -> str:
        return match["keep"] + placeholder("key") if secret_names.looks_random(match["value"]) else match[0]

    text = _USERINFO.sub(replace, _DATABASE_USERINFO.sub(replace, text))
    return _LONE_USERINFO.sub(replace_lone, text)


def _without_basic(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        try:
            content = base64.b64decode(match["value"] + "=" * (-len(match["value"]) % 4), validate=True)
        except ValueError:
            return match[0]
        return match["keep"] + placeholder("basic_auth") if b":" in content else match[0]

    return _BASIC.sub(replace, text)


def _without_command_secrets(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if only_stands_for(match["value"]):
            return match[0]
        return match["keep"] + placeholder("password")

    def replace_flag(match: re.Match[str]) -> str:
        value = match["value"]
        if strength_of(match["name"]).value < Strength.STRONG.value or only_stands_for(value):
            return match[0]
        return match["keep"] + placeholder(kind_of(match["name"]))

    text = _FLAG.sub(replace_flag, text)
    for pattern in (_IDENTIFIED, _CURL_USER, _SHORT_FLAG, _ORACLE):
        text = pattern.sub(replace, text)
    return text


def _without_cards(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        digits = [int(char) for char in match[0] if char.isdigit()]
        return placeholder("card_number") if len(digits) in (14, 15, 16, 19) and _passes_luhn(digits) else match[0]

    return _CARD.sub(replace, text)


def _passes_luhn(digits: list[int]) -> bool:
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _without_personal(text: str) -> str:
    return _PHONE.sub("<phone>", _EMAIL.sub("<email>", text))


# --- settings ---

_WEBHOOK_NAMES = ("webhook_url", "webhook_uri", "webhook")
_CONNECTION_NAMES = (
    *("connection_string", "connectionstring", "conn_str", "connection_url", "connection_uri", "database_url"),
    *("db_url", "mongo_uri", "mongodb_uri", "redis_url", "dsn"),
)
_NAMING_KEYS = ("name", "key", "header", "field", "parameter")
_ADDRESS = re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{1,30}://[^\s/?#]{1,256}/?)(?P<value>.*)", re.DOTALL)
_LITERAL = re.compile(
    r"\[\s{0,3}(?P<name>[\"'])[^\n]{0,200}?(?P=name)\s{0,3}\]|\$\(\s{0,3}(?P<node>[\"'])[^\n]{0,200}?(?P=node)\s{0,3}\)"
    r"|(?P<quote>[\"'])(?P<value>[^\"'\s]{6,256})(?P=quote)"
)


def _config(value: Any, name: str, extra: Rules, fields: frozenset[str], depth: int) -> Any:
    if depth > DEEPEST:
        return TOO_DEEP
    if isinstance(value, dict):
        return {
            redact(str(key), extra): _config(item, _name_of(value, str(key), name), extra, fields, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_config(item, name, extra, fields, depth + 1) for item in value]
    if name and kind_of(name) in fields and value is not None:
        return f"<hidden:{kind_of(name)}>"
    if isinstance(value, str):
        return _config_text(value, name, extra)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return placeholder(kind_of(name)) if is_number and strength_of(name).value >= Strength.STRONG.value else value


def _name_of(container: dict[Any, Any], key: str, inherited: str) -> str:
    """The name that judges a value: its key's, or for `{"name": "Authorization", "value": …}` what it is called."""
    if key.lower() in ("value", "values"):
        called = next((container[other] for other in _NAMING_KEYS if isinstance(container.get(other), str)), inherited)
        return str(called or key)
    if strength_of(key) is Strength.NONE and strength_of(inherited).value >= Strength.STRONG.value:
        return "" if key.lower() in ("name", "type", "id") else inherited
    return key


def _config_text(text: str, name: str, extra: Rules) -> str:
    redacted = redact(text, extra)
    kind = kind_of(name) if name else ""
    if not kind or not text.strip():
        return redacted
    if secret_names.is_placeholder(text):
        return _without_literals(redacted, kind) if strength_of(name) is not Strength.NONE else redacted
    if kind.endswith(_WEBHOOK_NAMES):
        return redacted if redacted != text else _ADDRESS.sub(_hide_path(kind), text)
    if kind.endswith(_CONNECTION_NAMES):
        return redacted if redacted != text or _ADDRESS.match(text) is not None else placeholder(kind)
    strength = strength_of(name)
    if strength is Strength.NONE or (strength is Strength.WEAK and not secret_names.looks_random(text.strip())):
        return redacted
    return redacted if _nothing_left(redacted) else placeholder(kind)


def _without_literals(text: str, kind: str) -> str:
    """A template may hold the secret itself, as in `{{ btoa("user:…") }}`; names of nodes in `[…]` and `$(…)` stay."""

    def replace(match: re.Match[str]) -> str:
        value = match["value"]
        return str(match[0]) if value is None else match["quote"] + placeholder(kind) + match["quote"]

    return _LITERAL.sub(replace, text)


def _hide_path(kind: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        path = str(match["value"])
        return str(match["keep"]) + (path if secret_names.is_placeholder(path) else placeholder(kind))

    return replace


def _nothing_left(redacted: str) -> bool:
    """Whether the placeholders have taken all that was secret: what is left is an auth scheme or a template."""
    return "<secret:" in redacted and secret_names.is_placeholder(redacted)
