"""Shared set-up: our own variables out of the environment, Ctrl-C heard, and the fixtures of tests/support."""

import os
import signal

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
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of tests that a shell started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else all that they start would ignore Ctrl-C, too


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if (name.startswith(("RUNBOOKS_", "OPENAI_")) and name != "RUNBOOKS_TEST_DATABASE_URL") or name == "PG_BIN":
            monkeypatch.delenv(name)
