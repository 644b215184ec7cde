"""What answers look like, for the OpenAPI document and for tests. Bodies that are sent are with their endpoints."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.api.pagination import Links, Meta

EXAMPLE_ROW: JsonDict = {
    "id": "05b0929c-ff60-4d86-8920-1cdb62546275",
    "workspace_id": "d62be8d3-29dc-5d50-9b45-1fd28071d83f",
    "workflow_id": "8feefc99-6f6a-568b-977e-643ed2464b5e",
    "execution_id": None,
    "severity": "high",
    "title": "Runbook: Order Processing Pipeline",
    "summary": "What can fail, and what to do.",
    "steps": [{"title": "[high] Charge card: Authentication failure (401)", "description": "Looks like: …"}],
    "tags": ["proactive", "catalogue", "Stripe API"],
    "status": "resolved",
    "type": "proactive",
    "ai_generated": False,
    "acknowledged_by": None,
    "acknowledged_at": None,
    "resolved_at": None,
    "created_at": "2026-03-31T02:00:07Z",
    "updated_at": "2026-03-31T02:00:07Z",
}


class Step(BaseModel):
    """One step of the platform's own list."""

    title: str
    description: str


class RunbookRow(BaseModel):
    """A runbook as the platform shows it. Ids are text, whatever the database keeps them as."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ROW]})

    id: str
    workspace_id: str
    workflow_id: str | None
    execution_id: str | None
    """Null for a proactive one."""
    severity: str
    title: str
    summary: str
    steps: list[Step]
    tags: list[str] | None
    status: str
    type: str
    ai_generated: bool
    acknowledged_by: str | None
    acknowledged_at: str | None
    resolved_at: str | None
    created_at: str | None
    updated_at: str | None


class Scenario(BaseModel):
    """One way an integration fails."""

    model_config = ConfigDict(extra="allow")

    scenario: str
    symptoms: list[str]
    diagnosis: list[str]
    remediation: list[str]
    severity: str


class Section(BaseModel):
    """One integration's scenarios."""

    model_config = ConfigDict(extra="allow")

    integration: str
    node_key: str
    failure_scenarios: list[Scenario]


class RunbookDetails(RunbookRow):
    """The same with its sections and, for a proactive one, with all that the runbook says beside them."""

    model_config = ConfigDict(extra="allow")

    sections: list[Section]


class RunbookPage(BaseModel):
    """A page of runbooks."""

    data: list[RunbookRow]
    links: Links
    meta: Meta


class Version(BaseModel):
    """One version of a runbook; what people had said is known of those that were replaced."""

    version: int
    created_at: str
    reason: str
    writer: str
    model: str | None
    severity: str | None
    definition_hash: str
    fingerprint: str
    status: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None


class VersionPage(BaseModel):
    """A page of versions."""

    data: list[Version]
    links: Links
    meta: Meta


class OneRunbook(BaseModel):
    """One runbook."""

    data: RunbookDetails


class WrittenRunbook(BaseModel):
    """A runbook as it is written: the agreed keys, with more beside."""

    model_config = ConfigDict(extra="allow")

    title: str
    sections: list[Section]
    escalation_matrix: dict[str, str]


class Written(BaseModel):
    """The answer to a request for a runbook."""

    runbook: WrittenRunbook


Json = dict[str, Any]


class Accepted(BaseModel):
    """It will be done."""

    message: str = Field(examples=["Accepted."])
