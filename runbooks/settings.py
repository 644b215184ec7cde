"""Settings: the only reader of the environment. Each field names its variable."""

import json
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runbooks.errors import SettingsError

WriterChoice = Literal["auto", "llm", "catalogue"]
"""`auto` uses the LLM when one is configured, else the catalogue."""


class Settings(BaseSettings):
    """All settings, from environment variables `RUNBOOKS_*` (and OpenAI's own two)."""

    model_config = SettingsConfigDict(env_prefix="RUNBOOKS_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: SecretStr | None = None
    """PostgreSQL 14 or newer; unset: the embedded PostgreSQL."""
    database_patience_s: float = Field(default=600, ge=0, le=2400)
    """How long a run waits for a database that is away or full, once it had been there."""
    home: Path = Field(default_factory=lambda: user_data_path("workflow-runbooks", appauthor=False))
    """Folder for the embedded PostgreSQL."""
    pg_bin: Path | None = Field(default=None, validation_alias=AliasChoices("PG_BIN", "pg_bin"))
    """Folder with other PostgreSQL binaries for the embedded server."""

    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url")
    )
    """Any server that speaks the OpenAI protocol; a local one needs no key."""
    model: str | None = None
    """Model name; the LLM counts as configured when this and a key or a base URL are set."""
    llm_timeout_s: float = Field(default=120, gt=0)
    """For one request, from sending it to the last byte of the answer."""
    llm_concurrency: int = Field(default=16, ge=1, le=1024)
    """Requests at once, of the whole process."""
    llm_processes: int | None = Field(default=None, ge=0, le=64)
    """Processes that draft and judge beside the one that asks; unset: one for each processor but one, at most 4."""
    llm_shared_concurrency: int | None = Field(default=None, ge=1, le=100_000)
    """Requests at once of all processes together, kept to with the help of the Prefect server; unset: not shared."""
    llm_attempts: int = Field(default=4, ge=1, le=20)
    """Tries of one request before its runbook is left to the catalogue."""
    llm_temperature: float | None = Field(default=0.2, ge=0, le=2)
    llm_seed: int | None = None
    llm_headers: SecretStr | None = None
    """Further headers of each request, as a JSON object."""
    llm_requests_per_minute: int | None = Field(default=None, ge=1)
    """Requests are spread evenly so that there are not more; unset: as many as `llm_concurrency` lets through."""
    llm_tokens_per_minute: int | None = Field(default=None, ge=1)
    """The same for tokens, those of the prompt estimated."""
    llm_price_input: float | None = Field(default=None, ge=0)
    """US dollars per million tokens, 0 for a model of one's own; costs are told when input and output have prices."""
    llm_price_cached_input: float | None = Field(default=None, ge=0)
    """Unset: as any other input."""
    llm_price_output: float | None = Field(default=None, ge=0)
    llm_batch_poll_s: float = Field(default=30, gt=0, le=3600)
    """How often a server is asked how far a batch is."""
    llm_max_prompt_tokens: int = Field(default=12_000, ge=2000)
    """Estimated; a workflow that needs more is split into several requests."""
    llm_max_answer_tokens: int = Field(default=8_000, ge=500)
    """Limit of one answer; a workflow that needs more is split as well."""
    llm_scenarios: int = Field(default=3, ge=1, le=20)
    """Scenarios of an integration that the model makes specific, the likeliest first; the rest stay the catalogue's."""

    batch_size: int = Field(default=250, ge=1, le=5000)
    """Workflows a batch: the unit of retry, of progress and of storing."""
    history_days: int = Field(default=30, ge=1, le=365)
    """Window of the reliability figures."""
    proactive_status: str = Field(default="resolved", pattern="^(open|acknowledged|resolved)$")
    """Status of a new proactive row; `open` would look like an incident in the platform's own list."""
    reopened_status: str = Field(default="open", pattern="^(open|acknowledged|resolved)$")
    """Status of a proactive row that somebody had acknowledged, once its runbook says something else."""
    coverage_target: float = Field(default=0.8, ge=0, le=1)

    task_runner: Literal["local", "dask", "ray"] = "local"
    """Where the batches of a sweep run: in threads of its process, or on a cluster that is there already."""
    cluster_address: str | None = None
    """Where the scheduler of that cluster answers, like `tcp://scheduler:8786` (Dask) or `ray://head:10001` (Ray)."""

    webhook_secrets: SecretStr | None = None
    """Secrets that senders sign webhooks with, separated by commas; unset: webhooks are refused."""
    api_rate_per_minute: int = Field(default=1200, ge=0)
    """Requests of one token to one API process; 0 for no limit."""
    api_wait_s: float = Field(default=25, gt=0, le=600)
    """How long a request for a runbook is held open before it is answered with where to look for the result."""
    api_runs: int = Field(default=4, ge=1, le=64)
    """Runbooks that one API process writes at once."""
    api_queue: int = Field(default=200, ge=1, le=100_000)
    """Workflows that may wait for one of them; more are told to come back."""

    link: str | None = None
    """Where people read a runbook: an address with `{workflow_id}` (and `{workspace_id}`) in it."""
    work_pool: str = Field(default="runbooks", min_length=1)
    """Prefect work pool of the deployments."""
    work_queue: str = Field(default="default", min_length=1)
    sweep_cron: str = Field(default="0 2 * * *", min_length=1)
    """When the nightly sweep runs."""
    sweep_max_hours: float = Field(default=6, gt=0, le=1000)
    """A sweep that takes longer says so; started at 02:00, it is done when people come to work."""
    timezone: str = "UTC"
    """Time zone of that schedule, like `Europe/Berlin`."""

    @field_validator(
        "database_url",
        "openai_api_key",
        "openai_base_url",
        "model",
        "pg_bin",
        "cluster_address",
        "link",
        "webhook_secrets",
        "llm_temperature",
        "llm_seed",
        "llm_processes",
        "llm_headers",
        "llm_shared_concurrency",
        "llm_requests_per_minute",
        "llm_tokens_per_minute",
        "llm_price_input",
        "llm_price_cached_input",
        "llm_price_output",
        mode="before",
    )
    @classmethod
    def empty_is_unset(cls, value: object) -> object:
        """An empty variable means the same as none, as compose files and CI set them."""
        return None if value == "" else value

    @field_validator("llm_headers")
    @classmethod
    def readable_headers(cls, value: SecretStr | None) -> SecretStr | None:
        """A slip would show only when a model is asked."""
        if value is not None:
            _headers(value)
        return value

    @field_validator("link")
    @classmethod
    def known_placeholders(cls, value: str | None) -> str | None:
        """A slip would show only when a report is written."""
        try:
            if value is not None and value == value.format(workflow_id="", workspace_id=""):
                raise ValueError("it must contain {workflow_id}")
        except (KeyError, IndexError) as error:
            raise ValueError("only {workflow_id} and {workspace_id} can stand in it") from error
        return value

    @field_validator("timezone")
    @classmethod
    def known_timezone(cls, value: str) -> str:
        """A schedule in an unknown zone would not run, and nobody would be told."""
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone; names are like Europe/Berlin") from error
        return value

    @property
    def llm_extra_headers(self) -> dict[str, str]:
        """The headers, by name."""
        return _headers(self.llm_headers) if self.llm_headers else {}

    @cached_property
    def llm_configured(self) -> bool:
        """Whether `auto` uses the LLM."""
        return self.model is not None and (self.openai_api_key is not None or self.openai_base_url is not None)


def _headers(value: SecretStr) -> dict[str, str]:
    try:
        headers = json.loads(value.get_secret_value())
    except ValueError:
        headers = None
    if not isinstance(headers, dict) or not all(isinstance(one, str) for one in headers.values()):
        raise ValueError('it must be a JSON object of texts like {"api-key": "…"}')
    return headers


def load_settings() -> Settings:
    """Read the settings from the environment, or say in one line which is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        variable = name if name.isupper() else f"RUNBOOKS_{name.upper()}"
        raise SettingsError(f"{variable}: {first['msg']}") from error
