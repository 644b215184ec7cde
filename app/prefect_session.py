"""Prefect for the command line: no reports home, a quiet console, and its own server on the embedded PostgreSQL."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING

from app.console import say
from app.up_state import running
from runbooks.bootstrap import embedded_postgres, prefect_database
from runbooks.errors import DatabaseFull, RunbooksError
from runbooks.settings import Settings

if TYPE_CHECKING:
    from runbooks.adapters.embedded_postgres import EmbeddedPostgres

LEAST_SPACE = 1_000_000
DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the story goes to the server; the terminal has a bar
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",  # that each step was completed is no story
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


class PrefectFailed(RunbooksError):
    """Prefect's server did not do what it is for."""


def quiet_prefect() -> None:
    """Set our defaults; only works before Prefect is imported. What the user has set stays."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def server_is_configured() -> bool:
    """Whether Prefect was told of a server, by environment or profile."""
    from prefect.settings import get_current_settings

    return bool(get_current_settings().api.url)  # an empty variable means the same as none


def has_server(settings: Settings) -> bool:
    """Whether runs go to a server that other processes reach as well: the configured one, or that of `runbooks up`."""
    quiet_prefect()
    if server_is_configured():
        return True
    up = running(settings.home)
    return up is not None and up.prefect_api is not None


@contextmanager
def prefect_session(settings: Settings) -> Iterator[None]:
    """Run flows in here: on the configured server, else that of `runbooks up`, else one that Prefect starts by itself.

    The last runs on the embedded PostgreSQL: Prefect's default, a SQLite file, locks up under a sweep's events, and may
    hold somebody else's runs.
    """
    quiet_prefect()
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL, temporary_settings

    if server_is_configured() or _database_is_chosen():
        with _faults_in_one_line():
            yield
        return
    up = running(settings.home)
    if up is not None and up.prefect_api is not None:
        with temporary_settings({PREFECT_API_URL: up.prefect_api}), _faults_in_one_line():
            yield
        return
    say("Starting Prefect's own server for this run, 10 to 20 s; set PREFECT_API_URL to use one that runs already …")
    embedded = settings.model_copy(update={"database_url": None})
    with (
        temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: prefect_database(embedded)}),
        _faults_in_one_line(embedded_postgres(embedded)),
    ):
        yield


@contextmanager
def _faults_in_one_line(embedded: "EmbeddedPostgres | None" = None) -> Iterator[None]:
    """Say what is wrong when Prefect's server fails under a run."""
    logging.raiseExceptions = False  # for each line that a server does not take, the last ones at the process's end
    try:
        yield
    except Exception as error:
        if not _is_prefects(error):
            raise
        if embedded is not None and embedded.is_full():
            raise DatabaseFull(embedded.full()) from error
        raise PrefectFailed(_what_failed(error)) from error


def _is_prefects(error: Exception) -> bool:
    """Whether Prefect raised it: of its own kinds, of its HTTP client's, or as any other inside of it."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    *_, (frame, _) = walk_tb(error.__traceback__)
    inside = str(frame.f_globals.get("__name__")).startswith("prefect.")
    return isinstance(error, PrefectException | HTTPError) or (inside and not isinstance(error, RunbooksError))


def _what_failed(error: Exception) -> str:
    from prefect.settings import PREFECT_HOME

    home = PREFECT_HOME.value()
    if shutil.disk_usage(home).free < LEAST_SPACE:
        return f"the disk of Prefect's folder {home} is full; free some space there and run it again"
    return (
        f"Prefect's server failed under the run ({type(error).__name__}); what was stored is kept: "
        "see its log, and run it again"
    )


def _database_is_chosen() -> bool:
    """Whether somebody set Prefect's database; it fills in a SQLite default, so that there is a value says nothing."""
    from prefect.settings import get_current_settings

    return bool(get_current_settings().server.database.model_fields_set & {"connection_url", "host"})
