"""Which workflows each of several runs takes, so that together they take all, and none takes another's."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from runbooks.core.batch import Candidate
from runbooks.errors import SettingsError

WRITTEN = re.compile(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*")


@dataclass(frozen=True)
class Shard:
    """One of several parts; a workflow's id alone says in which it is."""

    number: int
    """From 1."""
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read what `str` wrote; SettingsError when it names no part."""
        found = WRITTEN.fullmatch(text)
        shard = cls(int(found[1]), int(found[2])) if found else None
        if shard is None or not 1 <= shard.number <= shard.of:
            raise SettingsError(f"{text!r} names no shard; shards are like 2/4, the second of four")
        return shard


def shard_of(workflow_id: str, of: int) -> Shard:
    """The shard that a workflow is in; adapters/platform.py says the same in SQL."""
    digest = hashlib.md5(workflow_id.encode(), usedforsecurity=False).hexdigest()
    return Shard(int(digest[:8], 16) % of + 1, of)


def split(candidates: Iterable[Candidate], of: int) -> dict[Shard, list[Candidate]]:
    """The candidates of each shard, in their order; a shard without any is left out."""
    parts: dict[Shard, list[Candidate]] = {}
    for candidate in candidates:
        parts.setdefault(shard_of(candidate.workflow_id, of), []).append(candidate)
    return dict(sorted(parts.items(), key=lambda part: part[0].number))
