"""`auth grants`: who has allowed what to which client, and how to end it."""

from datetime import datetime
from typing import Annotated, Any

import typer

from auth_server.cli.console import print_table, say
from auth_server.cli.formats import (
    Format,
    FormatOption,
    LimitOption,
    NoteOption,
    YesOption,
    check_note,
    counted,
    instant,
    shown_instant,
    write_json_lines,
)
from auth_server.cli.running import CommandFailed, Store, run_on_store
from auth_server.domain.grants import Grant, RevocationReason
from auth_server.flows.end_access import EndAccess
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.storage.encryption import DecryptionFailed, UnknownEncryptionKey
from auth_server.storage.grant_listing import GrantSelection, ListedGrant

grants = typer.Typer(
    help="Grants: one completed authorization each, the parent of a client's handles.",
    no_args_is_help=True,
)

GrantId = Annotated[str, typer.Argument(metavar="ID", help="the grant's id")]
SubjectOption = Annotated[
    str | None, typer.Option("--subject", help="only those of this person (PingOne's sub)")
]
ClientOption = Annotated[str | None, typer.Option("--client", help="only those of this client_id")]


@grants.command("list")
def list_grants(
    subject: SubjectOption = None,
    client: ClientOption = None,
    ended: Annotated[bool, typer.Option("--ended", help="with those that have ended")] = False,
    limit: LimitOption = 100,
    output: FormatOption = Format.TEXT,
) -> None:
    """List grants, the newest first. An ended one is kept for a day.

    Example: auth grants list --subject 4f1c... --ended
    """

    async def work(store: Store) -> tuple[tuple[ListedGrant, ...], datetime]:
        now = store.now()
        selection = GrantSelection(subject, client)
        async with store.database.reading() as read:
            return await read.grant_listing.newest(
                selection, with_ended=ended, now=now, limit=limit
            ), now

    found, now = run_on_store(work)
    if output is Format.JSONL:
        write_json_lines(_document(one.grant, one.client_name, now) for one in found)
        return
    print_table(
        ("ID", "STATE", "PERSON", "CLIENT", "NAME", "SCOPES", "CREATED", "LAST USED"),
        [
            (
                one.grant.id,
                _state(one.grant, now),
                one.grant.subject.username,
                one.grant.client_id,
                one.client_name,
                " ".join(sorted(one.grant.scopes)),
                shown_instant(one.grant.created_at),
                shown_instant(one.grant.last_used_at),
            )
            for one in found
        ],
    )


@grants.command()
def show(grant_id: GrantId, output: FormatOption = Format.TEXT) -> None:
    """Show one grant: whose, for what, until when, and what hangs on it. Never a token.

    Example: auth grants show 0c0f7a3e-... --format jsonl
    """
    document = run_on_store(lambda store: _details(store, grant_id))
    if output is Format.JSONL:
        write_json_lines([document])
    else:
        print_table(("", ""), document.items())


@grants.command()
def revoke(
    grant_id: Annotated[str | None, typer.Argument(metavar="ID", help="one grant")] = None,
    subject: SubjectOption = None,
    client: ClientOption = None,
    reason: NoteOption = None,
    yes: YesOption = False,
) -> None:
    """End one grant, or all of a person or of a client (or of a person at a client).

    Its handles are refused from now on; the running replicas revoke its tokens at PingOne. The
    client has to ask the person again, also where a grant had ended already: remembered consents
    are forgotten. With --subject alone, the person's sessions of the account page end, too.
    Example: auth grants revoke --subject 4f1c... --reason "left the company"
    """
    if (grant_id is None) == (subject is None and client is None):
        raise typer.BadParameter("give either an ID, or --subject, --client or both")
    note = check_note(reason)
    selection = GrantSelection(subject, client)

    async def work(store: Store) -> int:
        count = await _count(store, grant_id, selection)
        if count and not yes:
            typer.confirm(f"End {counted(count, 'grant')}?", abort=True, err=True)
        end_access = end_access_of(store)
        if grant_id is None:
            return await end_access.all_of(selection, note=note)
        return await end_access.one(grant_id, note=note)

    say(f"{counted(run_on_store(work, encrypts=True), 'grant')} ended.")


def end_access_of(store: Store) -> EndAccess:
    """The flow without a connection to PingOne, which is left to the running replicas."""
    revoke_grant = RevokeGrant(store.database, RevokeUpstream(store.now), store.now)
    return EndAccess(store.database, revoke_grant, RevocationReason.OPERATOR, store.now)


async def _count(store: Store, grant_id: str | None, selection: GrantSelection) -> int:
    async with store.database.reading() as read:
        if grant_id is None:
            return await read.grant_listing.count_active(selection, now=store.now())
        grant = await read.grants.find(grant_id)
    if grant is None:
        raise CommandFailed("no such grant (one that ended is kept for a day)")
    return int(grant.revoked_at is None)


async def _details(store: Store, grant_id: str) -> dict[str, Any]:
    now = store.now()
    async with store.database.reading() as read:
        grant = await read.grants.find(grant_id)
        if grant is None:
            raise CommandFailed("no such grant (one that ended is kept for a day)")
        client = await read.clients.record(grant.client_id)
        access, refresh = await read.grant_listing.count_live_handles(grant_id, now=now)
        upstream = await read.grant_listing.upstream_state(grant_id)
        try:
            stored = await read.upstream_tokens.find(grant_id)
            expires_at = None if stored is None else instant(stored.tokens.expires_at)
        except (UnknownEncryptionKey, DecryptionFailed):
            expires_at = "unreadable: no key of the ring opens the tokens"
    name = None if client is None else client.client.metadata.client_name
    return _document(grant, name, now) | {
        "live_access_handles": access,
        "live_refresh_handles": refresh,
        "upstream_version": None if upstream is None else upstream.version,
        "upstream_expires_at": expires_at,
        "upstream_lease_owner": None if upstream is None else upstream.lease_owner,
        "upstream_lease_until": None if upstream is None else instant(upstream.lease_until),
        "upstream_attempted_at": None if upstream is None else instant(upstream.attempted_at),
    }


def _document(grant: Grant, client_name: str | None, now: datetime) -> dict[str, Any]:
    return {
        "id": grant.id,
        "state": _state(grant, now),
        "subject": grant.subject.subject,
        "username": grant.subject.username,
        "client_id": grant.client_id,
        "client_name": client_name,
        "resource": grant.resource,
        "scope": " ".join(sorted(grant.scopes)),
        "created_at": instant(grant.created_at),
        "last_used_at": instant(grant.last_used_at),
        "expires_at": instant(grant.expires_at),
        "ended_at": instant(grant.revoked_at),
        "reason": grant.revocation_reason,
    }


def _state(grant: Grant, now: datetime) -> str:
    if grant.revoked_at is not None:
        return "ended"
    return "active" if grant.is_active(now) else "expired"
