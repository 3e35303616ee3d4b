"""The consent page: who asks, where the browser will go, and what would be allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from auth_server.domain.redirect_uris import Target, TargetKind
from auth_server.pages.display_text import DisplayText, display_host, display_text

_MAX_NAME_LENGTH: Final = 80
_MAX_BUTTON_NAME_LENGTH: Final = 32
_MAX_IDENTIFIER_LENGTH: Final = 300
_MAX_SCOPE_LENGTH: Final = 100
_MAX_DESCRIPTION_LENGTH: Final = 200
_STRESSED_LABELS: Final = 3  # enough for the owner's name under a suffix of two labels, as in co.uk

# What the scopes of this product mean to the person who grants them, in the order to read them.
SCOPE_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "todo_api:read": "See your to-do list",
    "todo_api:write": "Add, change and delete to-dos",
    "offline_access": "Stay connected while you are away",
}


@dataclass(frozen=True, slots=True)
class ScopeView:
    """One scope; without a description its name has to speak for itself."""

    name: str
    description: str | None


@dataclass(frozen=True, slots=True)
class ConsentView:
    """Everything the page shows or sends back. The client's words are untrusted, of any content.

    `document_host` is set for a client that is known by a document: the name of the host that has
    published it, proven by https. What the document says is the client's words, as always.

    `account_name` is set for the second consent only: PingOne came back with another account than
    the one remembered for this browser and client.
    """

    client_name: str
    client_id: str
    client_uri_host: str | None
    target: Target
    scopes: tuple[ScopeView, ...]
    resource: str
    account_name: str | None
    form_action: str
    form_fields: Mapping[str, str]
    resource_name: str | None = None
    document_host: str | None = None


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """A ConsentView made fit to be shown: what the template reads."""

    client_name: DisplayText
    client_is_named: bool
    client_id: DisplayText
    client_uri_host: DisplayText | None
    destination: TargetKind  # each has its own warning
    is_bare_address: bool
    redirect_subdomains: DisplayText
    redirect_address: DisplayText
    redirect_scheme: DisplayText
    scopes: tuple[tuple[DisplayText, DisplayText | None], ...]
    resource: DisplayText
    account_name: DisplayText | None
    account_button_name: DisplayText | None
    form_action: str
    form_fields: Mapping[str, str]
    resource_name: DisplayText | None
    document_host: DisplayText
    document_subdomains: DisplayText
    document_address: DisplayText


def describe_scopes(
    names: Iterable[str], own_descriptions: Mapping[str, str]
) -> tuple[ScopeView, ...]:
    """The scopes to show: those described, in that order, then the others by name.

    What the resource says of its scopes comes first, and instead of what is said here.
    """
    descriptions = {**own_descriptions, **SCOPE_DESCRIPTIONS, **own_descriptions}
    asked = set(names)
    described = [ScopeView(name, text) for name, text in descriptions.items() if name in asked]
    others = sorted(asked - descriptions.keys())
    return (*described, *(ScopeView(name, None) for name in others))


def consent_page(view: ConsentView) -> ConsentPage:
    """Clean and bound every word of the view that somebody else chose."""
    client_id = display_text(view.client_id, max_length=_MAX_IDENTIFIER_LENGTH)
    client_name = display_text(view.client_name, max_length=_MAX_NAME_LENGTH)
    redirect_subdomains, redirect_address = _redirect_address(view.target)
    document_host = display_host(view.document_host or "")
    document_subdomains, document_address = _stressed(document_host)
    account_name = _account_name(view.account_name)
    return ConsentPage(
        client_name=client_name or client_id,
        client_is_named=bool(client_name),
        client_id=client_id,
        client_uri_host=display_host(view.client_uri_host) if view.client_uri_host else None,
        destination=view.target.kind,
        is_bare_address=view.target.is_address,
        redirect_subdomains=redirect_subdomains,
        redirect_address=redirect_address,
        redirect_scheme=display_text(view.target.scheme, max_length=_MAX_NAME_LENGTH),
        scopes=tuple(scope_texts(scope) for scope in view.scopes),
        resource=display_text(view.resource, max_length=_MAX_IDENTIFIER_LENGTH),
        account_name=account_name,
        account_button_name=(
            display_text(account_name, max_length=_MAX_BUTTON_NAME_LENGTH) if account_name else None
        ),
        form_action=view.form_action,
        form_fields=view.form_fields,
        resource_name=(
            display_text(view.resource_name, max_length=_MAX_NAME_LENGTH)
            if view.resource_name
            else None
        ),
        document_host=document_host,
        document_subdomains=document_subdomains,
        document_address=document_address,
    )


def _redirect_address(target: Target) -> tuple[DisplayText, DisplayText]:
    """What to show faintly, and what to stress."""
    host = display_host(target.host)
    if target.kind is TargetKind.INSTALLED_APP:
        scheme = display_text(target.scheme, max_length=_MAX_NAME_LENGTH)
        return DisplayText(""), DisplayText(f"{scheme}://{host}" if host else f"{scheme}:")
    return (DisplayText(""), host) if target.is_address else _stressed(host)


def _stressed(host: DisplayText) -> tuple[DisplayText, DisplayText]:
    """The beginning and the end of a host name: a long one tells at its end whose it is."""
    labels = host.split(".")
    if len(labels) <= _STRESSED_LABELS:
        return DisplayText(""), host
    end = ".".join(labels[-_STRESSED_LABELS:])
    return DisplayText(host.removesuffix(end)), DisplayText(end)


def scope_texts(scope: ScopeView) -> tuple[DisplayText, DisplayText | None]:
    """The scope's name, and in words what it allows if that is known."""
    name = display_text(scope.name, max_length=_MAX_SCOPE_LENGTH)
    if not scope.description:
        return name, None
    return name, display_text(scope.description, max_length=_MAX_DESCRIPTION_LENGTH)


def _account_name(name: str | None) -> DisplayText | None:
    if name is None:
        return None
    shown = display_text(name, max_length=_MAX_NAME_LENGTH)
    return shown or DisplayText("an account without a name")
