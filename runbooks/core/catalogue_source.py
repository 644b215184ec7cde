"""One file of the failure catalogue as it is written, before files are laid over each other."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import IntegrationKind

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s{}<>\"']+$")]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_step(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


Words = Annotated[tuple[Text, ...], BeforeValidator(_as_list)]


class Source(BaseModel):
    """Base of everything that stands in a file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StepSource(Source):
    """One sentence, with the conditions under which it is shown and, where it changes something, the way back."""

    text: Text
    when: Words = ()
    undo: Text | None = None


Steps = tuple[Annotated[StepSource, BeforeValidator(_as_step)], ...]


class ScenarioSource(Source):
    """A scenario, or what a file changes in the scenario of the file below; what is absent is taken from there."""

    failure_class: FailureClass = Field(alias="class")
    id: Slug | None = None
    """Tells several scenarios of one class apart; the class when absent."""
    title: Text | None = None
    severity: Severity | None = None
    prior: int | None = Field(default=None, ge=0, le=100)
    when: Words | None = None
    node_fails: bool | None = None
    """False when the node completes and the fault shows elsewhere."""
    symptoms: Steps | None = Field(default=None, min_length=1)
    diagnosis: Steps | None = Field(default=None, min_length=1)
    remediation: Steps | None = Field(default=None, min_length=1)
    verification: Steps | None = Field(default=None, min_length=1)
    prevention: Steps | None = Field(default=None, min_length=1)
    handover: Text | None = None
    docs: Url | None = None

    @property
    def key(self) -> str:
        """What a scenario of another file must have to be the same scenario."""
        return self.id or self.failure_class.value


class CatalogueFile(Source):
    """Knowledge of a kind of service, of single services, or of workflows as such."""

    kind: IntegrationKind | None = None
    extends: IntegrationKind | None = None
    """The kind whose text lies below; for services in place of their own kind's."""
    services: tuple[Slug, ...] = ()
    workflow: bool = False
    trigger: bool = False
    """The file for triggers that wait for a service, whatever the service."""
    reads: bool = False
    """Its texts hold for a trigger as well, because it is about fetching."""
    standard: tuple[FailureClass, ...] = ()
    """Classes that are shown even when history has no failure of them; adds to those of the file below."""
    docs: Url | None = None
    terms: dict[str, Text] = Field(default_factory=dict)
    priors: dict[Slug, int] = Field(default_factory=dict)
    """Priors of scenarios that are otherwise taken over as they are."""
    scenarios: tuple[ScenarioSource, ...] = ()

    @model_validator(mode="after")
    def _is_one_thing(self) -> "CatalogueFile":
        alone = self.workflow or self.trigger
        if not (alone or self.kind or self.services):
            raise ValueError("a file needs `kind`, `services`, `trigger: true` or `workflow: true`")
        if alone and (self.kind or self.services or self.extends or self.workflow is self.trigger):
            raise ValueError(
                "`workflow: true` and `trigger: true` stand alone, without `kind`, `services` and `extends`"
            )
        if self.extends and self.extends == self.kind:
            raise ValueError("`extends` names another kind")
        return self
