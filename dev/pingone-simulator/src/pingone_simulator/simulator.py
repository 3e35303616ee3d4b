"""The simulated environment: its configuration and all its state in one object."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pingone_simulator.clients import Client
from pingone_simulator.faults import Faults
from pingone_simulator.grants import Grants
from pingone_simulator.requests_seen import RequestsSeen
from pingone_simulator.resources import Resources
from pingone_simulator.sessions import Sessions
from pingone_simulator.tokens import TokenMint


@dataclass(frozen=True, slots=True)
class Simulator:
    """What the endpoints share. A test that runs the app in its process may look, and act, here."""

    issuer: str
    issuer_path: str
    client: Client
    resources: Resources
    sessions: Sessions
    grants: Grants
    tokens: TokenMint
    now: Callable[[], datetime]
    # Authenticated requests to /token by grant_type, refused ones included.
    token_requests: Counter[str] = field(default_factory=Counter)
    faults: Faults = field(default_factory=Faults)
    requests_seen: RequestsSeen = field(default_factory=RequestsSeen)

    def is_refresh_token_live(self, refresh_token: str) -> bool:
        """True when exchanging this refresh token now would succeed for the first time."""
        token = self.grants.find_refresh_token(refresh_token)
        return token is not None and token.rotated_at is None

    def is_family_live(self, refresh_token: str) -> bool:
        """True unless the family of this refresh token was revoked or its session has ended."""
        return self.grants.is_family_live(refresh_token)

    def is_access_token_live(self, access_token: str) -> bool:
        """True when this access token is neither expired nor revoked and its session goes on."""
        return self.grants.find_access_token(access_token) is not None

    def end_sessions_of(self, username: str) -> None:
        """Sign a person off everywhere, as an administrator can: their refresh tokens die."""
        self.sessions.end_all_of(username)
