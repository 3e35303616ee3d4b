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

    AT_PINGONE = "at_pingone"
    # PingOne has answered, and its answer is being looked at.
    FINISHING = "finishing"
    AWAITING_ACCOUNT_CONSENT = "awaiting_account_consent"
    ENDED = "ended"


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


def consent_key(request: AuthorizationRequest, browser: Digest) -> ConsentKey:
    """What a consent to this request, given in this browser, may be remembered for."""
    return ConsentKey(
        browser_digest=browser,
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        resource=request.resource,
    )


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
class ClientAnswer:
    """What the client is told at its redirect URI: a code, or an error (RFC 6749 4.1.2)."""

    code: str | None = field(default=None, repr=False)
    error: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """Since when PingOne's answer is being looked at, and what came of it.

    `sealed_answer` opens for the browser that has both the state and the cookie.
    """

    spent_at: datetime
    ended_at: datetime | None = None
    sealed_answer: bytes | None = field(default=None, repr=False)


class ConsentDecision(StrEnum):
    """What became of a consent form. The first decision stands."""

    ALLOWED = "allowed"
    DENIED = "denied"


class AlreadyDecided(Exception):
    """Nothing more comes of this: the form has led to a code, or was denied.

    None: the sign-on was given up, because its answer took too long.
    """

    def __init__(self, decision: ConsentDecision | None) -> None:
        super().__init__(decision)
        self.decision = decision


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """An approved authorization in progress: one press of Allow, or a remembered consent.

    `form_id` names what was shown; it may have been allowed several times. `started_digest` binds
    this one to the browser that was sent to PingOne. A consent is remembered for `browser_digest`.
    `consent_is_remembered` says that an earlier consent let it pass without a page. `login` is set
    at PingOne, `account` while a second consent is awaited.
    """

    id: str
    form_id: str
    step: AuthorizationStep
    started_digest: Digest
    browser_digest: Digest
    request: AuthorizationRequest
    expires_at: datetime
    consent_is_remembered: bool = False
    login: UpstreamLogin | None = None
    account: UpstreamAccount | None = None
    finish: Finish | None = None

    @property
    def consent_key(self) -> ConsentKey:
        """What a consent given here may be remembered for."""
        return consent_key(self.request, self.browser_digest)


class AuthorizationFailed(Exception):
    """A refusal that the client must hear at its redirect URI (RFC 6749 4.1.2.1)."""

    def __init__(self, request: AuthorizationRequest, error: OAuthError) -> None:
        super().__init__(str(error))
        self.request = request
        self.error = error
