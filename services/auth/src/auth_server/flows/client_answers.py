"""What a client is told at the end of a sign-on, and how the same browser is told it again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    ClientAnswer,
    PendingAuthorization,
)
from auth_server.domain.errors import OAuthError
from auth_server.domain.handles import Digest, digest
from auth_server.storage.sealed_client_answers import open_client_answer, seal_client_answer


@dataclass(frozen=True, slots=True)
class AnsweredClient:
    """The browser goes to the client's redirect URI with this answer."""

    request: AuthorizationRequest
    answer: ClientAnswer


@dataclass(frozen=True, slots=True)
class Returned:
    """A browser that came back with a state: untrusted, but for what its cookies prove.

    `secrets` are those of all sign-ons that it has begun.
    """

    state: str = field(repr=False)
    secrets: dict[Digest, str] = field(repr=False)

    @classmethod
    def of(cls, state: str, secrets: Sequence[str]) -> Self:
        """Take the raw state and the raw secrets of its cookies."""
        return cls(state, {digest(secret): secret for secret in secrets})

    @property
    def state_digest(self) -> Digest:
        """What a sign-on is found by."""
        return digest(self.state)

    @property
    def started(self) -> tuple[Digest, ...]:
        """What a sign-on must be bound to."""
        return tuple(self.secrets)

    def seal(self, pending: PendingAuthorization, answer: ClientAnswer) -> bytes:
        """Seal the answer to a sign-on of this browser."""
        return seal_client_answer(self.state, self.secrets[pending.started_digest], answer)

    def unseal(self, pending: PendingAuthorization, sealed: bytes) -> ClientAnswer:
        """Open it again."""
        return open_client_answer(self.state, self.secrets[pending.started_digest], sealed)


def error_answer(error: OAuthError) -> ClientAnswer:
    """What the client is told of an error."""
    return ClientAnswer(error=error.error, description=error.description)
