"""Codes, handles, refreshes, revocations, sweeps and time in any order, against a simple model.

After each step the database holds exactly what the model says, so that a refused request has
changed nothing else; no grant has two live lineages; and introspection agrees about every handle
that came to life or died. At the end of an example it is asked about all of them, and at the end of
the run everything must have happened several times.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from auth_back_channel import refusal
from grant_model import (
    ACCESS,
    GRACE,
    GRANT,
    GRANTS_PER_CLIENT,
    LEAST_LIFE,
    MEMORY,
    Code,
    Model,
    ModelGrant,
    Refresh,
    Row,
)
from grant_outcomes import Outcome
from grant_service import CLIENT_ID, OTHER_CLIENT_ID, Service
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from auth_server.domain.grants import RevocationReason

A_SECOND = timedelta(seconds=1)
# What steps aim at; the model knows what comes of it. A sweep ends what cannot be reached.
AIMS = [one for one in Outcome if one is not Outcome.UNREACHABLE]
AIMS += [Outcome.REPLAYED, Outcome.LATE, Outcome.STOLEN, Outcome.WAITED]
PEOPLE = ["alice", "bob"]
# The sign-on whose downstream token dies before its handles do.
BRIEF = 5

AnyRow = TypeVar("AnyRow", bound=Row)


class Lifecycle(RuleBasedStateMachine):
    """Every step goes to the service through its front door, and to the model."""

    service: ClassVar[Service]
    counts: ClassVar[Counter[Outcome]]

    def __init__(self) -> None:
        super().__init__()
        self.service.empty()
        self.auth = self.service.auth
        self.model = Model()
        # At the last look; and whether everything was as it should be then.
        self.live: list[Row] = []
        self.agrees = True

    # One rule: of several, Hypothesis' swarm testing would leave most out of most examples, and
    # what this looks for takes all of them. A step is never in vain: it makes what it lacks.
    @rule(
        aim=st.sampled_from(AIMS),
        which=st.integers(min_value=0, max_value=BRIEF),
        callers=st.sampled_from([1, 1, 1, 3]),
    )
    def step(self, aim: Outcome, which: int, callers: int) -> None:
        self.agrees = False
        match aim:
            case Outcome.SIGNED_ON | Outcome.REPLACED | Outcome.ACCESS_ENDED:
                self.leave_unredeemed(aim, which)
            case Outcome.SUPERSEDED:
                self.crowd(which)
            case Outcome.REVOKED | Outcome.NOT_REVOKED:
                handles = self.model.handles() or [self.a_handle(Outcome.ROTATED, which)]
                self.revoke(self.pick(handles, which), which, is_own=aim is Outcome.REVOKED)
            case Outcome.UPSTREAM_DEAD | Outcome.ACCESS_EXPIRED:
                self.outlive(aim, which)
            case Outcome.SWEPT:
                self.sweep()
            case Outcome.WAITED:
                self.wait(which)
            case _ if aim is Outcome.REDEEMED or aim.name.startswith("CODE_"):
                self.present_code(self.a_code(aim, which), aim, callers)
            case Outcome.AT_ONCE:
                self.present(self.a_handle(Outcome.ROTATED, which), callers=3)
            case _:
                self.present(self.a_handle(aim, which), aim, callers)

    @invariant()
    def what_is_stored_and_active_is_what_the_model_says(self) -> None:
        live = self.model.live_access(self.now)
        for access in self.model.access_handles():
            if (access in self.live) is not (access in live):
                self.introspect(access)
        self.live = self.model.live_access(self.now)
        self.counts[Outcome.ACCESS_ENDED] += self.model.swept_along
        self.model.swept_along = 0
        assert self.service.stored() == self.model.stored()
        assert set(self.service.lineages()) <= {1}
        self.agrees = True

    def teardown(self) -> None:
        if self.agrees:
            for access in self.model.access_handles():
                self.introspect(access)
            assert self.service.stored() == self.model.stored()

    @property
    def now(self) -> datetime:
        return self.auth.clock()

    def wait_until(self, moment: datetime) -> None:
        self.auth.clock.advance(seconds=max(0.0, (moment - self.now).total_seconds()))

    def wait(self, which: int) -> None:
        """Until just before something changes by itself, or the moment when it does."""
        moments = self.model.moments(self.now) or [self.now + A_SECOND]
        self.wait_until(moments[which // 2 % len(moments)] - A_SECOND * (which % 2))
        self.counts[Outcome.WAITED] += 1

    def sweep(self) -> None:
        self.service.sweep()
        self.counts[Outcome.UNREACHABLE] += self.model.sweep(self.now)
        self.counts[Outcome.SWEPT] += 1

    def introspect(self, access: Row) -> None:
        was_alive = access.grant.is_alive(self.now)
        is_active = self.model.is_active(access, self.now)
        assert self.service.is_active(access.raw) is is_active
        self.counts[Outcome.UPSTREAM_DEAD] += was_alive and not access.grant.is_alive(self.now)

    def pick(self, found: Sequence[AnyRow], which: int) -> AnyRow:
        """One of the last; those of living grants come last."""
        by_life = sorted(found, key=lambda row: row.grant.is_alive(self.now))
        return by_life[-1 - which % len(by_life)]

    def sign_on(self, which: int) -> ModelGrant:
        # A second between any two, so that it is clear which one is the most idle.
        self.wait_until(self.now + A_SECOND)
        subject = PEOPLE[which % len(PEOPLE)]
        upstream_until = self.now + (ACCESS / 2 if which == BRIEF else GRANT * 2)
        raw, grant_id = self.service.issue_code(subject, upstream_until)
        replaced = RevocationReason.SUPERSEDED
        self.counts[Outcome.REPLACED] += self.model.end_unredeemed(subject, replaced, self.now)
        self.counts[Outcome.SIGNED_ON] += 1
        return self.model.create(grant_id, subject, raw, upstream_until, self.now)

    def leave_unredeemed(self, aim: Outcome, which: int) -> None:
        """Sign on, and then end that without a redemption, if that is the aim."""
        handle = self.a_handle(Outcome.ROTATED, which) if aim is Outcome.ACCESS_ENDED else None
        person = which if handle is None else PEOPLE.index(handle.grant.subject)
        self.sign_on(person)
        if aim is Outcome.REPLACED:
            self.sign_on(person)
        if handle is not None:
            self.revoke(handle, which, is_own=True)

    def crowd(self, which: int) -> None:
        """Sign one person on until a grant must go, which is not the one just used."""
        handle = self.a_handle(Outcome.ROTATED, which)
        person = PEOPLE.index(handle.grant.subject)
        while len(self.model.in_use(handle.grant.subject, self.now)) < GRANTS_PER_CLIENT:
            self.present_code(self.sign_on(person).code)
        self.present(handle)
        self.present_code(self.sign_on(person).code)

    def a_code(self, aim: Outcome, which: int) -> Code:
        """A code that is to meet this, if there can be one; time passes where it must."""
        if aim is Outcome.CODE_MISMATCHED:
            aim = Outcome.REDEEMED
        elif aim is Outcome.CODE_OF_ANOTHER:
            aim = (Outcome.REDEEMED, Outcome.CODE_REPLAYED)[which % 2]
        known = [grant.code for grant in self.model.grants]
        codes = [code for code in known if self.model.code_outcome(code, self.now) is aim]
        if codes:
            return self.pick(codes, which)
        if aim is Outcome.REDEEMED:
            return self.sign_on(which).code
        code = self.a_code(Outcome.REDEEMED, which)
        match aim:
            case Outcome.CODE_REPLAYED:
                self.present_code(code)
            case Outcome.CODE_EXPIRED:
                self.wait_until(code.expires_at)
            case Outcome.CODE_UNKNOWN:
                self.wait_until(code.expires_at + MEMORY)
                self.sweep()
            case Outcome.CODE_OF_ENDED:
                self.sign_on(PEOPLE.index(code.grant.subject))
        return code

    def present_code(self, code: Code, aim: Outcome = Outcome.REDEEMED, callers: int = 1) -> None:
        wrong = {Outcome.CODE_MISMATCHED: {"code_verifier": "w" * 43}}
        wrong[Outcome.CODE_OF_ANOTHER] = {"client_id": OTHER_CLIENT_ID}
        changes = wrong.get(aim, {})
        answers = self.service.at_once(callers, lambda: self.auth.exchange(code.raw, **changes))
        for answer in answers:
            outcome = aim
            if aim is not Outcome.CODE_OF_ANOTHER:
                is_proven = aim is not Outcome.CODE_MISMATCHED
                outcome = self.model.present_code(code, is_proven, self.now)
            self.counts[outcome] += 1
            if outcome is Outcome.REDEEMED:
                assert answer.status_code == 200, answer.text
                self.counts[Outcome.SUPERSEDED] += self.model.make_room(code.grant, self.now)
                self.model.issue(code.grant, answer.json(), self.now)
            else:
                assert refusal(answer) == "invalid_grant"

    def a_handle(self, aim: Outcome, which: int) -> Refresh:
        """A refresh handle that is to meet this, if there can be one; time passes where it must."""
        if aim is Outcome.HANDLE_OF_ANOTHER:
            aim = (Outcome.ROTATED, Outcome.REPLAYED, Outcome.STOLEN)[which % 3]
        handles = [h for h in self.model.handles() if self.model.handle_outcome(h, self.now) is aim]
        if handles:
            return self.pick(handles, which)
        if aim is Outcome.ROTATED:
            code = self.a_code(Outcome.REDEEMED, which)
            self.present_code(code)
            return code.grant.handles[-1]
        if aim is Outcome.LATE:
            handle = self.a_handle(Outcome.REPLAYED, which)
            assert handle.successor is not None
            self.present(handle.successor)
            return handle
        handle = self.a_handle(Outcome.ROTATED, which)
        match aim:
            case Outcome.REPLAYED:
                self.present(handle)
            case Outcome.STOLEN:
                self.present(handle)
                self.wait_until(self.now + GRACE)
            case Outcome.HANDLE_OF_ENDED:
                self.revoke(handle, which, is_own=True)
            case Outcome.HANDLE_EXPIRED | Outcome.HANDLE_UNKNOWN:
                self.wait_until(handle.expires_at)
                if aim is Outcome.HANDLE_UNKNOWN:
                    self.sweep()
        return handle

    def present(self, handle: Refresh, aim: Outcome = Outcome.ROTATED, callers: int = 1) -> None:
        is_own = aim is not Outcome.HANDLE_OF_ANOTHER
        client_id = CLIENT_ID if is_own else OTHER_CLIENT_ID
        answers = self.service.at_once(
            callers, lambda: self.auth.refresh(handle.raw, client_id=client_id)
        )
        outcomes = set()
        for answer in answers:
            outcome = self.model.present_handle(handle, self.now) if is_own else aim
            outcomes.add(outcome)
            self.counts[outcome] += 1
            if outcome is Outcome.ROTATED:
                assert answer.status_code == 200, answer.text
                handle.successor = self.model.issue(handle.grant, answer.json(), self.now)
            elif outcome is Outcome.REPLAYED:
                assert handle.successor is not None
                assert answer.json() == handle.successor.answer_at(self.now)
            else:
                assert refusal(answer) == "invalid_grant"
        self.counts[Outcome.AT_ONCE] += outcomes == {Outcome.ROTATED, Outcome.REPLAYED}

    def revoke(self, handle: Refresh, which: int, *, is_own: bool) -> None:
        """Give it back, or the access handle that came with it; either may be dead."""
        row = handle.access if which % 2 else handle
        form = {"client_id": CLIENT_ID if is_own else OTHER_CLIENT_ID, "token": row.raw}
        (answer,) = self.service.at_once(1, lambda: self.auth.anyone.post("/revoke", data=form))
        assert answer.is_success
        if is_own:
            self.counts[Outcome.REVOKED] += self.model.revoke(row, self.now)
        else:
            self.counts[Outcome.NOT_REVOKED] += 1

    def outlive(self, aim: Outcome, which: int) -> None:
        """Look at a new access handle just before it dies, or its downstream token, and then."""
        if aim is Outcome.UPSTREAM_DEAD:
            grant = self.sign_on(BRIEF)
            self.present_code(grant.code)
            end = grant.upstream_until - LEAST_LIFE
        else:
            handle = self.a_handle(Outcome.ROTATED, which)
            self.present(handle)
            grant, end = handle.grant, handle.grant.handles[-1].access.expires_at
            self.counts[aim] += 1
        for moment in (end - A_SECOND, end):
            self.wait_until(moment)
            self.introspect(grant.handles[-1].access)
