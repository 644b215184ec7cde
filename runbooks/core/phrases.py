"""The small language that the failure rules are written in, and the text that it is matched against.

A text becomes a row of lower-case words: `userRateLimitExceeded`, `USER_RATE_LIMIT_EXCEEDED` and "User rate limit
exceeded" are the same row, so one phrase finds the code and the sentence. A phrase is a row of words with

    (a|b c|)   one of these; an empty choice makes it optional
    word*      any word that starts so
    <n>        any number
    ...        up to six words

It compiles to a regular expression whose every repetition is bounded or possessive, so no text makes it slow.
"""

import re
from dataclasses import dataclass

GAP = r"(?: [^ |]++){0,6}?"
NUMBER = r" \d++"
CODE_PLACE = r" (?:code|codes|error|errno|sqlstate|no|number|type|\|)"
"""What stands before a provider's code: `code: 21610`, `Error 21610`, `SQLSTATE[42P01]`, or the start of a text."""

_WORD = re.compile(r"OAuth|[A-Z]{2,}s(?![A-Za-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+(?:'[a-z]+)?|\d+")
_GROUP = re.compile(r"\([^()]*\)")
_UNIT = re.compile(_GROUP.pattern + r"|\.\.\.|<n>|[^\s()]+")


def words(text: str) -> str:
    """The words of a text in lower case, one space apart; camel case and snake case come apart."""
    return " ".join(_WORD.findall(text)).lower()


@dataclass(frozen=True)
class Phrase:
    """A compiled phrase."""

    text: str
    pattern: re.Pattern[str]
    anchors: frozenset[str]
    """A text without any of these words cannot match; empty when the phrase has no whole word."""

    def found_in(self, row: str) -> bool:
        """Tell whether the phrase occurs in a row of words that has a space at both ends."""
        return self.pattern.search(row) is not None


def compile_phrase(text: str) -> Phrase:
    """Compile a phrase; raise ValueError when it is not one."""
    if set(_GROUP.sub("", text)) & set("()"):
        raise ValueError(f"the brackets of {text!r} do not pair or are nested")
    if not words(text):
        raise ValueError(f"{text!r} has no word in it")
    units = _UNIT.findall(text)
    pattern = "".join(_unit_pattern(unit) for unit in units) + "(?= )"
    return Phrase(text, re.compile(pattern), _anchors(units))


def compile_code(code: str) -> Phrase:
    """Compile a provider's code, found only where a code stands; `42*` is every code that starts so."""
    if not words(code):
        raise ValueError(f"{code!r} has no letter or digit in it")
    return Phrase(code, re.compile(CODE_PLACE + _word_pattern(code) + "(?= )"), _anchors([code]))


def _unit_pattern(unit: str) -> str:
    if unit == "...":
        return GAP
    if unit == "<n>":
        return NUMBER
    if not unit.startswith("("):
        return _word_pattern(unit)
    choices = unit[1:-1].split("|")
    pattern = "|".join(_word_pattern(choice) for choice in choices if choice.strip())
    return f"(?:{pattern})" + ("" if all(choice.strip() for choice in choices) else "?")


def _word_pattern(text: str) -> str:
    pattern = "".join(f" {re.escape(word)}" for word in words(text).split())
    return pattern + "[^ ]*+" if text.endswith("*") else pattern


def _anchors(units: list[str]) -> frozenset[str]:
    """The longest word that must be there, or one word of each choice of a group that must be there."""
    fixed = [word for unit in units if unit not in ("...", "<n>") and unit[0] != "(" for word in _whole_words(unit)]
    if fixed:
        return frozenset({max(fixed, key=len)})
    for unit in units:
        if unit.startswith("("):
            choices = [_whole_words(choice) for choice in unit[1:-1].split("|")]
            if all(choices):
                return frozenset(max(choice, key=len) for choice in choices)
    return frozenset()


def _whole_words(unit: str) -> list[str]:
    found = words(unit).split()
    return found[:-1] if unit.endswith("*") else found
