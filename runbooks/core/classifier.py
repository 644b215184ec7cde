"""Turn an error into one failure class, by rules in order: the first rule that fires decides."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import Phrase, decoded, words

LONGEST_TEXT = 2000
"""A longer message is judged by its head and its tail: the detail stands in one of them."""
HEAD = 1500
LONGEST_READ = 6000
"""A longer message is cut before its stack frames are taken out: what follows them may be the cause."""
LONGEST_FIELD = 200
NO_RULE = "no-rule"
EVERYDAY_WORDS = frozenset(
    {"atlas", "email", "excel", "graph", "lambda", "mail", "meta", "pg", "ses", "sheets", "teams"}
)
"""Names of services that in a message are more often just words; they count in the service's own field."""

_URL = re.compile(r"(https?://[^\s/?#\"']++)[^\s\"'<>]*+")
_NUMBERED = re.compile(r"\(#(\d{1,6})\)")
"""Meta's way to give a code: `(#32) Page request limit reached`."""
_ESCAPED = re.compile(r"\\+[nrt\"]|(?<![\w'])[ub](?=['\"])")
"""Escapes, and the letter before a string as Python 2 writes it: `u'not_found'`."""
_NEXT_FIELD = re.compile(r"(?<=[\"'\]}])\s{0,20},\s{0,20}(?=\{|\\{0,4}[\"'][\w.-]{1,40}\\{0,4}[\"']\s?:)")
"""Between two fields of a JSON text a sentence ends: `"type": "item", "hint": "no id"` says nothing of a type."""
_STACK_FRAME = re.compile(
    r"\bat (?:async |new )?[\w.$<>/]{1,150}+(?: \[as [\w.]{1,40}\])? ?"
    r"\((?:[^()\n]{0,200}:\d++|Native Method|Unknown Source|<anonymous>)\)"
    r"|\bat (?:async )?(?:file:|node:|webpack|[A-Za-z]:\\|\.{0,2}/)[^\s()\"]{0,200}:\d++:\d++"
    r"|File \"[^\"\n]{1,200}\", line \d++(?:, in [\w<>.]++)?(?:\n {2,}[^\n]*+)?"
)
_PAIR_THAT_TELLS_NOTHING = re.compile(
    r"\\{0,4}[\"'](?:[\w.-]{1,40}\\{0,4}[\"']\s?:\s?(?:null|None|\\{0,4}\"\\{0,4}\"|''|\[\]|\{\})"
    r"|(?:type|object)\\{0,4}[\"']\s?:\s?\\{0,4}[\"']error\\{0,4}[\"'])(?=[\s,}\]])"
)
_NAME_OF_A_PROGRAM_PART = re.compile(r"\bHTTPS?ConnectionPool\b")
"""Python's HTTP client names itself in every message; no pool has run out."""
_IP_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_CLASS_NAME = re.compile(
    r"\b[A-Z]\w{1,60}(?:Error|Exception|Fault|Failure)(?=: )|\bexception '[\w\\]{1,120}'(?= with message)"
)
"""`BaseURLNotSetError: connection timed out`: what the program calls its error, before what happened."""
_ADVICE = re.compile(
    r" (?:please )?(?:(?:make|be) sure|ensure|perhaps|maybe|possibly|(?:check|verify) (?:that|if|whether|your|the)"
    r"|if (?:you|this)|this (?:may|might|could|can) be|(?:one|a) common (?:reason|cause)|did you)(?= )[^.|!?]*+"
)
"""Up to the end of its sentence. What the reader is told to look at has not happened."""
_WORDS_OF_ADVICE = frozenset(
    {"sure", "ensure", "perhaps", "maybe", "possibly", "check", "verify", "if", "this", "common", "did"}
)
_ERROR_PAGE = re.compile(r"<(?:title|h1)>\s{0,9}[45]\d\d\b", re.IGNORECASE)
_TAG = re.compile(r"<[!/]?[A-Za-z][^<>]{0,200}>")
_SERVICE_WORD = re.compile(r"[a-z0-9]+")
_STATUS_IN_BRACKETS = re.compile(r"\(([45]\d\d)\)")
_STATUS_AT_THE_END = re.compile(r"(?<!\bport)(?<!\bline): ([45]\d\d)\s{0,9}\Z", re.IGNORECASE)
"""`Could not upload the file: 401`."""
_STATUS_IN_TEXT = re.compile(
    r"(?: (?:status|http|response|returned|failed|with|codes?|error|exception|\|)"
    r"(?: (?:is|was|of|with|code|error|status|1 1|1 0|2))? ([45]\d\d)(?= ))"
    r"|(?: expected 2\d\d(?: [a-z]+){0,3} ([45]\d\d)(?= ))"
    r"|(?: ([45]\d\d) (?:[45] \d \d++|bad|unauthorized|payment|forbidden|not|method|conflict|gone|payload|request"
    r"|unsupported|unprocessable|too|internal|service|gateway|client|server|error)(?= ))"
)


