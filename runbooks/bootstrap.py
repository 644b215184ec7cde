"""The one place where real things are plugged together, from the settings.

What is heavy is imported by the function that needs it: a command that needs no database and no language model starts
in a fraction of the time.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.errors import SettingsError
from runbooks.settings import Settings, WriterChoice

if TYPE_CHECKING:
    from runbooks.adapters.database import Database
    from runbooks.adapters.embedded_postgres import EmbeddedPostgres
    from runbooks.adapters.llm import LLM
    from runbooks.adapters.writers import Writers
    from runbooks.core.classifier import Classifier
    from runbooks.core.spending import Prices

RUNS_REMEMBERED = 8
MANY = 64
"""Workflows for which it is worth half a second to get ready."""


@cache
def embedded_postgres(settings: Settings) -> "EmbeddedPostgres":
    """The embedded PostgreSQL of this home; not started until its address is asked for."""
    from runbooks.adapters.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(settings.home, pg_bin=settings.pg_bin)


@cache
def open_database(settings: Settings) -> "Database":
    """The database of the settings, or the embedded one; one pool a process."""
    from runbooks.adapters.database import Database

    if settings.database_url is not None:
        return Database(settings.database_url.get_secret_value())
    embedded = embedded_postgres(settings)
    return Database(embedded.url("runbooks"), embedded=embedded)


def prefect_database(settings: Settings) -> str:
    """Address, as Prefect takes it, of a database for its own server in our PostgreSQL; made when missing."""
    from sqlalchemy import make_url

    from runbooks.adapters.prefect_database import NAME, ensure_prefect_database, for_asyncpg

    if settings.database_url is None:
        return for_asyncpg(make_url(embedded_postgres(settings).url(NAME)))
    return for_asyncpg(ensure_prefect_database(open_database(settings).url))


@cache
def open_classifier() -> "Classifier":
    """The classifier of error messages, with our rules."""
    from runbooks.adapters.catalogue_files import load_classifier

    return load_classifier()


@cache
def open_llm(settings: Settings) -> "LLM":
    """The language model of the settings; one a process, so that all of it keeps to one limit."""
    from runbooks.adapters.llm import LLM
    from runbooks.core.pace import Pace

    if settings.model is None or not settings.llm_configured:
        raise SettingsError(
            "the LLM writer needs RUNBOOKS_MODEL and OPENAI_API_KEY or OPENAI_BASE_URL; or use --writer catalogue"
        )
    return LLM(
        model=settings.model,
        api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
        base_url=settings.openai_base_url,
        concurrency=settings.llm_concurrency,
        timeout_s=settings.llm_timeout_s,
        attempts=settings.llm_attempts,
        temperature=settings.llm_temperature,
        seed=settings.llm_seed,
        max_answer_tokens=settings.llm_max_answer_tokens,
        headers=settings.llm_extra_headers,
        pace=Pace(
            requests_per_minute=settings.llm_requests_per_minute,
            tokens_per_minute=settings.llm_tokens_per_minute,
            clock=time.monotonic,
        ),
        prices=_prices(settings),
    )


def _prices(settings: Settings) -> "Prices | None":
    from runbooks.core.spending import Prices

    if settings.llm_price_input is None or settings.llm_price_output is None:
        return None
    return Prices(settings.llm_price_input, settings.llm_price_output, settings.llm_price_cached_input)


@lru_cache(maxsize=RUNS_REMEMBERED)
def open_writers(
    settings: Settings,
    choice: WriterChoice,
    run_id: str,  # noqa: ARG001 - the cache's key
    budget: Allowance = UNLIMITED,
) -> "Writers":
    """The writer of a run. All its tasks share one: a model that is down is given up once, a budget is spent once."""
    from runbooks.adapters.catalogue_files import load_catalogue
    from runbooks.adapters.writers import Writers
    from runbooks.core.catalogue_writer import CatalogueWriter

    catalogue = load_catalogue()
    writer = CatalogueWriter(catalogue)
    if choice == "catalogue" or (choice == "auto" and not settings.llm_configured):
        return Writers(catalogue=writer, catalogue_version=catalogue.version, keep_llm=choice == "auto")
    from runbooks.adapters.llm_writer import LLMWriter
    from runbooks.adapters.prompt_files import load_prompts
    from runbooks.adapters.writing_pool import WritingPool
    from runbooks.core.prompting import Limits
    from runbooks.core.spending import Purse

    limits = Limits(
        prompt_tokens=settings.llm_max_prompt_tokens,
        answer_tokens=settings.llm_max_answer_tokens,
        scenarios=settings.llm_scenarios,
    )
    model = open_llm(settings)
    if budget.cost_usd is not None and model.prices is None:
        raise SettingsError(
            "a limit of cost needs the model's prices: set RUNBOOKS_LLM_PRICE_INPUT and RUNBOOKS_LLM_PRICE_OUTPUT"
        )
    purse = Purse(budget, prices=model.prices, whose="the budget of this run")
    prompts = load_prompts()
    pool = WritingPool(
        limits=limits, prompts=prompts, catalogue_version=catalogue.version, processes=settings.llm_processes
    )
    llm = LLMWriter(model, catalogue=writer, prompts=prompts, limits=limits, purse=purse, pool=pool)
    return Writers(catalogue=writer, catalogue_version=catalogue.version, llm=llm)


@contextmanager
def ready_to_write(
    settings: Settings, choice: WriterChoice, run_id: str, budget: Allowance, *, workflows: int
) -> Iterator[None]:
    """Have ready what writing so many in this process takes, before the first of them has been read."""
    from runbooks.adapters.interruption import short_turns
    from runbooks.adapters.memory import short_collections

    llm = open_writers(settings, choice, run_id, budget).llm
    with ExitStack() as prepared:
        if settings.task_runner == "local" and workflows >= MANY:  # the processes of a cluster see to it themselves
            if llm is not None:
                prepared.enter_context(llm.prepared(workflows))
                prepared.enter_context(short_turns())
            prepared.enter_context(short_collections())
        yield
