"""What a line of a runbook must not look like, by patterns: empty advice, gaps, danger, leaks, nonsense."""

import re
import unicodedata
from dataclasses import dataclass

SHORTEST_LINE = 15
FEWEST_WORDS = 4
UNDO = "Undo:"
LEAST_FUNCTION_WORDS = 0.12
"""English prose has 30 to 50% of them, terse instructions half of that; other languages and word salad nearly none."""


@dataclass(frozen=True)
class Wording:
    """An expression, and pieces of text of which every match has one: looking for those is far cheaper."""

    pattern: re.Pattern[str]
    needs: tuple[str, ...]

    def may_be_in(self, folded: str) -> bool:
        """Whether a text, given case-folded, has one of the pieces: all lines of it at once."""
        return any(map(folded.__contains__, self.needs))

    def find(self, line: str) -> str | None:
        """The first match, without the space around it."""
        if not self.may_be_in(line.casefold()):
            return None
        match = self.pattern.search(line)
        return match[0].strip() if match else None


def _any(*alternatives: str, whole: bool = False) -> re.Pattern[str]:
    joined = "|".join(alternatives)
    return re.compile(rf"\A(?:{joined})[ .!]*\Z" if whole else joined, re.IGNORECASE)


def _wording(*alternatives: str, needs: str) -> Wording:
    """`needs`: the pieces, separated by semicolons, as a space may be part of one."""
    return Wording(_any(*alternatives), tuple(needs.split(";")))


_WORD = re.compile(r"[^\W\d_]+(?:['’][a-z]+)?")
_LITTLE_WORDS = """
a an the this that these those it its of in on at to from for by with without and or but if then else so as not no is
are was were be been has have had does do did can may must will would should when while after before until than each
every all any some which who what where how there here them they one only also into out up
"""
_FUNCTION_WORDS = frozenset(_LITTLE_WORDS.split())

