"""`runbooks doctor`: what works and what to do about what does not, a line each."""

import asyncio
import json
import os
import urllib.request
from collections.abc import Callable

from runbooks.bootstrap import open_database, open_llm
from runbooks.errors import LLMError, RunbooksError, SchemaOutdated
from runbooks.settings import Settings, load_settings

PREFECT_TIMEOUT_S = 5

Finding = tuple[str, str]
"""`ok`, `off` (nothing to mend) or `bad`, and what was found."""


def run_doctor() -> int:
    """Check everything; exit 1 when something is broken, not when something is merely not configured."""
    settings = load_settings()
    checks: dict[str, Callable[[Settings], Finding]] = {
        "database": check_database,
        "prefect": check_prefect,
        "llm": check_llm,
    }
    if settings.llm_shared_concurrency is not None:
        checks["llm slots"] = check_slots
    broken = False
    for name, check in checks.items():
        state, found = check(settings)
        broken = broken or state == "bad"
        print(f"{name:<9} {state:<4} {found}")
    return 1 if broken else 0


def check_database(settings: Settings) -> Finding:
    """Reachable, and migrated to this version."""
    try:
        database = open_database(settings)
        where = f"{database.url.host}:{database.url.port or 5432}/{database.url.database}"
        kind = "embedded PostgreSQL" if settings.database_url is None else "PostgreSQL"
        with database.begin() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        mode = "standalone" if database.schema.standalone else "beside the platform's tables"
    except SchemaOutdated:
        return "bad", f"{kind} {version} at {where} is not migrated; run `runbooks migrate`"
    except RunbooksError as error:
        return "bad", str(error)
    return "ok", f"{kind} {version} at {where}, migrated, {mode}"


def check_prefect(_settings: Settings) -> Finding:
    """A configured server answers; none is fine, a sweep then starts its own."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return (
            "off",
            "no PREFECT_API_URL in the environment; a sweep starts a server of its own, which takes 10 to 20 s",
        )
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=PREFECT_TIMEOUT_S) as answer:  # noqa: S310 - the user's own setting
            healthy = json.load(answer) is True
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return "bad", f"{url} does not answer ({reason}); start it with `prefect server start` or unset PREFECT_API_URL"
    return ("ok", f"{url} answers") if healthy else ("bad", f"{url} answers, but says that it is not healthy")


def check_llm(settings: Settings) -> Finding:
    """The model answers, and how it can be asked for structured output."""
    if not settings.llm_configured:
        return (
            "off",
            "not configured, the catalogue writes; set RUNBOOKS_MODEL and OPENAI_API_KEY or OPENAI_BASE_URL",
        )
    try:
        mode = asyncio.run(open_llm(settings).probe())
    except LLMError as error:
        return "bad", f"{settings.model}: {error}"
    return "ok", f"{settings.model} answers; structured output: {mode}"


def check_slots(settings: Settings) -> Finding:
    """The limit that all processes share is there, is what the settings say, and is not used up."""
    from app.prefect_session import quiet_prefect, server_is_configured

    quiet_prefect()
    if not server_is_configured():
        return (
            "off",
            "RUNBOOKS_LLM_SHARED_CONCURRENCY is set, but no Prefect server (PREFECT_API_URL): nothing is shared",
        )
    from tasks.slot_server import LIMIT, LimitMissing, ServerAway, SlotServer

    try:
        usage = SlotServer().usage()
    except (LimitMissing, ServerAway) as problem:
        return "bad", f"{problem}; calls of several processes are not limited together"
    found = f"{usage.taken} of {usage.limit} slots of Prefect's limit {LIMIT} are taken"
    if usage.limit != settings.llm_shared_concurrency:
        return (
            "bad",
            f"{found}; RUNBOOKS_LLM_SHARED_CONCURRENCY is {settings.llm_shared_concurrency}: run `runbooks deploy`",
        )
    if usage.taken >= usage.limit:
        return "ok", f"{found}; if nothing runs: `prefect gcl update {LIMIT} --active-slots 0`"
    return "ok", found
