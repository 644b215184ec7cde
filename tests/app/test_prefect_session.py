import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.prefect_session import prefect_session
from runbooks.bootstrap import embedded_postgres
from runbooks.settings import Settings


async def _database_of(url: str) -> str:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return str((await connection.execute(text("SELECT current_database()"))).scalar_one())
    finally:
        await engine.dispose()


def test_variables_that_are_meant_for_another_server_do_not_keep_prefect_from_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL, PREFECT_HOME, temporary_settings

    meant_for_another = {"PGHOST": "db.invalid", "PGSSLMODE": "verify-full", "PGTARGETSESSIONATTRS": "standby"}
    for name, value in meant_for_another.items():
        monkeypatch.setenv(name, value)
    settings = Settings(home=tmp_path)
    # Nobody's profile may name a server here.
    with temporary_settings({PREFECT_HOME: tmp_path}, restore_defaults={PREFECT_API_URL}), prefect_session(settings):
        url = PREFECT_API_DATABASE_CONNECTION_URL.value()
        assert url.startswith("postgresql+asyncpg://")
        assert asyncio.run(_database_of(url)) == "prefect"
    embedded_postgres(settings).leave()
