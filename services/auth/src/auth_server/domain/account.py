"""The account page's own sign-in and session. Nothing of them ever concerns an MCP client."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from auth_server.domain.authorizations import UpstreamLogin
from auth_server.domain.grants import Subject
from auth_server.domain.handles import Digest


@dataclass(frozen=True, slots=True)
class PendingAccountLogin:
    """A sign-in to the account page that waits at PingOne, bound to one browser."""

    id: str
    browser_digest: Digest
    login: UpstreamLogin
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccountSession:
    """A person who may look after their own grants until `expires_at`, however busy they are."""

    digest: Digest
    subject: Subject
    expires_at: datetime


class SignInFailure(StrEnum):
    """What a person is told about a sign-in that came to nothing."""

    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """What came of a sign-in: the secret of a session, or a failure."""

    session_secret: str | None = field(default=None, repr=False)
    failure: SignInFailure | None = None


@dataclass(frozen=True, slots=True)
class SpentAccountLogin:
    """A sign-in that PingOne has answered; `sealed_answer` is None until it has ended."""

    browser_digest: Digest
    spent_at: datetime
    sealed_answer: bytes | None = field(default=None, repr=False)


class AccountLoginFailed(Exception):
    """The sign-in came to nothing. The text is for the log and holds no secret."""

    def __init__(self, failure: SignInFailure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
