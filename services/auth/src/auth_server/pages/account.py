"""The account page: what a person has connected, said so that they can tell one from another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from auth_server.pages.consent import ScopeView, scope_texts
from auth_server.pages.display_text import DisplayText, display_host, display_text

_MAX_NAME_LENGTH: Final = 80
_MAX_IDENTIFIER_LENGTH: Final = 300
_SHORT_IDENTIFIER_LENGTH: Final = 16
_MOST_HOSTS: Final = 3


class Notice(StrEnum):
    """What has just happened. The words are ours: a link to the page cannot bring its own."""

    DISCONNECTED = "disconnected"
    DISCONNECTED_ALL = "disconnected-all"
    SIGNED_OUT = "signed-out"
    ENDED = "ended"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"

    @classmethod
    def of(cls, untrusted: str | None, *, is_signed_in: bool) -> Self | None:
        """The notice of this name, if it can be true of somebody who is signed in, or is not."""
        fitting = {one for one in cls if (one in _WHEN_SIGNED_IN) is is_signed_in}
        return next((one for one in fitting if one == untrusted), None)

    @property
    def text(self) -> str:
        """What the page says."""
        return _NOTICES[self]

    @property
    def is_problem(self) -> bool:
        """True if it did not work."""
        return self in _PROBLEMS


_WHEN_SIGNED_IN: Final = frozenset({Notice.DISCONNECTED, Notice.DISCONNECTED_ALL})
_PROBLEMS: Final = frozenset({Notice.CANCELLED, Notice.UNAVAILABLE, Notice.FAILED})
_NOTICES: Final = {
    Notice.DISCONNECTED: "Disconnected: its access has ended. What is still connected is below.",
    Notice.DISCONNECTED_ALL: "All apps are disconnected: their access has ended.",
    Notice.SIGNED_OUT: "You are signed out of this page. PingOne may still have you signed in.",
    Notice.ENDED: "Your sign-in had ended, so nothing was changed. Sign in again.",
    Notice.CANCELLED: "The sign-in was cancelled or refused. Nothing was changed.",
    Notice.UNAVAILABLE: "PingOne cannot be reached right now. Try again in a moment.",
    Notice.FAILED: "The sign-in could not be completed. Try again.",
}


class AppStanding(StrEnum):
    """On whose word the app's name is what it is."""

    REGISTERED = "registered"  # its own
    PUBLISHED = "published"  # its own, at an address that is proven: the first of its hosts
    SET_UP = "set_up"  # an operator's
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class SignInView:
    """The page for somebody who is not signed in."""

    form_action: str
    form_fields: Mapping[str, str]
    notice: Notice | None


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """What an app may do at one server."""

    resource: str
    scopes: tuple[ScopeView, ...]


@dataclass(frozen=True, slots=True)
class AppView:
    """A connected app. Its words are untrusted, of any content; `hosts` may be empty."""

    client_name: str
    client_id: str
    standing: AppStanding
    hosts: tuple[str, ...]
    connections: tuple[ConnectionView, ...]
    connected_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class AccountForms:
    """Where the page's buttons post to, and the token that all of them send."""

    disconnect: str
    disconnect_all: str
    sign_out: str
    csrf_token: str


@dataclass(frozen=True, slots=True)
class AccountPageView:
    """The page for somebody who is signed in. `has_more` tells that the list is cut."""

    username: str
    apps: tuple[AppView, ...]
    has_more: bool
    notice: Notice | None
    forms: AccountForms


@dataclass(frozen=True, slots=True)
class ConnectionText:
    """A ConnectionView made fit to be shown."""

    resource: DisplayText
    scopes: tuple[tuple[DisplayText, DisplayText | None], ...]


@dataclass(frozen=True, slots=True)
class AppText:
    """An AppView made fit to be shown, except `form_client_id`, which the form sends back."""

    form_client_id: str
    name: DisplayText
    is_named: bool
    client_id: DisplayText
    standing: AppStanding
    hosts: tuple[DisplayText, ...]
    has_more_hosts: bool
    connections: tuple[ConnectionText, ...]
    connected_at: "Moment"
    last_used_at: "Moment"


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant for people and for machines (HTML's `time`)."""

    text: str
    iso: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """An AccountPageView made fit to be shown: what the template reads."""

    username: DisplayText
    apps: tuple[AppText, ...]
    has_more: bool
    notice: Notice | None
    forms: AccountForms


def account_page(view: AccountPageView) -> AccountPage:
    """Clean and bound every word of the view that somebody else chose."""
    username = display_text(view.username, max_length=_MAX_NAME_LENGTH)
    return AccountPage(
        username=username or DisplayText("an account without a name"),
        apps=tuple(_app_text(app) for app in view.apps),
        has_more=view.has_more,
        notice=view.notice,
        forms=view.forms,
    )


def _app_text(app: AppView) -> AppText:
    name = display_text(app.client_name, max_length=_MAX_NAME_LENGTH)
    return AppText(
        form_client_id=app.client_id,
        name=name or display_text(app.client_id, max_length=_SHORT_IDENTIFIER_LENGTH),
        is_named=bool(name),
        client_id=display_text(app.client_id, max_length=_MAX_IDENTIFIER_LENGTH),
        standing=app.standing,
        hosts=tuple(display_host(host) for host in app.hosts[:_MOST_HOSTS]),
        has_more_hosts=len(app.hosts) > _MOST_HOSTS,
        connections=tuple(_connection_text(one) for one in app.connections),
        connected_at=_moment(app.connected_at),
        last_used_at=_moment(app.last_used_at),
    )


def _connection_text(connection: ConnectionView) -> ConnectionText:
    return ConnectionText(
        resource=display_text(connection.resource, max_length=_MAX_IDENTIFIER_LENGTH),
        scopes=tuple(scope_texts(scope) for scope in connection.scopes),
    )


def _moment(instant: datetime) -> Moment:
    # The server does not know where the person is: UTC, and says so.
    utc = instant.astimezone(UTC)
    return Moment(f"{utc.day} {utc:%B %Y, %H:%M} UTC", utc.isoformat(timespec="minutes"))
