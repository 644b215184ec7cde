"""Secrets that nothing but the words in front of them give away: `api_key=…`, `Authorization: …`, `password is …`."""

import re

from runbooks.core import secret_names
from runbooks.core.secret_names import Strength, kind_of, strength_of

SHORTEST = 6
"""What is shorter is no secret, and hiding it would eat words."""
LEAST_LOOSE = 8
"""From here on letters and digits are enough behind a name that announces a secret."""


def placeholder(kind: str) -> str:
    """What stands in the text where a secret was."""
    return f"<secret:{kind}>"


# Possessive, as no separator begins like a name.
_NAME = re.compile(
    r"(?<![A-Za-z0-9_.$-])(?!secret:[a-z0-9_]{1,40}>)(?P<name>[A-Za-z_$][A-Za-z0-9_.$-]{1,63}+"
    r"|(?i:api|access|secret|private|auth|account|signing) (?i:key|token))"
    r"(?P<separator>\\{0,4}[\"'`]?\]?\s{0,3}(?:=>|:=|[:=])\s{0,3}|\s{1,2}(?=[\"'`])|</?>|>(?=[^\s<>]{1,512}</))"
)
_VALUE = re.compile(
    r"\"(?P<double>(?:[^\"\\\n]|\\.){0,4096})\""
    r"|'(?P<single>(?:[^'\\\n]|\\.){0,4096})'"
    r"|`(?P<tick>[^`\n]{0,4096})`"
    r"|(?P<escape>\\{1,4}[\"'])(?P<escaped>[^\n]{0,4096}?)(?P=escape)"
    r"|\{(?P<braces>[^{}\n]{1,256})\}(?!\})"
    r"|\\{0,4}[\"'`]?(?P<bare>[^\s\"'`;&<>\\]{1,512})"
)
_REST_OF_VALUE = re.compile(r"[^\s\"'`;&<>\\]*")
NAME_LITERALS = (
    *("pass", "pwd", "secret", "token", "key", "auth", "cookie", "jwt", "sig", "session", "sid", "code", "cred"),
    *("bearer", "pin", "cvv", "cvc", "connection", "appid"),
)


_PROSE = re.compile(
    r"(?i)(?=[abcpst])"
    r"(?P<keep>(?<![\w$.])(?!secret:[a-z0-9_]{1,40}>)(?P<noun>api[ _-]?key|(?:access|secret|signing|private) key"
    r"|(?:access|auth|bot|bearer|api) token|secret|password|passphrase|passwd|token|credential)s?"
    r"(?: (?:for|of) \S{1,64})?(?: (?:provided|is|was|used|value|supplied))?"
    r"\s{0,2}[:=]?\s{0,2}[\"'`(]?)"
    r"(?P<value>[A-Za-z0-9+/_!@#$%^*~-][A-Za-z0-9+/_=.!@#$%^*~-]{5,511})"
)
_AUTHORIZATION = re.compile(
    r"(?i)(?P<scheme>(?:basic|bearer|token|api-?key|digest|negotiate|oauth|key|ssws|splunk|bot|hmac|aws4-hmac-sha256|"
    r"geniekey|[a-z0-9]{1,20}-[a-z0-9-]{1,20}-key)\s{1,3})?(?P<rest>.{1,8192})"
)
_HEADER_VALUE = re.compile(r"\\{0,4}[\"'`]?(?P<bare>[^\"'`\n\\]{1,8192})")
_CODE = re.compile(r"[A-Za-z_$]+(?:\.[A-Za-z_$]+)+;?|[A-Za-z_$][\w$.]*[(\[].*")


