"""Runs a demo workflow on paper: walks its graph as the engine does and writes down what it would have recorded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from random import Random

from runbooks.core.workflow import Edge, Node
from runbooks.demo.company import DemoWorkflow
from runbooks.demo.faults import Fault
from runbooks.demo.rows import Attempt, Execution, ExecutionNode, error_json, new_id
from runbooks.demo.weather import Weather, kind_of, worded

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
BRANCHES = ("condition", "logic_condition")
CANCELLED = "context canceled"


@dataclass(frozen=True)
class Order:
    """What the engine is asked to do."""

    demo: DemoWorkflow
    at: datetime
    mode: str
    calm: bool = False
    """Nothing goes wrong: whatever it was is repaired."""
    cancelled: bool = False
    """Somebody stops it at its first call outside."""
    parent: Execution | None = None


@dataclass
class Recording:
    """The rows of one execution."""

    execution: Execution
    nodes: list[ExecutionNode] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """A workflow's graph in the order in which the engine walks it."""

    order: tuple[Node, ...]
    entries: frozenset[str]
    exits: Mapping[str, tuple[Edge, ...]]
    """Edges by the key of the node that they leave."""


def plan_of(demo: DemoWorkflow) -> Plan:
    """Order the nodes so that each comes after those it follows."""
    nodes = {node.key: node for node in demo.workflow.nodes}
    sources: dict[str, list[str]] = {key: [] for key in nodes}
    exits: dict[str, tuple[Edge, ...]] = dict.fromkeys(nodes, ())
    for edge in demo.workflow.edges:
        sources[edge.target].append(edge.source)
        exits[edge.source] += (edge,)
    order = tuple(nodes[key] for key in TopologicalSorter(sources).static_order())
    return Plan(order, frozenset(key for key in nodes if not sources[key]), exits)


class Engine:
    """Runs orders; everything random comes from one generator, so the same seed records the same."""

    def __init__(self, workspace_id: str, weather: Weather, random: Random) -> None:
        self.workspace_id = workspace_id
        self.weather = weather
        self.random = random
        self.number = 0

    def run(self, plan: Plan, order: Order) -> Recording:
        """Run one order."""
        return _Run(self, plan, order).record()


