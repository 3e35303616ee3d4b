"""The OIDC client of PingOne: where to send the browser, and what comes back for a code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError as AuthlibOAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from auth_server.domain.authorizations import UpstreamAccount, UpstreamLogin
from auth_server.domain.grants import Subject
from auth_server.domain.scopes import Scopes, format_scope
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.upstream.answers import (
    TokenAnswer,
    correlation_id,
    refuse_outage,
    refuse_unrevoked,
)
from auth_server.upstream.discovery import Discovery
from auth_server.upstream.errors import (
    UpstreamAnswerRejected,
    UpstreamRefused,
    UpstreamUnavailable,
)
from auth_server.upstream.tokens import IdTokenClaims, TokenVerifier, display_name

# What tells who somebody is (OpenID Connect Core 3.1.2.1, 5.4), and nothing more.
IDENTITY_SCOPES: Final = frozenset({"openid", "profile"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PingOneClient:
    """This service's registration at PingOne, and how it asks.

    `scopes` are requested at every login beside the scopes of the resource.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scopes: Scopes
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class UnverifiedLogin:
    """What PingOne issued for a code. Until it is verified it may only be revoked."""

    tokens: UpstreamTokens
    id_token: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnverifiedRefresh:
    """What PingOne rotated a refresh token to, and what it calls that answer in its own logs."""

    tokens: UpstreamTokens
    correlation_id: str | None


