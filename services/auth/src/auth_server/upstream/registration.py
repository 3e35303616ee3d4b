"""Our registration at PingOne, tried out: redirect URI, scopes, secret. Nothing is changed there.

Each try is a request that this service makes anyway at a sign-in, with an end that harms nobody:
prompt=none, which shows no page, and a code that was never issued.
"""

import asyncio
import re
import secrets
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2

from auth_server.domain.authorizations import UpstreamLogin
from auth_server.domain.findings import Finding, ok, problem, warning
from auth_server.domain.handles import digest
from auth_server.domain.scopes import Scopes
from auth_server.upstream.errors import UpstreamError, UpstreamRefused
from auth_server.upstream.pingone import PingOne

MAX_PAGE_BYTES: Final = 256 * 1024
# What PingOne says when it would have to ask a person (OpenID Connect Core 3.1.2.6).
_WOULD_ASK: Final = frozenset(
    {
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
    }
)
_NO_ANSWER: Final = (UpstreamError, httpx2.HTTPError, TimeoutError)
# In PingOne's words: "Redirect URI mismatch", in a page or in the URL of one.
_REDIRECT_URI: Final = re.compile(r"redirect(?:[ _+-]|%20)?ur[il]", re.IGNORECASE)
_CLIENT: Final = re.compile(r"client(?:[ _+-]|%20)?id|application", re.IGNORECASE)
_SCOPE_ERRORS: Final = frozenset({"invalid_scope", "invalid_target"})


class Registration:
    """Tries the registration of this service at PingOne. Asks with the service's own client."""

    def __init__(
        self, pingone: PingOne, client: httpx2.AsyncClient, *, redirect_uri: str, seconds: float
    ) -> None:
        self._pingone = pingone
        self._client = client
        self._redirect_uri = redirect_uri
        self._seconds = seconds

    async def examine_redirect_uri(
        self, *, audience: str, scopes: Scopes, of: str = ""
    ) -> list[Finding]:
        """Whether PingOne knows our redirect URI, and takes the request that a login makes.

        `of` names the resource in findings about it, where there are several.
        """
        check = "redirect URI"
        register = f"register exactly {self._redirect_uri} at the PingOne application"
        try:
            url = await self._url(audience, scopes)
            response, page = await self._ask(url)
        except _NO_ANSWER as failure:
            found = f"PingOne's authorization endpoint did not answer ({_kind(failure)})"
            return [problem(check, found, f"solve that first; then {register}")]
        error = self._returned_error(response)
        if error is None:
            return [_refusal(check, response, page, register)]
        findings = [ok(check, f"{self._redirect_uri} is registered")]
        if error not in _WOULD_ASK:
            advice = (
                "check MCP_SCOPES and API_IDENTIFIER, or AUTH_RESOURCES, and PINGONE_SCOPES against"
                " the application"
            )
            findings.append(problem(f"sign-in request{of}", f"PingOne answers {error}", advice))
        return findings

    async def examine_scopes(self, *, audience: str, scopes: Scopes, of: str = "") -> list[Finding]:
        """Whether the application may ask for each scope: alone, as PingOne drops what it may not.

        Only for a redirect URI that is registered.
        """
        findings = []
        for scope in sorted(scopes):
            check = f"scope {scope}{of}"
            try:
                url = _with_scope(await self._url(audience, frozenset({scope})), scope)
                response, _ = await self._ask(url)
            except _NO_ANSWER as failure:
                found = f"PingOne did not answer ({_kind(failure)})"
                findings.append(warning(check, found, "run it again"))
                continue
            error = self._returned_error(response)
            if error is None:
                findings.append(warning(check, "could not be tried", "see the redirect URI"))
            elif error in _SCOPE_ERRORS:
                advice = (
                    f"give the application this scope of the resource {audience} in PingOne's"
                    " console, or correct MCP_SCOPES or AUTH_RESOURCES"
                )
                findings.append(problem(check, f"PingOne answers {error}", advice))
            else:
                findings.append(ok(check, "the application may ask for it"))
        return findings

    async def examine_credentials(self) -> Finding:
        """Whether PingOne takes our client_id and secret: then it is the code that it refuses."""
        check = "client credentials"
        advice = "check MCP_SERVER_CLIENT_ID and MCP_SERVER_CLIENT_SECRET"
        try:
            await self._pingone.exchange_code(code=secrets.token_urlsafe(16), login=_login())
        except UpstreamRefused as error:
            if error.error == "invalid_grant":
                return ok(check, "PingOne takes them")
            if error.error == "invalid_client":
                return problem(check, "PingOne does not know this client or secret", advice)
            if error.error == "unauthorized_client":
                advice = "enable the grant type Authorization Code at the PingOne application"
            return problem(check, f"PingOne answers {error.error} to a made-up code", advice)
        except UpstreamError as error:
            return problem(check, str(error), "solve that first, then run it again")
        return problem(
            check, "PingOne took a code that was made up", "check PINGONE_TOKEN_ENDPOINT"
        )

    async def _url(self, audience: str, scopes: Scopes) -> str:
        return await self._pingone.authorization_url(
            state=secrets.token_urlsafe(16),
            login=_login(),
            audience=audience,
            scopes=scopes,
            prompt="none",
        )

    async def _ask(self, url: str) -> tuple[httpx2.Response, str]:
        async with asyncio.timeout(self._seconds):
            response = await self._client.send(self._client.build_request("GET", url), stream=True)
            try:
                page = b""
                async for chunk in response.aiter_bytes():
                    page += chunk
                    if len(page) > MAX_PAGE_BYTES:
                        break
            finally:
                await response.aclose()
        return response, page.decode("utf-8", errors="replace")

    def _returned_error(self, response: httpx2.Response) -> str | None:
        """The error that came back to our redirect URI; None if the answer went elsewhere."""
        location = response.headers.get("location", "")
        target, _, query = location.partition("?")
        if not response.has_redirect_location or target != self._redirect_uri:
            return None
        return parse_qs(query).get("error", ["no error"])[0][:100]


def _refusal(check: str, response: httpx2.Response, page: str, register: str) -> Finding:
    """What an answer means that did not come back to the redirect URI."""
    status = response.status_code
    location = response.headers.get("location", "")
    if response.has_redirect_location and "error" not in location and "mismatch" not in location:
        # PingOne asks although prompt=none forbids it: then only a person can tell.
        return warning(check, "PingOne answers with a page of its own", f"to be sure: {register}")
    said = f"{page} {location}"
    if _REDIRECT_URI.search(said):
        return problem(check, f"PingOne does not know it (status {status})", register)
    if _CLIENT.search(said):
        advice = "check MCP_SERVER_CLIENT_ID, and that the application is enabled"
        return problem(check, f"PingOne does not know the client (status {status})", advice)
    return problem(check, f"PingOne's authorization endpoint answers {status}", register)


def _login() -> UpstreamLogin:
    state = secrets.token_urlsafe(32)
    return UpstreamLogin(
        state_digest=digest(state),
        code_verifier=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
    )


def _with_scope(url: str, scope: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "scope"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("scope", scope)])))


def _kind(error: Exception) -> str:
    return str(error) if isinstance(error, UpstreamError) else type(error).__name__
