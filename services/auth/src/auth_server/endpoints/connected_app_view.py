"""What the account page may say of a connected app, and on whose word."""

from typing import Final

from auth_server.domain.client_documents import document_host
from auth_server.domain.clients import Client, ClientOrigin
from auth_server.domain.redirect_uris import Target, TargetKind
from auth_server.domain.resources import ProtectedResources
from auth_server.flows.list_connected_apps import ConnectedApp
from auth_server.pages.account import AppStanding, AppView
from auth_server.pages.consent import describe_scopes
from service_kit.urls import ImproperUrl

_STANDINGS: Final = {
    ClientOrigin.REGISTERED: AppStanding.REGISTERED,
    ClientOrigin.METADATA_DOCUMENT: AppStanding.PUBLISHED,
    ClientOrigin.CONFIGURED: AppStanding.SET_UP,
    ClientOrigin.OPERATOR: AppStanding.SET_UP,
}


def connected_app_view(app: ConnectedApp, resources: ProtectedResources) -> AppView:
    """The view of one grant; a deleted client has no name left, only its identifier."""
    grant, client = app.grant, app.client
    resource = resources.find(grant.resource)
    return AppView(
        grant_id=grant.id,
        client_name="" if client is None else client.metadata.client_name,
        client_id=grant.client_id,
        standing=AppStanding.DELETED if client is None else _STANDINGS[client.origin],
        hosts=() if client is None else _hosts(client),
        scopes=describe_scopes(
            grant.scopes, {} if resource is None else resource.scope_descriptions
        ),
        resource=grant.resource,
        connected_at=grant.created_at,
        last_used_at=grant.last_used_at,
    )


def _hosts(client: Client) -> tuple[str, ...]:
    """The websites that it registered to send people to: its own word, as its name is.

    Of a client that publishes itself, the host that vouches for it.
    """
    if client.origin is ClientOrigin.METADATA_DOCUMENT:
        return (document_host(client.client_id) or "",)
    hosts = (_website(uri) for uri in client.metadata.redirect_uris)
    return tuple(dict.fromkeys(host for host in hosts if host))


def _website(redirect_uri: str) -> str:
    try:
        target = Target.of(redirect_uri)
    except ImproperUrl:  # registered before the rules were what they are, and used no more
        return ""
    return target.host if target.kind is TargetKind.WEBSITE else ""