def without_named(text: str) -> str:
    """Values behind a name that announces a secret: `api_key=…`, `"password": "…"`, `Authorization: …`, `?token=…`."""
    pieces: list[str] = []
    done = 0
    for match in _NAME.finditer(text):
        strength = strength_of(match["name"])
        if strength is Strength.NONE or match.start() < done:
            continue
        found = _secret_behind(text, match, strength)
        if found:
            start, end = found
            pieces += [text[done:start], placeholder(kind_of(match["name"]))]
            done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _secret_behind(text: str, match: re.Match[str], strength: Strength) -> tuple[int, int] | None:
    """Where the secret behind a name begins and ends; None when there is none."""
    last = kind_of(match["name"]).rpartition("_")[2]
    if last in ("authorization", "cookie", "cookies"):
        return _header_secret(text, match.end(), last)
    value = _VALUE.match(text, match.end())
    if value is None:
        return None
    group = next(name for name in ("double", "single", "tick", "escaped", "braces", "bare") if value[name] is not None)
    content = value[group]
    start = value.start(group)
    if group == "braces" and (strength is not Strength.PASSWORD or match["separator"] != "="):
        return None
    if group == "bare":
        content = content.rstrip(",.:)]}")
        if content.startswith(("{", "[", "(")):
            return None
    if last == "string" and (";" in content or "://" in content):
        return None  # its parts are judged one by one, so that the host stays
    if not _is_secret_value(content, strength, match["separator"], quoted=group != "bare"):
        return None
    end = start + len(content)
    if group == "bare" and end == value.end():
        # The head was enough to judge; a longer value goes whole.
        end = _REST_OF_VALUE.match(text, end).end()  # type: ignore[union-attr]  # an empty rest matches, too
    return start, end


def _header_secret(text: str, position: int, name: str) -> tuple[int, int] | None:
    value = _HEADER_VALUE.match(text, position)
    if value is None:
        return None
    content = value["bare"]
    if name != "authorization":
        certain = "=" in content.rstrip("=") or secret_names.looks_mixed(content)
        return None if not certain or only_stands_for(content.partition("=")[2] or content) else value.span("bare")
    parts = _AUTHORIZATION.match(content)
    if parts is None or "<secret:" in content:
        return None
    rest = parts["rest"].rstrip(" ,;)]}")
    several = (parts["scheme"] or "").strip().lower() in ("digest", "oauth", "aws4-hmac-sha256", "hmac")
    if not several:
        rest = rest.split(None, 1)[0] if rest.strip() else ""
    certain = bool(parts["scheme"]) or len(rest) >= 12 or secret_names.looks_mixed(rest)
    if len(rest) < SHORTEST or not certain or only_stands_for(rest) or secret_names.is_prose(rest):
        return None
    start = value.start("bare") + parts.start("rest")
    if several and text[value.start("bare") - 1] not in "\"'`":
        line_end = text.find("\n", start)
        return start, line_end if line_end >= 0 else len(text)
    return start, start + len(rest)


def only_stands_for(value: str) -> bool:
    """Whether a value is a template, a mask, a constant's name or a placeholder of ours."""
    return secret_names.is_placeholder(value) or secret_names.is_constant(value) or "<secret:" in value


def _is_secret_value(value: str, strength: Strength, separator: str, *, quoted: bool) -> bool:
    value = value.strip()
    if len(value) < (3 if strength is Strength.PASSWORD else 4) or secret_names.is_prose(value):
        return False
    if secret_names.is_placeholder(value) or "<secret:" in value or (secret_names.is_constant(value) and not quoted):
        return False
    if strength is Strength.WEAK:
        return secret_names.looks_random(value)
    if " " in value:
        return any(map(secret_names.looks_mixed, value.split())) or not secret_names.is_sentence(value)
    assigned = "=" in separator or ":" in separator
    if quoted and assigned:
        return True
    if not quoted and (_CODE.fullmatch(value) is not None or strength is Strength.PASSWORD or separator == "="):
        return _CODE.fullmatch(value) is None
    loose = strength is Strength.PASSWORD or (assigned and len(value) >= LEAST_LOOSE)
    return secret_names.looks_mixed(value) or (loose and secret_names.looks_chosen(value))


def without_prose(text: str) -> str:
    """Values in sentences: `API key provided: …`, `password is …`."""

    def replace(match: re.Match[str]) -> str:
        value, announced = match["value"].rstrip("."), match["keep"].lower()
        loose = "pass" in announced or (":" in announced and len(value) >= LEAST_LOOSE)
        certain = secret_names.looks_mixed(value) or (loose and secret_names.looks_chosen(value))
        if not certain or only_stands_for(value):
            return match[0]
        return match["keep"] + placeholder(kind_of(match["noun"])) + match["value"][len(value) :]

    return _PROSE.sub(replace, text)
