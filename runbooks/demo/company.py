"""The demo's company as data: `company.yaml` and the definitions beside it."""

import json
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml
from pydantic import BaseModel, ConfigDict, Field

from runbooks.core.definition import parse_definition
from runbooks.core.workflow import Workflow
from runbooks.demo.fake_secrets import with_secrets

NAMESPACE = uuid5(NAMESPACE_URL, "https://tidewell.example/")


def stable_id(*names: str) -> str:
    """The same id for the same names, on every machine and at every time."""
    return str(uuid5(NAMESPACE, "/".join(names)))


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class User(_Data):
    """Somebody who works there."""

    name: str
    email: str

    @property
    def id(self) -> str:
        """Id of the row."""
        return stable_id("user", self.email)


class Workspace(_Data):
    """The one workspace."""

    name: str
    slug: str
    owner: str
    settings: dict[str, Any]

    @property
    def id(self) -> str:
        """Id of the row."""
        return stable_id("workspace", self.slug)


class Policy(_Data):
    """The workspace's policy."""

    enabled: bool
    blocked_node_types: tuple[str, ...]
    allowed_ai_models: tuple[str, ...]
    max_ai_tokens: int
    max_execution_cost_usd: float
    redaction_rules: tuple[str, ...]


class Credential(_Data):
    """A credential without its content."""

    name: str
    type: str
    expires_in_days: int | None = None

    @property
    def id(self) -> str:
        """Id of the row."""
        return stable_id("credential", self.name)


class NodeType(_Data):
    """A row of the platform's node catalogue."""

    type: str
    name: str
    kind: str
    credential_type: str | None = None


class Traffic(_Data):
    """How often a workflow runs: by the clock, or when something happens."""

    every_minutes: int | None = Field(default=None, ge=1)
    first_minute: int = 0
    weekdays_only: bool = False
    a_day: int = 0


class DemoWorkflow(_Data):
    """A workflow and how it behaves."""

    file: str
    owner: str
    version: int
    active: bool = True
    deleted: bool = False
    traffic: Traffic = Traffic()
    latency: Mapping[str, float] = {}
    calls: Mapping[str, int] = {}
    holds: Mapping[str, float] = {}
    credentials: Mapping[str, str] = {}

    @property
    def id(self) -> str:
        """Id of the row."""
        return stable_id("workflow", self.file)

    @property
    def runs(self) -> bool:
        """Whether it is one of those that a sweep has to find."""
        return self.active and not self.deleted

    @cached_property
    def document(self) -> dict[str, Any]:
        """The definition as the platform keeps it, with its secrets in clear text."""
        text = files("runbooks.demo").joinpath("workflows", f"{self.file}.json").read_text(encoding="utf-8")
        document: dict[str, Any] = json.loads(with_secrets(text))
        return document

    @cached_property
    def workflow(self) -> Workflow:
        """The definition, parsed."""
        return parse_definition(self.document, workflow_id=self.id)


class Company(_Data):
    """All of it."""

    workspace: Workspace
    policy: Policy
    users: tuple[User, ...]
    credentials: tuple[Credential, ...]
    node_types: tuple[NodeType, ...]
    workflows: tuple[DemoWorkflow, ...]

    def user_id(self, email: str) -> str:
        """Id of the user with that address."""
        return next(user.id for user in self.users if user.email == email)

    def find(self, file: str) -> DemoWorkflow:
        """The workflow of that file."""
        return next(workflow for workflow in self.workflows if workflow.file == file)


def read_company() -> Company:
    """Read the company's files."""
    text = files("runbooks.demo").joinpath("company.yaml").read_text(encoding="utf-8")
    return Company.model_validate(yaml.safe_load(text))
