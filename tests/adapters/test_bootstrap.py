import subprocess
import sys

import pytest

from runbooks.bootstrap import open_llm, open_writers
from runbooks.errors import SettingsError
from runbooks.settings import Settings

WITH_MODEL = Settings(model="gpt-test", openai_base_url="http://user:hunter2@127.0.0.1:9/v1")  # notsecret


def test_without_a_model_auto_is_the_catalogue_and_keeps_what_a_model_wrote() -> None:
    writers = open_writers(Settings(), "auto", "run")
    assert writers.llm is None
    assert writers.keep_llm
    assert writers.signature == f"catalogue:{writers.catalogue_version}"


def test_the_catalogue_on_request_replaces_what_a_model_wrote() -> None:
    writers = open_writers(WITH_MODEL, "catalogue", "run")
    assert writers.llm is None
    assert not writers.keep_llm


@pytest.mark.parametrize("choice", ["auto", "llm"])
def test_with_a_model_its_name_server_and_prompts_are_the_signature(choice: str) -> None:
    writers = open_writers(WITH_MODEL, choice, "run")  # type: ignore[arg-type]
    assert writers.llm is not None
    assert writers.signature.startswith("llm:gpt-test@127.0.0.1:9:")
    assert writers.llm.prompts.version in writers.signature
    assert "hunter2" not in writers.signature


def test_all_tasks_of_a_run_share_a_breaker_and_all_runs_share_a_limit() -> None:
    one, again = open_writers(WITH_MODEL, "llm", "a"), open_writers(WITH_MODEL, "llm", "a")
    other = open_writers(WITH_MODEL, "llm", "b")
    assert one.llm is not None
    assert other.llm is not None
    assert one is again
    assert one.llm.breaker is not other.llm.breaker
    assert one.llm.llm is other.llm.llm


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(model="m"), Settings(openai_base_url="http://127.0.0.1:9/v1")]
)
def test_a_model_that_is_asked_for_but_not_configured_is_one_clear_line(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="RUNBOOKS_MODEL and OPENAI_API_KEY or OPENAI_BASE_URL"):
        open_writers(settings, "llm", "run")
    with pytest.raises(SettingsError, match="RUNBOOKS_MODEL"):
        open_llm(settings)


def test_the_catalogue_loads_neither_database_nor_model_nor_tables() -> None:
    code = """
import sys
from runbooks.adapters.writers import write_unstored
from runbooks.bootstrap import open_classifier, open_writers
from runbooks.settings import Settings
open_writers(Settings(), "auto", "run")
open_classifier()
print([name for name in ("openai", "sqlalchemy", "pandas", "prefect") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
