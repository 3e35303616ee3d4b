"""`auth clients`: those that registered by themselves, and those that an operator adds."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from auth_server.cli.console import advise, print_table, printable, say
from auth_server.cli.formats import (
    Format,
    FormatOption,
    LimitOption,
    NoteOption,
    YesOption,
    check_note,
    instant,
    shown_instant,
    write_json_lines,
)
from auth_server.cli.grants import end_access_of
from auth_server.cli.running import CommandFailed, Store, run_on_store
from auth_server.domain.client_documents import is_document_url
from auth_server.domain.errors import OAuthError
from auth_server.flows.administer_clients import AdministerClients
from auth_server.flows.register_client import RegisteredClient
from auth_server.storage.clients import NEVER, ClientRecord
from auth_server.storage.grant_listing import GrantSelection

clients = typer.Typer(
    help="Clients with a row in the database: registered, added, or known by a document that they"
    " publish, whose https URL is then their id. Those of AUTH_CLIENTS are configuration, and not"
    " here.",
    no_args_is_help=True,
)

_WOULD_COME_AGAIN = (
    "this client publishes itself, and would be fetched and known again: use `auth clients"
    " disable`, or deny its host (AUTH_CLIENT_DOCUMENT_DENIED_HOSTS)"
)

ClientId = Annotated[str, typer.Argument(metavar="ID", help="the client_id")]


@clients.command("list")
def list_clients(limit: LimitOption = 100, output: FormatOption = Format.TEXT) -> None:
    """List clients, the newest first.

    Example: auth clients list --limit 20
    """

    async def work(store: Store) -> tuple[tuple[ClientRecord, ...], datetime]:
        async with store.database.reading() as read:
            return await read.clients.newest(limit=limit), store.now()

    found, now = run_on_store(work)
    if output is Format.JSONL:
        write_json_lines(_document(one, now) for one in found)
        return
    print_table(
        ("ID", "STATE", "NAME", "ORIGIN", "AUTHENTICATION", "REGISTERED", "LAST USED"),
        [
            (
                one.client.client_id,
                _state(one, now),
                one.client.metadata.client_name,
                one.client.origin,
                one.client.metadata.token_endpoint_auth_method,
                shown_instant(one.client.issued_at),
                shown_instant(one.last_used_at),
            )
            for one in found
        ],
    )


@clients.command()
def show(client_id: ClientId, output: FormatOption = Format.TEXT) -> None:
    """Show one client: what it said of itself, and how many grants it has.

    Example: auth clients show 5d6b1f0a-...
    """

    async def work(store: Store) -> dict[str, Any]:
        record, active = await _find(store, client_id)
        return _document(record, store.now()) | {"active_grants": active}

    document = run_on_store(work)
    if output is Format.JSONL:
        write_json_lines([document])
        return
    uris = [("redirect_uri", uri) for uri in document.pop("redirect_uris")]
    print_table(("", ""), [*document.items(), *uris])


@clients.command()
def add(
    name: Annotated[str, typer.Option("--name", help="what the consent page calls it")],
    redirect_uri: Annotated[
        list[str], typer.Option("--redirect-uri", help="where codes may go; may be repeated")
    ],
    confidential: Annotated[
        bool,
        typer.Option("--confidential/--public", help="whether it has a secret, or only PKCE"),
    ] = False,
    jwks_uri: Annotated[
        str | None, typer.Option("--jwks-uri", help="it has keys, and publishes them there")
    ] = None,
    jwks_file: Annotated[
        Path | None, typer.Option("--jwks-file", help="it has keys: a file with the public ones")
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Add a client that never expires. The secret of a confidential one is shown this once.

    Example: auth clients add --name "Build agent" --redirect-uri https://ci.example.com/callback
    """
    if not name.strip() or not name.isprintable():
        raise typer.BadParameter("must be a line of text", param_hint="--name")
    document = {
        "client_name": name,
        "redirect_uris": redirect_uri,
        "token_endpoint_auth_method": "client_secret_basic" if confidential else "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "application_type": "web" if confidential else "native",
        **_keys(jwks_uri, jwks_file, confidential=confidential),
    }

    async def work(store: Store) -> RegisteredClient:
        try:
            return await _administer(store).add(document)
        except OAuthError as error:
            raise CommandFailed(error.description) from None

    added = run_on_store(work)
    made = {"client_id": added.client.client_id}
    if added.client_secret is not None:
        made["client_secret"] = added.client_secret
    if output is Format.JSONL:
        write_json_lines([made])
    else:
        print_table(("", ""), made.items())
    if added.client_secret is not None:
        advise("The secret is stored as a digest only: nobody can show it again.")


