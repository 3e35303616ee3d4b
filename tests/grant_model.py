"""What a grant, its code and its handles may do, in plain objects that know no service.

The model of grant_lifecycle.py. Time is an argument.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from grant_outcomes import Outcome

from auth_server.domain.grants import RevocationReason

GRACE, CODE, ACCESS = timedelta(seconds=60), timedelta(seconds=30), timedelta(hours=1)
# For so long the sweep leaves a handle that has expired: another clock may be behind.
CLOCK_SKEW = timedelta(minutes=1)
REFRESH, GRANT, MEMORY = timedelta(days=1), timedelta(days=2), timedelta(days=1)
# A downstream token closer to its end than this is not handed out.
LEAST_LIFE = timedelta(seconds=30)
GRANTS_PER_CLIENT = 3

Stored = dict[str, set[tuple[Any, ...]]]


@dataclass(eq=False)
class Row:
    """What expires and is then swept: an access handle, if it is nothing more."""

    raw: str = field(repr=False)
    grant: "ModelGrant"
    expires_at: datetime
    is_stored: bool = True

    @property
    def digest(self) -> bytes:
        """What the database knows it by."""
        return sha256(self.raw.encode()).digest()

    def is_live(self, now: datetime) -> bool:
        """Whether it and its grant are alive."""
        return self.grant.is_alive(now) and now < self.expires_at


@dataclass(eq=False)
class Code(Row):
    """A code; it is remembered for a while after its end."""

    redeemed_at: datetime | None = None


@dataclass(eq=False)
class Refresh(Row):
    """A refresh handle, with the access handle and the whole answer that it came in."""

    access: Row = field(kw_only=True)
    answer: dict[str, Any] = field(kw_only=True, repr=False)
    rotated_at: datetime | None = None
    successor: "Refresh | None" = None
    is_sealed: bool = False

    def answer_at(self, now: datetime) -> dict[str, Any]:
        """The answer that it came in, if it is given again."""
        left = max(timedelta(0), self.access.expires_at - now)
        return self.answer | {"expires_in": int(left.total_seconds())}


@dataclass(eq=False)
class ModelGrant:
    """A grant; it also ends by age."""

    id: str
    subject: str
    created_at: datetime
    upstream_until: datetime
    last_used_at: datetime
    code: Code = field(init=False, repr=False)
    handles: list[Refresh] = field(default_factory=list, repr=False)
    ended_at: datetime | None = None
    reason: RevocationReason | None = None
    is_stored: bool = True

    @property
    def expires_at(self) -> datetime:
        """Its end by age."""
        return self.created_at + GRANT

    @property
    def rows(self) -> list[Row]:
        """Its code and all its handles."""
        return [self.code, *self.handles, *(handle.access for handle in self.handles)]

    @property
    def is_unredeemed(self) -> bool:
        """Whether its code is known, and was never spent."""
        return self.code.is_stored and self.code.redeemed_at is None

    def is_alive(self, now: datetime) -> bool:
        """Whether its handles can be active."""
        return self.ended_at is None and now < self.expires_at

    def end(self, reason: RevocationReason, now: datetime) -> bool:
        """End it unless it has ended; return whether it did so now."""
        if self.ended_at is not None or not self.is_stored:
            return False
        self.ended_at, self.reason = now, reason
        return True

    def is_reachable(self, since: datetime) -> bool:
        """Whether an unspent code, an unspent refresh or an access handle leads to it."""
        leads: list[Row] = [handle.access for handle in self.handles]
        leads += [handle for handle in self.handles if handle.rotated_at is None]
        leads += [self.code] if self.code.redeemed_at is None else []
        return any(row.is_stored and row.expires_at > since for row in leads)


@dataclass
class Model:
    """Everything that the clients of one example have ever been given."""

    grants: list[ModelGrant] = field(default_factory=list)
    # How many grants ended because the access of their person did.
    swept_along: int = 0

    def handles(self) -> list[Refresh]:
        """Every refresh handle, by grant, oldest first."""
        return [handle for grant in self.grants for handle in grant.handles]

    def live_access(self, now: datetime) -> list[Row]:
        """The access handles that are active, as far as storage can tell."""
        return [access for access in self.access_handles() if access.is_live(now)]

    def access_handles(self) -> list[Row]:
        """Every access handle, by grant, oldest first."""
        return [handle.access for handle in self.handles()]

    def create(
        self, grant_id: str, subject: str, raw_code: str, upstream_until: datetime, now: datetime
    ) -> ModelGrant:
        """Note a new grant and its code."""
        grant = ModelGrant(grant_id, subject, now, upstream_until, last_used_at=now)
        grant.code = Code(raw_code, grant, now + CODE)
        self.grants.append(grant)
        return grant

    def in_use(self, subject: str, now: datetime) -> list[ModelGrant]:
        """The active grants of a person whose codes were redeemed, the last used one first."""
        in_use = [one for one in self.grants if one.subject == subject and one.is_alive(now)]
        in_use = [one for one in in_use if one.code.redeemed_at is not None]
        return sorted(in_use, key=lambda one: (one.last_used_at, one.created_at), reverse=True)

    def make_room(self, grant: ModelGrant, now: datetime) -> int:
        """End the most idle grants of a person beside the one just redeemed; count them."""
        others = [one for one in self.in_use(grant.subject, now) if one is not grant]
        idle = others[GRANTS_PER_CLIENT - 1 :]
        return sum(one.end(RevocationReason.SUPERSEDED, now) for one in idle)

    def end_unredeemed(self, subject: str, reason: RevocationReason, now: datetime) -> int:
        """End a person's grants whose codes nobody has redeemed; count them."""
        unredeemed = [one for one in self.grants if one.subject == subject and one.is_unredeemed]
        return sum(one.end(reason, now) for one in unredeemed)

    def end_access(self, grant: ModelGrant, reason: RevocationReason, now: datetime) -> bool:
        """End a grant, and with it those of its person that nobody has redeemed."""
        if not grant.end(reason, now):
            return False
        self.swept_along += self.end_unredeemed(grant.subject, RevocationReason.ACCESS_ENDED, now)
        return True

    def issue(self, grant: ModelGrant, answer: dict[str, Any], now: datetime) -> Refresh:
        """Note the handles of an answer, which must be new ones."""
        access = Row(answer["access_token"], grant, min(now + ACCESS, grant.expires_at))
        ends = min(now + REFRESH, grant.expires_at)
        handle = Refresh(answer["refresh_token"], grant, ends, access=access, answer=answer)
        known = {raw for one in self.handles() for raw in (one.raw, one.access.raw)}
        assert not known & {handle.raw, access.raw}
        assert answer["expires_in"] == int((access.expires_at - now).total_seconds())
        grant.handles.append(handle)
        grant.last_used_at = now
        return handle

    def code_outcome(self, code: Code, now: datetime) -> Outcome:
        """What becomes of the code if its client presents it rightly now."""
        if not code.is_stored:
            return Outcome.CODE_UNKNOWN
        if code.redeemed_at is not None:
            return Outcome.CODE_REPLAYED
        if now >= code.expires_at:
            return Outcome.CODE_EXPIRED
        return Outcome.REDEEMED if code.grant.is_alive(now) else Outcome.CODE_OF_ENDED

    def present_code(self, code: Code, is_proven: bool, now: datetime) -> Outcome:
        """Spend the code; end its grant if it is spent already, or wrongly."""
        outcome = self.code_outcome(code, now)
        if outcome is Outcome.CODE_REPLAYED:
            self.end_access(code.grant, RevocationReason.CODE_REPLAY, now)
        if outcome in {Outcome.REDEEMED, Outcome.CODE_OF_ENDED}:
            code.redeemed_at = now
        if outcome is Outcome.REDEEMED and not is_proven:
            self.end_access(code.grant, RevocationReason.CODE_MISMATCH, now)
            return Outcome.CODE_MISMATCHED
        return outcome

    def handle_outcome(self, handle: Refresh, now: datetime) -> Outcome:
        """What becomes of the refresh handle if its client presents it now."""
        if not handle.is_stored:
            return Outcome.HANDLE_UNKNOWN
        if not handle.grant.is_alive(now):
            return Outcome.HANDLE_OF_ENDED
        if handle.rotated_at is None or handle.successor is None:
            return Outcome.ROTATED if now < handle.expires_at else Outcome.HANDLE_EXPIRED
        if now - handle.rotated_at >= GRACE:
            return Outcome.STOLEN
        return Outcome.REPLAYED if handle.successor.rotated_at is None else Outcome.LATE

    def present_handle(self, handle: Refresh, now: datetime) -> Outcome:
        """Spend the handle, for which a successor is then issued; end its grant if it is stolen."""
        outcome = self.handle_outcome(handle, now)
        if outcome is Outcome.ROTATED:
            handle.rotated_at, handle.is_sealed = now, True
        if outcome is Outcome.STOLEN:
            self.end_access(handle.grant, RevocationReason.REFRESH_REUSE, now)
        return outcome

    def is_active(self, access: Row, now: datetime) -> bool:
        """The answer of introspection, which ends a grant whose token at PingOne is dead."""
        is_dead_upstream = now >= access.grant.upstream_until - LEAST_LIFE
        if access.is_live(now) and is_dead_upstream:
            self.end_access(access.grant, RevocationReason.UPSTREAM_DEAD, now)
        return access.is_live(now)

    def revoke(self, row: Row, now: datetime) -> bool:
        """Its client gives the handle back; return whether that ended the grant."""
        return row.is_stored and self.end_access(row.grant, RevocationReason.CLIENT, now)

    def sweep(self, now: datetime) -> int:
        """Forget what has expired, and end what cannot be reached; count the latter."""
        ended = 0
        for grant in self.grants:
            for row in grant.rows:
                kept = MEMORY if isinstance(row, Code) else CLOCK_SKEW
                row.is_stored &= row.expires_at > now - kept
            for handle in grant.handles:
                handle.is_sealed &= handle.rotated_at is None or handle.rotated_at > now - GRACE
            if not grant.is_reachable(now - CODE):
                ended += grant.end(RevocationReason.UNREACHABLE, now)
            if min(grant.ended_at or grant.expires_at, grant.expires_at) <= now - MEMORY:
                grant.is_stored = False
                for row in grant.rows:
                    row.is_stored = False
        return ended

    def moments(self, now: datetime) -> list[datetime]:
        """When next something changes by itself, soonest first."""
        return sorted({moment for moment in self._moments() if moment > now})

    def _moments(self) -> Iterator[datetime]:
        for grant in self.grants:
            yield from (grant.expires_at, grant.code.expires_at, grant.code.expires_at + MEMORY)
            yield grant.upstream_until - LEAST_LIFE
            if grant.ended_at is not None:
                yield grant.ended_at + MEMORY
            for handle in grant.handles:
                yield from (handle.access.expires_at, handle.expires_at)
                if handle.rotated_at is not None:
                    yield handle.rotated_at + GRACE

    def stored(self) -> Stored:
        """What the database holds, table by table; moments are text there."""
        grants = [one for one in self.grants if one.is_stored]
        codes = [one.code for one in self.grants if one.code.is_stored]
        access_handles = [one for one in self.access_handles() if one.is_stored]
        refresh_handles = [one for one in self.handles() if one.is_stored]
        return {
            "grants": {
                (one.id, text_of(one.ended_at), one.reason, text_of(one.last_used_at))
                for one in grants
            },
            "codes": {(one.digest, text_of(one.redeemed_at)) for one in codes},
            "access_handles": {(one.digest, text_of(one.expires_at)) for one in access_handles},
            "refresh_handles": {
                (one.digest, text_of(one.expires_at), text_of(one.rotated_at), one.is_sealed)
                for one in refresh_handles
            },
        }


def text_of(moment: datetime | None) -> str | None:
    """A moment as the rows show it."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S.%f}"
