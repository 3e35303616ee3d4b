"""What the account page may say of a connected app, and on whose word."""

from collections import defaultdict
from typing import Final

from auth_server.domain.client_documents import document_host
from auth_server.domain.clients import Client, ClientOrigin
from auth_server.domain.redirect_uris import Target, TargetKind
from auth_server.domain.resources import ProtectedResources
from auth_server.flows.list_connected_apps import ConnectedApp
from auth_server.pages.account import AppStanding, AppView, ConnectionView
from auth_server.pages.consent import describe_scopes
from service_kit.urls import ImproperUrl

_STANDINGS: Final = {
    ClientOrigin.REGISTERED: AppStanding.REGISTERED,
    ClientOrigin.METADATA_DOCUMENT: AppStanding.PUBLISHED,
    ClientOrigin.CONFIGURED: AppStanding.SET_UP,
    ClientOrigin.OPERATOR: AppStanding.SET_UP,
}


def connected_app_view(app: ConnectedApp, resources: ProtectedResources) -> AppView:
    """The view of an app; a deleted client has no name left, only its identifier."""
    client = app.client
    return AppView(
        client_name="" if client is None else client.metadata.client_name,
        client_id=app.client_id,
        standing=AppStanding.DELETED if client is None else _STANDINGS[client.origin],
        hosts=() if client is None else _hosts(client),
        connections=_connections(app, resources),
        connected_at=min(grant.created_at for grant in app.grants),
        last_used_at=max(grant.last_used_at for grant in app.grants),
    )


def _connections(app: ConnectedApp, resources: ProtectedResources) -> tuple[ConnectionView, ...]:
    """What all grants together allow, for each server that the app uses."""
    scopes: dict[str, set[str]] = defaultdict(set)
    for grant in app.grants:
        scopes[grant.resource] |= grant.scopes
    views = []
    for identifier, allowed in sorted(scopes.items()):
        resource = resources.find(identifier)
        descriptions = {} if resource is None else resource.scope_descriptions
        views.append(ConnectionView(identifier, describe_scopes(frozenset(allowed), descriptions)))
    return tuple(views)


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
