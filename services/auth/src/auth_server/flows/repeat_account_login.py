"""A browser repeats its way back to the account page: it gets the same session, for a minute."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth_server.domain.account import AccountAnswer, AccountLoginFailed, SignInFailure
from auth_server.domain.handles import digest
from auth_server.flows.client_answers import Returned
from auth_server.flows.repeat_answer import StillFinishing
from auth_server.storage.database import Database
from auth_server.storage.sealed_client_answers import open_account_answer


@dataclass(frozen=True, slots=True)
class RepeatAccountLogin:
    """Looks up what became of a sign-in."""

    database: Database
    # Nobody looks at PingOne's answer for longer than this: whoever did has been killed.
    longest_finish: timedelta
    now: Callable[[], datetime]

    async def __call__(self, returned: Returned) -> AccountAnswer | StillFinishing | None:
        """Return the session's secret once more, or none if that session has ended.

        None for a state that is unknown or another browser's; raises AccountLoginFailed as before.
        """
        now = self.now()
        async with self.database.reading() as read:
            spent = await read.account_logins.find_spent(
                returned.state_digest, returned.started, now=now
            )
        if spent is None:
            return None
        if spent.sealed_answer is None:
            if now < spent.spent_at + self.longest_finish:
                return StillFinishing()
            raise AccountLoginFailed(SignInFailure.FAILED, "the sign-in was interrupted")
        secret = returned.secrets[spent.browser_digest]
        answer = open_account_answer(returned.state, secret, spent.sealed_answer)
        if answer.session_secret is None:
            failure = answer.failure or SignInFailure.FAILED
            raise AccountLoginFailed(failure, "the same as before")
        return answer if await self._is_live(answer.session_secret) else AccountAnswer()

    async def _is_live(self, session_secret: str) -> bool:
        async with self.database.reading() as read:
            found = await read.account_sessions.find(digest(session_secret), now=self.now())
        return found is not None
