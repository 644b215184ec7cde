"""The templates of prompts: text with declared gaps, and a version that changes with every letter."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

GAPS: Mapping[str, frozenset[str]] = {
    "system": frozenset(),
    "user": frozenset({"workflow", "sections", "wanted"}),
    "repair": frozenset({"workflow", "sections", "complaints"}),
}
"""Which gaps each template has, no more and no fewer."""
FORMAT = "2"
"""Raised when the way in which facts are written into the gaps changes."""


@dataclass(frozen=True)
class Prompts:
    """The templates that the LLM writer needs."""

    system: str
    user: Template
    repair: Template
    version: str


def prompts_from(texts: Mapping[str, str]) -> Prompts:
    """Check the templates, by name; ValueError names the first that is missing or has other gaps than declared."""
    for name, gaps in GAPS.items():
        if name not in texts:
            raise ValueError(f"the prompt template {name} is missing")
        template = Template(texts[name])
        found = frozenset(template.get_identifiers())
        if not template.is_valid() or found != gaps:
            wanted = ", ".join(f"${gap}" for gap in sorted(gaps)) or "none"
            raise ValueError(f"the prompt template {name} has other gaps than it should: {wanted}")
    digest = hashlib.sha256("\0".join([FORMAT, *(texts[name] for name in sorted(GAPS))]).encode()).hexdigest()
    return Prompts(texts["system"], Template(texts["user"]), Template(texts["repair"]), digest[:12])
