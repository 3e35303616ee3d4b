"""Pages that say how a sign-in ended, or that it goes on. They are no errors, and ask nothing."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class OutcomePage:
    """What the template reads: words of ours only.

    A page with `reload_seconds` loads itself again, without a script.
    """

    title: str
    explanation: str
    what_to_do: str
    leads_to_account: bool = False
    reload_seconds: int | None = None


class Outcome(Enum):
    """All of them."""

    CONNECTED = OutcomePage(
        "The app is connected",
        "You allowed this request, and the app was told. It is not needed a second time.",
        "Go back to the app. If it still waits, connect again from there. What you connected is on"
        " the page of your connected apps.",
        leads_to_account=True,
    )
    DENIED = OutcomePage(
        "You denied this request",
        "The app was told that you did not allow the access. Nothing was connected.",
        "If you want to allow it after all, connect again from the app.",
    )
    ENDED = OutcomePage(
        "This sign-in has ended",
        "It was finished or given up before, and this page cannot go on with it.",
        "Go back to the app. If it is not connected, connect again from there.",
        leads_to_account=True,
    )
    STILL_FINISHING = OutcomePage(
        "Signing you in",
        "PingOne has not answered yet.",
        "This page goes on by itself in a few seconds. You do not need to do anything.",
        reload_seconds=2,
    )
