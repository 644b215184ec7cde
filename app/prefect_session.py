"""Prefect for the command line: no reports home, a quiet console, and its own server on the embedded PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from app.console import say
from app.up_state import running
from runbooks.bootstrap import prefect_database
from runbooks.settings import Settings

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the story goes to the server; the terminal has a bar
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",  # that each step was completed is no story
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


def quiet_prefect() -> None:
    """Set our defaults; only works before Prefect is imported. What the user has set stays."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def server_is_configured() -> bool:
    """Whether Prefect was told of a server, by environment or profile."""
    from prefect.settings import get_current_settings

    return bool(get_current_settings().api.url)  # an empty variable means the same as none


@contextmanager
def prefect_session(settings: Settings) -> Iterator[None]:
    """Run flows in here: on the configured server, else that of `runbooks up`, else one that Prefect starts by itself.

    The last runs on the embedded PostgreSQL: Prefect's default, a SQLite file, locks up under a sweep's events, and may
    hold somebody else's runs.
    """
    quiet_prefect()
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL, temporary_settings

    if server_is_configured() or _database_is_chosen():
        yield
        return
    up = running(settings.home)
    if up is not None and up.prefect_api is not None:
        with temporary_settings({PREFECT_API_URL: up.prefect_api}):
            yield
        return
    say("Starting Prefect's own server for this run, 10 to 20 s; set PREFECT_API_URL to use one that runs already …")
    embedded = settings.model_copy(update={"database_url": None})
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: prefect_database(embedded)}):
        yield


def _database_is_chosen() -> bool:
    """Whether somebody set Prefect's database; it fills in a SQLite default, so that there is a value says nothing."""
    from prefect.settings import get_current_settings

    return bool(get_current_settings().server.database.model_fields_set & {"connection_url", "host"})
