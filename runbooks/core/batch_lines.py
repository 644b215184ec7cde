"""The files of a Batch API: a line for each request, and a line for each answer."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ENDPOINT = "/v1/chat/completions"
MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of one file."""
HALF = 0.5
"""What a batch costs of the price of single requests."""
NAME_MARK = ":"


def request_line(workflow_id: str, name: str, body: Mapping[str, Any]) -> bytes:
    """One request of a workflow. `name` tells its requests apart: a large workflow has several."""
    custom_id = f"{workflow_id}{NAME_MARK}{name}"
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@dataclass
class Answers:
    """What came back: bodies by workflow and name, and how often there was none for which reason."""

    bodies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)

    def read(self, lines: Iterable[str]) -> None:
        """Take note of the lines of an output or an error file; what is none of ours is left out."""
        for line in lines:
            try:
                answer = json.loads(line)
                workflow_id, _, name = answer["custom_id"].rpartition(NAME_MARK)
                response = answer.get("response") or {}
                body, status = response.get("body"), response.get("status_code")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if status == 200 and isinstance(body, dict) and workflow_id:
                self.bodies.setdefault(workflow_id, {})[name] = body
            else:
                self.missing[_reason(answer.get("error"), status)] += 1


def _reason(error: Any, status: Any) -> str:
    """A code, never a message: servers quote requests."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and code.replace("_", "").isalnum() and len(code) <= 60:
        return code
    return f"HTTP {status}" if isinstance(status, int) else "no answer"
