"""Checks that make sense on any runbook in Markdown, whoever wrote it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from runbooks.core import wording
from runbooks.core.redaction import contains_secret

LONGEST_STEP = 400
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_BOLD_LABEL = re.compile(r"\*\*([^*]{2,60}?):?\*\*:?")
_STEP = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+(.*)")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_CODE = re.compile(r"`[^`]*`")
_CREDENTIAL_NAME = re.compile(r"credential \"[^\"]*\"")
"""What a credential is called is no secret, however random it looks."""
_EMPHASIS = re.compile(r"\*\*|__|\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Problem:
    """What a check found, and where; line 1 when it is about the whole."""

    check: str
    level: str
    """`error`: it can do harm or helps nobody; `warning`: something is missing."""
    line: int
    message: str


@dataclass(frozen=True)
class Line:
    """A line outside of code blocks, without its marks."""

    number: int
    text: str
    is_step: bool


class Page:
    """A Markdown text, taken apart."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lines(self) -> list[Line]:
        """All that is prose."""
        return [line for line, in_code in self._walk() if not in_code and line.text]

    @cached_property
    def raw(self) -> list[tuple[int, str]]:
        """All lines as they are, code included."""
        return list(enumerate(self.text.splitlines(), start=1))

    @cached_property
    def steps(self) -> list[Line]:
        """Items of lists."""
        return [line for line in self.lines if line.is_step]

    @cached_property
    def has_commands(self) -> bool:
        """Whether something stands there to be copied."""
        return any(_FENCE.match(text) for _, text in self.raw) or bool(_CODE.search(self.text))

    @cached_property
    def headings(self) -> str:
        """Headings, and bold words that stand for them."""
        found = [match[1] for _, text in self.raw if (match := _HEADING.match(text))]
        return "\n".join([*found, *_BOLD_LABEL.findall(self.text)]).lower()

    def _walk(self) -> Iterator[tuple[Line, bool]]:
        in_code = False
        for number, raw in self.raw:
            if _FENCE.match(raw):
                in_code = not in_code
                continue
            step = _STEP.match(raw)
            text = _EMPHASIS.sub(lambda match: match[1] or "", step[1] if step else raw).strip()
            yield Line(number, text if not _HEADING.match(raw) else "", step is not None), in_code


Check = Callable[[Page], Iterator[tuple[int, str]]]


def lint(text: str) -> list[Problem]:
    """All problems of a page, in the order of its lines."""
    page = Page(text)
    found = [
        Problem(name, level, line, message) for name, (level, check) in CHECKS.items() for line, message in check(page)
    ]
    return sorted(found, key=lambda problem: problem.line)


def _section(*words: str) -> Check:
    pattern = re.compile("|".join(words), re.IGNORECASE)

    def check(page: Page) -> Iterator[tuple[int, str]]:
        """One of these words is in a heading, or at the head of a line."""
        if not pattern.search(page.headings):
            yield 1, f"no section about it (looked for: {', '.join(words)})"

    return check


def _mention(what: str, *words: str) -> Check:
    pattern = re.compile("|".join(words), re.IGNORECASE)

    def check(page: Page) -> Iterator[tuple[int, str]]:
        if not pattern.search(page.text):
            yield 1, f"nothing says {what}"

    return check


def _each(lines: str, find: Callable[[str], str | None], complaint: str, *, code: bool = False) -> Check:
    def check(page: Page) -> Iterator[tuple[int, str]]:
        for line in getattr(page, lines):
            found = find(line.text if code else _CODE.sub("", line.text))
            if found:
                yield line.number, f"{_shown(found)} {complaint}"

    return check


def _secrets(page: Page) -> Iterator[tuple[int, str]]:
    for number, text in page.raw:
        if contains_secret(_CREDENTIAL_NAME.sub("", text)):
            yield number, "the line holds what looks like a secret"


def _unprintable(page: Page) -> Iterator[tuple[int, str]]:
    for number, text in page.raw:
        if not wording.is_printable(text.replace("\t", " ")):
            yield number, "the line holds characters that cannot be seen"


def _empty(page: Page) -> Iterator[tuple[int, str]]:
    if len(page.lines) < 3:
        yield 1, "there is next to nothing in it"


def _no_steps(page: Page) -> Iterator[tuple[int, str]]:
    if not page.steps and not page.has_commands:
        yield 1, "no list of steps and no command: nothing that can be followed"


def _branches(page: Page) -> Iterator[tuple[int, str]]:
    if not any(wording.branches(line.text) for line in page.lines):
        yield 1, "nothing says what follows from what is found (if …, then …)"


def _danger(text: str) -> str | None:
    return wording.unguarded_danger(text) if wording.changes_something(text) else None


def _empty_advice(text: str) -> str | None:
    return text if wording.is_empty_advice(text) else None


def _too_long(text: str) -> str | None:
    return text if len(text) > LONGEST_STEP else None


CHECKS: dict[str, tuple[str, Check]] = {
    "not-empty": ("error", _empty),
    "secret": ("error", _secrets),
    "printable": ("error", _unprintable),
    "forbidden-advice": ("error", _each("lines", wording.FORBIDDEN_ADVICE.find, "is dangerous advice")),
    "unguarded-danger": (
        "error",
        _each("steps", _danger, "destroys something; say what to look at first"),
    ),
    "model-leak": ("error", _each("lines", wording.LEAK.find, "does not belong into a runbook")),
    "empty-advice": ("error", _each("lines", _empty_advice, "says neither where to look nor for what", code=True)),
    "placeholder": ("error", _each("lines", wording.UNFILLED.find, "is a gap that nobody filled")),
    "steps": ("error", _no_steps),
    "symptoms": (
        "warning",
        _section(
            "symptom", "looks like", "meaning", "alert", "when to use", "trigger", "detect", "problem", "overview"
        ),
    ),
    "diagnosis": ("warning", _section("diagnos", "investigat", "debug", "troubleshoot", "check", "triage")),
    "remediation": ("warning", _section("remediat", "mitigat", "resol", "fix", "recover", "solution", "action")),
    "impact": ("warning", _section("impact", "if it fails", "consequence", "severity", "worst case")),
    "branches": ("warning", _branches),
    "verification": (
        "warning",
        _mention(
            "how to see that the fix worked", r"verif", r"confirm (?:that|the)", r"make sure (?:that|the)", "look after"
        ),
    ),
    "way-back": (
        "warning",
        _mention("how to take a change back", r"\broll(?:ed)? ?back", r"\bundo\b", r"\brevert"),
    ),
    "escalation": (
        "warning",
        _mention("whom to call", "escalat", r"\bpage\b", "on-?call", r"\bcontact\b", "reach out"),
    ),
    "vague": ("warning", _each("lines", wording.VAGUE.find, "leaves the decision to the reader")),
    "long-step": ("warning", _each("steps", _too_long, f"is longer than {LONGEST_STEP} characters")),
}
"""Level and check, by name."""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
