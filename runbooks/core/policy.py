"""What a workspace allows: which models may be asked, and what must not be sent to them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from pydantic import ConfigDict, Field

from runbooks.core.redaction_rule import RedactionRule
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.core.workflow import Frozen

PATTERN_KEYS = ("pattern", "regex", "regexp", "expression")
FIELD_KEYS = ("field", "key", "path")
LIST_KEYS = ("patterns", "regexes", "fields", "keys", "rules")
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z")
_VALUE = r"[\"']?\s*[:=]\s*(?:\"[^\"]*\"|'[^']*'|[^\s,;}]+)"


class PolicyUnreadable(ValueError):
    """A policy is written in a way that we do not understand."""


class WorkspacePolicy(Frozen):
    """The enabled policy of one workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    allowed_models: tuple[str, ...] = ()
    """Empty: all that are not blocked."""
    blocked_models: tuple[str, ...] = ()
    rules: tuple[RedactionRule, ...] = Field(default=())
    """What else must not be sent."""
    allowance: Allowance = UNLIMITED
    """What one runbook may cost."""
    problem: str | None = None
    """Why the policy cannot be read. Nothing is sent then: a policy that is not understood allows nothing."""
    rules_are_known: bool = True
    """Whether it is understood at least what must be hidden."""

    def refuses(self, model: str, *, priced: bool = True) -> str | None:
        """Why a model may not be asked for this workspace; None when it may. `priced`: it is known what it costs."""
        if self.problem is not None:
            return f"the workspace's policy cannot be read: {self.problem}"
        if _names(model, self.blocked_models) or (self.allowed_models and not _names(model, self.allowed_models)):
            return f"the workspace's policy does not allow the model {model}"
        if self.allowance.cost_usd is not None and not priced:
            return "the workspace's policy limits the cost, and RUNBOOKS_LLM_PRICE_INPUT and _OUTPUT do not tell it"
        return None


NO_POLICY = WorkspacePolicy()


def _allowance(row: Mapping[str, Any]) -> Allowance:
    tokens, cost = row.get("max_ai_tokens"), row.get("max_execution_cost_usd")
    try:
        allowance = Allowance(
            tokens=int(tokens) if tokens is not None else None, cost_usd=float(cost) if cost is not None else None
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise PolicyUnreadable("max_ai_tokens or max_execution_cost_usd is no number") from error
    if (allowance.tokens or 0) < 0 or not 0 <= (allowance.cost_usd or 0) < inf:
        raise PolicyUnreadable("max_ai_tokens or max_execution_cost_usd is no amount")
    return allowance


def policy_from(row: Mapping[str, Any]) -> WorkspacePolicy:
    """Read a row of the platform's `workspace_policies`."""
    if not row.get("enabled"):
        return NO_POLICY
    try:
        rules = tuple(_compiled(rule) for rule in _rules(row.get("redaction_rules")))
    except PolicyUnreadable as error:
        return WorkspacePolicy(problem=str(error), rules_are_known=False)
    try:
        return WorkspacePolicy(
            allowed_models=_texts(row.get("allowed_ai_models"), "allowed_ai_models"),
            blocked_models=_texts(row.get("blocked_ai_models"), "blocked_ai_models"),
            rules=rules,
            allowance=_allowance(row),
        )
    except PolicyUnreadable as error:
        return WorkspacePolicy(rules=rules, problem=str(error))


def _names(model: str, models: Sequence[str]) -> bool:
    """`openai/gpt-5` of a gateway is the `gpt-5` of a list."""
    name = model.lower()
    return any(name == other.lower() or name.rpartition("/")[2] == other.lower().rpartition("/")[2] for other in models)


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise PolicyUnreadable(f"{name} is no list of names")
    return tuple(value)


def _rules(value: Any) -> Iterator[str]:
    """Expressions of the rules in any of the shapes that people write: texts, objects, lists by kind."""
    if value is None:
        return
    if isinstance(value, str):
        # A bare word may be meant as a field or as an expression: hide what either would.
        yield rf"{re.escape(value)}(?:{_VALUE})?" if _PLAIN_NAME.match(value) else value
    elif isinstance(value, list):
        for one in value:
            yield from _rules(one)
    elif isinstance(value, dict):
        yield from _rules_of_object(value)
    else:
        raise PolicyUnreadable("a redaction rule is neither a text nor an object")


def _rules_of_object(value: dict[str, Any]) -> Iterator[str]:
    known = False
    for key, content in value.items():
        if key in LIST_KEYS:
            yield from _rules(content)
        elif key in PATTERN_KEYS and isinstance(content, str):
            yield content
        elif key in FIELD_KEYS and isinstance(content, str):
            yield _of_field(content)
        else:
            continue
        known = True
    if value and not known:
        raise PolicyUnreadable(f"a redaction rule names none of {', '.join((*PATTERN_KEYS, *FIELD_KEYS))}")


def _of_field(path: str) -> str:
    """The value that stands behind a field's name."""
    return rf"(?i)(?<=\b{re.escape(path.rpartition('.')[2])}){_VALUE}"


def _compiled(expression: str) -> RedactionRule:
    try:
        return RedactionRule(expression)
    except ValueError as error:
        raise PolicyUnreadable(f"redaction rule {expression[:60]!r} {error}") from error
