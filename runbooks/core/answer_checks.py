"""What must hold before a model's text is stored. Each check has a name and a reason that the model can act on."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from runbooks.core import wording
from runbooks.core.answer import ScenarioAnswer
from runbooks.core.grounding import Grounding
from runbooks.core.redaction import contains_secret
from runbooks.core.runbook import FailureScenario

LEAST_SHARE_KNOWN = 0.45
"""Of the words of a scenario: a text about the same failure shares most of them with the catalogue's."""
LEAST_SHARE_KNOWN_OF_LINE = 0.2
LONGEST_SCENARIO = 4000
_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Context:
    """What one scenario's text is held against."""

    catalogue: FailureScenario
    grounding: Grounding
    specific: tuple[str, ...]
    """Names of this workflow in lower case; a specific text has at least one of them."""

    @cached_property
    def catalogue_lines(self) -> frozenset[str]:
        """Lines that may be kept as they are."""
        scenario = self.catalogue
        return frozenset((*scenario.symptoms, *scenario.diagnosis, *scenario.remediation))


Check = Callable[[ScenarioAnswer, Context], str | None]


@dataclass(frozen=True)
class Finding:
    """A check that failed, and why."""

    check: str
    reason: str


def findings(answer: ScenarioAnswer, context: Context) -> list[Finding]:
    """All checks that a scenario's text fails, in order."""
    failed = ((name, check(answer, context)) for name, check in CHECKS.items())
    return [Finding(name, reason) for name, reason in failed if reason]


def size(answer: ScenarioAnswer, _context: Context) -> str | None:
    """Short enough to be read while something burns."""
    length = sum(len(line) for line in answer.lines)
    return (
        f"all lines together have {length} characters; at most {LONGEST_SCENARIO}"
        if length > LONGEST_SCENARIO
        else None
    )


def printable(answer: ScenarioAnswer, _context: Context) -> str | None:
    """Nothing that a terminal or a browser would choke on."""
    bad = next((line for line in answer.lines if not wording.is_printable(line)), None)
    return "a line holds characters that cannot be printed" if bad is not None else None


def secret(answer: ScenarioAnswer, context: Context) -> str | None:
    """No secret, not even one that was made up."""
    found = contains_secret("\n".join(_own_lines(answer, context)))
    return "a line holds what looks like a secret" if found else None


def english(answer: ScenarioAnswer, _context: Context) -> str | None:
    """The language of all runbooks."""
    return None if wording.is_english(" ".join(answer.lines)) else "it is not written in English sentences"


def concrete(answer: ScenarioAnswer, context: Context) -> str | None:
    """Steps that somebody can do at three in the morning."""
    for line in _own_lines(answer, context):
        if wording.is_too_thin(line):
            return f"{_shown(line)} says neither where to look nor for what"
    return None


def decided(answer: ScenarioAnswer, context: Context) -> str | None:
    """Nothing is left to the reader's judgement by an empty phrase."""
    return _first(answer, context, wording.vague_words, "leaves the decision to the reader")


def no_gaps(answer: ScenarioAnswer, context: Context) -> str | None:
    """No placeholder is left."""
    return _first(answer, context, _ungrounded(wording.placeholder, context), "is a placeholder")


def no_markup(answer: ScenarioAnswer, context: Context) -> str | None:
    """Plain text."""
    return _first(answer, context, _ungrounded(wording.markup, context), "is markup; write plain text")


def no_repeats(answer: ScenarioAnswer, context: Context) -> str | None:
    """Each line says something new."""
    seen: set[str] = set()
    for line in [context.catalogue.scenario, *answer.lines]:
        plain = _NOT_WORD.sub("", line.lower())
        if plain in seen:
            return f"{_shown(line)} repeats the title or another line"
        seen.add(plain)
    return None


def no_leak(answer: ScenarioAnswer, context: Context) -> str | None:
    """Nothing about the model, its instructions, or instructions found in the data."""
    return _first(answer, context, wording.leak, "does not belong into a runbook")


def no_forbidden_advice(answer: ScenarioAnswer, context: Context) -> str | None:
    """Nothing that trades an outage for a breach."""
    return _first(answer, context, wording.forbidden_advice, "is dangerous advice")


