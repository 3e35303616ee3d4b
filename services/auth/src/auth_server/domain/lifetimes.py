"""How long things live. Some are settings, see `AuthSettings.lifetimes`; the others are fixed."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Each field is a span of time; `refresh_handle` slides, `grant` is absolute."""

    # From the consent page to Allow, and from there to the end of the sign-on at PingOne.
    consent_form: timedelta = timedelta(hours=1)
    sign_on: timedelta = timedelta(minutes=30)
    # What came too late is still known for this long, so that the client can be told.
    late: timedelta = timedelta(hours=1)
    # The same browser gets the same answer again for this long.
    repeated_answer: timedelta = timedelta(minutes=1)
    # A second consent, with PingOne's tokens waiting.
    account_consent: timedelta = timedelta(minutes=10)
    code: timedelta = timedelta(seconds=60)
    access_handle: timedelta = timedelta(hours=1)
    refresh_handle: timedelta = timedelta(days=30)
    # From its first use on, a spent refresh handle gets the same answer again for this long.
    refresh_grace: timedelta = timedelta(seconds=60)
    grant: timedelta = timedelta(days=180)
    consent: timedelta = timedelta(days=30)
    # Absolute: what is left open in a browser disconnects nothing later on.
    account_session: timedelta = timedelta(minutes=15)
    unused_client: timedelta = timedelta(hours=1)
    used_client: timedelta = timedelta(days=180)
    audit: timedelta = timedelta(days=365)
    # A redeemed code is remembered this long, so that a replay is recognised as one.
    redeemed_code: timedelta = timedelta(days=1)
