"""What PingOne's HTTP answers say beside their bodies: away or not, until when, and which one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeGuard

import httpx2

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.upstream.errors import (
    UpstreamAnswerRejected,
    UpstreamRefused,
    UpstreamUnavailable,
)

_CORRELATION_HEADERS: Final = ("correlation-id", "x-correlation-id")
_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)
_TOKEN: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
_MAX_RETRY_AFTER_SECONDS: Final = 3600
_MAX_LIFETIME_SECONDS: Final = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The members of a token response, of which nothing is believed yet."""

    members: Mapping[str, Any] = field(repr=False)
    correlation_id: str | None

    def tokens(self, now: datetime, previous: UpstreamTokens | None = None) -> UpstreamTokens:
        """Raise UpstreamAnswerRejected if they are no token set.

        RFC 6749 5.1 and 6: what a refresh of `previous` leaves out has not changed.
        """
        member = self.members.get
        access_token = member("access_token")
        scope = member("scope", previous.scope if previous else "")
        refresh_token = member("refresh_token", previous.refresh_token if previous else None)
        expires_in = member("expires_in")
        if str(member("token_type")).lower() != "bearer":
            raise self.rejected("the token type is not Bearer")
        if not _is_token(access_token) or not isinstance(scope, str):
            raise self.rejected("the token response has no access token")
        if refresh_token is not None and not _is_token(refresh_token):
            raise self.rejected("the refresh token is not a token")
        if isinstance(expires_in, bool) or not isinstance(expires_in, int) or expires_in <= 0:
            raise self.rejected("the token response has no usable expires_in")
        lifetime = timedelta(seconds=min(expires_in, _MAX_LIFETIME_SECONDS))
        return UpstreamTokens(access_token, refresh_token, scope, now + lifetime)

    def rejected(self, reason: str) -> UpstreamAnswerRejected:
        """The error that says which answer it was."""
        return UpstreamAnswerRejected(reason, correlation_id=self.correlation_id)


def refuse_outage(response: httpx2.Response, now: datetime) -> None:
    """Raise UpstreamUnavailable for 429 and 5xx, before the body is read as anything."""
    if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        # Nothing was carried out: the limiter stands in front.
        raise UpstreamUnavailable(
            "rate limited",
            retry_after_seconds=_retry_after(response, now),
            correlation_id=correlation_id(response),
        )
    if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        raise UpstreamUnavailable(
            f"answered {response.status_code}",
            is_ambiguous=True,
            retry_after_seconds=_retry_after(response, now),
            correlation_id=correlation_id(response),
        )


def refuse_unrevoked(response: httpx2.Response, now: datetime) -> None:
    """Raise UpstreamRefused if this token cannot be revoked, UpstreamUnavailable if any other may.

    RFC 7009 2.2.1: 400 is about the request. 401, 403 and 404 are about our registration or its
    configuration, which an operator can mend.
    """
    if response.status_code == httpx2.codes.OK:
        return
    refuse_outage(response, now)
    error = _oauth_error(response)
    if response.status_code == httpx2.codes.BAD_REQUEST and error != "invalid_client":
        raise UpstreamRefused(error, correlation_id=correlation_id(response))
    raise UpstreamUnavailable(
        f"revocation answered {response.status_code} {error}",
        correlation_id=correlation_id(response),
    )


def correlation_id(response: httpx2.Response) -> str | None:
    """What PingOne calls this answer in its own logs; None if it has no such name."""
    for header in _CORRELATION_HEADERS:
        value = response.headers.get(header, "")
        if _CORRELATION_ID.fullmatch(value):
            return value
    return None


def _is_token(value: object) -> TypeGuard[str]:
    """RFC 6749 A.12 and A.17: visible ASCII. Another text could be stored, and never be sent."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _retry_after(response: httpx2.Response, now: datetime) -> int | None:
    """RFC 9110 10.2.3: seconds, or a date. Bounded: nobody puts this service to sleep for ever."""
    value = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), _MAX_RETRY_AFTER_SECONDS)
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(int(seconds), 0), _MAX_RETRY_AFTER_SECONDS)


def _oauth_error(response: httpx2.Response) -> str:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    return error[:60] if isinstance(error, str) else "without an OAuth error"
