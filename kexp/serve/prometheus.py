"""Metrics of a server in the text form that Prometheus reads."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 1024)


class ServingMetrics:
    """Requests by status, their time, rows of batches, and the version of each model."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "kexp_requests", "Predict requests answered.", ["model", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            "kexp_request_seconds",
            "Seconds from a predict request's head to its answer.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = Histogram(
            "kexp_batch_rows",
            "Rows that were predicted at once.",
            ["model"],
            buckets=_ROWS,
            registry=self._registry,
        )
        self._version = Gauge(
            "kexp_model_version", "Version that is served.", ["model"], registry=self._registry
        )

    def add_request(self, model: str, code: int, seconds: float) -> None:
        """Count a request to predict."""
        self._requests.labels(model, str(code)).inc()
        self._seconds.labels(model).observe(seconds)

    def add_batch(self, model: str, rows: int) -> None:
        """Count a batch."""
        self._rows.labels(model).observe(rows)

    def set_version(self, model: str, version: int) -> None:
        """Note the version that is served."""
        self._version.labels(model).set(version)

    def text(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(self._registry)
