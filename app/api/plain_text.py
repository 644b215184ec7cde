"""Text that can be stored."""

from typing import Annotated

from pydantic import AfterValidator


def _plain(value: str) -> str:
    """PostgreSQL's text holds neither NUL nor halves of characters."""
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError("must be plain text, without NUL characters or halves of characters")
    return value


PlainText = Annotated[str, AfterValidator(_plain)]
