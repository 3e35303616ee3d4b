"""One class per OAuth wire code; the public text and the log text are separate.

OAuthError
├── InvalidRequest            400  RFC 6749 4.1.2.1, 5.2
├── InvalidClient             401  RFC 6749 5.2
│   └── UnusableDocument      401  draft-ietf-oauth-client-id-metadata-document 5.1
├── InvalidGrant              400  RFC 6749 5.2
├── UnauthorizedClient        400  RFC 6749 4.1.2.1, 5.2
├── UnsupportedGrantType      400  RFC 6749 5.2
├── UnsupportedResponseType   400  RFC 6749 4.1.2.1
├── InvalidScope              400  RFC 6749 4.1.2.1, 5.2
├── InvalidTarget             400  RFC 8707 2
├── AccessDenied              400  RFC 6749 4.1.2.1
├── LoginRequired             400  OpenID Connect Core 3.1.2.6
├── ServerError               500  RFC 6749 4.1.2.1
├── TemporarilyUnavailable    503  RFC 6749 4.1.2.1
│   └── TooManyRequests       429  RFC 6585 4
├── InvalidToken              401  RFC 6750 3.1
│   └── MissingToken          401  RFC 6750 3
├── InvalidRedirectUri        400  RFC 7591 3.2.2
└── InvalidClientMetadata     400  RFC 7591 3.2.2
CannotRedirect                     the browser must not be sent anywhere: a page, not a redirect
"""

from typing import ClassVar


class OAuthError(Exception):
    """A refusal with its wire code.

    `description` is public: fixed words of ours, never input or secrets. `detail` is for the log.
    """

    error: ClassVar[str]
    status: ClassVar[int] = 400

    def __init__(
        self, description: str, *, detail: str = "", retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail or description)
        self.description = description
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(OAuthError):
    """The request lacks a parameter, repeats one, or is malformed."""

    error = "invalid_request"


class InvalidClient(OAuthError):
    """Client authentication failed, or there is no such client (any more)."""

    error = "invalid_client"
    status = 401


class UnusableDocument(InvalidClient):
    """The document behind a client_id could not be fetched, or says what it must not."""


class InvalidGrant(OAuthError):
    """The code or refresh handle is unknown, spent, expired, or belongs to another client."""

    error = "invalid_grant"


class UnauthorizedClient(OAuthError):
    """The client is known but did not register for this."""

    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """The token endpoint does not know this grant type."""

    error = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    """The authorization endpoint only answers with a code."""

    error = "unsupported_response_type"


class InvalidScope(OAuthError):
    """The scope is unknown, malformed, or exceeds what was granted."""

    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """The resource is unknown, ambiguous, or not the one of the grant."""

    error = "invalid_target"


class AccessDenied(OAuthError):
    """The user, or PingOne on the user's behalf, said no."""

    error = "access_denied"


class LoginRequired(OAuthError):
    """The client asked for no interaction, and interaction is needed."""

    error = "login_required"


class ServerError(OAuthError):
    """Something unexpected happened here or at PingOne."""

    error = "server_error"
    status = 500


class TemporarilyUnavailable(OAuthError):
    """PingOne or the database is away for now; trying again later helps."""

    error = "temporarily_unavailable"
    status = 503


class TooManyRequests(TemporarilyUnavailable):
    """A budget is spent. No standard has a wire code for it; clients know this one as transient."""

    status = 429


class InvalidToken(OAuthError):
    """The initial access token of a registration is unknown, expired, revoked or used up."""

    error = "invalid_token"
    status = 401


class MissingToken(InvalidToken):
    """There is no token where one is needed: the challenge then names no error."""


class InvalidRedirectUri(OAuthError):
    """A redirect URI in a registration is one that no code may be sent to."""

    error = "invalid_redirect_uri"


class InvalidClientMetadata(OAuthError):
    """A registration asks for something that is not supported."""

    error = "invalid_client_metadata"


class CannotRedirect(Exception):
    """The request must end on a page of ours (RFC 6749 4.1.2.1: never redirect to an unproven URI).

    `title`, `explanation` and `what_to_do` are shown to the person in front of the browser.
    """

    def __init__(
        self, title: str, explanation: str, what_to_do: str, *, detail: str = "", status: int = 400
    ) -> None:
        super().__init__(detail or title)
        self.title = title
        self.explanation = explanation
        self.what_to_do = what_to_do
        self.detail = detail
        self.status = status
