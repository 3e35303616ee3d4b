"""Consent: what was asked, what was decided, what is remembered."""

from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.handles import Digest
from auth_server.domain.scopes import Scopes


@dataclass(frozen=True, slots=True)
class ConsentKey:
    """What a remembered consent is for: browser, client, exact redirect URI and resource.

    The fifth part, the subject, is only known once PingOne answers.
    """

    browser_digest: Digest
    client_id: str
    redirect_uri: str
    resource: str


@dataclass(frozen=True, slots=True)
class RememberedConsent:
    """An earlier consent of one subject."""

    key: ConsentKey
    subject: str
    scopes: Scopes
    expires_at: datetime

    def covers(self, scopes: Scopes) -> bool:
        """True if nothing is asked that was not consented before."""
        return scopes <= self.scopes
