"""What a model answers: the text of some failure scenarios, and nothing that code knows better.

Severity, evidence, verification and contacts are not in it: they follow from rules and data.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from runbooks.core.json_text import find_object

ANSWER_NAME = "failure_scenarios"
LONGEST_KEY = 300
LONGEST_LINE = 600
MOST_LINES = 8
MOST_SCENARIOS = 60

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_LINE)]
Lines = Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES)]
LISTS = ("symptoms", "diagnosis", "remediation")


class ScenarioAnswer(BaseModel):
    """The model's text of one scenario. Bounded everywhere: a small model repeats itself until it is cut off."""

    model_config = ConfigDict(frozen=True)

    node_key: Annotated[str, StringConstraints(max_length=LONGEST_KEY)]
    scenario_id: Annotated[str, StringConstraints(max_length=LONGEST_KEY)]
    symptoms: Lines
    diagnosis: Lines
    remediation: Lines

    @property
    def key(self) -> tuple[str, str]:
        """Which scenario it is about."""
        return self.node_key, self.scenario_id

    @property
    def lines(self) -> list[str]:
        """All that a reader would read of it."""
        return [*self.symptoms, *self.diagnosis, *self.remediation]


class Answer(BaseModel):
    """The scenarios of an answer that have the right form, and what was wrong with the others."""

    model_config = ConfigDict(frozen=True)

    scenarios: tuple[ScenarioAnswer, ...] = ()
    malformed: dict[tuple[str, str], str] = Field(default_factory=dict)
    """Reason by the key of the scenario, as far as it has one."""
    problem: str | None = None
    """Why there is nothing in it at all."""


def answer_schema(*, limits: bool) -> dict[str, Any]:
    """The JSON schema of an answer, flat and within what strict mode allows. The same for every request.

    `limits`: with the maximal lengths, which some servers do not take.
    """

    def text(longest: int) -> dict[str, Any]:
        return {"type": "string", "maxLength": longest} if limits else {"type": "string"}

    def several(item: dict[str, Any], most: int) -> dict[str, Any]:
        return {"type": "array", "items": item} | ({"maxItems": most} if limits else {})

    scenario = {
        "node_key": text(LONGEST_KEY),
        "scenario_id": text(LONGEST_KEY),
        **{name: several(text(LONGEST_LINE), MOST_LINES) for name in LISTS},
    }
    return _closed({"scenarios": several(_closed(scenario), MOST_SCENARIOS)})


def read_answer(text: str, *, cut: bool = False) -> Answer:
    """Read an answer, whatever stands around it; each scenario is judged alone.

    `cut`: the server stopped before the model was done. The last scenario is then incomplete.
    """
    found = find_object(text, key="scenarios")
    items = found.value["scenarios"] if found else None
    if found is None or not isinstance(items, list):
        return Answer(problem="it holds no JSON object with a list `scenarios`")
    if cut or not found.complete:
        items = items[:-1]
    scenarios: list[ScenarioAnswer] = []
    malformed: dict[tuple[str, str], str] = {}
    for item in items[:MOST_SCENARIOS]:
        try:
            scenarios.append(ScenarioAnswer.model_validate(item))
        except ValidationError as error:
            malformed[_key(item)] = _reason(error)
    return Answer(scenarios=tuple(scenarios), malformed=malformed)


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _key(item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        return "", ""
    return str(item.get("node_key", ""))[:LONGEST_KEY], str(item.get("scenario_id", ""))[:LONGEST_KEY]


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
