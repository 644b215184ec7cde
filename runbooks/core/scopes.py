"""What a token of the HTTP API may be used for."""

from enum import StrEnum


class Scope(StrEnum):
    """One kind of use; a token has one or several."""

    READ = "runbooks:read"
    GENERATE = "runbooks:generate"
    REVIEW = "runbooks:review"
    COVERAGE = "coverage:read"


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Read a comma-separated list; ValueError names the first that is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {scope.value for scope in Scope}
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is no scope; there are {', '.join(Scope)}")
    if not names:
        raise ValueError(f"no scope given; there are {', '.join(Scope)}")
    return tuple(scope for scope in Scope if scope.value in names)
