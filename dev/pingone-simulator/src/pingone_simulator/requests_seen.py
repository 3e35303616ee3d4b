"""What the simulator was asked, counted: how a proof knows that PingOne saw one refresh."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pingone_simulator.faults import Arrival
from pingone_simulator.grants import Grant


@dataclass(slots=True)
class RequestsSeen:
    """Requests by endpoint and, at /token, by grant_type; counted as they arrive, faulty or not."""

    endpoints: Counter[str] = field(default_factory=Counter)
    grant_types: Counter[str] = field(default_factory=Counter)

    def count(self, arrival: Arrival) -> None:
        """Count a request."""
        self.endpoints[arrival.endpoint] += 1
        if arrival.grant_type is not None:
            self.grant_types[arrival.grant_type] += 1
        if arrival.grant is not None and arrival.grant_type == "refresh_token":
            arrival.grant.refresh_requests += 1

    def clear(self) -> None:
        """Start again from zero; what families have seen stays with them."""
        self.endpoints.clear()
        self.grant_types.clear()


def describe_family(grant: Grant, *, is_live: bool) -> dict[str, Any]:
    """One refresh token family, without any token.

    `refresh_requests` arrived, faulty ones included; `refreshes` were carried out; `replays` are
    presentations of a rotated token, within the grace period or after it.
    """
    return {
        "sid": grant.sid,
        "username": grant.person.username,
        "is_live": is_live,
        "refresh_requests": grant.refresh_requests,
        "refreshes": grant.refreshes,
        "replays": grant.replays,
    }
