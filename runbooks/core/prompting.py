"""From facts to what is sent: as few requests as fit, each with a constant head and the data in a fence."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from runbooks.core.answer import LISTS, Answer, ScenarioAnswer
from runbooks.core.digest import (
    MOST_STEPS,
    scenario_like,
    scenario_text,
    section_header,
    steps_text,
    without_names,
    workflow_text,
)
from runbooks.core.facts import Facts
from runbooks.core.judging import Rejected, ScenarioKey
from runbooks.core.prompts import Prompts
from runbooks.core.reliability import Scope
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection

CHARACTERS_PER_TOKEN = 3.5
"""Of our prompts; tokenizers of other makers are within a fifth of it."""
TOKENS_PER_SCENARIO = 350
"""Of an answer: ten lines and their punctuation."""
FEWEST_SCENARIOS = 2
LONGEST_REASON = 400
_FENCE = re.compile(r"\b(BEGIN|END)(\s+)DATA\b", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for."""

    prompt_tokens: int = 12_000
    answer_tokens: int = 8_000
    scenarios: int = 3
    """Of one integration."""


@dataclass(frozen=True)
class Prompt:
    """What is sent: a head that is the same for every request, and the rest."""

    system: str
    user: str
    answer_tokens: int = 0
    """An estimate of what comes back."""

    @property
    def tokens(self) -> int:
        """An estimate."""
        return estimated_tokens(len(self.system) + len(self.user))


@dataclass(frozen=True)
class Request:
    """A prompt, and what its answer has to hold."""

    prompt: Prompt
    asked: tuple[ScenarioKey, ...]


