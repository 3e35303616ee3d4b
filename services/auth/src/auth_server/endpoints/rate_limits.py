"""Who is asked to come back later: budgets that nobody can spend for somebody else.

A budget is counted by address, by address and claimed client_id, or by a grant whose handle was
presented. Never by client_id alone: it is no secret, and anybody may name it. An address is counted
together with the networks that it is in, which have larger budgets: who has a network has all its
addresses. What a page of another origin has a browser send is counted apart: the person there did
not choose it.
"""

from dataclasses import dataclass

from fastapi import Request

from auth_server.domain.clients import Client
from auth_server.domain.errors import InvalidClient, OAuthError, TooManyRequests
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.endpoints.account_sign_in import SIGN_IN
from auth_server.endpoints.browser_requests import is_api
from auth_server.endpoints.client_authentication import presented_credentials
from auth_server.endpoints.parameters import Parameters
from auth_server.endpoints.resource_server import authenticated_resource
from auth_server.endpoints.responses import note_claimed_client_id
from auth_server.flows.authenticate_client import AuthenticateClient
from service_kit.counted_addresses import CountedAddresses, CountedNetwork
from service_kit.fetch_metadata import FetchMetadata
from service_kit.rate_limits import Budget, Charge, RateLimiter, Refusal

Networks = tuple[CountedNetwork, ...]


@dataclass(frozen=True, slots=True)
class Budgets:
    """What a caller may do at each endpoint."""

    authorize: Budget
    pages: Budget
    cross_origin: Budget
    register: Budget
    token: Budget
    token_address: Budget
    refresh: Budget
    client_failures: Budget
    introspection_failures: Budget

    def of_path(self, path: str) -> Budget:
        """What one address may do at a path of the public port, whoever is behind it."""
        by_path = {
            "/authorize": self.authorize,
            # It starts a sign-on at PingOne, too.
            SIGN_IN: self.authorize,
            "/register": self.register,
            "/token": self.token_address,
            "/revoke": self.token_address,
        }
        return by_path.get(path, self.pages)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Refuses with TooManyRequests, which says when to come back."""

    limiter: RateLimiter
    budgets: Budgets
    addresses: CountedAddresses

    async def limit_address(self, request: Request) -> None:
        """A dependency of routes: spends before anything of the request is read."""
        await self.spend(self._budget_of(request), self.networks_of(request))

    async def limit_refresh(self, grant_id: str) -> None:
        """Spend for a grant whose refresh handle was presented."""
        _refuse(await self.limiter.hit_in_turn(Charge(self.budgets.refresh, (grant_id,))))

    async def spend(self, budget: Budget, networks: Networks, *key: str) -> None:
        """Count one in each network; raise TooManyRequests if the budget has no room for it."""
        _refuse(await self.limiter.hit_in_turn(*(one.charge(budget, *key) for one in networks)))

    async def check(self, budget: Budget, networks: Networks, *key: str) -> None:
        """Raise TooManyRequests if spend would, without counting."""
        _refuse(await self.limiter.peek_in_turn(*(one.charge(budget, *key) for one in networks)))

    def networks_of(self, request: Request) -> Networks:
        """What this request's address is in; nothing if it tells nobody apart."""
        return self.addresses.networks(None if request.client is None else request.client.host)

    def _budget_of(self, request: Request) -> Budget:
        # The route's path, not the request's: "/register\n" leads to the same endpoint.
        path = request.scope["route"].path
        if is_api(path) and is_cross_origin(request):
            return self.budgets.cross_origin
        return self.budgets.of_path(path)


@dataclass(frozen=True, slots=True)
class LimitedAuthentication:
    """Client authentication that counts: attempts generously, wrong secrets closely.

    A stranger spends only what is counted under their own address. Nothing has been spent of a
    code, a handle or an assertion when this refuses.
    """

    authenticate: AuthenticateClient
    limits: RateLimits

    async def __call__(self, request: Request, form: Parameters) -> Client:
        """Return the proven client; raise TooManyRequests, InvalidRequest or InvalidClient."""
        presented = presented_credentials(request, form)
        note_claimed_client_id(request, presented.client_id)
        networks = self.limits.networks_of(request)
        key: tuple[str, ...] = (presented.client_id,)
        budgets = self.limits.budgets
        if is_cross_origin(request):
            # It has spent its own budget. Its guesses are none of the client's, either.
            key = (*key, "cross-origin")
        else:
            await self.limits.spend(budgets.token, networks, *key)
        if not presented.method.has_secret:
            # There is nothing to guess. An app that was removed always gets its invalid_client; and
            # nobody makes a hosted client, whose people share its client_id and its addresses, sign
            # for the wrong server until its right assertions are refused.
            return await self.authenticate(presented)
        await self.limits.check(budgets.client_failures, networks, *key)
        try:
            return await self.authenticate(presented)
        except InvalidClient:
            await self.limits.spend(budgets.client_failures, networks, *key)
            raise


@dataclass(frozen=True, slots=True)
class LimitedResourceServers:
    """Authentication of resource servers that counts the failed ones only.

    A right credential is always accepted: who shares mcp's address, and fails in its name, must
    not be able to stop it.
    """

    resources: ProtectedResources
    limits: RateLimits

    async def __call__(self, request: Request) -> ProtectedResource:
        """Return the proven resource; raise TooManyRequests, InvalidRequest or InvalidClient."""
        try:
            return authenticated_resource(request, self.resources)
        except InvalidClient:
            networks, claimed = self.limits.networks_of(request), _claimed_client_id(request)
            note_claimed_client_id(request, claimed)
            # Who brings nothing has guessed nothing.
            if "authorization" in request.headers:
                budget = self.limits.budgets.introspection_failures
                await self.limits.spend(budget, networks, claimed)
            raise


def is_cross_origin(request: Request) -> bool:
    """True if a browser says that a page of another origin is behind the request."""
    return FetchMetadata.of(request.scope["headers"]).is_from_elsewhere


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise TooManyRequests(
            "too many requests; try again when Retry-After says",
            retry_after_seconds=refusal.seconds,
        )


def _claimed_client_id(request: Request) -> str:
    try:
        return presented_credentials(request, Parameters()).client_id
    except OAuthError:
        return ""
