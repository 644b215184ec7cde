"""What must hold before a model's text is stored. Each check has a name and a reason that the model can act on."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from runbooks.core import wording
from runbooks.core.answer import ScenarioAnswer
from runbooks.core.grounding import Grounding
from runbooks.core.redaction import contains_secret
from runbooks.core.runbook import FailureScenario
from runbooks.core.wording import Wording

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


@dataclass(frozen=True)
class Subject:
    """A text of a model's, and what it is held against."""

    answer: ScenarioAnswer
    context: Context

    @cached_property
    def lines(self) -> list[str]:
        """All of it."""
        return self.answer.lines

    @cached_property
    def own_lines(self) -> list[str]:
        """Lines that the model wrote itself."""
        return self.own(self.lines)

    def own(self, lines: Sequence[str]) -> list[str]:
        """Those of these that the model wrote itself."""
        return [line for line in lines if line not in self.context.catalogue_lines]

    @cached_property
    def own_folded(self) -> str:
        """What the model wrote itself, to be searched for pieces."""
        return "\n".join(self.own_lines).casefold()

    def first(self, wording: Wording, *, known: bool = False) -> str | None:
        """The first place with such a wording; `known`: what the data has in this form is no fault of the model's."""
        if not wording.may_be_in(self.own_folded):
            return None
        found = (match for match in map(wording.find, self.own_lines) if match)
        return next((match for match in found if not (known and self.context.grounding.knows(match))), None)


Check = Callable[[Subject], str | None]


@dataclass(frozen=True)
class Finding:
    """A check that failed, and why."""

    check: str
    reason: str


def findings(answer: ScenarioAnswer, context: Context) -> list[Finding]:
    """All checks that a scenario's text fails, in order."""
    subject = Subject(answer, context)
    failed = ((name, check(subject)) for name, check in CHECKS.items())
    return [Finding(name, reason) for name, reason in failed if reason]


def size(subject: Subject) -> str | None:
    """Short enough to be read while something burns."""
    length = sum(len(line) for line in subject.lines)
    return (
        f"all lines together have {length} characters; at most {LONGEST_SCENARIO}"
        if length > LONGEST_SCENARIO
        else None
    )


def printable(subject: Subject) -> str | None:
    """Nothing that a terminal or a browser would choke on."""
    bad = next((line for line in subject.lines if not wording.is_printable(line)), None)
    return "a line holds characters that cannot be printed" if bad is not None else None


def secret(subject: Subject) -> str | None:
    """No secret, not even one that was made up."""
    found = contains_secret("\n".join(subject.own_lines))
    return "a line holds what looks like a secret" if found else None


def english(subject: Subject) -> str | None:
    """The language of all runbooks."""
    return None if wording.is_english(" ".join(subject.lines)) else "it is not written in English sentences"


def concrete(subject: Subject) -> str | None:
    """Steps that somebody can do at three in the morning."""
    for line in subject.own_lines:
        if wording.is_too_thin(line):
            return f"{_shown(line)} says neither where to look nor for what"
    return None


def decided(subject: Subject) -> str | None:
    """Nothing is left to the reader's judgement by an empty phrase."""
    return _complaint(subject.first(wording.VAGUE), "leaves the decision to the reader")


def no_gaps(subject: Subject) -> str | None:
    """No placeholder is left."""
    return _complaint(subject.first(wording.PLACEHOLDER, known=True), "is a placeholder")


def no_markup(subject: Subject) -> str | None:
    """Plain text."""
    return _complaint(subject.first(wording.MARKUP, known=True), "is markup; write plain text")


def no_repeats(subject: Subject) -> str | None:
    """Each line says something new."""
    seen: set[str] = set()
    for line in [subject.context.catalogue.scenario, *subject.lines]:
        plain = _NOT_WORD.sub("", line.lower())
        if plain in seen:
            return f"{_shown(line)} repeats the title or another line"
        seen.add(plain)
    return None


def no_leak(subject: Subject) -> str | None:
    """Nothing about the model, its instructions, or instructions found in the data."""
    return _complaint(subject.first(wording.LEAK), "does not belong into a runbook")


def no_forbidden_advice(subject: Subject) -> str | None:
    """Nothing that trades an outage for a breach."""
    return _complaint(subject.first(wording.FORBIDDEN_ADVICE), "is dangerous advice")


def no_promise(subject: Subject) -> str | None:
    """Nothing that the platform does not do."""
    return _complaint(subject.first(wording.PROMISE), "promises what the platform does not do")


def guarded(subject: Subject) -> str | None:
    """A destructive step says what to look at first, or how to go back. Diagnosis has no such steps at all."""
    for line in subject.own(subject.answer.remediation):
        found = wording.unguarded_danger(line)
        if found:
            return f"{_shown(line)} says {found}, and neither what to look at first nor how to go back"
    return None


def diagnosis_looks(subject: Subject) -> str | None:
    """Diagnosis only looks; changes come after it."""
    for line in subject.own(subject.answer.diagnosis):
        if wording.changes_something(line):
            return f"the diagnosis step {_shown(line)} changes something; it belongs into the remediation"
    return None


def diagnosis_branches(subject: Subject) -> str | None:
    """Diagnosis says what follows from what is found, where the catalogue's does."""
    if any(map(wording.branches, subject.answer.diagnosis)) or not any(
        map(wording.branches, subject.context.catalogue.diagnosis)
    ):
        return None
    return "no diagnosis step says what follows from what is found (if …, then …; else …)"


def way_back(subject: Subject) -> str | None:
    """What can be undone in the catalogue's text can be undone in this one."""
    needed = any(map(wording.can_be_undone, subject.context.catalogue.remediation))
    if needed and not any(map(wording.can_be_undone, subject.answer.remediation)):
        return f'no remediation step says how to take it back ("… {wording.UNDO} …")'
    return None


def grounded(subject: Subject) -> str | None:
    """Every number, name, address and quotation occurs in the facts or the catalogue."""
    for line in subject.own_lines:
        unknown = subject.context.grounding.unknown(line)
        if unknown:
            return f"{unknown} in {_shown(line)} is not in the data"
    return None


def on_topic(subject: Subject) -> str | None:
    """About this failure of this integration, in the words of the trade."""
    all_of_it, shares = subject.context.grounding.shares_known(subject.lines)
    if all_of_it < LEAST_SHARE_KNOWN:
        return "most of its words have nothing to do with this failure of this integration"
    for line in subject.own_lines:
        if shares[line] < LEAST_SHARE_KNOWN_OF_LINE:
            return f"{_shown(line)} has nothing to do with this failure of this integration"
    return None


def specific(subject: Subject) -> str | None:
    """It names something of this workflow."""
    text = " ".join(subject.lines).lower()
    if any(name in text for name in subject.context.specific):
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


def _complaint(found: str | None, complaint: str) -> str | None:
    return f"{_shown(found)} {complaint}" if found else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
