"""PingOne's endpoints: asked for once, believed only if its own, kept through an outage."""

import asyncio
from typing import Any

import pytest

from auth_server.upstream.discovery import Discovery
from auth_server.upstream.errors import UpstreamUnavailable
from service_kit.http_client import FetchFailed

PINGONE = "https://auth.pingone.example/environment/as"
DOCUMENT = {
    "issuer": PINGONE,
    "authorization_endpoint": f"{PINGONE}/authorize",
    "token_endpoint": f"{PINGONE}/token",
    "jwks_uri": f"{PINGONE}/jwks",
    "userinfo_endpoint": f"{PINGONE}/userinfo",
    "revocation_endpoint": f"{PINGONE}/revoke",
}
REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class PingOne:
    """A fetcher and a clock; `document` is what the next fetch gets, None is an outage."""

    def __init__(self, **changes: Any) -> None:
        self.document: dict[str, Any] | None = {**DOCUMENT, **changes}
        self.fetched: list[str] = []
        self.seconds = 0.0

    async def fetch(self, url: str) -> dict[str, Any]:
        self.fetched.append(url)
        await asyncio.sleep(0)
        if self.document is None:
            raise FetchFailed("out of reach")
        return self.document

    def monotonic(self) -> float:
        return self.seconds

    def discovery(self, **overrides: str) -> Discovery:
        return Discovery(PINGONE, self.fetch, self.monotonic, overrides)


async def test_the_endpoints_come_from_the_issuers_own_document() -> None:
    pingone = PingOne()
    metadata = await pingone.discovery().metadata()
    assert pingone.fetched == [f"{PINGONE}/.well-known/openid-configuration"]
    assert metadata.authorization_endpoint == f"{PINGONE}/authorize"
    assert metadata.token_endpoint == f"{PINGONE}/token"
    assert metadata.jwks_uri == f"{PINGONE}/jwks"
    assert metadata.userinfo_endpoint == f"{PINGONE}/userinfo"
    assert metadata.revocation_endpoint == f"{PINGONE}/revoke"


async def test_an_answer_is_good_for_an_hour() -> None:
    pingone = PingOne()
    discovery = pingone.discovery()
    await discovery.metadata()
    pingone.document = {**DOCUMENT, "token_endpoint": f"{PINGONE}/moved"}
    pingone.seconds = 3599
    assert (await discovery.metadata()).token_endpoint == f"{PINGONE}/token"
    assert len(pingone.fetched) == 1
    pingone.seconds = 3600
    assert (await discovery.metadata()).token_endpoint == f"{PINGONE}/moved"
    assert len(pingone.fetched) == 2


async def test_concurrent_callers_share_one_fetch() -> None:
    pingone = PingOne()
    discovery = pingone.discovery()
    answers = await asyncio.gather(*(discovery.metadata() for _ in range(20)))
    assert len(set(answers)) == 1
    assert len(pingone.fetched) == 1


async def test_concurrent_callers_share_one_failure_and_a_pause() -> None:
    pingone = PingOne()
    pingone.document = None
    discovery = pingone.discovery()
    answers = await asyncio.gather(
        *(discovery.metadata() for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(answer, UpstreamUnavailable) for answer in answers)
    assert len(pingone.fetched) == 1
    pingone.document = DOCUMENT
    pingone.seconds = 4.9
    with pytest.raises(UpstreamUnavailable):
        await discovery.metadata()
    pingone.seconds = 5
    assert (await discovery.metadata()).token_endpoint == f"{PINGONE}/token"


async def test_an_old_answer_survives_an_outage() -> None:
    pingone = PingOne()
    discovery = pingone.discovery()
    before = await discovery.metadata()
    pingone.document = None
    pingone.seconds = 100_000
    assert await discovery.metadata() == before
    assert len(pingone.fetched) == 2
    pingone.document = {**DOCUMENT, "token_endpoint": f"{PINGONE}/moved"}
    pingone.seconds += 5
    assert (await discovery.metadata()).token_endpoint == f"{PINGONE}/moved"


@pytest.mark.standard("OIDC Core 16.15")
@pytest.mark.parametrize(
    "issuer",
    [f"{PINGONE}/", PINGONE.upper(), "https://auth.pingone.example/other/as", "", None, [PINGONE]],
)
async def test_a_document_of_another_issuer_is_refused(issuer: object) -> None:
    # OpenID Connect Discovery 1.0 section 4.3
    with pytest.raises(UpstreamUnavailable):
        await PingOne(issuer=issuer).discovery().metadata()


@pytest.mark.standard("OIDC Core 16.17")
@pytest.mark.parametrize(
    "url",
    [
        "http://auth.pingone.example/endpoint",
        "http://169.254.169.254/endpoint",
        "http://localhost.evil.example/endpoint",
        "ftp://auth.pingone.example/endpoint",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//auth.pingone.example/endpoint",
        "https://[auth.pingone.example",
        "https://",
        "",
        7,
        ["https://auth.pingone.example/endpoint"],
    ],
)
async def test_an_endpoint_that_is_not_https_is_refused(url: object) -> None:
    for name in DOCUMENT.keys() - {"issuer"}:
        with pytest.raises(UpstreamUnavailable):
            await PingOne(**{name: url}).discovery().metadata()


async def test_plain_http_is_good_enough_on_loopback() -> None:
    pingone = PingOne(token_endpoint="http://127.0.0.1:9080/environment/as/token")
    metadata = await pingone.discovery().metadata()
    assert metadata.token_endpoint == "http://127.0.0.1:9080/environment/as/token"


@pytest.mark.parametrize("missing", REQUIRED)
async def test_a_document_without_a_needed_endpoint_is_refused(missing: str) -> None:
    pingone = PingOne()
    pingone.document = {name: url for name, url in DOCUMENT.items() if name != missing}
    with pytest.raises(UpstreamUnavailable):
        await pingone.discovery().metadata()
    given = {missing: "https://given.example/endpoint"}
    metadata = await pingone.discovery(**given).metadata()
    assert getattr(metadata, missing) == "https://given.example/endpoint"


async def test_userinfo_and_revocation_may_be_missing() -> None:
    pingone = PingOne()
    pingone.document = {name: DOCUMENT[name] for name in ("issuer", *REQUIRED)}
    metadata = await pingone.discovery().metadata()
    assert metadata.userinfo_endpoint is None
    assert metadata.revocation_endpoint is None


async def test_an_override_wins_over_the_document() -> None:
    # A container reaches the simulator by a name that a browser does not know.
    pingone = PingOne()
    metadata = await pingone.discovery(token_endpoint="http://pingone:9080/token").metadata()
    assert metadata.token_endpoint == "http://pingone:9080/token"
    assert metadata.authorization_endpoint == f"{PINGONE}/authorize"


async def test_with_every_needed_override_nothing_is_fetched() -> None:
    pingone = PingOne()
    pingone.document = None
    metadata = await pingone.discovery(**{name: DOCUMENT[name] for name in REQUIRED}).metadata()
    assert metadata.jwks_uri == f"{PINGONE}/jwks"
    assert pingone.fetched == []


async def test_an_override_does_not_excuse_another_issuers_document() -> None:
    pingone = PingOne(issuer="https://evil.example")
    with pytest.raises(UpstreamUnavailable):
        await pingone.discovery(token_endpoint="https://given.example/token").metadata()