def no_promise(answer: ScenarioAnswer, context: Context) -> str | None:
    """Nothing that the platform does not do."""
    return _first(answer, context, wording.promise, "promises what the platform does not do")


def guarded(answer: ScenarioAnswer, context: Context) -> str | None:
    """A destructive step says what to look at first, or how to go back. Diagnosis has no such steps at all."""
    for line in answer.remediation:
        found = wording.unguarded_danger(line) if line not in context.catalogue_lines else None
        if found:
            return f"{_shown(line)} says {found}, and neither what to look at first nor how to go back"
    return None


def diagnosis_looks(answer: ScenarioAnswer, context: Context) -> str | None:
    """Diagnosis only looks; changes come after it."""
    for line in answer.diagnosis:
        if line not in context.catalogue_lines and wording.changes_something(line):
            return f"the diagnosis step {_shown(line)} changes something; it belongs into the remediation"
    return None


def diagnosis_branches(answer: ScenarioAnswer, context: Context) -> str | None:
    """Diagnosis says what follows from what is found, where the catalogue's does."""
    if any(map(wording.branches, answer.diagnosis)) or not any(map(wording.branches, context.catalogue.diagnosis)):
        return None
    return "no diagnosis step says what follows from what is found (if …, then …; else …)"


def way_back(answer: ScenarioAnswer, context: Context) -> str | None:
    """What can be undone in the catalogue's text can be undone in this one."""
    needed = any(map(wording.can_be_undone, context.catalogue.remediation))
    if needed and not any(map(wording.can_be_undone, answer.remediation)):
        return f'no remediation step says how to take it back ("… {wording.UNDO} …")'
    return None


def grounded(answer: ScenarioAnswer, context: Context) -> str | None:
    """Every number, name, address and quotation occurs in the facts or the catalogue."""
    for line in _own_lines(answer, context):
        unknown = context.grounding.unknown(line)
        if unknown:
            return f"{unknown} in {_shown(line)} is not in the data"
    return None


def on_topic(answer: ScenarioAnswer, context: Context) -> str | None:
    """About this failure of this integration, in the words of the trade."""
    if context.grounding.share_known(" ".join(answer.lines)) < LEAST_SHARE_KNOWN:
        return "most of its words have nothing to do with this failure of this integration"
    for line in _own_lines(answer, context):
        if context.grounding.share_known(line) < LEAST_SHARE_KNOWN_OF_LINE:
            return f"{_shown(line)} has nothing to do with this failure of this integration"
    return None


def specific(answer: ScenarioAnswer, context: Context) -> str | None:
    """It names something of this workflow."""
    text = " ".join(answer.lines).lower()
    if any(name in text for name in context.specific):
        return None
    return "it names nothing of this workflow: no node, service, host or credential"


CHECKS: dict[str, Check] = {
    "size": size,
    "printable": printable,
    "secret": secret,
    "english": english,
    "concrete": concrete,
    "decided": decided,
    "no_gaps": no_gaps,
    "no_markup": no_markup,
    "no_repeats": no_repeats,
    "no_leak": no_leak,
    "no_forbidden_advice": no_forbidden_advice,
    "no_promise": no_promise,
    "guarded": guarded,
    "diagnosis_looks": diagnosis_looks,
    "diagnosis_branches": diagnosis_branches,
    "way_back": way_back,
    "grounded": grounded,
    "on_topic": on_topic,
    "specific": specific,
}


def _own_lines(answer: ScenarioAnswer, context: Context) -> Iterator[str]:
    """Lines that the model wrote itself."""
    return (line for line in answer.lines if line not in context.catalogue_lines)


def _first(answer: ScenarioAnswer, context: Context, find: Callable[[str], str | None], complaint: str) -> str | None:
    for line in _own_lines(answer, context):
        found = find(line)
        if found:
            return f"{_shown(found)} {complaint}"
    return None


def _ungrounded(find: Callable[[str], str | None], context: Context) -> Callable[[str], str | None]:
    """What the data itself has in this form, the placeholder of a secret for one, is no fault of the model's."""

    def found(line: str) -> str | None:
        match = find(line)
        return match if match and not context.grounding.knows(match) else None

    return found


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
