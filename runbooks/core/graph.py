"""The graph of a workflow: what runs before a node, what does not run when it fails. Linear in nodes and edges."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from runbooks.core.workflow import Edge, Workflow

LONGEST_LIST = 25
"""So many nodes are named upstream and downstream; more would make a large workflow's lists grow with its square."""
MOST_VISITED = 400
"""A search for named nodes gives up after so many, however many of them are not to be named."""
ERROR = "error"
SERVING = "ai_"
"""Prefix of the kinds of edges along which a sub-node (a model, a tool, a memory) serves its root."""


class Graph:
    """Who leads to whom. Disabled nodes pass through and are never named; loops and cycles are fine."""

    def __init__(self, workflow: Workflow) -> None:
        keys = [node.key for node in workflow.nodes]
        self.keys: Sequence[str] = keys
        self._silent = frozenset(node.key for node in workflow.nodes if node.disabled)
        self._next: dict[str, list[str]] = {key: [] for key in keys}
        self._regular: dict[str, list[str]] = {key: [] for key in keys}
        self._before: dict[str, list[str]] = {key: [] for key in keys}
        self._served: dict[str, list[str]] = {key: [] for key in keys}
        self._on_error: dict[str, list[str]] = {}
        # Serving edges come last, so that what passes data on is named before what serves.
        for edge in sorted(_distinct(workflow.edges), key=lambda edge: edge.kind.startswith(SERVING)):
            if edge.source in self._next and edge.target in self._next:
                self._add(edge)
        self._order = _components(keys, self._next)
        self._all_ways = frozenset(_bottlenecks(self._order, self._next, self._before, self._served))

    def _add(self, edge: Edge) -> None:
        self._next[edge.source].append(edge.target)
        self._before[edge.target].append(edge.source)
        if edge.kind == ERROR:
            self._on_error.setdefault(edge.source, []).append(edge.target)
        else:
            self._regular[edge.source].append(edge.target)
        if edge.kind.startswith(SERVING):
            self._served[edge.source].append(edge.target)

    def upstream(self, key: str) -> tuple[str, ...]:
        """Nodes that run before it, nearest first, at most LONGEST_LIST; a sub-node runs when its root does."""
        starts = [*self._before[key], *self._roots(key)]
        return self._nearest(starts, self._before, leaving_out={key, *self._roots(key)})

    def downstream(self, key: str) -> tuple[str, ...]:
        """Nodes that do not run when it fails, nearest first, at most LONGEST_LIST; its error branch does run."""
        return self._nearest(self._regular[key], self._next, leaving_out={key, *self.error_branch(key)})

    def error_branch(self, key: str) -> tuple[str, ...]:
        """Nodes that run because it failed, nearest first, at most LONGEST_LIST."""
        return self._nearest(self._on_error.get(key, ()), self._next, leaving_out={key})

    def serves_one_of_all_ways(self, key: str) -> bool:
        """Whether it is a sub-node of a node that every way passes."""
        return any(root in self._all_ways for root in self._roots(key))

    def _roots(self, key: str) -> list[str]:
        """The nodes that run it: for a sub-node the root at the end of the chain of services."""
        found: list[str] = []
        queue, seen = deque(self._served[key]), {key}
        while queue and len(seen) < MOST_VISITED:
            root = queue.popleft()
            if root not in seen:
                seen.add(root)
                queue.extend(self._served[root])
                if not self._served[root]:
                    found.append(root)
        return found

    def _nearest(
        self, starts: Iterable[str], neighbours: Mapping[str, Sequence[str]], *, leaving_out: set[str]
    ) -> tuple[str, ...]:
        """Breadth first from the starts, which count as well; left-out nodes are passed through, not named."""
        found: list[str] = []
        queue: deque[str] = deque()
        seen: set[str] = set()
        pending: Iterator[str] = iter(starts)
        while len(found) < LONGEST_LIST and len(seen) < MOST_VISITED:
            key = next(pending, None)
            if key is None:
                if not queue:
                    break
                pending = iter(neighbours[queue.popleft()])
            elif key not in seen:
                seen.add(key)
                queue.append(key)
                if key not in leaving_out and key not in self._silent:
                    found.append(key)
        return tuple(found)

    def bottlenecks(self) -> frozenset[str]:
        """Nodes that every way through the workflow passes, from any start to any end.

        Sub-nodes count as part of their root; a cycle as one node, of which only a single member can be a bottleneck.
        """
        return self._all_ways

    def nearest_before(self, wanted: Callable[[str], bool]) -> dict[str, tuple[str, ...]]:
        """For every node the nearest wanted nodes that run before it, itself first where it is wanted.

        Lists are handed on along the edges, each at most LONGEST_LIST long: linear, however sparse the wanted nodes.
        """
        found: dict[str, dict[str, int]] = {}
        for component in self._order:
            inside = {key: 0 for key in component if wanted(key)}
            coming: dict[str, int] = {}
            for key in component:
                for source in self._before[key]:
                    _closer(coming, found.get(source, {}))
            together = _shortest({**coming, **dict.fromkeys(list(inside)[:LONGEST_LIST], 1)})
            for key in component:
                found[key] = _shortest({**together, key: 0}) if key in inside else together
        own = {key: self._with_roots(key, found) if self._served[key] else found[key] for key in self.keys}
        return {key: tuple(distances) for key, distances in own.items()}

    def _with_roots(self, key: str, found: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        """What ran before a sub-node also ran before its root, other sub-nodes of the root among it."""
        distances = dict(found[key])
        for root in self._roots(key):
            _closer(distances, {one: distance for one, distance in found[root].items() if one != root})
        return _shortest(distances)


def _closer(known: dict[str, int], others: Mapping[str, int]) -> None:
    for key, distance in others.items():
        if distance + 1 < known.get(key, distance + 2):
            known[key] = distance + 1


def _shortest(distances: dict[str, int]) -> dict[str, int]:
    if len(distances) > 1:
        return dict(sorted(distances.items(), key=lambda pair: pair[1])[:LONGEST_LIST])
    return distances


def _distinct(edges: Iterable[Edge]) -> Iterator[Edge]:
    seen: set[tuple[str, str, str]] = set()
    for edge in edges:
        mark = (edge.source, edge.target, edge.kind)
        if mark not in seen:
            seen.add(mark)
            yield edge


def _components(keys: Sequence[str], following: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Strongly connected components, sources first (Tarjan's algorithm with a stack of its own)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    components: list[list[str]] = []
    for start in reversed(keys):
        if start in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(start, iter(following[start]))]
        index[start] = low[start] = len(index)
        open_nodes.append(start)
        is_open.add(start)
        while work:
            key, rest = work[-1]
            child = next(rest, None)
            if child is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == index[key]:
                    components.append(_closed(key, open_nodes, is_open))
            elif child not in index:
                index[child] = low[child] = len(index)
                open_nodes.append(child)
                is_open.add(child)
                work.append((child, iter(following[child])))
            elif child in is_open:
                low[key] = min(low[key], index[child])
    components.reverse()
    return components


def _closed(key: str, open_nodes: list[str], is_open: set[str]) -> list[str]:
    component: list[str] = []
    while True:
        member = open_nodes.pop()
        is_open.discard(member)
        component.append(member)
        if member == key:
            component.reverse()
            return component


def _bottlenecks(
    order: list[list[str]],
    following: Mapping[str, Sequence[str]],
    before: Mapping[str, Sequence[str]],
    served: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """Count the edges that pass over each place in the order: none may, and no way may begin or end aside."""
    components = [group for group in order if not all(served[key] for key in group)]
    components = [group for group in components if any(following[key] or before[key] for key in group)]
    place = {key: position for position, group in enumerate(components) for key in group}
    opening, closing = [0] * (len(components) + 1), [0] * (len(components) + 1)
    is_start, is_end = [True] * len(components), [True] * len(components)
    for key, position in place.items():
        for target in following[key]:
            if target in place and place[target] != position:
                is_end[position] = is_start[place[target]] = False
                opening[position + 1] += 1
                closing[place[target]] += 1
    last_start = max((position for position, yes in enumerate(is_start) if yes), default=0)
    first_end = min((position for position, yes in enumerate(is_end) if yes), default=0)
    passing = 0
    for position, group in enumerate(components):
        passing += opening[position] - closing[position]
        if not passing and len(group) == 1 and last_start <= position <= first_end:
            yield group[0]
