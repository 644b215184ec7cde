"""Folding error messages in PostgreSQL: what differs from call to call becomes `…`, so that equal errors are one.

Folding is not redaction, but it comes before anything is stored, so it also drops what looks like a secret.
"""

from collections.abc import Mapping

LONGEST_MESSAGE = 300
"""Characters of a message that are looked at; PostgreSQL need not unpack the rest."""

# One plain pattern after the other: PostgreSQL runs each without backtracking in a few microseconds, while one
# pattern with capturing groups takes a hundred.
PATTERNS = (
    r"\m(?:xox[a-z]|sk|pk|rk|gh[a-z]|github_pat|glpat|ya29|SG|eyJ|AKIA|[Bb]earer|[Bb]asic)[-_. ][A-Za-z0-9_.+/=-]{8,}",
    r"[^\s@\"'<>(),]+@[^\s\"'<>(),]+",  # addresses of people, and user:password@host
    r"\?[^\s\"'<>]+",  # query of an address
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}",
    r"[A-Za-z]*\d[A-Za-z0-9]{7,}|[A-Za-z]{7,}\d[A-Za-z0-9]*",  # ids, hashes, keys
    r"\d[\d.:T-]{5,}\dZ?|\d+\.\d{2,}|\d{6,}",  # times, addresses with port, durations, long numbers
    # A number of four or five digits may be the provider's error code, which tells more than the text around it.
    r"(?i)(?<!(?:code|error|errno|number|no|sqlstate|status|type)\W{1,3})\m\d{4,5}\M",
    r"\"(?!https?://)[^\"]{41,}\"|'[^']{41,}'",
    r"…+",
)

FOLD_PARAMETERS: Mapping[str, str] = {f"fold_{number}": pattern for number, pattern in enumerate(PATTERNS)}
"""To be bound by every query that uses `folded`."""


def folded(message: str) -> str:
    """SQL for the folded form of an SQL expression of type text."""
    expression = f"left({message}, {LONGEST_MESSAGE})"
    for name in FOLD_PARAMETERS:
        expression = f"regexp_replace({expression}, :{name}, '…', 'g')"
    return expression


def error_text(error: str) -> str:
    r"""SQL for the message in a `json` column as the engine writes it, or the JSON itself where it has another shape.

    JSON with `\u0000` or half a surrogate pair is stored by PostgreSQL but cannot be taken apart by it.
    """
    return f"""CASE
        WHEN {error}::text ~ '\\\\u(0000|[dD][89a-fA-F])' THEN {error}::text
        WHEN json_typeof({error}) = 'object' THEN coalesce({error} ->> 'message', {error}::text)
        WHEN json_typeof({error}) = 'null' THEN NULL
        ELSE {error} #>> '{{}}' END"""
