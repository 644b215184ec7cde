"""A workspace's own redaction rule: somebody else's regular expression, run so that it can do no harm."""

from functools import lru_cache

import regex  # type: ignore[import-untyped]  # it comes without types

from runbooks.errors import PolicyUnusable

LONGEST_EXPRESSION = 1000
SECONDS = 0.25
"""For one text. An expression that needs longer on a few kilobytes backtracks without end."""
RULES_REMEMBERED = 1000


class RedactionRule:
    """One expression. Once it was too slow it is not tried again."""

    def __init__(self, expression: str) -> None:
        """ValueError when it is no regular expression, or matches nothing at all."""
        if len(expression) > LONGEST_EXPRESSION:
            raise ValueError(f"is longer than {LONGEST_EXPRESSION} characters")
        try:
            self._pattern = regex.compile(expression)
            matches_nothing = self._pattern.match("", timeout=SECONDS) is not None
        except (regex.error, OverflowError, RecursionError, TimeoutError) as error:
            raise ValueError("is no regular expression") from error
        if matches_nothing:
            raise ValueError("matches nothing at all, so everywhere")
        self._expression = expression
        self._too_slow = False

    def sub(self, replacement: str, text: str) -> str:
        """Replace what it matches; PolicyUnusable when that takes too long."""
        if not self._too_slow:
            try:
                return str(self._pattern.sub(replacement, text, timeout=SECONDS))
            except TimeoutError:
                self._too_slow = True
        shown = repr(self._expression[:60])
        raise PolicyUnusable(f"the workspace's redaction rule {shown} takes too long; avoid nested repeats")

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Another process compiles it once, and finds out once that it is too slow."""
        return _remembered, (self._expression,)


@lru_cache(maxsize=RULES_REMEMBERED)
def _remembered(expression: str) -> RedactionRule:
    return RedactionRule(expression)
