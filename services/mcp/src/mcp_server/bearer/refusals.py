"""Every refusal of the bearer layer: JSON-RPC errors for the protocol, challenges for OAuth.

Refusal                              an answer instead of the SDK's
├── refuse_message(...)              JSON-RPC error: the transport's rules
├── too_many(...)                    JSON-RPC error, 429
└── Challenges                       RFC 6750 section 3
    ├── handle_missing               401, no error code: the client has not tried yet
    ├── handle_inactive              401 invalid_token
    ├── scope_lacking                403 insufficient_scope
    ├── authorization_ambiguous      400 invalid_request
    ├── too_many_failures            429, with Retry-After and without a challenge
    └── auth_unavailable             503, with Retry-After and without a challenge
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mcp_types import INVALID_REQUEST
from starlette.responses import JSONResponse, Response

RETRY_AFTER_SECONDS = 2
# Ours: outside of what JSON-RPC and MCP keep for themselves, -32768 to -32000.
TOO_MANY = 429


class Refusal(Exception):
    """Ends a request with the given response."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"refused with {response.status_code}")
        self.response = response


def refuse_message(
    status: int,
    message: str,
    *,
    code: int = INVALID_REQUEST,
    data: Mapping[str, Any] | None = None,
    request_id: str | int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """Refuse with a JSON-RPC error; `message` is fixed text, never what was sent."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = dict(data)
    body = {"jsonrpc": "2.0", "id": request_id, "error": error}
    return Refusal(JSONResponse(body, status_code=status, headers=headers))


def too_many(what: str, seconds: int, *, request_id: str | int | None) -> Refusal:
    """429: the grant has sent too much. The model may read it, so it says what to do."""
    unit = "second" if seconds == 1 else "seconds"
    return refuse_message(
        429,
        f"Too many {what} in a short time. Wait {seconds} {unit} before the next one.",
        code=TOO_MANY,
        data={"retryAfterSeconds": seconds},
        request_id=request_id,
        headers={"Retry-After": str(seconds)},
    )


class Challenges:
    """Renders the challenges of one resource; every one of them says where its metadata is."""

    def __init__(self, *, resource_metadata_url: str, minimal_scopes: Iterable[str]) -> None:
        self._resource_metadata_url = resource_metadata_url
        self._minimal_scope = " ".join(minimal_scopes)

    def handle_missing(self) -> Refusal:
        """401 for a request without a handle; no error code (RFC 6750 section 3.1)."""
        return self._challenge(401, None, "Sign in to use this server.", self._minimal_scope)

    def handle_inactive(self) -> Refusal:
        """401 for a handle that is malformed, expired, revoked or meant for someone else."""
        return self._challenge(
            401, "invalid_token", "The access token is not valid any more.", self._minimal_scope
        )

    def scope_lacking(self, needed: Iterable[str]) -> Refusal:
        """403 naming every scope the operation needs."""
        scope = " ".join(sorted(needed))
        return self._challenge(403, "insufficient_scope", f"This tool needs: {scope}", scope)

    def authorization_ambiguous(self) -> Refusal:
        """400 for more than one credential in a request."""
        return self._challenge(
            400, "invalid_request", "Send one Authorization header.", self._minimal_scope
        )

    @staticmethod
    def too_many_failures(seconds: int) -> Refusal:
        """429: too many dead handles came from the address to ask auth about one more."""
        body = {
            "error": "temporarily_unavailable",
            "error_description": "Too many invalid access tokens came from your network.",
        }
        headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
        return Refusal(JSONResponse(body, status_code=429, headers=headers))

    @staticmethod
    def auth_unavailable() -> Refusal:
        """503: whether the handle is active is not known, so nothing is said about it."""
        body = {
            "error": "temporarily_unavailable",
            "error_description": "The authorization server cannot be reached; try again shortly.",
        }
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Refusal(JSONResponse(body, status_code=503, headers=headers))

    def _challenge(self, status: int, error: str | None, description: str, scope: str) -> Refusal:
        body = {"error_description": description, "scope": scope}
        parameters = {"scope": scope, "resource_metadata": self._resource_metadata_url}
        if error is not None:
            body = {"error": error, **body}
            parameters = {"error": error, "error_description": description, **parameters}
        challenge = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        headers = {"WWW-Authenticate": f"Bearer {challenge}", "Cache-Control": "no-store"}
        return Refusal(JSONResponse(body, status_code=status, headers=headers))
