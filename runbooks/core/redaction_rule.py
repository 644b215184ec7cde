"""A workspace's own redaction rule: somebody else's regular expression, run so that it can do no harm."""

import regex  # type: ignore[import-untyped]  # it comes without types

from runbooks.errors import PolicyUnusable

LONGEST_EXPRESSION = 1000
SECONDS = 0.25
"""For one text. An expression that needs longer on a few kilobytes backtracks without end."""


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
        self._shown = repr(expression[:60])
        self._too_slow = False

    def sub(self, replacement: str, text: str) -> str:
        """Replace what it matches; PolicyUnusable when that takes too long."""
        if not self._too_slow:
            try:
                return str(self._pattern.sub(replacement, text, timeout=SECONDS))
            except TimeoutError:
                self._too_slow = True
        raise PolicyUnusable(f"the workspace's redaction rule {self._shown} takes too long; avoid nested repeats")
