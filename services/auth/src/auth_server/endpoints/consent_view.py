"""What the consent pages show of an authorization: the first page, and the one with an account."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi.responses import Response

from auth_server.domain.authorizations import AuthorizationRequest
from auth_server.domain.client_documents import document_host
from auth_server.domain.clients import Client
from auth_server.domain.redirect_uris import Target
from auth_server.domain.resources import ProtectedResources
from auth_server.pages.consent import ConsentView, describe_scopes
from auth_server.pages.rendering import Pages
from service_kit.urls import ImproperUrl, parse_url


@dataclass(frozen=True, slots=True)
class ConsentPages:
    """Renders the page; `fields` are what its form sends back, beside the decision."""

    pages: Pages
    resources: ProtectedResources
    action: str

    def ask(
        self,
        request: AuthorizationRequest,
        client: Client,
        fields: Mapping[str, str],
        *,
        account_name: str | None = None,
    ) -> Response:
        """Ask for this authorization; with the account, if it is the second time."""
        metadata, resource = client.metadata, self.resources.find(request.resource)
        return self.pages.consent(
            ConsentView(
                client_name=metadata.client_name,
                client_id=client.client_id,
                client_uri_host=_shown_host(metadata.client_uri),
                target=Target.of(request.redirect_uri),
                scopes=describe_scopes(
                    request.scopes, {} if resource is None else resource.scope_descriptions
                ),
                resource=request.resource,
                account_name=account_name,
                form_action=self.action,
                form_fields=fields,
                resource_name=None if resource is None else resource.name,
                document_host=document_host(client.client_id),
            )
        )


def _shown_host(client_uri: str | None) -> str | None:
    try:
        return parse_url(client_uri).shown_authority if client_uri else None
    except ImproperUrl:
        return None
