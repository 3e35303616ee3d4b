"""The call to auth's introspection endpoint (RFC 7662), as this resource server."""

import base64
from typing import Any, Protocol
from urllib.parse import quote_plus

import aiohttp
import structlog

from service_kit.http_client import FetchFailed, parse_json_object, read_bounded

# A downstream token is at most a few KiB; so is everything else in an answer.
MAX_ANSWER_BYTES = 64 * 1024

_log = structlog.get_logger(__name__)


class IntrospectionUnavailable(Exception):
    """Auth gave no usable answer: an outage, never "inactive". The text holds no secret."""


class Introspector(Protocol):
    """Asks auth about one handle."""

    async def __call__(self, raw_handle: str) -> dict[str, Any]:
        """Return auth's answer, not yet validated; raise IntrospectionUnavailable."""


class AiohttpIntrospector:
    """The Introspector of production: `client_secret_basic`, no redirects, bounded answers."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        auth_internal_url: str,
        client_id: str,
        client_secret: str,
    ) -> None:
        self._session = session
        self._url = f"{auth_internal_url}/introspect"
        self._headers = {
            "Authorization": basic_authorization(client_id, client_secret),
            "Accept": "application/json",
        }

    async def __call__(self, raw_handle: str) -> dict[str, Any]:
        """Return auth's answer, not yet validated; raise IntrospectionUnavailable."""
        form = {"token": raw_handle, "token_type_hint": "access_token"}
        try:
            try:
                return await self._ask(form)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A pooled connection whose replica has gone: closed, or reset because the question
                # crossed the close. To ask changes nothing, so ask again: there is another replica,
                # or the next attempt says that there is none.
                return await self._ask(form)
        except FetchFailed as error:
            raise IntrospectionUnavailable(str(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = f"{self._url} could not be reached: {type(error).__name__}"
            raise IntrospectionUnavailable(reason) from error

    async def _ask(self, form: dict[str, str]) -> dict[str, Any]:
        async with self._session.post(
            self._url, data=form, headers=self._headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise self._explain(response.status)
            return parse_json_object(self._url, await read_bounded(response, MAX_ANSWER_BYTES))

    def _explain(self, status: int) -> IntrospectionUnavailable:
        if status == 401:
            _log.error(
                "introspection.credentials_refused",
                hint="INTROSPECTION_CLIENT_ID and INTROSPECTION_CLIENT_SECRET must match auth's",
            )
        return IntrospectionUnavailable(f"{self._url} answered {status}")


def basic_authorization(client_id: str, client_secret: str) -> str:
    """The header of `client_secret_basic`, for every endpoint of auth's internal port."""
    # Both halves are form-encoded before they are joined (RFC 6749 2.3.1).
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
