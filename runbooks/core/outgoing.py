"""Text as it may be sent to a model."""

from functools import lru_cache

from runbooks.core.redaction import Rules, redact

LINES_REMEMBERED = 10_000


@lru_cache(maxsize=LINES_REMEMBERED)
def _cleaned_line(line: str) -> str:
    return redact(line, personal=True)


def cleaned(text: str, *, rules: Rules = ()) -> str:
    """The text as it may be sent. Line by line, as most lines are the catalogue's and come again and again."""
    if rules:
        return redact(text, rules, personal=True)
    return "\n".join(map(_cleaned_line, text.split("\n")))
