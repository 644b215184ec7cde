"""Is it ours? Every number, name, address and quotation of a text must occur in what the text was made from."""

import re
from collections.abc import Iterable
from functools import cached_property

_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
STEM_LENGTH = 5
"""Words of some length are compared by their first letters: two forms of a word are taken for the same."""
_JOINTS = (".", ",", ":")
_THOUSANDS = re.compile(r",(?=\d{3}\b)")
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_NUMBER = re.compile(r"(?<![\w.,:])\d+(?:[.,:]\d+)*(?=(?:%|ms|s|sec|min|m|h|d|k|[KMG]B)?(?!\w))")
_SPELLED = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety|hundred)"
    r"[ -](?:seconds?|minutes?|hours?|days?|weeks?|months?|times|attempts|retries|percent)\b",
    re.IGNORECASE,
)
_UNITS = ("second", "minute", "hour", "day", "week", "month", "times", "attempts", "retries", "percent")
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|`([^`]+)`|«([^»]+)»')
_QUOTES = ('"', "“", "`", "«")
_MENU = re.compile(r"\w+\s*(?:>|→|›|»|➜|->)\s*\w+")
_ARROWS = (">", "→", "›", "»", "➜")
_NAMED = re.compile(r"\b(?:[Nn]odes?|[Cc]redentials?)\s+(?=[A-Z0-9])")
_NAMING = ("ode", "redential")
_BREAKS = r"\s\"“”`«»,;!?()\[\]"
_NO_PLAIN_WORD = re.compile(rf"(?<![^{_BREAKS}])(?![.:'’…*]*[a-z]+[.:'’…*]*(?![^{_BREAKS}]))[^{_BREAKS}]+")
"""Most words are plain, and need no closer look."""
_BREAK = re.compile(rf"[{_BREAKS}]+")
_EDGES = ".:'’…*"
_IDENTIFIER = re.compile(
    r"\w[._@/\\#$=-]\w*[._@/\\#$=\d]|\w[._@/\\#$=]\w|[a-z][A-Z]|\d[A-Za-z]|[A-Za-z]\d|^[/$#@]\w|_|://|\{\{"
)
_CAPITAL = re.compile(r"[A-Z][\w’'-]+\Z")
_SENTENCE_ENDS = (".", ":")
_DASHES = ("-", "–", "—")
_PLAIN_PAIR = re.compile(r"[A-Za-z]+/[A-Za-z]+\Z")

_TERMS = """
api apis http https url urls id ids ip json xml html csv sql dns tls ssl utc oauth ui cli i ok e.g i.e vs
get post put patch delete authorization bearer content-type retry-after
"""
KNOWN_EVERYWHERE = frozenset(_TERMS.split())
"""Terms of the trade that name nothing of anybody's."""


