"""What a call does at the other end: reads or writes, and whether doing it twice does harm."""

import re
from dataclasses import dataclass
from typing import Any

from runbooks.core.integration import IntegrationKind
from runbooks.core.services import words_of

READ, WRITE, UNKNOWN = "read", "write", "unknown"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READING = _words(
    """
    analyse analyze autocomplete availability chat check classify compare complete completion convert count
    describe detect diff download embed enrich exists export extract fetch find generate geocode get has history
    info list load log lookup market me moderate parse permalink ping preview price profile query rate read
    report retrieve scrape search select statistics stats status summarize ticker transcribe translate validate
    verify whois
    """
)
_WRITING_AGAIN = _words(
    """
    add answer append batch book call capture charge clone comment copy create dispatch duplicate event execute forward
    import incr increment insert invite launch invoke mail make message notify order page pay post publish push record
    refund register reply retweet run schedule send share sms start submit subscribe sync track transfer trigger
    tweet upload write
    """
)
_WRITING_ONCE = _words(
    """
    acknowledge activate approve archive assign ban cancel change clear close deactivate delete disable drop
    edit enable join kick leave like lock mark merge modify move open patch pause pin put reject remove rename
    renew reopen replace reset resolve restart resume save set snooze soft star stop terminate trash truncate
    unarchive unassign unban undo unlock unpin unpublish unstar unsubscribe untrash update upsert void
    """
)
# What a model provider is asked to keep; everything else that it is asked is an answer, whatever the verb.
_KEEPING = frozenset({"create", "upload", "delete", "remove", "update", "add", "insert", "terminate"})
_SQL_READ = frozenset({"select", "show", "describe", "explain", "values", "pragma", "table"})
_SQL_ONCE = frozenset({"update", "delete", "truncate", "drop", "create", "alter", "upsert", "replace", "set", "grant"})
_SQL_AGAIN = frozenset({"insert", "call", "exec", "execute", "copy", "merge", "do"})
_SQL_NOISE = re.compile(r"/\*.*?\*/|--[^\n]*|\s+", re.DOTALL)
_READING_PATH = re.compile(r"/(?:_?search|query|lookup|graphql|_msearch|_count|count|find|runQuery)/?$", re.IGNORECASE)
READING_KINDS = frozenset({IntegrationKind.AI_MODEL, IntegrationKind.SEARCH, IntegrationKind.FEED})
SENDING_KINDS = frozenset({IntegrationKind.MESSAGING, IntegrationKind.EMAIL, IntegrationKind.QUEUE})


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call does at the other end."""

    access: str = UNKNOWN
    again: bool = False
    """Whether a second call acts a second time: another charge, another mail, another row."""


READS, WRITES_AGAIN, WRITES_ONCE, UNTOLD = Effect(READ), Effect(WRITE, again=True), Effect(WRITE), Effect()


def effect_of_operation(operation: str, kind: IntegrationKind) -> Effect:
    """Judge an operation by the verb in its name: `message.post`, `getAll`, `appendOrUpdate`."""
    verbs = words_of(operation.rpartition(".")[2])
    if kind is IntegrationKind.AI_MODEL and not _KEEPING.intersection(verbs):
        return READS
    for position, verb in enumerate(verbs):
        if verb in _WRITING_ONCE or (verb == "or" and position):
            return WRITES_ONCE
        if verb in _READING:
            return READS
        if verb in _WRITING_AGAIN:
            return WRITES_ONCE if verbs[position + 1 : position + 3] == ["or", "update"] else WRITES_AGAIN
    if kind in READING_KINDS:
        return READS
    return WRITES_AGAIN if kind in SENDING_KINDS and not verbs else UNTOLD


def effect_of_method(method: str, path: str, kind: IntegrationKind) -> Effect:
    """Judge an HTTP call; models, searches and queries are asked with POST and change nothing."""
    if method in {"GET", "HEAD", "OPTIONS"}:
        return READS
    if method == "POST":
        return READS if kind in READING_KINDS or _READING_PATH.search(path) else WRITES_AGAIN
    return WRITES_ONCE if method in {"PUT", "PATCH", "DELETE"} else UNTOLD


def effect_of_sql(query: Any) -> Effect:
    """Judge a statement by its first word; a CTE by the worst that it holds."""
    verb, words = sql_verb(query), set(re.findall(r"[a-z]+", str(query)[:5000].lower()))
    if verb == "with":
        verb = next((one for one in ("insert", "update", "delete", "merge") if one in words), "select")
    if verb in _SQL_READ:
        return READS
    if verb in _SQL_AGAIN:
        return WRITES_ONCE if "conflict" in words or "duplicate" in words else WRITES_AGAIN
    return WRITES_ONCE if verb in _SQL_ONCE else UNTOLD


def sql_verb(query: Any) -> str:
    """The first word of a statement in lower case; empty where it is built at run time."""
    text = _SQL_NOISE.sub(" ", str(query)[:5000] if isinstance(query, str) else "").strip(" =(;")
    found = re.match(r"[A-Za-z]+\b", text)
    return found[0].lower() if found else ""