class PingOne:
    """PingOne's endpoints. Every method may raise UpstreamError."""

    def __init__(
        self,
        client: PingOneClient,
        discovery: Discovery,
        verifier: TokenVerifier,
        transport: httpx2.AsyncBaseTransport,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._verifier = verifier
        self._transport = transport
        self._now = now

    async def authorization_url(
        self, *, state: str, login: UpstreamLogin, audience: str, scopes: Scopes, prompt: str | None
    ) -> str:
        """The URL of PingOne's sign-on for this login, with PKCE S256, nonce and `resource`."""
        extra = {"prompt": prompt} if prompt else {}
        return await self._sign_on_url(
            state, login, self._client.scopes | scopes, resource=audience, **extra
        )

    async def identity_url(self, *, state: str, login: UpstreamLogin) -> str:
        """The URL of PingOne's sign-on for this service itself: who it is, and no API's scope."""
        return await self._sign_on_url(state, login, IDENTITY_SCOPES)

    async def prepare(self) -> None:
        """Discover PingOne's endpoints, if need be, ahead of a call that must be short."""
        await self._discovery.metadata()

    async def exchange_code(self, *, code: str, login: UpstreamLogin) -> UnverifiedLogin:
        """Redeem PingOne's code. What comes back is unverified: see verify_login."""
        metadata = await self._discovery.metadata()
        client = self._oauth_client()
        answer = await self._ask(
            client,
            lambda: client.fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=login.code_verifier,
                redirect_uri=self._client.redirect_uri,
            ),
        )
        return UnverifiedLogin(answer.tokens(self._now()), answer.members.get("id_token"))

    async def verify_login(
        self, unverified: UnverifiedLogin, *, login: UpstreamLogin, audience: str
    ) -> UpstreamAccount:
        """Verify the ID token, its nonce, and the access token's audience and subject."""
        claims = await self._id_token_claims(unverified, login)
        tokens = unverified.tokens
        await self.verify_access_token(tokens, audience=audience, subject=claims.subject)
        return UpstreamAccount(await self._subject_of(claims, tokens), tokens)

    async def verify_identity(
        self, unverified: UnverifiedLogin, *, login: UpstreamLogin
    ) -> Subject:
        """Verify the ID token and its nonce: for a login whose access token nobody will use."""
        claims = await self._id_token_claims(unverified, login)
        return await self._subject_of(claims, unverified.tokens)

    async def refresh(self, tokens: UpstreamTokens) -> UnverifiedRefresh:
        """Rotate a refresh token; the answer is unverified, see verify_access_token.

        PingOne kills every descendant of a refresh token that is sent twice, so the caller holds
        the grant's lease.
        """
        metadata = await self._discovery.metadata()
        client = self._oauth_client()
        answer = await self._ask(
            client,
            lambda: client.refresh_token(
                metadata.token_endpoint, refresh_token=tokens.refresh_token
            ),
        )
        refreshed = answer.tokens(self._now(), previous=tokens)
        return UnverifiedRefresh(refreshed, answer.correlation_id)

    async def verify_access_token(
        self, tokens: UpstreamTokens, *, audience: str, subject: str
    ) -> None:
        """Raise UpstreamAnswerRejected unless the access token is for this API and person."""
        await self._verifier.access_token(tokens.access_token, audience=audience, subject=subject)

    async def revoke(self, tokens: UpstreamTokens) -> None:
        """Revoke a token set (RFC 7009); nothing happens if PingOne offers no revocation.

        UpstreamRefused: these tokens cannot be revoked. Any other error: trying again may help.
        """
        metadata = await self._discovery.metadata()
        if metadata.revocation_endpoint is None:
            return
        token, hint = tokens.access_token, "access_token"
        if tokens.refresh_token is not None:
            token, hint = tokens.refresh_token, "refresh_token"
        client = self._oauth_client()
        async with _bounded(self._client.timeout_seconds):
            response = await client.revoke_token(
                metadata.revocation_endpoint, token=token, token_type_hint=hint
            )
        refuse_unrevoked(response, self._now())

    async def _sign_on_url(
        self, state: str, login: UpstreamLogin, scopes: Scopes, **extra: str
    ) -> str:
        metadata = await self._discovery.metadata()
        url, _ = self._oauth_client().create_authorization_url(
            metadata.authorization_endpoint,
            state=state,
            code_verifier=login.code_verifier,
            nonce=login.nonce,
            scope=format_scope(scopes),
            **extra,
        )
        return str(url)

    async def _id_token_claims(
        self, unverified: UnverifiedLogin, login: UpstreamLogin
    ) -> IdTokenClaims:
        if not isinstance(unverified.id_token, str):
            raise UpstreamAnswerRejected("the token response has no ID token")
        return await self._verifier.id_token(unverified.id_token, nonce=login.nonce)

    async def _subject_of(self, claims: IdTokenClaims, tokens: UpstreamTokens) -> Subject:
        name = claims.name or await self._name_from_userinfo(tokens, claims)
        return Subject(claims.subject, name or claims.subject)

    def _oauth_client(self) -> AsyncOAuth2Client:
        # Authlib's client remembers the last token it saw: one shared by two people's requests
        # would mix them up. The transport, which holds the connections, is what is shared.
        return AsyncOAuth2Client(
            client_id=self._client.client_id,
            client_secret=self._client.client_secret,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106  (a method's name)
            redirect_uri=self._client.redirect_uri,
            code_challenge_method="S256",
            transport=self._transport,
            timeout=self._client.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    async def _ask(
        self, client: AsyncOAuth2Client, request: Callable[[], Awaitable[dict[str, Any]]]
    ) -> TokenAnswer:
        request_id: str | None = None

        def look_at(response: httpx2.Response) -> httpx2.Response:
            nonlocal request_id
            request_id = correlation_id(response)
            refuse_outage(response, self._now())
            return response

        client.register_compliance_hook("access_token_response", look_at)
        client.register_compliance_hook("refresh_token_response", look_at)
        async with _bounded(self._client.timeout_seconds):
            try:
                return TokenAnswer(await request(), request_id)
            except AuthlibOAuthError as error:
                raise UpstreamRefused(str(error.error)[:60], correlation_id=request_id) from error
            except (ValueError, RecursionError) as error:
                raise UpstreamUnavailable(
                    "not a JSON object", is_ambiguous=True, correlation_id=request_id
                ) from error
            except (TypeError, OverflowError) as error:
                # Authlib reads the times by itself, and believes them to be numbers.
                raise UpstreamAnswerRejected(
                    "the token response has no usable times", correlation_id=request_id
                ) from error

    async def _name_from_userinfo(
        self, tokens: UpstreamTokens, claims: IdTokenClaims
    ) -> str | None:
        """A name for people, when the ID token carries none. Best effort: no name is no error."""
        metadata = await self._discovery.metadata()
        if metadata.userinfo_endpoint is None:
            return None
        client = self._oauth_client()
        try:
            async with _bounded(self._client.timeout_seconds):
                # Not get(): httpx's does not know withhold_token, which is Authlib's.
                response = await client.request(
                    "GET",
                    metadata.userinfo_endpoint,
                    auth=None,
                    withhold_token=True,
                    headers={"Authorization": f"Bearer {tokens.access_token}"},
                )
            profile = response.json() if response.status_code == httpx2.codes.OK else {}
        except (UpstreamUnavailable, ValueError, RecursionError) as error:
            _log.warning("pingone.userinfo_failed", reason=str(error))
            return None
        # OpenID Connect Core 5.3.2: a profile of another subject must not be used.
        if not isinstance(profile, dict) or profile.get("sub") != claims.subject:
            return None
        return display_name(profile)


@asynccontextmanager
async def _bounded(seconds: float) -> AsyncIterator[None]:
    """A total time-out, and one vocabulary for what the network did."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise UpstreamUnavailable("timed out", is_ambiguous=True) from error
    except (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.InvalidURL,
    ) as error:
        raise UpstreamUnavailable("no connection") from error
    except httpx2.HTTPError as error:
        raise UpstreamUnavailable(type(error).__name__, is_ambiguous=True) from error
