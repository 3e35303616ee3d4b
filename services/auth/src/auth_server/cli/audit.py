"""`auth audit`: the audit trail, on the screen and for other systems."""

import asyncio
import time
from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer

from auth_server.cli.console import say
from auth_server.cli.formats import (
    Format,
    FormatOption,
    instant,
    parse_instant,
    shown_instant,
    write_json_lines,
)
from auth_server.cli.running import Store, run_on_store
from auth_server.domain.audit import AuditAction, RecordedEvent
from auth_server.flows.read_audit import FollowAudit, audit_pages
from auth_server.storage.audit_events import AuditFilter

POLL_SECONDS: Final = 1.0

audit = typer.Typer(
    help="The audit trail: who did what to which grant or client. Nothing in it is a secret.",
    no_args_is_help=True,
)


@audit.command()
def tail(
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="how many lines")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="go on until Ctrl-C")] = False,
    subject: Annotated[str | None, typer.Option(help="only a person's (PingOne's sub)")] = None,
    client: Annotated[str | None, typer.Option(help="only a client's (its client_id)")] = None,
    grant: Annotated[str | None, typer.Option(help="only a grant's (its id)")] = None,
    event: Annotated[
        AuditAction | None,
        typer.Option(metavar="EVENT", help="only of this kind, for example grant_ended"),
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show the last events, a line each, the newest at the end.

    Example: auth audit tail -n 20 --follow --client 5d6b1f0a-...
    """
    wanted = AuditFilter(event=event, grant_id=grant, client_id=client, subject=subject)

    async def work(store: Store) -> None:
        events = FollowAudit(store.database, wanted, time.monotonic)
        _show(await events.start(last=count), output)
        while follow:
            await asyncio.sleep(POLL_SECONDS)
            _show(await events.new(), output)

    run_on_store(work)


@audit.command()
def export(
    since: Annotated[str | None, typer.Option(help="from this time on")] = None,
    until: Annotated[str | None, typer.Option(help="before this time")] = None,
    output: FormatOption = Format.JSONL,
) -> None:
    """Write the trail, or a span of it, to stdout, in the order in which it was recorded.

    A time is a date or ISO 8601, and UTC without an offset. Spans that end a minute ago or earlier
    are complete. Example: auth audit export --since 2026-11-01 --until 2026-12-01 > november.jsonl
    """
    wanted = AuditFilter(
        since=parse_instant(since, "--since"), until=parse_instant(until, "--until")
    )
    if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
        raise typer.BadParameter("must be later than --since", param_hint="--until")

    async def work(store: Store) -> None:
        async for events in audit_pages(store.database, wanted):
            _show(events, output)

    run_on_store(work)


def _show(events: Iterable[RecordedEvent], output: Format) -> None:
    if output is Format.JSONL:
        write_json_lines(_document(event) for event in events)
        return
    for event in events:
        document = _document(event)
        members = (
            f"{name}={document[name]}"
            for name in ("subject", "client_id", "grant_id", "address", "reason", "note")
            if document[name] is not None
        )
        head = f"{shown_instant(event.occurred_at)} {event.event} {event.outcome} by {event.actor}"
        say(" ".join([head, *members]))


def _document(event: RecordedEvent) -> dict[str, Any]:
    """Every member in every line; null where there is nothing to say."""
    return {
        "id": event.id,
        "occurred_at": instant(event.occurred_at),
        "event": event.event,
        "outcome": event.outcome,
        "reason": event.reason,
        "actor": event.actor,
        "subject": event.subject,
        "client_id": event.client_id,
        "grant_id": event.grant_id,
        "address": event.address,
        "note": event.note,
    }
