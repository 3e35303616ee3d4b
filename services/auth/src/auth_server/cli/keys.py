"""`auth keys`: make keys, see where they are used, and replace old ones."""

import base64
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from auth_server.cli.console import advise, errors, print_table, say
from auth_server.cli.formats import YesOption, counted, shown_instant
from auth_server.cli.grants import end_access_of
from auth_server.cli.running import CommandFailed, Store, run_on_store, utc_now
from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.storage.encryption import KEY_BYTES, KeyRing
from auth_server.storage.encryption_keys import RegisteredKey
from auth_server.storage.rewrap import Rewrapped, grants_under, rewrap, values_by_key
from auth_server.storage.ring_check import RingState, check_ring, ring_state

COOKIE_KEY_BYTES: Final = 32
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"

keys = typer.Typer(
    help="The keys that encrypt PingOne tokens, and how they are replaced without logging anybody"
    " out: generate, append everywhere, move to the front everywhere, rewrap, remove."
    " docs/operations.md tells it step by step.",
    no_args_is_help=True,
)


@keys.command()
def generate(
    key_id: Annotated[
        str | None,
        typer.Option("--id", help="the key's id; by default k, today's date and four characters"),
    ] = None,
    *,
    cookie: Annotated[
        bool, typer.Option("--cookie", help="a key that signs forms, for COOKIE_ENCRYPTION_KEY")
    ] = False,
) -> None:
    """Make a new random key and print it, ready to be appended to the ring. Changes nothing.

    The key goes to stdout and is shown once; stderr says what to do with it.

    Example, with the ring in a file: auth keys generate >> auth-encryption-keys
    """
    if cookie:
        typer.echo(secrets.token_urlsafe(COOKIE_KEY_BYTES))
        advise(
            "Append it to COOKIE_ENCRYPTION_KEY (or its file) and deploy everywhere. Then move it"
            " to the front and deploy again. Ten minutes later the old key may leave."
        )
        return
    name = _new_id() if key_id is None else key_id
    key = secrets.token_bytes(KEY_BYTES)
    try:
        KeyRing([(name, key)])
    except ValueError:
        allowed = "an id is 1 to 32 of A-Z a-z 0-9 _ -"
        raise typer.BadParameter(allowed, param_hint="--id") from None
    typer.echo(f"{name}:{base64.b64encode(key).decode('ascii')}")
    advise(
        "Append it to AUTH_ENCRYPTION_KEYS (or its file) and deploy everywhere. Then move it to the"
        " front and deploy again; then run `auth keys rewrap`, and the old key may leave."
    )


@keys.command(name="list")
def list_keys() -> None:
    """Show each key of the ring and of the database, and how many values it still encrypts.

    Counts every value, so that you know when an old key may leave the ring: when it encrypts
    nothing and is not registered any more. `auth keys rewrap` brings that about.

    Example: auth keys list
    """
    run_on_store(_list)


@keys.command(name="rewrap")
def rewrap_all(
    batch: Annotated[
        int, typer.Option("--batch", min=1, max=10_000, help="values per transaction")
    ] = 500,
) -> None:
    """Encrypt everything anew with the first key of the ring, so that the others may leave.

    Run it when every replica has the new key in front. Nobody is logged out, replicas keep
    running, and an interrupted run is simply started again. Fails, after doing all it can, if
    values are left that no key of the ring opens.

    Example: auth keys rewrap --batch 1000
    """

    async def work(store: Store) -> Rewrapped:
        await check_ring(store.database, now=store.now(), may_lack=True)
        counts = await values_by_key(store.database)
        total = counts.total() - counts[store.encryption.key_ids[0]]
        with _progress(total) as on_progress:
            done = await rewrap(
                store.database,
                store.encryption,
                batch=batch,
                on_progress=on_progress,
                now=store.now,
            )
        _tell(store, done)
        return done

    run_on_store(work)


