"""The one place where real things are plugged together, from the settings."""

from functools import cache

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.adapters.database import Database
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.generation import Writers
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.errors import SettingsError
from runbooks.settings import Settings, WriterChoice


@cache
def embedded_postgres(settings: Settings) -> EmbeddedPostgres:
    """The embedded PostgreSQL of this home; not started until its address is asked for."""
    return EmbeddedPostgres(settings.home, pg_bin=settings.pg_bin)


@cache
def open_database(settings: Settings) -> Database:
    """The database of the settings, or the embedded one; one pool a process."""
    if settings.database_url is not None:
        return Database(settings.database_url.get_secret_value())
    return Database(embedded_postgres(settings).url("runbooks"))


@cache
def open_writers(settings: Settings, choice: WriterChoice, run_id: str) -> Writers:
    """The writer of a run. One run shares one, so that an LLM that is down is given up once."""
    catalogue = load_catalogue()
    writer = CatalogueWriter(catalogue)
    if choice == "catalogue" or (choice == "auto" and not settings.llm_configured):
        return Writers(catalogue=writer, catalogue_version=catalogue.version, keep_llm=choice == "auto")
    if not settings.llm_configured:
        raise SettingsError(
            "the LLM writer needs RUNBOOKS_MODEL and OPENAI_API_KEY or OPENAI_BASE_URL; or use --writer catalogue"
        )
    ...