_LEAD = r"(?:(?:please|then|and|also) )*"
_SOME = r"(?:(?:the|your|all|any|its|relevant|error|system|application|server|service|platform|execution|workflow) )*"
_EMPTY_ADVICE = _any(
    _LEAD + r"(?:check|review|inspect|look at|read|see|examine|consult|verify|view) " + _SOME + r"(?:logs?|log files?"
    r"|documentation|docs|configuration|settings|code|error messages?|everything|it|status|details)",
    _LEAD + r"(?:verify|check|make sure|ensure|confirm)(?: that)? (?:it|everything|the (?:workflow|node|service|system"
    r"|issue|problem)) (?:works?|is (?:working|ok|fine|fixed|resolved|correct))",
    _LEAD + r"(?:fix|resolve|solve|address|handle|investigate|debug|troubleshoot|identify|find|determine)"
    r" (?:(?:the|this|any|root) )*(?:issues?|problems?|errors?|failures?|causes?|root cause)",
    _LEAD + r"(?:contact|call|ask|reach out to|notify) (?:(?:the|your) )*(?:support|administrators?|admin|team|vendor"
    r"|provider|it)(?: team)?",
    _LEAD + r"(?:try|retry|restart|reboot|re-?run)(?: (?:it|again|the (?:workflow|node|service|system|request|call)))*"
    r"(?: again)?",
    _LEAD + r"wait(?: (?:and|a while|some time|a few minutes))*(?: (?:and )?(?:try|retry)(?: again)?)?",
    whole=True,
)
VAGUE = _wording(
    r"\bas (?:appropriate|needed|necessary|required)\b",
    r"\bif (?:needed|necessary|applicable)\b",
    r"\betc\b",
    needs="as appropriate;as needed;as necessary;as required;if needed;if necessary;if applicable;etc",
)
"""Words that leave the decision to the reader."""
PLACEHOLDER = _wording(
    r"\b(?:TBD|TODO|FIXME|XXX+|lorem ipsum|foo|foobar|placeholder|n/a)\b",
    r"<[a-z_ -]{2,40}>",
    r"\{[a-z_. ]{2,40}\}",
    r"\[(?:your|insert|the|name|add)[^\]]*\]",
    r"\byour[-_]\w+",
    r"\bexample\.(?:com|org|net)\b",
    r"\.\.\.\Z",
    r"_{3,}",
    needs="tbd;todo;fixme;xxx;ipsum;foo;placeholder;n/a;<;{;[;your;example.;...;___",
)
"""A gap that nobody filled."""
UNFILLED = _wording(
    r"\b(?:TBD|TODO|FIXME|XXX+|lorem ipsum)\b",
    r"\[(?:your|insert|add)[^\]]*\]",
    r"_{4,}",
    needs="tbd;todo;fixme;xxx;ipsum;[;____",
)
"""A mark that something was to be written here; a name in angle brackets is the reader's to fill."""
MARKUP = _wording(
    r"</?[a-z!][^>]{0,200}>",
    r"\]\(",
    r"!\[",
    r"javascript:",
    r"\A\s*(?:#{1,6} |```|\|)",
    r"\*\*",
    needs="<;](;![;javascript:;#;|;`;**",
)
"""Markup that would be rendered where the runbook is shown."""
LEAK = _wording(
    r"\b(?:ignore|disregard|forget|override) (?:\w+ ){0,4}(?:instructions?|prompts?|rules?)\b",
    r"\bsystem prompt\b",
    r"\bas an? (?:ai|language|large|helpful)\b",
    r"\b(?:language model|ai assistant|chatgpt|openai model)\b",
    r"\bi(?:'m| am) (?:sorry|unable|not able|an? )",
    r"\bi (?:cannot|can't|can not|will not|won't)\b",
    r"\b(?:as|you) (?:requested|asked|instructed)\b",
    r"\bhere (?:is|are) (?:the|your)\b",
    r"\bmy (?:instructions|training)\b",
    r"\b(?:workflow|definition) (?:data|text) (?:says|asks|tells|instructs)\b",
    r"\b(?:BEGIN|END)[ _]?DATA\b",
    needs="ignore;disregard;forget;override;system prompt;as a ;as an ;language model;ai assistant;chatgpt;"
    "openai model;i'm ;i am ;i can;i will not;i won't;as requested;as asked;as instructed;you requested;you asked;"
    "you instructed;here is ;here are ;my instructions;my training;data says;data asks;data tells;data instructs;"
    "text says;text asks;text tells;text instructs;begin data;begin_data;begindata;end data;end_data;enddata",
)
"""The model talking about itself or its instructions."""
_CREDENTIAL = r"(?:api |secret |access |private )*(?:keys?|tokens?|passwords?|secrets?|credentials?)\b"
FORBIDDEN_ADVICE = _wording(
    r"\b(?:disable|turn off|switch off|skip|bypass|ignore)\b.{0,40}\b(?:tls|ssl|certificate|authentication"
    r"|authorization|2fa|mfa|firewall|alerts?|alarms?|monitoring|signature|verification|validation)\b",
    r"\brejectUnauthorized\b",
    r"\bverify ?= ?false\b",
    r"\bchmod (?:-R )?777\b",
    r"\brm -rf\b",
    r"\bcurl\b[^|]{0,200}\|\s*(?:ba|z)?sh\b",
    r"\b(?:format|wipe) (?:the )?disk\b",
    r"\b(?:share|post|paste|send|e-?mail|copy) (?:the |your |its )*" + _CREDENTIAL,
    r"\bgrant\b.{0,30}\b(?:all|admin|root|superuser|owner)\b",
    r"\b(?:hard-?code|store)\b.{0,40}\b" + _CREDENTIAL + r".{0,30}\b(?:code|node|settings|config)",
    needs="disable;turn off;switch off;skip;bypass;ignore;rejectunauthorized;verify=;verify =;chmod;rm -rf;curl;"
    "format disk;format the disk;wipe disk;wipe the disk;share ;post ;paste ;send ;mail ;copy ;grant;hardcode;"
    "hard-code;store",
)
"""What no runbook should tell anybody to do."""
_DESTRUCTIVE = _wording(
    r"\b(?:delete|drop|truncate|purge|wipe|erase|remove|revoke|overwrite|destroy|flush|force|reset|terminate|kill|rotate)\b",
    r"\b(?:bulk|mass) (?:re-?run|replay|retry)",
    r"\b(?:re-?run|replay|retry) (?:all|every)\b",
    needs="delete;drop;truncate;purge;wipe;erase;remove;revoke;overwrite;destroy;flush;force;reset;"
    "terminate;kill;rotate;bulk;mass;all;every",
)
_WARNING = _any(
    r"\b(?:undo|export|after|before|first|once|until|unless|not|never|whether|if|warning)\b",
    r"\bback ?up\b",
    r"\bonly (?:then|after|if|when|once)\b",
    r"\bcannot be undone\b",
    r"\b(?:irreversibl|careful|confirm|approv)",
)
_CHANGES = _any(
    r"\A(?:(?:then|and|next|now|first|also) )*(?:delete|drop|truncate|update|edit|change|set|restart|rotate|revoke"
    r"|disable|enable|deactivate|activate|remove|create|add|insert|replace|reset|re-?run|replay|retry|reconnect|raise"
    r"|lower|increase|decrease|switch|kill|stop|save|publish|restore)\b",
)
_BRANCH = _any(r"\b(?:if|when|unless|whether|else|otherwise|means|in that case)\b")
PROMISE = _wording(
    r"\b(?:platform|workflow|system|node|it) (?:will|is going to) (?:automatically|itself|self-?heal|repair|fix"
    r"|roll back|recover)",
    r"\bautomatically (?:rolls? back|rolled back|fix|fixes|heals?|repairs?|recovers?|resolves?)\b",
    r"\bguarantee",
    r"\bself-heal",
    r"\bwill never\b",
    r"\balways works\b",
    r"\bone-click\b",
    needs="will ;is going to;automatically;guarantee;self-heal;always works;one-click",
)
"""What the platform cannot keep."""


def is_too_thin(line: str) -> bool:
    """Too short to say anything, or a command to look somewhere without saying for what."""
    return len(line) < SHORTEST_LINE or len(_WORD.findall(line)) < FEWEST_WORDS or _EMPTY_ADVICE.match(line) is not None


def is_empty_advice(line: str) -> bool:
    """Whether a line is a command to look or act somewhere, without saying for what."""
    return _EMPTY_ADVICE.match(line) is not None


def unguarded_danger(line: str) -> str | None:
    """A step that destroys something and says neither what to look at first nor how to undo it."""
    return _DESTRUCTIVE.find(line) if not _WARNING.search(line) else None


def changes_something(line: str) -> bool:
    """Whether a step begins with a change instead of a look."""
    return _CHANGES.match(line) is not None


def branches(line: str) -> bool:
    """Whether a step says what follows from what it finds."""
    return _BRANCH.search(line) is not None


def can_be_undone(line: str) -> bool:
    """Whether a step says how to take it back."""
    return UNDO.lower() in line.lower()


def is_printable(line: str) -> bool:
    """No control characters, private characters, lone surrogates or invisible ones."""
    return line.isprintable() or not any(unicodedata.category(character)[0] == "C" for character in line)


def is_english(text: str) -> bool:
    """Whether a text has about as many of the little words as English has."""
    words = _WORD.findall(text)
    if not words:
        return False
    return sum(map(_FUNCTION_WORDS.__contains__, map(str.lower, words))) / len(words) >= LEAST_FUNCTION_WORDS