@dataclass(frozen=True)
class ErrorFacts:
    """What is known of one failed call. Anything may be missing, or of a type that it should not have."""

    service: str | None = None
    status: str | None = None
    """The call attempt's own: client_error, server_error, timeout, network_error, cancelled."""
    status_code: int | None = None
    error_code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Classification:
    """A failure class, the id of the rule that chose it, and the rule's phrase that was found, if any."""

    failure_class: FailureClass
    rule: str
    phrase: str = ""


@dataclass(frozen=True)
class Rule:
    """One line of reasoning. Each kind of condition that it has must hold; of several values one is enough."""

    id: str
    failure_class: FailureClass
    source: str
    phrases: tuple[Phrase, ...] = ()
    services: frozenset[str] = frozenset()
    status_codes: frozenset[int] = frozenset()
    unless_status_codes: frozenset[int] = frozenset()
    """With one of these statuses the rule is silent: they say more than its wording."""
    statuses: frozenset[str] = frozenset()
    fallback: bool = False
    """Tried only when no other rule fires, on the whole text, advice and names of classes too."""


@dataclass(frozen=True)
class Evidence:
    """An error in the form that rules look at."""

    row: str
    """`| code <error code> | <message> `, as words, with a space at both ends."""
    happened: str
    """The row without advice and without names of classes: what the service said that happened."""
    services: frozenset[str]
    status_code: int | None
    status: str


