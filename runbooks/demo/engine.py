"""Runs a demo workflow on paper: walks its graph as the engine does and writes down what it would have recorded."""

import hashlib
from collections.abc import Mapping
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
                id=self._node_id(node),
                execution_id=self.id,
                node_id=node.key,
                node_type=node.type,
                node_name=node.label,
                status=status,
                started_at=began,
                finished_at=ended,
                duration_ms=took,
                error=error_json(message),
                sequence=len(self.nodes) + 1,
                created_at=self.clock,
                updated_at=self.clock,
            )
        )

    def _node_id(self, node: Node) -> str:
        """Attempts come before their node's row is written, so its id follows from what both know."""
        return hashlib.md5(f"{self.id}/{node.key}".encode(), usedforsecurity=False).hexdigest()

    def _attempt(self, node: Node, number: int, fingerprint: str, took_ms: int | None, fault: Fault | None) -> None:
        answered = fault is None or fault.status_code is not None
        self.attempts.append(
            Attempt(
                id=new_id(self.random),
                execution_id=self.id,
                execution_node_id=self._node_id(node),
                workspace_id=self.engine.workspace_id,
                workflow_id=self.order.demo.id,
                connector_key="action_http_request",
                connector_operation="request",
                provider="http",
                attempt_no=number,
                is_retry=number > 1,
                status=fault.status if fault else "success",
                status_code=fault.status_code if fault else 200,
                duration_ms=took_ms if answered else None,
                request_fingerprint=fingerprint,
                error_code=fault.error_code if fault else None,
                error_message=worded(fault.detail, node, self.engine.number) if fault else None,
                meta=None,
                happened_at=self.clock,
                created_at=self.clock,
                updated_at=self.clock,
            )
        )

    def _execution(self, status: str, error: str | None) -> Execution:
        order = self.order
        done = None if status == "waiting" else self.clock
        return Execution(
            id=self.id,
            workflow_id=order.demo.id,
            workspace_id=self.engine.workspace_id,
            status=status,
            mode=order.mode,
            started_at=order.at,
            finished_at=done,
            duration_ms=int((self.clock - order.at).total_seconds() * 1000) if done else None,
            error=error_json(error),
            attempt=order.parent.attempt + 1 if order.parent else 1,
            max_attempts=order.demo.workflow.max_attempts or 1,
            parent_execution_id=order.parent.id if order.parent else None,
            replay_of_execution_id=None,
            is_deterministic_replay=False,
            created_at=order.at,
            updated_at=self.clock,
        )
