"""Shared set-up: our own variables out of the environment, and the fixtures of tests/support."""

import os

import pytest

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.hosts",
    "tests.support.prefect",
    "tests.support.llm_server",
    "tests.support.batch_server",
]

os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if (name.startswith(("RUNBOOKS_", "OPENAI_")) and name != "RUNBOOKS_TEST_DATABASE_URL") or name == "PG_BIN":
            monkeypatch.delenv(name)
