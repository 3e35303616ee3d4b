"""What PingOne publishes, examined: the discovery document, the keys, the clock."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from auth_server.domain.findings import Finding, ok, problem, warning
from auth_server.domain.scopes import Scopes, format_scope
from auth_server.upstream.discovery import ENDPOINT_NAMES, REQUIRED_ENDPOINTS, checked_endpoint
from auth_server.upstream.errors import UpstreamAnswerRejected
from auth_server.upstream.observed_fetch import ObservedFetch
from auth_server.upstream.tokens import ALGORITHMS
from service_kit.http_client import FetchFailed

SKEW_WARNING: Final = timedelta(seconds=5)
SKEW_PROBLEM: Final = timedelta(seconds=60)

_KEY_TYPES: Final = {"RS256": ("RSA", None), "ES256": ("EC", "P-256")}


async def examine_discovery(
    issuer: str, overrides: Mapping[str, str], scopes: Scopes, fetch: ObservedFetch
) -> tuple[list[Finding], Mapping[str, Any]]:
    """Look at the discovery document; return it as well ({} if there is none)."""
    check = "PingOne discovery"
    try:
        document = await fetch(f"{issuer}/.well-known/openid-configuration")
    except FetchFailed as error:
        if overrides.keys() >= REQUIRED_ENDPOINTS:
            advice = "nothing, if that is meant: the endpoints are set by PINGONE_*_ENDPOINT"
            return [warning(check, str(error), advice)], {}
        advice = (
            "check PINGONE_ISSUER (it ends in /as; its host is that of your region) and that this"
            " machine may reach it"
        )
        return [problem(check, str(error), advice)], {}
    if document.get("issuer") != issuer:
        advice = f"set PINGONE_ISSUER to exactly that; now it is {issuer}"
        return [problem(check, f"the issuer is {document.get('issuer')!r}", advice)], {}
    findings = list(_discovery_findings(document, overrides))
    findings.append(_scopes_finding(document, scopes))
    return findings, document


async def examine_keys(jwks_uri: object, fetch: ObservedFetch) -> Finding:
    """Look at the key set that tokens are verified with."""
    check = "PingOne keys"
    if not isinstance(jwks_uri, str):
        return problem(
            check, "their URL is not known", "solve the discovery first, or set PINGONE_JWKS_URI"
        )
    try:
        document = await fetch(jwks_uri)
    except FetchFailed as error:
        return problem(check, str(error), "check that this machine may reach that URL")
    members = document.get("keys")
    keys = [key for key in members if isinstance(key, dict)] if isinstance(members, list) else []
    usable = sum(any(_verifies(key, algorithm) for algorithm in ALGORITHMS) for key in keys)
    if not usable:
        advice = f"PingOne must sign with {' or '.join(ALGORITHMS)}; see the environment's keys"
        return problem(check, f"{len(keys)} keys, none of which verifies a signature", advice)
    return ok(check, f"{usable} for {' or '.join(ALGORITHMS)}")


def examine_clock(ahead_by: timedelta | None) -> Finding:
    """Compare PingOne's clock, as its Date header tells it, with ours."""
    check = "clock"
    if ahead_by is None:
        return warning(
            check, "PingOne did not tell the time", "compare this machine's clock with another"
        )
    seconds = round(abs(ahead_by.total_seconds()))
    direction = "behind" if ahead_by > timedelta() else "ahead of"
    # Its header has whole seconds: up to one is no difference.
    if abs(ahead_by) <= SKEW_WARNING:
        return ok(check, f"within {SKEW_WARNING.seconds} s of PingOne's")
    found = f"this machine's is {seconds} s {direction} PingOne's"
    advice = "synchronise it (NTP): tokens are refused when their times do not fit"
    if abs(ahead_by) <= SKEW_PROBLEM:
        return warning(check, found, advice)
    return problem(check, found, advice)


def _discovery_findings(
    document: Mapping[str, Any], overrides: Mapping[str, str]
) -> Iterator[Finding]:
    check = "PingOne discovery"
    missing = [name for name in ENDPOINT_NAMES if name not in overrides and name not in document]
    if required := [name for name in missing if name in REQUIRED_ENDPOINTS]:
        advice = "is PINGONE_ISSUER an OpenID provider? Else set PINGONE_*_ENDPOINT"
        yield problem(check, f"the document lacks {', '.join(required)}", advice)
    elif wrong := [*_wrong_endpoints(document, overrides)]:
        yield problem(check, "; ".join(wrong), "PingOne's are https: check PINGONE_ISSUER")
    elif missing:
        advice = "without revocation_endpoint tokens live on at PingOne after a revocation here"
        yield warning(check, f"the document lacks {', '.join(missing)}", advice)
    else:
        yield ok(check, f"the issuer is {document['issuer']}, all endpoints are there")
    methods = _listed(document, "token_endpoint_auth_methods_supported")
    # RFC 8414 section 2: the default, if the member is absent.
    if methods is not None and "client_secret_basic" not in methods:
        advice = "set the application's token endpoint authentication to Client Secret Basic"
        yield problem("client authentication", "client_secret_basic is not supported", advice)
    challenges = _listed(document, "code_challenge_methods_supported")
    if challenges is None:
        advice = "nothing, if the application's PKCE enforcement is S256_REQUIRED"
        yield warning("PKCE", "PingOne does not say whether it knows S256", advice)
    elif "S256" not in challenges:
        yield problem("PKCE", "PingOne does not know S256", "set PKCE enforcement: S256_REQUIRED")
    else:
        yield ok("PKCE", "S256")


def _wrong_endpoints(document: Mapping[str, Any], overrides: Mapping[str, str]) -> Iterator[str]:
    for name in ENDPOINT_NAMES:
        if name in document and name not in overrides:
            try:
                checked_endpoint(name, document[name])
            except UpstreamAnswerRejected as error:
                yield str(error)


def _scopes_finding(document: Mapping[str, Any], scopes: Scopes) -> Finding:
    check = "published scopes"
    listed = scopes & (_listed(document, "scopes_supported") or frozenset())
    if not listed:
        # PingOne lists the scopes of OpenID Connect only; each scope is tried below.
        return ok(check, "PingOne does not list scopes of APIs")
    if missing := scopes - listed:
        advice = (
            "add them to the API's resource at PingOne, or correct MCP_SCOPES or AUTH_RESOURCES"
        )
        return warning(check, f"PingOne does not list {format_scope(missing)}", advice)
    return ok(check, format_scope(listed))


def _listed(document: Mapping[str, Any], member: str) -> frozenset[str] | None:
    names = document.get(member)
    if not isinstance(names, list):
        return None
    return frozenset(name for name in names if isinstance(name, str))


def _verifies(key: Mapping[str, Any], algorithm: str) -> bool:
    kind, curve = _KEY_TYPES[algorithm]
    return (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )
