"""What a call meets at a given moment: how long it takes, and whether and how it fails."""

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from random import Random

from runbooks.core.workflow import Node
from runbooks.demo.company import DemoWorkflow
from runbooks.demo.faults import Fault
from runbooks.demo.stories import DAYS, Drift, Story, drifts, everyday, stories

USUAL_MS = {"http": 300, "database": 30, "mail": 800, "message": 240, "ai": 2400, "file": 1200, "inside": 3}
_KINDS = {
    "http": {"http"},
    "database": {"database"},
    "mail": {"email"},
    "message": {"slack", "discord", "twilio"},
    "ai": {"ai"},
    "file": {"integration", "storage"},
}
SPREAD = 0.3
"""Sigma of the logarithm of a call's time."""
DEFAULT_LIMIT_S = 30.0
_TEMPLATE = re.compile(r"{{.*?}}")


@dataclass(frozen=True)
class Outcome:
    """How one call ended."""

    took_ms: int
    fault: Fault | None = None


class Weather:
    """Stories, drifts and daily trouble, by node."""

    def __init__(self, now: datetime, random: Random) -> None:
        self.now = now
        self.random = random
        self.stories: dict[tuple[str, str], list[Story]] = defaultdict(list)
        for story in stories(now):
            self.stories[story.place].append(story)
        self.drifts: dict[tuple[str, str], Drift] = {drift.place: drift for drift in drifts()}
        self.everyday = everyday()

    def call(self, demo: DemoWorkflow, node: Node, moment: datetime, *, calm: bool = False) -> Outcome:
        """What a call of that node meets; nothing bad when it is calm."""
        usual = demo.latency.get(node.key) or USUAL_MS[kind_of(node.type)]
        place = (demo.file, node.key)
        drift = self.drifts.get(place)
        if drift and not calm:
            age = max(0.0, 1 - (self.now - moment).total_seconds() / (DAYS * 86400))
            usual *= 1 + (drift.factor - 1) * age**1.5
        took = int(usual * math.exp(self.random.gauss(0, SPREAD if not drift else SPREAD / 3))) + 1
        if calm:
            return Outcome(took)
        limit = limit_ms(demo, node)
        if drift and took > limit:
            return Outcome(limit, self.random.choice(drift.faults))
        fault = self._fault(place, moment)
        if fault is None:
            return Outcome(min(took, limit))
        return Outcome({"limit": limit, "moment": 2 + took % 9}.get(fault.takes, took), fault)

    def _fault(self, place: tuple[str, str], moment: datetime) -> Fault | None:
        for story in self.stories.get(place, ()):
            if story.covers(moment) and self.random.random() < story.chance:
                return self.random.choice(story.faults)
        chances = self.everyday.get(place)
        if chances:
            draw = self.random.random()
            for chance, fault in chances:
                draw -= chance
                if draw < 0:
                    return fault
        return None


@cache
def kind_of(node_type: str) -> str:
    """Which of the kinds of `USUAL_MS` a node type is."""
    words = set(node_type.split("_"))
    return next((kind for kind, known in _KINDS.items() if words & known), "inside")


def limit_ms(demo: DemoWorkflow, node: Node) -> int:
    """The node's time limit."""
    return int((node.timeout_s or demo.workflow.node_timeout_s or DEFAULT_LIMIT_S) * 1000)


def worded(text: str | None, node: Node, number: int) -> str | None:
    """A fault's text with the address that was called, its templates filled in."""
    if text is None or "{url}" not in text:
        return text
    url = _TEMPLATE.sub(str(100000 + number), str(node.config.get("url", "")))
    verb = str(node.config.get("method", "GET")).capitalize()
    return text.replace("{url}", url).replace("{verb}", verb)