@clients.command()
def disable(client_id: ClientId, reason: NoteOption = None, yes: YesOption = False) -> None:
    """Make a client unknown to every endpoint at once, and end its grants.

    Example: auth clients disable 5d6b1f0a-... --reason "reported as phishing"
    """
    note = check_note(reason)

    async def work(store: Store) -> int:
        await _confirm(store, client_id, "Disable", yes=yes)
        return await _administer(store).disable(client_id, note=note)

    say(f"Disabled; grants that ended: {run_on_store(work, encrypts=True)}.")


@clients.command()
def enable(client_id: ClientId, reason: NoteOption = None) -> None:
    """Make a disabled client known again. The grants that ended stay ended.

    Example: auth clients enable 5d6b1f0a-...
    """
    note = check_note(reason)

    async def work(store: Store) -> bool:
        await _find(store, client_id)
        return await _administer(store).enable(client_id, note=note)

    say("Enabled." if run_on_store(work) else "It was not disabled.")


@clients.command()
def delete(client_id: ClientId, reason: NoteOption = None, yes: YesOption = False) -> None:
    """Delete a client and end its grants. Its id stays unknown: nothing brings it back.

    A client that publishes itself would come again: disable it, and it stays unknown.

    Example: auth clients delete 5d6b1f0a-... --yes
    """
    note = check_note(reason)

    async def work(store: Store) -> int:
        if is_document_url(client_id):
            await _find(store, client_id)
            raise CommandFailed(_WOULD_COME_AGAIN)
        await _confirm(store, client_id, "Delete", yes=yes)
        return await _administer(store).delete(client_id, note=note)

    say(f"Deleted; grants that ended: {run_on_store(work, encrypts=True)}.")


def _keys(jwks_uri: str | None, jwks_file: Path | None, *, confidential: bool) -> dict[str, Any]:
    given = [confidential, jwks_uri is not None, jwks_file is not None]
    if sum(given) > 1:
        raise typer.BadParameter("choose one of --confidential, --jwks-uri and --jwks-file")
    keys: dict[str, Any] = {"token_endpoint_auth_method": "private_key_jwt"}
    if jwks_uri is not None:
        return keys | {"jwks_uri": jwks_uri}
    if jwks_file is None:
        return {}
    try:
        return keys | {"jwks": json.loads(jwks_file.read_bytes())}
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise typer.BadParameter(reason, param_hint="--jwks-file") from None
    except (ValueError, RecursionError):
        raise typer.BadParameter("is not JSON", param_hint="--jwks-file") from None


def _administer(store: Store) -> AdministerClients:
    return AdministerClients(
        store.database, end_access_of(store), store.settings.private_use_schemes, store.now
    )


async def _find(store: Store, client_id: str) -> tuple[ClientRecord, int]:
    async with store.database.reading() as read:
        record = await read.clients.record(client_id)
        selection = GrantSelection(client_id=client_id)
        active = await read.grant_listing.count_active(selection, now=store.now())
    if record is None:
        raise CommandFailed(
            "no such client here (one of AUTH_CLIENTS is changed in the configuration)"
        )
    return record, active


async def _confirm(store: Store, client_id: str, verb: str, *, yes: bool) -> None:
    record, active = await _find(store, client_id)
    if not yes:
        name = printable(record.client.metadata.client_name or "the client without a name")
        typer.confirm(f"{verb} {name}? Its active grants end: {active}", abort=True, err=True)


def _document(record: ClientRecord, now: datetime) -> dict[str, Any]:
    client, metadata = record.client, record.client.metadata
    expires_at = None if record.expires_at == NEVER else record.expires_at
    return {
        "client_id": client.client_id,
        "state": _state(record, now),
        "client_name": metadata.client_name,
        "client_uri": metadata.client_uri,
        "origin": client.origin,
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method,
        "jwks_uri": metadata.jwks_uri,
        "grant_types": " ".join(sorted(metadata.grant_types)),
        "application_type": metadata.application_type,
        "scope": metadata.scope,
        "redirect_uris": list(metadata.redirect_uris),
        "registered_at": instant(client.issued_at),
        "last_used_at": instant(record.last_used_at),
        "expires_at": instant(expires_at),
        "fresh_until": instant(record.fresh_until),
        "disabled_at": instant(record.disabled_at),
    }


def _state(record: ClientRecord, now: datetime) -> str:
    if record.disabled_at is not None:
        return "disabled"
    return "active" if now < record.expires_at else "expired"
