"""`auth tokens`: for those who may register where registration is not open."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from auth_server.cli.console import advise, print_table, say
from auth_server.cli.formats import (
    Format,
    FormatOption,
    LimitOption,
    NoteOption,
    check_note,
    instant,
    shown_instant,
    write_json_lines,
)
from auth_server.cli.running import CommandFailed, Store, run_on_store
from auth_server.flows.hand_out_tokens import HandedOutToken, HandOutTokens
from auth_server.storage.initial_access_tokens import InitialAccessToken

tokens = typer.Typer(
    help="Initial access tokens (RFC 7591 3). With AUTH_REGISTRATION=token a client registers only"
    " with one, as a Bearer token.",
    no_args_is_help=True,
)

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST: Final = timedelta(days=3650)


@tokens.command()
def create(
    uses: Annotated[
        int, typer.Option("--uses", min=1, max=1_000_000, help="how many clients may register")
    ] = 1,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="any number of clients, until it expires")
    ] = False,
    expires_in: Annotated[
        str, typer.Option("--expires-in", metavar="DURATION", help="like 30m, 12h or 7d")
    ] = "7d",
    note: Annotated[
        str | None, typer.Option("--note", help="whom it is for, in your words; kept with it")
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Make a token. It is shown this once.

    Example: auth tokens create --uses 20 --expires-in 12h --note "onboarding of team A"
    """
    lifetime = _parse_duration(expires_in)
    words = check_note(note, "--note")

    async def work(store: Store) -> HandedOutToken:
        return await _hand_out(store).create(
            uses=None if unlimited else uses, expires_in=lifetime, note=words
        )

    made = run_on_store(work)
    document = {
        "id": made.token.id,
        "initial_access_token": made.raw_token,
        "expires_at": instant(made.token.expires_at),
    }
    if output is Format.JSONL:
        write_json_lines([document])
    else:
        print_table(("", ""), document.items())
    advise("The token is stored as a digest only: nobody can show it again.")


@tokens.command("list")
def list_tokens(limit: LimitOption = 100, output: FormatOption = Format.TEXT) -> None:
    """List tokens, the newest first, without their values.

    Example: auth tokens list
    """

    async def work(store: Store) -> tuple[tuple[InitialAccessToken, ...], datetime]:
        async with store.database.reading() as read:
            return await read.initial_access_tokens.newest(limit=limit), store.now()

    found, now = run_on_store(work)
    if output is Format.JSONL:
        write_json_lines(_document(one, now) for one in found)
        return
    print_table(
        ("ID", "STATE", "USES LEFT", "CREATED", "EXPIRES", "NOTE"),
        [
            (
                one.id,
                _state(one, now),
                "any" if one.remaining_uses is None else one.remaining_uses,
                shown_instant(one.created_at),
                shown_instant(one.expires_at),
                one.note,
            )
            for one in found
        ],
    )


@tokens.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="as `auth tokens list` shows it")],
    reason: NoteOption = None,
) -> None:
    """Take a token back at once. Clients that registered with it stay; see `auth clients`.

    Example: auth tokens revoke 5d6b1f0a-... --reason "sent to the wrong person"
    """
    note = check_note(reason)

    async def work(store: Store) -> None:
        if not await _hand_out(store).revoke(token_id, note=note):
            raise CommandFailed("no such token here")

    run_on_store(work)
    say("Revoked.")


def _hand_out(store: Store) -> HandOutTokens:
    return HandOutTokens(store.database, store.now)


def _parse_duration(value: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", value, re.ASCII)
    duration = timedelta()
    if found is not None:
        duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not timedelta() < duration <= _LONGEST:
        raise typer.BadParameter(
            "must be like 30m, 12h or 7d, at most 3650d", param_hint="--expires-in"
        )
    return duration


def _document(token: InitialAccessToken, now: datetime) -> dict[str, Any]:
    return {
        "id": token.id,
        "state": _state(token, now),
        "remaining_uses": token.remaining_uses,
        "created_at": instant(token.created_at),
        "expires_at": instant(token.expires_at),
        "note": token.note,
    }


def _state(token: InitialAccessToken, now: datetime) -> str:
    if token.expires_at <= now:
        return "expired"
    return "used up" if token.remaining_uses == 0 else "active"
