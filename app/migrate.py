"""`runbooks migrate`."""

import sys

from app.console import say
from runbooks.adapters.schema import downgrade, proactive_rows, upgrade, upgrade_sql
from runbooks.bootstrap import open_database
from runbooks.errors import SettingsError
from runbooks.settings import load_settings


def run_migrate(*, down: bool, yes: bool, sql: bool) -> int:
    """Upgrade, or take everything back, or only print the SQL."""
    if down and sql:
        raise SettingsError("--down and --sql do not go together; --sql prints the SQL of an upgrade")
    url = open_database(load_settings()).url
    if sql:
        print(upgrade_sql(url))
        return 0
    if not down:
        _tell(upgrade(url), otherwise="Nothing to do: the database is up to date.")
        return 0
    doomed = proactive_rows(url)
    if doomed and not yes and not _confirmed(f"This deletes {doomed} proactive runbooks. Continue? [y/N] "):
        say("Nothing was changed.")
        return 1
    _tell(downgrade(url), otherwise="Nothing to do: there was nothing of ours.")
    return 0


def _tell(lines: list[str], *, otherwise: str) -> None:
    for line in lines or [otherwise]:
        print(line)


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError(f"{question.removesuffix(' [y/N] ')} Say so with --yes")
    return input(question).strip().lower() in {"y", "yes"}
