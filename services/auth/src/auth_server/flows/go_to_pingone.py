"""Prepares a login at PingOne: fresh state, PKCE verifier and nonce, and the URL to go to.

Only called for an approved authorization, so the upstream state exists only after consent.
"""

from dataclasses import dataclass, field

from auth_server.domain.authorizations import AuthorizationRequest, UpstreamLogin
from auth_server.domain.errors import TemporarilyUnavailable
from auth_server.domain.handles import digest, new_secret
from auth_server.domain.resources import ProtectedResources
from auth_server.upstream.errors import UpstreamUnavailable
from auth_server.upstream.pingone import PingOne


@dataclass(frozen=True, slots=True)
class AtPingOne:
    """The browser goes to PingOne, with a cookie that lets it come back: its id and its secret."""

    url: str
    start_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewLogin:
    """A login to store, and the raw state that only the browser carries."""

    login: UpstreamLogin
    state: str = field(repr=False)


def new_login() -> NewLogin:
    """Make state, verifier and nonce of 256 random bits each."""
    state = new_secret()
    return NewLogin(
        UpstreamLogin(state_digest=digest(state), code_verifier=new_secret(), nonce=new_secret()),
        state,
    )


@dataclass(frozen=True, slots=True)
class GoToPingOne:
    """Builds the authorization URL at PingOne for an authorization of ours."""

    pingone: PingOne
    resources: ProtectedResources

    async def __call__(self, request: AuthorizationRequest, new: NewLogin) -> str:
        """Return the URL; only what was consented is asked for upstream, in PingOne's names.

        Raises TemporarilyUnavailable if PingOne's endpoints cannot be discovered, InvalidTarget if
        the resource is not configured any more.
        """
        resource = self.resources.select([request.resource])
        try:
            return await self.pingone.authorization_url(
                state=new.state,
                login=new.login,
                audience=resource.upstream_audience,
                scopes=resource.asked_upstream(request.scopes),
                prompt=_upstream_prompt(request.prompts),
            )
        except UpstreamUnavailable as error:
            raise TemporarilyUnavailable(
                "the sign-on service cannot be reached; try again later", detail=str(error)
            ) from error


def _upstream_prompt(prompts: frozenset[str]) -> str | None:
    if "none" in prompts:
        return "none"
    # PingOne has no account chooser: a fresh sign-on is what lets a person choose.
    return "login" if prompts & {"login", "select_account"} else None
