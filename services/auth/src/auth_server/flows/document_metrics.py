"""What an operator watches of the documents that clients publish."""

from prometheus_client import CollectorRegistry, Counter


class DocumentMetrics:
    """The counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register each once; a second time is a ValueError."""
        self._fetches = Counter(
            "auth_client_documents_total",
            "Documents of clients by outcome: fetched, unavailable, invalid, busy (not asked for).",
            ["outcome"],
            registry=registry,
        )

    def fetch(self, outcome: str) -> None:
        """A fetch has ended like this, or was not begun."""
        self._fetches.labels(outcome).inc()
