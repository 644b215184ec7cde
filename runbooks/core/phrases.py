"""The small language that the failure rules are written in, and the text that it is matched against.

A text becomes a row of lower-case words: `userRateLimitExceeded`, `USER_RATE_LIMIT_EXCEEDED` and "User rate limit
exceeded" are the same row, so one phrase finds the code and the sentence. A phrase is a row of words with

    (a|b c|)   one of these; an empty choice makes it optional; choices may hold all of this, brackets too
    word*      any word that starts so
    <n>        any number
    ...        up to six words of the same sentence

It compiles to a regular expression whose every repetition is bounded or possessive, so no text makes it slow.
"""

import re
import unicodedata
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

GAP = r"(?: [^ |.!?]++){0,6}?"
NUMBER = r" \d++"
FAULTS = frozenset(
    {"banned", "blocked", "closed", "denied", "deprecated", "disabled", "exceeded", "exhausted", "expired", "full"}
    | {"invalid", "locked", "missing", "refused", "rejected", "required", "restricted", "revoked", "suspended"}
)
"""A phrase that begins with one of these is not found behind a negation: "is not blocked by a firewall"."""
NOT_DENIED = r"(?<! not)(?<!n't)(?<! never)"
CODE_PLACE = r" (?:code|codes|error|errno|sqlstate|no|number|type|hy 000|violation|\|)"
"""What stands before a provider's code: `code: 21610`, `Error 21610`, `SQLSTATE[42P01]`, or the start of a text."""

_WORD = re.compile(
    r"OAuth|[A-Z]+N'T(?![A-Za-z])|[A-Z]{2,}s(?![A-Za-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+(?:'[a-z]+)?|\d+|(?<!\.)[.!?](?=\s)"
)
_SPELLINGS = tuple((f"{stem}is", f"{stem}iz") for stem in ("author", "recogn", "organ", "serial", "initial"))
"""British and American: "unauthorised" and "unauthorized"."""
_APOSTROPHES = str.maketrans(dict.fromkeys("‘’´ʼ", "'"))
_SIGNS_OF_A_CODE = ("&", "\\u", "%2", "\x1b")
_CODED_APOSTROPHE = re.compile(r"&(?:#0?39|#x27|apos|rsquo|#8217);|\\{1,2}u(?:0027|2019)|%27")
_CODED_SIGN = re.compile(r"&(?:#0?34|quot|lt|gt|amp|nbsp);|\\{1,2}u00(?:22|26|3[cCeE])|%20|\x1b\[[\d;]{0,12}m")
_ACCENT = re.compile(r"[\u0300-\u036f]+")
_TOKEN = re.compile(r"[()|]|\.\.\.|<n>|[^\s()|]+")


def words(text: str) -> str:
    """The words and ends of sentences of a text in lower case, one space apart; camel and snake case come apart.

    Letters lose their accents, so a phrase is written without them: "conexión" is `conexion`. One spelling stands for
    all: "can't" and "can not" are `cannot`, "doesn't" is `does not`, "unauthorised" is `unauthorized`.
    """
    if not text.isascii():
        text = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
    row = " ".join(_WORD.findall(text)).lower()
    if "n't" in row:
        row = row.replace("can't", "cannot").replace("won't", "will not").replace("n't", " not").lstrip()
    if " can not " in row:
        row = row.replace(" can not ", " cannot ")
    for british, american in _SPELLINGS:
        row = row.replace(british, american)
    return row


def decoded(text: str) -> str:
    """A text with the apostrophes that HTML, JSON and addresses encode: `couldn&#39;t` is "couldn't".

    Other signs that stand encoded, and the colours of a terminal, become spaces.
    """
    if not text.isascii():
        text = text.translate(_APOSTROPHES)
    if any(sign in text for sign in _SIGNS_OF_A_CODE):
        text = _CODED_SIGN.sub(" ", _CODED_APOSTROPHE.sub("'", text))
    return text


@dataclass(frozen=True)
class Phrase:
    """A phrase as a regular expression, compiled when a text first might hold it."""

    text: str
    expression: str
    needs: tuple[frozenset[str], ...]
    """Of each of these sets a text that matches has at least one word."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self.expression)

    def possible_with(self, known: Set[str]) -> bool:
        """Tell whether a text of these words may match; far cheaper than to look."""
        for need in self.needs:  # noqa: SIM110 - a generator costs twice as much, and this is the hot path
            if need.isdisjoint(known):
                return False
        return True

    def found_in(self, row: str) -> bool:
        """Tell whether the phrase occurs in a row of words that has a space at both ends."""
        return self.pattern.search(row) is not None


@dataclass(frozen=True)
class _Part:
    """A piece of a phrase: what it matches, and the words that it needs."""

    pattern: str
    needs: tuple[frozenset[str], ...] = ()


def compile_phrase(text: str) -> Phrase:
    """Compile a phrase; raise ValueError when it is not one."""
    tokens = _TOKEN.findall(text)
    part = _sequence(tokens, text)
    if tokens:
        raise ValueError(f"{text!r} has a {tokens[0]!r} where none belongs")
    if not words(text):
        raise ValueError(f"{text!r} has no word in it")
    denied = NOT_DENIED if part.needs and part.needs[0] <= FAULTS else ""
    return Phrase(text, denied + part.pattern + "(?= )", part.needs)


def compile_code(code: str) -> Phrase:
    """Compile a provider's code, found only where a code stands; `42*` is every code that starts so."""
    if not words(code):
        raise ValueError(f"{code!r} has no letter or digit in it")
    part = _word(code)
    return Phrase(code, CODE_PLACE + part.pattern + "(?= )", part.needs)


def _sequence(tokens: list[str], text: str) -> _Part:
    """Take parts off the front of `tokens`, up to the end of the phrase or of the choice that they are in."""
    parts: list[_Part] = []
    while tokens and tokens[0] not in "|)":
        parts.append(_part(tokens, text))
    return _Part("".join(part.pattern for part in parts), tuple(need for part in parts for need in part.needs))


def _part(tokens: list[str], text: str) -> _Part:
    token = tokens.pop(0)
    if token == "...":  # noqa: S105 - part of the language, not a secret
        return _Part(GAP)
    if token == "<n>":  # noqa: S105 - as above
        return _Part(NUMBER)
    return _group(tokens, text) if token == "(" else _word(token)  # noqa: S105 - as above


def _group(tokens: list[str], text: str) -> _Part:
    choices = [_sequence(tokens, text)]
    while tokens and tokens[0] == "|":
        tokens.pop(0)
        choices.append(_sequence(tokens, text))
    if not tokens:
        raise ValueError(f"{text!r} has a bracket that is not closed")
    tokens.pop(0)
    told = [choice for choice in choices if choice.pattern]
    pattern = f"(?:{'|'.join(choice.pattern for choice in told)})"
    if len(told) < len(choices):
        return _Part(pattern + "?")
    if not all(choice.needs for choice in told):
        return _Part(pattern)
    return _Part(pattern, (frozenset[str]().union(*(min(choice.needs, key=len) for choice in told)),))


def _word(token: str) -> _Part:
    found = words(token).split()
    if not found:  # would match the empty text and so make its whole choice optional
        raise ValueError(f"{token!r} has no letter or digit in it")
    pattern = "".join(f" {re.escape(word)}" for word in found)
    whole = found[:-1] if token.endswith("*") else found
    return _Part(pattern + ("[^ ]*+" if token.endswith("*") else ""), tuple(frozenset({word}) for word in whole))
