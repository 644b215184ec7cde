"""Figures for Prometheus: requests and runs of this process, and what the database says of all of them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runbooks.adapters.figures import Figures

KNOWN_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry an application."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("runbooks_http_requests", "Requests", ("method", "route", "status"), registry=registry)
        self.seconds = Histogram(
            "runbooks_http_request_seconds", "Time to answer", ("method", "route"), buckets=BUCKETS, registry=registry
        )
        self.runs = Counter("runbooks_runs", "Flows run by this process", ("flow", "outcome"), registry=registry)
        self.events = Counter("runbooks_events", "Events handed to Prefect", ("event",), registry=registry)
        self.database_up = Gauge("runbooks_database_up", "Whether the database answers", registry=registry)
        self.stored = Gauge("runbooks_stored", "Current proactive runbooks", ("writer",), registry=registry)
        self.tokens = Gauge(
            "runbooks_llm_tokens", "Tokens that the stored runbooks took", ("direction",), registry=registry
        )
        self.calls = Gauge("runbooks_llm_calls", "Calls that the stored runbooks took", registry=registry)
        self.cost = Gauge("runbooks_llm_cost_usd", "What the stored runbooks cost", registry=registry)
        self.fallbacks = Gauge(
            "runbooks_fallbacks", "Stored runbooks of the catalogue although a model was asked", registry=registry
        )
        self.pending = Gauge("runbooks_pending_events", "Events that nobody has acted on yet", registry=registry)
        self.workflows = Gauge(
            "runbooks_workflows", "Active workflows at the last sweep of all", ("coverage",), registry=registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. The route is its pattern: ids would make endless series."""
        known = method if method in KNOWN_METHODS else "other"
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(known, route).observe(seconds)

    def of_database(self, figures: Figures | None) -> None:
        """Take over what the database says; None when it says nothing, and then the former figures stay."""
        self.database_up.set(0 if figures is None else 1)
        if figures is None:
            return
        for writer in ("catalogue", "llm"):
            self.stored.labels(writer).set(figures.runbooks.get(writer, 0))
        self.tokens.labels("prompt").set(figures.prompt_tokens)
        self.tokens.labels("completion").set(figures.completion_tokens)
        self.calls.set(figures.calls)
        self.cost.set(figures.cost_usd)
        self.fallbacks.set(figures.fallbacks)
        self.pending.set(figures.pending_events)
        for name in ("active_workflows", "covered", "covered_by_ai", "stale"):
            value = getattr(figures, name)
            if value is not None:
                self.workflows.labels(name.removesuffix("_workflows")).set(value)
