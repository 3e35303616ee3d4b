"""`auth sweep`: what the replicas do every few minutes, as a job of its own."""

from collections import Counter

from auth_server.cli.console import print_table, say
from auth_server.cli.formats import Format, FormatOption, write_json_lines
from auth_server.cli.grants import end_access_of
from auth_server.cli.running import Store, run_on_store
from auth_server.flows.sweep_expired import SweepExpired


def sweep(output: FormatOption = Format.TEXT) -> None:
    """Delete what has expired, until nothing is left; print how many rows of each kind went.

    Safe beside running replicas and other sweeps. Example, as a job: auth sweep --format jsonl
    """

    async def work(store: Store) -> Counter[str]:
        revoke_grant = end_access_of(store).revoke_grant
        sweep_expired = SweepExpired(
            store.database, revoke_grant, store.settings.lifetimes, store.now
        )
        return await sweep_expired.until_clean()

    swept = run_on_store(work, encrypts=True)
    if output is Format.JSONL:
        write_json_lines([swept])
        return
    print_table(("KIND", "ROWS"), sorted(swept.items()))
    say(f"{swept.total()} in all.")
