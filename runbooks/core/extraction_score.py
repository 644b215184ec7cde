"""How well extraction finds what is external, measured against judged workflows."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from runbooks.core.integration import Integration
from runbooks.core.workflow import Frozen, Node

UNTELLING = re.compile(r"\b(api|app|service|cloud|server|node|trigger|the)\b|[^a-z0-9]")


class JudgedNode(Frozen):
    """What is true of one node."""

    node_key: str
    external: bool
    service: str | None = None
    host: str | None = None


class Miss(Frozen):
    """One node that was judged wrongly."""

    file: str
    node_key: str
    node_type: str
    what: str
    """`missed`, `invented`, `host` or `service`."""
    expected: str = ""
    found: str = ""


class Score(Frozen):
    """Counts over all judged nodes."""

    files: int = 0
    found: int = 0
    """External and found."""
    missed: int = 0
    invented: int = 0
    hosts: int = 0
    hosts_right: int = 0
    services: int = 0
    services_right: int = 0
    misses: tuple[Miss, ...] = ()

    @property
    def recall(self) -> float | None:
        """Of the external nodes, the share that was found; None without any."""
        return _share(self.found, self.found + self.missed)

    @property
    def precision(self) -> float | None:
        """Of the nodes that were called external, the share that is; None without any."""
        return _share(self.found, self.found + self.invented)

    @property
    def host_accuracy(self) -> float | None:
        """Of the found nodes with a known host, the share whose host is right."""
        return _share(self.hosts_right, self.hosts)

    @property
    def service_accuracy(self) -> float | None:
        """Of the found nodes with a known service, the share whose name is right."""
        return _share(self.services_right, self.services)

    def worst(self, most: int) -> list[tuple[str, str, int]]:
        """What goes wrong most often: (what, node type, count)."""
        counts = Counter((miss.what, miss.node_type) for miss in self.misses)
        return [(what, node_type, count) for (what, node_type), count in counts.most_common(most)]


def score_file(
    file: str, judged: Sequence[JudgedNode], nodes: Mapping[str, Node], integrations: Iterable[Integration]
) -> Score:
    """Score one workflow; nodes that nobody judged do not count."""
    found = {integration.node_key: integration for integration in integrations}
    misses: list[Miss] = []
    counts: Counter[str] = Counter()
    for truth in judged:
        node_type = nodes[truth.node_key].type if truth.node_key in nodes else "(no such node)"
        for what, expected, got in _wrong(truth, found.get(truth.node_key), counts):
            misses.append(
                Miss(file=file, node_key=truth.node_key, node_type=node_type, what=what, expected=expected, found=got)
            )
    return Score(files=1, misses=tuple(misses), **counts)


def _wrong(truth: JudgedNode, found: Integration | None, counts: Counter[str]) -> Iterable[tuple[str, str, str]]:
    """Count one node, and say what is wrong with it: (what, expected, found)."""
    if not truth.external or found is None:
        if truth.external:
            counts["missed"] += 1
            yield "missed", truth.service or "external", ""
        elif found is not None:
            counts["invented"] += 1
            yield "invented", "", found.service
        return
    counts["found"] += 1
    for what, expected, got, right in (
        ("host", truth.host, found.host or "", truth.host == found.host),
        (
            "service",
            truth.service,
            found.service,
            bool(truth.service) and same_service(truth.service or "", found.service),
        ),
    ):
        if expected:
            counts[f"{what}s"] += 1
            counts[f"{what}s_right"] += right
            if not right:
                yield what, expected, got


def same_service(one: str, other: str) -> bool:
    """Whether two names mean one service: `Stripe API` and `Stripe`, `Google Sheets` and `googleSheets`."""
    bare, other_bare = (UNTELLING.sub("", name.lower()) for name in (one, other))
    return bool(bare and other_bare) and (bare in other_bare or other_bare in bare)


def total(scores: Iterable[Score]) -> Score:
    """Add up the scores of files."""
    done = list(scores)
    names = ("files", "found", "missed", "invented", "hosts", "hosts_right", "services", "services_right")
    sums = {name: sum(getattr(score, name) for score in done) for name in names}
    return Score(**sums, misses=tuple(miss for score in done for miss in score.misses))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
