"""An authorization on its way: from /authorize over consent and PingOne to a code."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from auth_server.domain.consent import ConsentKey
from auth_server.domain.errors import OAuthError
from auth_server.domain.grants import Subject
from auth_server.domain.handles import Digest
from auth_server.domain.scopes import Scopes
from auth_server.domain.upstream_tokens import UpstreamTokens

SUPPORTED_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})


class AuthorizationStep(StrEnum):
    """Where the person is. A step is left by one SQL statement, so nobody can be in two."""

    AWAITING_CONSENT = "awaiting_consent"
    AT_PINGONE = "at_pingone"
    AWAITING_ACCOUNT_CONSENT = "awaiting_account_consent"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request of /authorize (OAuth 2.1 4.1.1). `state` is the client's own."""

    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    resource: str
    scopes: Scopes
    prompts: frozenset[str]


@dataclass(frozen=True, slots=True)
class UpstreamLogin:
    """What binds PingOne's answer to this login: spent together at the callback."""

    state_digest: Digest
    code_verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpstreamAccount:
    """Who came back from PingOne and with which tokens, waiting for a second consent."""

    subject: Subject
    tokens: UpstreamTokens


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A stored authorization in progress, bound to one browser.

    `consent_is_remembered` says that an earlier consent let it pass without a page. `login` is set
    at PingOne, `account` while a second consent is awaited.
    """

    id: str
    step: AuthorizationStep
    browser_digest: Digest
    request: AuthorizationRequest
    expires_at: datetime
    consent_is_remembered: bool = False
    login: UpstreamLogin | None = None
    account: UpstreamAccount | None = None

    @property
    def consent_key(self) -> ConsentKey:
        """What a consent given here may be remembered for."""
        return ConsentKey(
            browser_digest=self.browser_digest,
            client_id=self.request.client_id,
            redirect_uri=self.request.redirect_uri,
            resource=self.request.resource,
        )


class AuthorizationFailed(Exception):
    """A refusal that the client must hear at its redirect URI (RFC 6749 4.1.2.1)."""

    def __init__(self, request: AuthorizationRequest, error: OAuthError) -> None:
        super().__init__(str(error))
        self.request = request
        self.error = error
