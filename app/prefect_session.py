"""Prefect for the command line: no reports home, a quiet console, and its own server on the embedded PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

from app.console import say
from runbooks.bootstrap import embedded_postgres
from runbooks.settings import Settings

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the story goes to the server; the terminal has a bar
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


def quiet_prefect() -> None:
    """Set our defaults; only works before Prefect is imported. What the user has set stays."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def server_is_configured() -> bool:
    """Whether Prefect was told of a server, by environment or profile."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None


@contextmanager
def prefect_session(settings: Settings) -> Iterator[None]:
    """Run flows in here. Without a configured server Prefect starts one of its own, on the embedded PostgreSQL.

    Its default, a SQLite file, locks up under a sweep's events, and may hold somebody else's runs.
    """
    quiet_prefect()
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, get_current_settings, temporary_settings

    # Prefect fills in its SQLite default, so whether there is a value says nothing; who set it does.
    chosen = get_current_settings().server.database.model_fields_set & {"connection_url", "host"}
    if server_is_configured() or chosen:
        yield
        return
    say("Starting Prefect's own server for this run, 10 to 20 s; set PREFECT_API_URL to use one that runs already …")
    url = make_url(embedded_postgres(settings).url("prefect")).set(drivername="postgresql+asyncpg")
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url.render_as_string(hide_password=False)}):
        yield
