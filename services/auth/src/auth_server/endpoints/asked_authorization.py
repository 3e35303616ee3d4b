"""What /authorize asks, checked in the order that decides where an error may go.

The consent form brings the same parameters back, and they are checked again: a client may have been
disabled, a redirect URI withdrawn, or a resource reconfigured while the page was open.
"""

from dataclasses import dataclass

from auth_server.domain.authorization_requests import (
    parse_authorization_request,
    proven_redirect_uri,
)
from auth_server.domain.authorizations import AuthorizationRequest
from auth_server.domain.clients import Client
from auth_server.domain.errors import CannotRedirect, InvalidClient, UnusableDocument
from auth_server.domain.resources import ProtectedResources
from auth_server.endpoints.parameters import Parameters
from auth_server.flows.authenticate_client import ResolveClientId


@dataclass(frozen=True, slots=True)
class AskedAuthorization:
    """A known client, and a redirect URI of its own: an error may go there."""

    parameters: Parameters
    client: Client
    redirect_uri: str

    @property
    def state(self) -> str | None:
        """The client's state, for an error about everything else."""
        values = self.parameters.get("state", ())
        return values[0] if len(values) == 1 and values[0] else None


@dataclass(frozen=True, slots=True)
class ReadAuthorization:
    """Reads the parameters of an authorization request."""

    resolve_client: ResolveClientId
    resources: ProtectedResources

    async def asked(self, parameters: Parameters) -> AskedAuthorization:
        """Prove client and redirect URI; raise CannotRedirect."""
        client = await self._client(parameters)
        return AskedAuthorization(parameters, client, proven_redirect_uri(parameters, client))

    def request(self, asked: AskedAuthorization) -> AuthorizationRequest:
        """Validate the rest; raise the OAuthError to send to the redirect URI."""
        return parse_authorization_request(
            asked.parameters, asked.client, asked.redirect_uri, self.resources
        )

    async def _client(self, parameters: Parameters) -> Client:
        values = parameters.get("client_id", ())
        try:
            if len(values) != 1:
                raise InvalidClient("client_id is missing or repeated")
            return await self.resolve_client(values[0])
        except UnusableDocument as error:
            raise _unusable(error) from error
        except InvalidClient as error:
            raise CannotRedirect(
                "This application is not known here",
                "It was never registered, or its registration has expired or been removed.",
                "Remove the connection in your application and add it again:"
                " it will then register anew.",
                detail=error.description,
                status=error.status,
            ) from error


def _unusable(error: UnusableDocument) -> CannotRedirect:
    return CannotRedirect(
        "This application cannot be recognised",
        "It does not register here: it publishes a document about itself on the web. But"
        f" {error.description}.",
        "Wait a minute, then connect again from your application. If it stays like this, tell"
        " those who make the application, or those who run this service.",
        detail=str(error),
        status=error.status,
    )
