"""What an operator watches of PingOne: how refreshes end, and what waits to be revoked there."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class UpstreamMetrics:
    """The counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register each once; a second time is a ValueError."""
        self._refreshes = Counter(
            "auth_upstream_refreshes_total",
            "Refreshes at PingOne by outcome: refreshed, dead, rejected, unavailable, lease_lost.",
            ["outcome"],
            registry=registry,
        )
        self._revocations = Counter(
            "auth_upstream_revocations_total",
            "Revocations at PingOne by outcome: revoked, refused, failed, unreadable, given_up.",
            ["outcome"],
            registry=registry,
        )
        self._waiting = Gauge(
            "auth_upstream_revocations_waiting",
            "Token sets that wait to be revoked at PingOne, of all replicas.",
            registry=registry,
        )

    def refresh(self, outcome: str) -> None:
        """A refresh has ended like this."""
        self._refreshes.labels(outcome).inc()

    def revocation(self, outcome: str) -> None:
        """An attempt to revoke has ended like this."""
        self._revocations.labels(outcome).inc()

    def revocations_waiting(self, count: int) -> None:
        """So many were waiting just now."""
        self._waiting.set(count)