class Prompter:
    """Writes the requests for one workflow. `clean` takes out of a text what must not be sent."""

    def __init__(
        self, facts: Facts, runbook: Runbook, *, prompts: Prompts, limits: Limits, clean: Callable[[str], str]
    ) -> None:
        self._facts = facts
        self._prompts = prompts
        self._limits = limits
        self._clean = cache(clean)
        self._sections = {section.node_key: section for section in runbook.sections}
        self._texts: dict[ScenarioKey, str] = {}
        self._workflows: dict[tuple[str, ...], str] = {}
        self._shown_keys = {key: clean(key) for key in self._sections}

    @cached_property
    def steps(self) -> str:
        """The steps of the workflow as the model sees them."""
        return self._clean(self._raw_steps)

    @cached_property
    def _raw_steps(self) -> str:
        return steps_text(self._facts, around=tuple(self._sections))

    @cached_property
    def shown(self) -> dict[str, str]:
        """The data of each integration as the model sees it, by node key."""
        return {
            key: "\n".join([self._headers[key], *(self._text(key, one) for one in self._wanted_of(section))])
            for key, section in self._sections.items()
        }

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """Keys of integrations whose data alone is more than a request may hold."""
        room = self._limits.prompt_tokens - self._fixed_tokens
        return tuple(key for key, text in self.shown.items() if _tokens(text) > room)

    def requests(self) -> list[Request]:
        """All requests that the workflow needs, its integrations in the runbook's order."""
        return [self._request(keys) for keys in self._groups()]

    def repair(self, rejected: Mapping[ScenarioKey, Rejected]) -> Request:
        """A second request, for just the scenarios that could not be used."""
        wanted: dict[str, list[FailureScenario]] = {}
        for node_key, scenario_id in rejected:
            wanted.setdefault(node_key, []).append(self._scenario(node_key, scenario_id))
        complaints = [
            f"- {self._address(key)}: {self._fenced('; '.join(why.reasons)[:LONGEST_REASON])}"
            for key, why in rejected.items()
        ]
        user = self._prompts.repair.substitute(
            workflow=self._workflow(tuple(wanted)),
            sections="\n\n".join(
                "\n".join([self._headers[key], *(self._shown(scenario_text(one, whole=True)) for one in scenarios)])
                for key, scenarios in wanted.items()
            ),
            complaints="\n".join(complaints),
        )
        return self._asking(user, tuple(rejected))

    def restored(self, answer: Answer) -> Answer:
        """The answer with names as they are: a name that had to be redacted looks different to the model."""
        return answer.model_copy(
            update={
                "scenarios": tuple(self._restored(one) for one in answer.scenarios),
                "malformed": {
                    (self._real_key(key), scenario): why for (key, scenario), why in answer.malformed.items()
                },
            }
        )

    def _restored(self, answer: ScenarioAnswer) -> ScenarioAnswer:
        lines = {name: [self._with_real_names(line) for line in getattr(answer, name)] for name in LISTS}
        return answer.model_copy(update={"node_key": self._real_key(answer.node_key), **lines})

    def _with_real_names(self, line: str) -> str:
        for shown, real in self._redacted_names.items():
            line = line.replace(shown, real)
        return line

    def _real_key(self, node_key: str) -> str:
        if node_key in self._sections:
            return node_key
        matching = [key for key, shown in self._shown_keys.items() if shown == node_key]
        return matching[0] if len(matching) == 1 else node_key

    @cached_property
    def _redacted_names(self) -> dict[str, str]:
        """Names that the catalogue's runbook shows as they are, by what the model sees; only where it can be told."""
        names = {
            name for one in self._sections.values() for name in (one.node_label, one.node_key, one.credential) if name
        }
        by_shown: dict[str, list[str]] = {}
        for name in sorted(names):
            by_shown.setdefault(self._clean(name), []).append(name)
        return {shown: real[0] for shown, real in by_shown.items() if len(real) == 1 and shown != real[0]}

    @cached_property
    def _scenarios_each(self) -> int:
        """Fewer for a workflow with many integrations, so that one request does where one can do."""
        fit = self._limits.answer_tokens // TOKENS_PER_SCENARIO
        return min(self._limits.scenarios, max(FEWEST_SCENARIOS, fit // max(len(self._sections), 1)))

    @cached_property
    def _fixed_tokens(self) -> int:
        return _tokens(self._prompts.system) + _tokens(self._workflow(tuple(self._sections)))

    def _groups(self) -> list[list[str]]:
        groups: list[list[str]] = []
        room_in, room_out = 0, 0
        for key, text in self.shown.items():
            if key in self.left_out:
                continue
            needs_in = _tokens(text)
            needs_out = len(self._wanted_of(self._sections[key])) * TOKENS_PER_SCENARIO
            if not groups or needs_in > room_in or needs_out > room_out:
                groups.append([])
                room_in = self._limits.prompt_tokens - self._fixed_tokens
                room_out = self._limits.answer_tokens
            groups[-1].append(key)
            room_in -= needs_in
            room_out -= needs_out
        return groups

    def _request(self, keys: Sequence[str]) -> Request:
        asked = tuple((key, one.scenario_id) for key in keys for one in self._wanted_of(self._sections[key]))
        user = self._prompts.user.substitute(
            workflow=self._workflow(tuple(keys)),
            sections="\n\n".join(self._without_repeats(keys)),
            wanted=str(len(asked)),
        )
        return self._asking(user, asked)

    def _asking(self, user: str, asked: tuple[ScenarioKey, ...]) -> Request:
        return Request(Prompt(self._prompts.system, user, len(asked) * TOKENS_PER_SCENARIO), asked)

    def _wanted_of(self, section: RunbookSection) -> list[FailureScenario]:
        unique = {scenario.scenario_id: scenario for scenario in section.failure_scenarios}
        return list(unique.values())[: self._scenarios_each]

    def _scenario(self, node_key: str, scenario_id: str) -> FailureScenario:
        return next(one for one in self._sections[node_key].failure_scenarios if one.scenario_id == scenario_id)

    def _address(self, key: ScenarioKey) -> str:
        shown = self._fenced(json.dumps(self._shown_keys[key[0]], ensure_ascii=False))
        return f"node_key {shown}, scenario_id {json.dumps(key[1])}"

    def _workflow(self, keys: tuple[str, ...]) -> str:
        if len(self._facts.workflow.nodes) <= MOST_STEPS:  # shown whole, whatever is in question
            keys = tuple(self._sections)
        if keys not in self._workflows:
            steps = self._raw_steps if keys == tuple(self._sections) else steps_text(self._facts, around=keys)
            self._workflows[keys] = self._fenced(self._clean(workflow_text(self._facts, steps=steps)))
        return self._workflows[keys]

    def _without_repeats(self, keys: Sequence[str]) -> Iterator[str]:
        """The integrations; a text that differs from an earlier one only in names is not sent again."""
        first: dict[str, str] = {}
        for key in keys:
            section = self._sections[key]
            lines = [self._headers[key]]
            for scenario in self._wanted_of(section):
                text = self._text(key, scenario)
                known = first.setdefault(without_names(text, section), key)
                lines.append(text if known == key else self._shown(scenario_like(scenario, known)))
            yield "\n".join(lines)

    def _header(self, section: RunbookSection) -> str:
        key = section.node_key
        integration = next(one for one in self._facts.integrations if one.node_key == key)
        has_history = self._facts.reliability_of(key).scope is not Scope.NONE
        return self._shown(section_header(section, integration, self._facts.workflow, history=has_history))

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {key: self._header(section) for key, section in self._sections.items()}

    def _text(self, node_key: str, scenario: FailureScenario) -> str:
        key = (node_key, scenario.scenario_id)
        if key not in self._texts:
            self._texts[key] = self._shown(scenario_text(scenario))
        return self._texts[key]

    def _shown(self, text: str) -> str:
        return self._fenced(self._clean(text))

    def _fenced(self, text: str) -> str:
        """Data cannot close its own fence."""
        return _FENCE.sub(r"\1_\2DATA", text) if "data" in text.casefold() else text


def estimated_tokens(characters: int) -> int:
    """How many tokens a text of so many characters has, about."""
    return round(characters / CHARACTERS_PER_TOKEN)


def _tokens(text: str) -> int:
    return estimated_tokens(len(text))
