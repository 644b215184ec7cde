"""What a server understands of the OpenAI protocol: found out once, by being refused."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from runbooks.core.answer import ANSWER_NAME, answer_schema


class OutputMode(StrEnum):
    """How a server is asked for JSON, best first."""

    SCHEMA = "json_schema, strict"
    SCHEMA_WITHOUT_LIMITS = "json_schema, strict, without limits of length"
    OBJECT_WITH_SCHEMA = "json_object with a schema"
    OBJECT = "json_object"
    TEXT = "plain text"


MODES = tuple(OutputMode)
_NAMES_FORMAT = re.compile(r"response_format|json_schema|json_object|schema|grammar|structured output", re.IGNORECASE)
_NAMES_LIMIT = re.compile(r"max_tokens|max_completion_tokens", re.IGNORECASE)
_NAMES_TEMPERATURE = re.compile(r"temperature", re.IGNORECASE)
_NAMES_SEED = re.compile(r"\bseed\b", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """The parameters that a server and its model take."""

    mode: OutputMode = OutputMode.SCHEMA
    limit_name: str = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def parameters(self, *, max_tokens: int, temperature: float | None, seed: int | None) -> dict[str, Any]:
        """What goes into a request besides model and messages."""
        given: dict[str, Any] = {self.limit_name: max_tokens}
        if self.temperature and temperature is not None:
            given["temperature"] = temperature
        if self.seed and seed is not None:
            given["seed"] = seed
        response_format = self._response_format()
        if response_format is not None:
            given["response_format"] = response_format
        return given

    def _response_format(self) -> dict[str, Any] | None:
        match self.mode:
            case OutputMode.SCHEMA | OutputMode.SCHEMA_WITHOUT_LIMITS:
                schema = answer_schema(limits=self.mode is OutputMode.SCHEMA)
                return {
                    "type": "json_schema",
                    "json_schema": {"name": ANSWER_NAME, "strict": True, "schema": schema},
                }
            case OutputMode.OBJECT_WITH_SCHEMA:
                return {"type": "json_object", "schema": answer_schema(limits=True)}
            case OutputMode.OBJECT:
                return {"type": "json_object"}
            case OutputMode.TEXT:
                return None

    def after_refusal(self, complaint: str, *, guess: bool) -> "Dialect | None":
        """The next thing to try when a request was refused; None when nothing in it can be left out.

        `guess`: give up a mode even when the complaint does not name it, because servers word it in many ways.
        """
        if _NAMES_LIMIT.search(complaint) and self.limit_name == "max_tokens":
            return replace(self, limit_name="max_completion_tokens")
        if _NAMES_TEMPERATURE.search(complaint) and self.temperature:
            return replace(self, temperature=False)
        if _NAMES_SEED.search(complaint) and self.seed:
            return replace(self, seed=False)
        if (guess or _NAMES_FORMAT.search(complaint)) and self.mode is not OutputMode.TEXT:
            return replace(self, mode=MODES[MODES.index(self.mode) + 1])
        return None
