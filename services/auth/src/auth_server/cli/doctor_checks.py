"""What `auth doctor` looks at, in the order in which things depend on each other."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import httpx2

from auth_server.app.resources import create_pingone
from auth_server.cli.running import Store, open_store
from auth_server.domain.findings import Finding, Outcome, ok, problem, warning
from auth_server.domain.resources import ProtectedResource
from auth_server.settings import AuthSettings, DataSettings
from auth_server.storage.database import StorageUnavailable
from auth_server.storage.engines import SQLITE, parse_database_url
from auth_server.storage.redis_check import redis_problem
from auth_server.storage.rewrap import values_by_key
from auth_server.storage.ring_check import ring_state
from auth_server.storage.schema import SchemaOutdated, check_schema
from auth_server.upstream.observed_fetch import ObservedFetch
from auth_server.upstream.published import examine_clock, examine_discovery, examine_keys
from auth_server.upstream.registration import Registration
from service_kit.settings import InvalidSettings
from service_kit.urls import parse_url


def examine_refused_environment(error: InvalidSettings) -> list[Finding]:
    """A finding per variable that is wrong or missing."""
    _, *lines = str(error).splitlines()
    advice = "correct it in the environment; .env.example explains every variable"
    return [problem("configuration", line.strip(), advice) for line in lines]


def examine_configuration(settings: AuthSettings) -> list[Finding]:
    """What the settings say about this installation, beyond being valid."""
    complete = ok("configuration", "the environment is complete")
    check = "public URL"
    if not settings.is_development:
        return [complete, ok(check, settings.auth_public_url), _proxies(settings)]
    pingone = parse_url(settings.pingone_issuer).authority
    if pingone is not None and pingone.is_loopback:
        return [complete, ok(check, f"{settings.auth_public_url} (development)")]
    advice = "outside of development, set AUTH_PUBLIC_URL to the https URL that clients use"
    return [complete, warning(check, f"{settings.auth_public_url} is for this machine", advice)]


def _proxies(settings: AuthSettings) -> Finding:
    check, proxies = "trusted proxies", settings.auth_trusted_proxies.strip()
    if proxies:
        return ok(check, proxies)
    advice = "set AUTH_TRUSTED_PROXIES to the networks of the proxies in front, or to none"
    found = "not named: every address is a proxy's, and nobody is limited by address"
    return warning(check, found, advice)


async def examine_database(settings: DataSettings) -> list[Finding]:
    """Reachable, with the schema of this version, and encrypted with keys that we have."""
    if (file := _missing_file(settings)) is not None:
        return [problem("database", f"there is no file {file}", "run `auth migrate`")]
    async with open_store(settings) as store:
        try:
            await check_schema(store.database)
            return [_database(settings), *await _keys(store)]
        except StorageUnavailable as error:
            advice = "check AUTH_DATABASE_URL, and that this machine may reach the database"
            return [problem("database", str(error), advice)]
        except SchemaOutdated as error:
            return [problem("database", error.found, "run `auth migrate`")]


async def examine_redis(url: str) -> Finding:
    """Whether Redis answers, if there is to be one."""
    if not url:
        return ok("Redis", "not configured (AUTH_REDIS_URL), and not needed")
    if (reason := await redis_problem(url)) is not None:
        # Not a problem: revocations also travel through the database.
        return warning("Redis", reason, "check AUTH_REDIS_URL; nothing is lost meanwhile")
    return ok("Redis", "answers")


async def examine_pingone(
    settings: AuthSettings, transport: httpx2.AsyncBaseTransport, now: Callable[[], datetime]
) -> list[Finding]:
    """What PingOne publishes, and how it takes us."""
    seconds = settings.pingone_timeout_seconds
    resources = settings.protected_resources.all
    scopes = frozenset().union(*(one.asked_upstream(one.scopes) for one in resources))
    async with httpx2.AsyncClient(
        transport=transport, timeout=seconds, follow_redirects=False, trust_env=False
    ) as client:
        fetch = ObservedFetch(client, seconds, now)
        findings, document = await examine_discovery(
            settings.pingone_issuer, settings.endpoint_overrides, scopes, fetch
        )
        jwks_uri = settings.endpoint_overrides.get("jwks_uri", document.get("jwks_uri"))
        findings.append(await examine_keys(jwks_uri, fetch))
        findings.append(examine_clock(fetch.ahead_by))
        pingone = create_pingone(settings, now, time.monotonic, fetch, transport)
        registration = Registration(
            pingone, client, redirect_uri=settings.upstream_redirect_uri, seconds=seconds
        )
        findings += await _resources(registration, resources)
        findings.append(await registration.examine_credentials())
    return findings


async def _resources(
    registration: Registration, resources: Sequence[ProtectedResource]
) -> list[Finding]:
    """Each resource's audience and scopes at PingOne, once our redirect URI is known there."""
    findings: list[Finding] = []
    for resource in resources:
        audience, scopes = resource.upstream_audience, resource.asked_upstream(resource.scopes)
        of = f" ({resource.name or resource.identifier})" if len(resources) > 1 else ""
        redirect, *request = await registration.examine_redirect_uri(
            audience=audience, scopes=scopes, of=of
        )
        if resource is resources[0] or redirect.outcome is not Outcome.OK:
            findings.append(redirect)
        findings.extend(request)
        if redirect.outcome is not Outcome.OK:
            break
        findings += await registration.examine_scopes(audience=audience, scopes=scopes, of=of)
    return findings


def _missing_file(settings: DataSettings) -> Path | None:
    """The embedded database's file, if it is not there: to open it would be to make it."""
    url = parse_database_url(settings.auth_database_url.get_secret_value())
    if url.drivername != SQLITE or url.database is None:
        return None
    file = Path(url.database)
    return None if file.exists() else file


def _database(settings: DataSettings) -> Finding:
    """Which one it is: one that is well and not the one that was meant is no help."""
    check = "database"
    url = parse_database_url(settings.auth_database_url.get_secret_value())
    if url.drivername != SQLITE:
        place = "/".join(filter(None, (url.host, url.database)))
        return ok(check, f"PostgreSQL at {place}, with the newest schema")
    found = f"the file {url.database}, with the newest schema"
    if settings.is_development:
        return ok(check, found)
    advice = "fit for one process; for more than one, point AUTH_DATABASE_URL at PostgreSQL"
    return warning(check, found, advice)


async def _keys(store: Store) -> list[Finding]:
    check = "encryption keys"
    ring = store.encryption.key_ids
    async with store.database.reading() as tx:
        state = await ring_state(tx)
    counts = await values_by_key(store.database)
    findings = [
        problem(
            check,
            f"the key {key_id} is not the {key_id} that this database was encrypted with",
            "put the former key back, and the new one under an id of its own",
        )
        for key_id in state.different
    ]
    findings.extend(
        problem(
            check,
            f"the ring lacks {key_id}; values that need it: {counts[key_id]}",
            "put it back into AUTH_ENCRYPTION_KEYS; `auth keys rewrap` makes it dispensable",
        )
        for key_id in sorted({*state.missing, *counts} - {*ring})
    )
    if findings:
        return findings
    shares = ", ".join(f"{counts[key_id]} values under {key_id}" for key_id in ring)
    return [ok(check, shares)]
