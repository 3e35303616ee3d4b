"""The account page's own sign-in and session. Nothing of them ever concerns an MCP client."""

from dataclasses import dataclass
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


class AccountLoginFailed(Exception):
    """The sign-in came to nothing. The text is for the log and holds no secret."""

    def __init__(self, failure: SignInFailure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