@keys.command()
def abandon(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="the id of the lost key")],
    yes: YesOption = False,
) -> None:
    """Go on without a key that is lost for good: end the grants that nobody can read any more.

    Their people sign in again. For a key that is not in the ring; one that you still have is
    replaced by `auth keys rewrap`, and nobody notices.

    Example: auth keys abandon k1
    """

    async def work(store: Store) -> int:
        if key_id in store.encryption.key_ids:
            raise CommandFailed(f"{key_id} is in the ring: take it out first, or rewrap")
        await check_ring(store.database, now=store.now(), may_lack=True)
        if not await _is_used(store, key_id):
            raise CommandFailed(f"nothing here needs a key {key_id}: `auth keys list` names them")
        lost = await grants_under(store.database, key_id)
        if not yes:
            typer.confirm(
                f"End {counted(len(lost), 'grant')}, and forget {key_id}?", abort=True, err=True
            )
        end_access = end_access_of(store)
        for grant_id in lost:
            await end_access.one(grant_id, note=f"the key {key_id} is lost")
        async with store.database.transaction() as tx:
            await tx.encryption_keys.delete([key_id])
            await tx.audit_events.append(
                AuditEvent(AuditAction.KEY_ABANDONED, AuditActor.OPERATOR, note=key_id),
                now=store.now(),
            )
        return len(lost)

    say(f"{counted(run_on_store(work), 'grant')} ended; the service starts without {key_id}.")


async def _is_used(store: Store, key_id: str) -> bool:
    async with store.database.reading() as tx:
        registered = {key.key_id for key in await tx.encryption_keys.all()}
    return key_id in registered or (await values_by_key(store.database))[key_id] > 0


def _new_id() -> str:
    letters = "".join(secrets.choice(_ID_ALPHABET) for _ in range(4))
    return f"k{utc_now():%Y%m%d}{letters}"


async def _list(store: Store) -> None:
    async with store.database.reading() as tx:
        registered = {key.key_id: key for key in await tx.encryption_keys.all()}
        state = await ring_state(tx)
    counts = await values_by_key(store.database)
    ring = store.encryption.key_ids
    names = list(dict.fromkeys([*ring, *registered, *counts]))
    print_table(
        ["ID", "IN THE RING", "REGISTERED SINCE", "VALUES"],
        [
            (name, _place(name, ring, state), _since(registered, name), counts[name])
            for name in names
        ],
    )
    for name in ring[1:]:
        if counts[name]:
            continue
        if name in registered:
            advise(f"{name} encrypts nothing: after `auth keys rewrap` it may leave the ring.")
        else:
            advise(f"{name} encrypts nothing: it may leave the ring, if it is not to be the next.")
    for name in names:
        if name not in ring:
            advise(f"{name} is needed and not in the ring: the service does not start without it.")
        elif name in state.different:
            advise(f"{name} of the ring is not the key that the database knows as {name}.")


def _place(name: str, ring: tuple[str, ...], state: RingState) -> str:
    if name not in ring:
        return "missing"
    if name in state.different:
        return "another key"
    return "first" if name == ring[0] else "yes"


def _since(registered: dict[str, RegisteredKey], name: str) -> str | None:
    key = registered.get(name)
    return None if key is None else shown_instant(key.first_used_at)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; elsewhere a line per tenth of the work."""
    done = 0
    if errors.is_terminal:
        columns = ("rewrapping", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors) as bar:
            task = bar.add_task("", total=total)
            yield lambda count: bar.advance(task, count)
        return

    def on_progress(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if total and before * 10 // total != done * 10 // total:
            advise(f"rewrapped {done} of {total}")

    yield on_progress


def _tell(store: Store, done: Rewrapped) -> None:
    first = store.encryption.key_ids[0]
    say(f"{first} encrypts {counted(done.under_first, 'value')}.")
    for name in done.forgotten:
        say(f"Nothing needs {name} any more: it may leave the ring.")
    problems = [
        *(f"{count} need {name}, which the ring lacks" for name, count in done.lacking.items()),
        *(f"{count} do not open with {name}" for name, count in done.damaged.items()),
    ]
    others: Counter[str] = done.left - done.lacking - done.damaged
    problems.extend(
        f"{count} came to be under {name} meanwhile: does every replica have {first} in front?"
        for name, count in others.items()
    )
    if problems:
        raise CommandFailed(f"{counted(done.left.total(), 'value')} left: {'; '.join(problems)}")
