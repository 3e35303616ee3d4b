"""PingOne sessions: what makes single sign-on work, and what every refresh token hangs on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pingone_simulator.bounded import BoundedStore
from pingone_simulator.people import Person

IDLE_TIMEOUT = timedelta(days=30)


@dataclass(slots=True)
class Session:
    """One person's sign-on in one browser.

    `sid` is published in tokens; the browser proves the session with another, secret value.
    """

    sid: str
    cookie_value: str = field(repr=False)
    person: Person
    auth_time: datetime
    last_used_at: datetime


class Sessions:
    """All live sessions. A session that ended is gone: nothing can bring it back."""

    def __init__(
        self,
        *,
        max_entries: int,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        new_secret: Callable[[], str],
    ) -> None:
        self._by_sid: BoundedStore[str, Session] = BoundedStore(max_entries)
        self._sid_by_cookie: BoundedStore[str, str] = BoundedStore(max_entries)
        self._now = now
        self._new_id = new_id
        self._new_secret = new_secret

    def start(self, person: Person) -> Session:
        """Start a session for a person who has just authenticated."""
        now = self._now()
        session = Session(self._new_id(), self._new_secret(), person, now, now)
        self._by_sid.put(session.sid, session)
        self._sid_by_cookie.put(session.cookie_value, session.sid)
        return session

    def find(self, sid: str) -> Session | None:
        """Return the live session with this id."""
        session = self._by_sid.get(sid)
        if session is None or self._now() - session.last_used_at >= IDLE_TIMEOUT:
            return None
        return session

    def find_by_cookie(self, cookie_value: str | None) -> Session | None:
        """Return the live session whose browser sent this cookie."""
        sid = self._sid_by_cookie.get(cookie_value) if cookie_value else None
        return self.find(sid) if sid else None

    def touch(self, session: Session) -> None:
        """Count this moment as use: sign-on, single sign-on or refresh."""
        session.last_used_at = self._now()

    def end(self, sid: str) -> None:
        """End a session, known or not."""
        session = self._by_sid.pop(sid)
        if session is not None:
            self._sid_by_cookie.pop(session.cookie_value)

    def end_all_of(self, username: str) -> None:
        """End every session of one person, as an administrator can."""
        for session in self._by_sid:
            if session.person.username == username:
                self.end(session.sid)

    def __len__(self) -> int:
        return len(self._by_sid)