class _Run:
    def __init__(self, engine: Engine, plan: Plan, order: Order) -> None:
        engine.number += 1
        self.engine, self.plan, self.order = engine, plan, order
        self.random = engine.random
        self.id = new_id(self.random)
        self.clock = order.at + timedelta(milliseconds=self.random.randrange(20, 400))
        self.nodes: list[ExecutionNode] = []
        self.attempts: list[Attempt] = []
        self.reached = set(plan.entries)

    def record(self) -> Recording:
        status, error = "completed", None
        for node in self.plan.order:
            if node.key not in self.reached:
                self._note(node, "skipped")
                continue
            status, error = self._step(node)
            if status != "completed":
                break
        return Recording(self._execution(status, error), self.nodes, self.attempts)

    def _step(self, node: Node) -> tuple[str, str | None]:
        """Run one node; tells how the execution stands after it."""
        began = self.clock
        if self.order.cancelled and kind_of(node.type) != "inside":
            return self._cancel(node)
        if node.type == "action_approval" and self.clock > self.engine.weather.now - timedelta(hours=6):
            self._note(node, "running", began)
            return "waiting", None
        fault = self._call(node)
        if fault is None:
            self._note(node, "completed", began)
            self._fire(node, "main")
            return "completed", None
        message = worded(fault.message, node, self.engine.number)
        self._note(node, "failed", began, message)
        if node.has_error_output:
            self._fire(node, "error")
        elif node.continue_on_error:
            self._fire(node, "main")
        else:
            return "failed", message
        return "completed", None

    def _fire(self, node: Node, kind: str) -> None:
        handle = None
        if node.type in BRANCHES:
            handle = "true" if self.random.random() < self.order.demo.holds.get(node.key, 1) else "false"
        for edge in self.plan.exits[node.key]:
            if edge.kind == kind and (handle is None or edge.handle == handle):
                self.reached.add(edge.target)

    def _call(self, node: Node) -> Fault | None:
        """Run what the node does, once or once an item; the first fault that attempts do not cure ends it."""
        pause = self._pause(node)
        if pause:
            self.clock += pause
            return None
        if kind_of(node.type) != "http":
            return self._try(node, None)
        most = self.order.demo.calls.get(node.key, 1)
        for item in range(self.random.randint(1, most)):
            request = f"{self.order.demo.file}/{node.key}/{self.engine.number}/{item}"
            fault = self._try(node, hashlib.sha256(request.encode()).hexdigest())
            if fault:
                return fault
        return None

    def _try(self, node: Node, fingerprint: str | None) -> Fault | None:
        most = node.max_attempts or self.order.demo.workflow.max_attempts or 1
        fault = None
        for number in range(1, most + 1):
            outcome = self.engine.weather.call(self.order.demo, node, self.clock, calm=self.order.calm)
            self.clock += timedelta(milliseconds=outcome.took_ms)
            fault = outcome.fault
            if fingerprint:
                self._attempt(node, number, fingerprint, outcome.took_ms, fault)
            if fault is None or not fault.retryable or number == most:
                break
            self.clock += timedelta(seconds=2**number)
        return fault

    def _pause(self, node: Node) -> timedelta | None:
        if node.type == "action_approval":
            return timedelta(minutes=self.random.lognormvariate(4.2, 1.0))
        if node.type not in ("delay", "logic_delay"):
            return None
        return timedelta(seconds=float(node.config["duration"]) * UNITS[str(node.config["unit"])])

    def _cancel(self, node: Node) -> tuple[str, None]:
        began = self.clock
        self.clock += timedelta(seconds=self.random.randrange(4, 25))
        if kind_of(node.type) == "http":
            fault = Fault(CANCELLED, False, "cancelled", None, "HTTP_REQUEST_FAILED", '{verb} "{url}": ' + CANCELLED)
            self._attempt(node, 1, hashlib.sha256(self.id.encode()).hexdigest(), None, fault)
        self._note(node, "skipped", began)
        return "cancelled", None

    def _note(self, node: Node, status: str, began: datetime | None = None, message: str | None = None) -> None:
        ended = self.clock if status in ("completed", "failed") else None
        took = int((ended - began).total_seconds() * 1000) if ended and began else None
        self.nodes.append(
            ExecutionNode(
                self._node_id(node),
                self.id,
                node.key,
                node.type,
                node.label,
                status,
                began,
                ended,
                took,
                error_json(message),
                len(self.nodes) + 1,
                self.clock,
                self.clock,
            )
        )

    def _node_id(self, node: Node) -> str:
        """Attempts come before their node's row is written, so its id follows from what both know."""
        return hashlib.md5(f"{self.id}/{node.key}".encode(), usedforsecurity=False).hexdigest()

    def _attempt(self, node: Node, number: int, fingerprint: str, took_ms: int | None, fault: Fault | None) -> None:
        answered = fault is None or fault.status_code is not None
        self.attempts.append(
            Attempt(
                new_id(self.random),
                self.id,
                self._node_id(node),
                self.engine.workspace_id,
                self.order.demo.id,
                "action_http_request",
                "request",
                "http",
                number,
                number > 1,
                fault.status if fault else "success",
                fault.status_code if fault else 200,
                took_ms if answered else None,
                fingerprint,
                fault.error_code if fault else None,
                worded(fault.detail, node, self.engine.number) if fault else None,
                None,
                self.clock,
                self.clock,
                self.clock,
            )
        )

    def _execution(self, status: str, error: str | None) -> Execution:
        order = self.order
        done = None if status == "waiting" else self.clock
        return Execution(
            self.id,
            order.demo.id,
            self.engine.workspace_id,
            status,
            order.mode,
            order.at,
            done,
            int((self.clock - order.at).total_seconds() * 1000) if done else None,
            error_json(error),
            order.parent.attempt + 1 if order.parent else 1,
            order.demo.workflow.max_attempts or 1,
            order.parent.id if order.parent else None,
            None,
            False,
            order.at,
            self.clock,
        )


def replayed(recording: Recording, at: datetime, random: Random) -> Recording:
    """The same execution replayed: with the recorded answers it ends as before, without them in an error of its own."""
    source = recording.execution
    replay_id = new_id(random)
    ids = {node.id: new_id(random) for node in recording.nodes}
    hit = random.random() < 0.5
    execution = source._replace(
        id=replay_id,
        status=source.status if hit else "failed",
        mode="manual",
        started_at=at,
        finished_at=at + timedelta(seconds=1),
        duration_ms=1000,
        error=source.error if hit else error_json("missing deterministic replay fixture for HTTP request"),
        parent_execution_id=None,
        replay_of_execution_id=source.id,
        is_deterministic_replay=True,
        created_at=at,
        updated_at=at + timedelta(seconds=1),
    )
    nodes = [
        node._replace(
            id=ids[node.id],
            execution_id=replay_id,
            started_at=node.started_at and at,
            finished_at=node.finished_at and at,
            created_at=at,
            updated_at=at,
        )
        for node in recording.nodes
    ]
    return Recording(execution, nodes, list(_replayed_attempts(recording.attempts, replay_id, ids, at, hit, random)))


def _replayed_attempts(
    attempts: list[Attempt], replay_id: str, ids: dict[str, str], at: datetime, hit: bool, random: Random
) -> Iterator[Attempt]:
    for attempt in attempts:
        yield attempt._replace(
            id=new_id(random),
            execution_id=replay_id,
            execution_node_id=ids.get(attempt.execution_node_id or ""),
            status="success" if hit else "client_error",
            status_code=None,
            duration_ms=0 if hit else None,
            error_code=None if hit else "MISSING_REPLAY_FIXTURE",
            error_message=None if hit else "no deterministic fixture found for HTTP request fingerprint",
            meta=json.dumps({"replay_mode": True, "fixture_hit": hit}),
            happened_at=at,
            created_at=at,
            updated_at=at,
        )
