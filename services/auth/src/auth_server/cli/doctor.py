"""`auth doctor`: is this installation right, and if not, what is to be changed?"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Final

import typer

from auth_server.cli.console import console, printable, say
from auth_server.cli.running import explained_failures, silence_log, utc_now
from auth_server.domain.findings import Finding, Outcome
from auth_server.settings import AuthSettings, DataSettings
from service_kit.settings import InvalidSettings, read_settings

_STYLES: Final = {Outcome.OK: "green", Outcome.WARNING: "yellow", Outcome.PROBLEM: "bold red"}


class Format(StrEnum):
    """How the findings are printed."""

    TEXT = "text"
    JSON = "json"


def doctor(
    output: Annotated[
        Format, typer.Option("--format", help="text for people, json for programs: one document")
    ] = Format.TEXT,
) -> None:
    """Examine this installation: for each thing, what is wrong and what to change.

    Looks at the configuration, the database with its schema and keys, Redis, and PingOne:
    discovery, keys, clock, redirect URI, client credentials, and for each MCP server the audience
    and the scopes. Changes nothing, neither here nor there, and prints no secret. Run it with the
    environment of the service; it need not run.

    Exit status 0 if there is no problem; warnings do not count.

    Example, in a deployment: auth doctor --format json
    """
    silence_log()
    with explained_failures():
        findings = asyncio.run(_examine())
    is_well = all(finding.outcome != Outcome.PROBLEM for finding in findings)
    if output is Format.JSON:
        document = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        _show(findings)
    if not is_well:
        raise typer.Exit(1)


async def _examine() -> list[Finding]:
    # Imported here: the other commands need neither PingOne nor a web framework.
    import httpx2

    from auth_server.cli import doctor_checks as checks

    try:
        settings = read_settings(AuthSettings)
    except InvalidSettings as error:
        findings = checks.examine_refused_environment(error)
        try:
            partial = read_settings(DataSettings)
        except InvalidSettings:
            return findings
        return findings + await checks.examine_database(partial)
    findings = checks.examine_configuration(settings)
    findings += await checks.examine_database(settings)
    findings.append(await checks.examine_redis(settings.auth_redis_url.get_secret_value()))
    transport = httpx2.AsyncHTTPTransport(retries=0)
    return findings + await checks.examine_pingone(settings, transport, utc_now)


def _show(findings: Sequence[Finding]) -> None:
    widest = max(len(finding.check) for finding in findings)
    for finding in findings:
        console.print(f"{finding.outcome:8}", style=_STYLES[finding.outcome], end="")
        console.print(f"{finding.check:{widest}}  {printable(finding.found)}")
        if finding.advice:
            console.print(f"{'':8}{'':{widest}}  → {printable(finding.advice)}")
    counts = Counter(finding.outcome for finding in findings)
    say(f"Problems: {counts[Outcome.PROBLEM]}, warnings: {counts[Outcome.WARNING]}.")