class Grounding:
    """What a text may speak of. `beneath` is what several of them share, looked at once."""

    def __init__(self, texts: Iterable[str], *, names: Iterable[str] = (), beneath: "Grounding | None" = None) -> None:
        self._names = tuple(name.lower() for name in names if name)
        self._text = _folded(" ".join([*texts, *self._names]))
        self._beneath = beneath
        self._stems: set[str] = set()
        self._used: set[str] = set()
        """Of the stems that were looked for, those that a word begins with."""

    @cached_property
    def _numbers(self) -> frozenset[str]:
        own = frozenset(_plain(number) for number in _DIGITS.findall(self._text))
        return own | self._beneath._numbers if self._beneath else own

    def _has_number(self, number: str) -> bool:
        """Whether it occurs as it is written here: most do, and nothing has to be read for that."""
        start = self._text.find(number)
        while start >= 0:
            end = start + len(number)
            if not _goes_on(self._text[max(start - 2, 0) : start][::-1]) and not _goes_on(self._text[end : end + 2]):
                return True
            start = self._text.find(number, start + 1)
        return self._beneath is not None and self._beneath._has_number(number)

    def _uses(self, stem: str) -> bool:
        """Whether a word begins so."""
        start = self._text.find(stem)
        while start > 0 and self._text[start - 1].isalpha():
            start = self._text.find(stem, start + 1)
        return start >= 0 or (self._beneath is not None and self._beneath._uses(stem))

    def knows(self, text: str) -> bool:
        """Whether these very words occur."""
        return self._has(_folded(text))

    def _has(self, folded: str) -> bool:
        return folded in self._text or (self._beneath is not None and self._beneath._has(folded))

    def unknown(self, line: str) -> str | None:
        """The first thing in a line that occurs nowhere in the sources; None when all of it does."""
        finders = (self._number, self._quotation, self._menu, self._name, self._identifier)
        return next((found for found in (find(line) for find in finders) if found), None)

    def shares_known(self, lines: Iterable[str]) -> tuple[float, dict[str, float]]:
        """Which share of the words of some length is also used by the sources, 0 to 1: of all lines, and of each."""
        stems = {line: _stems_in(line.lower()) for line in lines}
        everything = set().union(*stems.values())
        new = everything - self._stems
        self._stems |= new
        self._used.update(filter(self._uses, new))
        return self._share(everything), {line: self._share(own) for line, own in stems.items()}

    def _share(self, stems: set[str]) -> float:
        return len(stems & self._used) / len(stems) if stems else 0.0

    def _number(self, line: str) -> str | None:
        if _DIGIT.search(line):
            for number in _NUMBER.findall(line):
                if not self._has_number(number) and _plain(number) not in self._numbers:
                    return f"the number {number}"
        if _has_any(line.casefold(), _UNITS):
            for match in _SPELLED.finditer(line):
                if not self.knows(match[0]):
                    return f'the figure "{match[0]}"'
        return None

    def _quotation(self, line: str) -> str | None:
        if not _has_any(line, _QUOTES):
            return None
        for groups in _QUOTED.findall(line):
            quoted = next(group for group in groups if group)
            if not self.knows(quoted.strip(" .,;:")):
                return f"the quotation {quoted[:60]!r}"
        return None

    def _menu(self, line: str) -> str | None:
        match = _MENU.search(line) if _has_any(line, _ARROWS) else None
        return f"the path {match[0]!r}" if match and not self.knows(match[0]) else None

    def _name(self, line: str) -> str | None:
        if not _has_any(line, _NAMING):
            return None
        names = self._names + (self._beneath._names if self._beneath else ())
        for match in _NAMED.finditer(line):
            if not line[match.end() :].lower().startswith(names):
                return f"the name {line[match.start() : match.end() + 30].strip()!r}"
        return None

    def _identifier(self, line: str) -> str | None:
        for match in _NO_PLAIN_WORD.finditer(line):
            token = match[0].strip(_EDGES)
            if token and not self._is_known(token, before=line[: match.start()]):
                return f"the name {token[:60]!r}"
        return None

    def _is_known(self, token: str, *, before: str) -> bool:
        plain = token.lower()
        if plain in KNOWN_EVERYWHERE or (token[0].isdigit() and _NUMBER.fullmatch(token.rstrip("%smhdkKMGBin"))):
            return True
        if "/" in token and _PLAIN_PAIR.match(token):
            return all(self._is_known(part, before=before) for part in token.split("/"))
        if _IDENTIFIER.search(token):
            return self._has(plain)
        if _CAPITAL.match(token) and not _starts_sentence(before):
            return self._has(plain.removesuffix("'s").removesuffix("’s"))
        return True


def _stems_in(text: str) -> set[str]:
    return {word[:STEM_LENGTH] for word in set(_LONG_WORD.findall(text))}


def _starts_sentence(before: str) -> bool:
    """Whether a word that stands behind this begins a sentence, or what is set off from one like a list's item."""
    last = next((word for word in reversed(_BREAK.split(before[-80:])) if word), "")
    return not last or last.endswith(_SENTENCE_ENDS) or last in _DASHES


def _goes_on(beside: str) -> bool:
    """Whether a number goes on with these characters, as seen from it: `5` with `.5`, but not with `.`."""
    return beside[:1].isdigit() or (beside[:1] in _JOINTS and beside[1:].isdigit())


def _has_any(text: str, pieces: Iterable[str]) -> bool:
    """Whether there is something to look at more closely, which takes ten times as long."""
    return any(map(text.__contains__, pieces))


def _folded(text: str) -> str:
    folded = text.lower().replace("’", "'")
    if "  " not in folded and folded.isprintable():  # no other space than single ones: most texts
        return folded.strip(" ")
    return " ".join(folded.split())


def _plain(number: str) -> str:
    """`1,000` and `1000` are one number; `3.` is 3."""
    return (_THOUSANDS.sub("", number) if "," in number else number).rstrip(".,:")
