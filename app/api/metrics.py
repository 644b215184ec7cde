"""Figures for Prometheus: requests and runs of this process, and what the database says of all of them."""

from prometheus_client import CollectorRegistry, Counter, Histogram

KNOWN_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry an application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "runbooks_http_requests", "Requests", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "runbooks_http_request_seconds", "Time to answer", ("method", "route"), buckets=BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        self.runs = Counter("runbooks_runs", "Flows run by this process", ("flow", "outcome"), registry=self.registry)
        self.events = Counter(
            "runbooks_events", "Events handed to Prefect by this process", ("event",), registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. The route is its pattern: ids would make endless series."""
        known = method if method in KNOWN_METHODS else "other"
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(known, route).observe(seconds)
