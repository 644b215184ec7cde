"""Sentences with gaps: `Open {credential} on the Credentials page`. A doubled brace is a brace."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled sentence. What is filled in is never read as a template again."""

    pattern: str
    """The text in the form of the % operator, which fills it in one call."""
    names: frozenset[str]
    begins_with_gap: bool

    def fill(self, values: Mapping[str, str]) -> str:
        """The sentence with every gap filled; a gap at its head gets a capital."""
        text = self.pattern % values
        return text[:1].upper() + text[1:] if self.begins_with_gap else text


@lru_cache(maxsize=16384)
def compile_template(text: str, known: frozenset[str]) -> Template:
    """Compile a sentence; raise ValueError for a gap that is not known, or braces that do not pair."""
    try:
        pieces = list(Formatter().parse(" ".join(text.split())))
    except ValueError as error:
        raise ValueError(f"braces do not pair in {_shown(text)} ({error})") from None
    names = [field for _, field, _, _ in pieces if field is not None]
    for _, field, spec, conversion in pieces:
        if field is not None and (field not in known or spec or conversion):
            raise ValueError(f"{{{field}}} is no placeholder in {_shown(text)}; known are {', '.join(sorted(known))}")
    pattern = "".join(
        literal.replace("%", "%%") + (f"%({field})s" if field is not None else "") for literal, field, _, _ in pieces
    )
    return Template(pattern, frozenset(names), pattern.startswith("%("))


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return repr(short if len(short) <= 60 else short[:57] + "…")