class Classifier:
    """Rules, with an index that tells which of them a text can fire."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._service_words = frozenset[str]().union(*(rule.services for rule in rules))
        self._checks = [(rule, phrase) for rule in self._rules for phrase in rule.phrases or (None,)]
        uses = Counter(word for _, phrase in self._checks if phrase for need in phrase.needs for word in need)
        self._always: list[int] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for number, (_, phrase) in enumerate(self._checks):
            if phrase is None or not phrase.needs:
                self._always.append(number)
                continue
            # A word that many phrases need is a word that many texts have: look phrases up by their rarest need.
            for word in min(phrase.needs, key=lambda need: sum(uses[word] for word in need)):
                self._by_word[word].append(number)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return self._rules

    def classify(self, error: ErrorFacts) -> FailureClass:
        """The failure class of an error; `unknown` when the facts do not tell."""
        return self.explain(error).failure_class

    def explain(self, error: ErrorFacts) -> Classification:
        """The failure class of an error, and the rule that fired."""
        evidence = read_evidence(error, self._service_words)
        found = None
        if evidence.happened != evidence.row:
            found = self._first(evidence, evidence.happened, fallback=False)
        return (
            found or self._first(evidence, evidence.row, fallback=True) or Classification(FailureClass.UNKNOWN, NO_RULE)
        )

    def _first(self, evidence: Evidence, row: str, *, fallback: bool) -> Classification | None:
        known = frozenset(row.split())
        for number in self._candidates(known):
            rule, phrase = self._checks[number]
            if (rule.fallback and not fallback) or not _conditions_hold(rule, evidence):
                continue
            if phrase is None:
                return Classification(rule.failure_class, rule.id)
            if phrase.possible_with(known) and phrase.found_in(row):
                return Classification(rule.failure_class, rule.id, phrase.text)
        return None

    def _candidates(self, known: frozenset[str]) -> list[int]:
        numbers = set(self._always)
        for word in known:
            numbers.update(self._by_word.get(word, ()))
        return sorted(numbers)


def _conditions_hold(rule: Rule, evidence: Evidence) -> bool:
    return (
        (not rule.services or not rule.services.isdisjoint(evidence.services))
        and (not rule.status_codes or evidence.status_code in rule.status_codes)
        and evidence.status_code not in rule.unless_status_codes
        and (not rule.statuses or evidence.status in rule.statuses)
    )


def read_evidence(error: ErrorFacts, service_words: frozenset[str]) -> Evidence:
    """Bring an error into the form that rules look at; never fails."""
    message = _shorten(_without_noise(_as_text(error.message)))
    code = _as_text(error.error_code)[:LONGEST_FIELD]
    # Addresses go first: a decoded one would fall apart and leave the words of its query.
    text = _ESCAPED.sub(" ", _NEXT_FIELD.sub(" . ", decoded(_URL.sub(r"\1", message))))
    head = f" | code {words(code)} |" if code else " |"
    row = f"{head} {words(text)} "
    given = _as_text(error.service)[:LONGEST_FIELD]
    return Evidence(
        row=row,
        happened=_what_happened(head, text, row),
        services=_services(given, service_words) or _services(f"{text} {row}", service_words - EVERYDAY_WORDS),
        status_code=_status_code(error.status_code) or _status_code_in(row, message),
        status=_as_text(error.status)[:LONGEST_FIELD].strip().lower(),
    )


def _what_happened(head: str, text: str, row: str) -> str:
    named = _CLASS_NAME.sub(" ", text)
    happened = row if named == text else f"{head} {words(named)} "
    return happened if _WORDS_OF_ADVICE.isdisjoint(happened.split()) else _ADVICE.sub(" ", happened)


def _as_text(value: object) -> str:
    """A string as it is, a small whole number in digits, nothing else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    return ""


def _without_noise(text: str) -> str:
    """Take out what names code and empty fields: `at Timeout.close (net.js:1:2)` is no timeout."""
    text = _shorten(text, LONGEST_READ)
    text = _PAIR_THAT_TELLS_NOTHING.sub(" ", _STACK_FRAME.sub(" ", text))
    text = _IP_ADDRESS.sub("0", _NAME_OF_A_PROGRAM_PART.sub("host", text))
    text = _NUMBERED.sub(r" code \1 ", text)
    # A page that states its status is the server's way to say it; another page stands where data should be.
    return _TAG.sub(" ", text) if _ERROR_PAGE.search(text) else text


def _shorten(text: str, longest: int = LONGEST_TEXT) -> str:
    if len(text) <= longest:
        return text
    tail = LONGEST_TEXT - HEAD
    return f"{text[: longest - tail]} {text[-tail:]}"


def _services(text: str, service_words: Iterable[str]) -> frozenset[str]:
    return frozenset(_SERVICE_WORD.findall(text.lower())).intersection(service_words)


def _status_code(value: object) -> int | None:
    """An error status; a success status says nothing about the failure in its body."""
    text = _as_text(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    return int(text) if len(text) == 3 and text.isascii() and text.isdigit() and text >= "300" else None


def _status_code_in(row: str, message: str) -> int | None:
    found = _STATUS_IN_TEXT.search(row)
    if found:
        return int(found[1] or found[2] or found[3])
    apart = _STATUS_IN_BRACKETS.search(message) or _STATUS_AT_THE_END.search(message)
    return int(apart[1]) if apart else None
