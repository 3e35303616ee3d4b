"""A cookie that somebody else planted in a person's browser is never taken for one of ours."""

import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from account_steps import look, sign_in
from auth_answers import code_at_client, count_rows, host_of, problem_page
from auth_harness import INTERNAL, AuthUnderTest, form_of
from browser_cookies import ASKED, LONG_LIVED, STARTED, held, secret_in
from deployed_auth import PUBLIC_URL, browser_of, deployed_auth
from unread_cookies import COOKIE, forbid_cookie_parsers

from auth_server.storage.tables import grants

ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")
BROWSER, ACCOUNT = b"__Host-mcp_pingone_browser", b"__Host-mcp_pingone_account"
STARTED_BY_NOBODY = b"__Host-mcp_pingone_started_" + b"v" * 22

# What a browser accepts from a host next to ours, or over plain http, where it refuses __Host-; and
# what else a reader could take for our cookie. Each makes the Cookie lines of a name and a secret.
Plant = Callable[[bytes, bytes], Sequence[bytes]]


def before_the_name(byte: int) -> Plant:
    return lambda name, secret: [bytes([byte]) + name + b"=" + secret]


PLANTS: dict[str, Plant] = {
    **{
        f"byte {byte:#04x} before the name": before_the_name(byte)
        for byte in (0x00, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x85, 0xA0)
    },
    "U+00A0 before the name": lambda name, secret: [b"\xc2\xa0" + name + b"=" + secret],
    "U+2003 before the name": lambda name, secret: [b"\xe2\x80\x83" + name + b"=" + secret],
    "A0 behind the name": lambda name, secret: [name + b"\xa0=" + secret],
    "A0 behind the secret": lambda name, secret: [name + b"=" + secret + b"\xa0"],
    "85 before the secret": lambda name, secret: [name + b"=\x85" + secret],
    "A0 after another cookie": lambda name, secret: [b"a=b; \xa0" + name + b"=" + secret],
    "no space after the semicolon": lambda name, secret: [b"a=b;\xa0" + name + b"=" + secret],
    "a space inside the pair": lambda name, secret: [name + b" = " + secret],
    "lower case": lambda name, secret: [name.lower() + b"=" + secret],
    "upper case": lambda name, secret: [name.upper() + b"=" + secret],
    "without the prefix": lambda name, secret: [name.removeprefix(b"__Host-") + b"=" + secret],
    "quoted": lambda name, secret: [name + b'="' + secret + b'"'],
    "a quoted name": lambda name, secret: [b'"' + name + b'"=' + secret],
    "octal escapes": lambda name, secret: [
        name + b'="' + b"".join(b"\\%03o" % byte for byte in secret) + b'"'
    ],
    "percent encoding": lambda name, secret: [
        name + b"=" + b"".join(b"%%%02x" % byte for byte in secret)
    ],
    "$Version": lambda name, secret: [b'$Version="1", ' + name + b"=" + secret],
    "inside another value": lambda name, secret: [b"a=" + name + b"=" + secret],
    "a comma": lambda name, secret: [b"a=b, " + name + b"=" + secret],
    "twice in one line": lambda name, secret: [name + b"=" + secret + b"; " + name + b"=" + secret],
    "twice in two lines": lambda name, secret: [name + b"=" + secret] * 2,
    "after another one": lambda name, secret: [
        name + b"=" + b"x" * 43 + b"; " + name + b"=" + secret
    ],
    "before another one": lambda name, secret: [name + b"=" + secret, name + b"=" + b"x" * 43],
}
EVERY_PLANT = pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AuthUnderTest]:
    """The server as it is deployed: there browsers refuse a cookie of our name from others."""
    file = shutil.copy(sqlite_template, tmp_path_factory.mktemp("planted") / "auth.db")
    async with deployed_auth(f"sqlite+aiosqlite:///{file}") as auth:
        yield auth


def pair_of(browser: httpx.AsyncClient, kind: str) -> tuple[bytes, bytes]:
    """The name and the value of the browser's one cookie of this kind."""
    [(name, value)] = held(browser, kind).items()
    return name.encode(), value.encode()


def cookie_lines(lines: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", line) for line in lines]


@pytest.mark.standard("RFC 6265 8.6", "RFC 6749 10.12", "RFC 9700 4.7")
@ON_ONE_SERVER
@EVERY_PLANT
async def test_a_planted_cookie_finishes_nobody_elses_sign_in(
    deployed: AuthUnderTest, plant: Plant
) -> None:
    mallory, victim = browser_of(deployed), browser_of(deployed)
    to_pingone = await deployed.decide(mallory, await deployed.authorize(mallory))
    returned = await deployed.sign_on(victim, to_pingone)
    planted = plant(*pair_of(mallory, STARTED))
    own = STARTED_BY_NOBODY + b"=1." + b"v" * 43
    grants_before = await count_rows(deployed, grants)
    for lines in (planted, [own, *planted], [*planted, own], [own + b"; " + b"; ".join(planted)]):
        response = await victim.get(returned.headers["location"], headers=cookie_lines(lines))
        assert "This sign-on" in problem_page(response)
    assert await count_rows(deployed, grants) == grants_before
    # The secret was the right one, and nothing was spent: the browser that has it can go on.
    code_at_client(await deployed.back(mallory, returned), issuer=PUBLIC_URL)


@pytest.mark.standard("RFC 6265 8.6", "RFC 6749 10.12")
@ON_ONE_SERVER
@EVERY_PLANT
async def test_a_planted_cookie_opens_no_form_of_anybody_else(
    deployed: AuthUnderTest, plant: Plant
) -> None:
    mallory, victim = browser_of(deployed), browser_of(deployed)
    page = await deployed.authorize(mallory)
    sent = cookie_lines(plant(*pair_of(mallory, ASKED)))
    for decision in ("allow", "deny"):
        form = {**form_of(page), "decision": decision}
        problem_page(await victim.post("/consent", data=form, headers=sent))
    assert host_of(await deployed.decide(mallory, page)) == "localhost:9080"


@ON_ONE_SERVER
@EVERY_PLANT
async def test_a_planted_secret_neither_remembers_nor_binds_nor_becomes_a_cookie_of_ours(
    deployed: AuthUnderTest, plant: Plant
) -> None:
    mallory, victim = browser_of(deployed), browser_of(deployed)
    await deployed.obtain_code(mallory)
    # A consent is remembered in mallory's browser.
    assert host_of(await deployed.authorize(mallory)) == "localhost:9080"
    planted = cookie_lines(plant(*pair_of(mallory, LONG_LIVED)))
    victim.headers = httpx.Headers(planted)
    page = await deployed.authorize(victim)
    assert page.status_code == 200
    own = b"=".join(pair_of(victim, ASKED))
    victim.headers = httpx.Headers([*planted, (b"cookie", own)])
    allowed = await deployed.decide(victim, page)
    assert host_of(allowed) == "localhost:9080"
    secrets = [
        secret_in(v) for kind in (ASKED, STARTED, LONG_LIVED) for v in held(mallory, kind).values()
    ]
    for answer in (page, allowed):
        lines = answer.headers.get_list("set-cookie")
        assert lines
        assert not any(secret in line for secret in secrets for line in lines)
    assert held(victim, LONG_LIVED)
    problem_page(await deployed.decide(mallory, page))


@ON_ONE_SERVER
async def test_a_secret_that_was_read_is_set_by_no_answer(deployed: AuthUnderTest) -> None:
    # Even if a browser lets somebody plant our very name: it does not become a cookie of ours.
    victim = browser_of(deployed)
    planted = BROWSER + b"=" + b"S" * 43
    victim.headers = httpx.Headers(cookie_lines([planted]))
    page = await deployed.authorize(victim)
    own = b"=".join(pair_of(victim, ASKED))
    victim.headers = httpx.Headers(cookie_lines([planted, own]))
    for answer in (page, await victim.get("/account"), await deployed.decide(victim, page)):
        lines = answer.headers.get_list("set-cookie")
        assert len(lines) == 1
        assert "S" * 43 not in lines[0]
        assert "mcp_pingone_browser" not in lines[0]


@ON_ONE_SERVER
@EVERY_PLANT
async def test_a_planted_session_shows_no_account(deployed: AuthUnderTest, plant: Plant) -> None:
    mallory, victim = await sign_in(deployed, browser_of(deployed)), browser_of(deployed)
    assert "You are signed in as" in (await look(mallory)).text
    victim.headers = httpx.Headers(cookie_lines(plant(*pair_of(mallory, "mcp_pingone_account"))))
    assert "You are signed in as" not in (await look(victim)).text


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "line",
    [b"%s=%s", b"a=b;%s=%s", b"a=b; \t %s=%s \t", b"a=b;;%s=%s;c=d", b"\xa0%s=x; %s=%s"],
    ids=ascii,
)
async def test_our_cookie_counts_wherever_it_stands(deployed: AuthUnderTest, line: bytes) -> None:
    browser, same_browser = browser_of(deployed), browser_of(deployed)
    to_pingone = await deployed.decide(browser, await deployed.authorize(browser))
    returned = await deployed.sign_on(browser, to_pingone)
    name, value = pair_of(browser, STARTED)
    names = [name] * (line.count(b"%s") - 1)
    sent = cookie_lines([line % (*names, value)])
    response = await same_browser.get(returned.headers["location"], headers=sent)
    code_at_client(response, issuer=PUBLIC_URL)


@ON_ONE_SERVER
@pytest.mark.parametrize("name", [BROWSER, ACCOUNT, STARTED_BY_NOBODY], ids=ascii)
async def test_a_cookie_of_sixty_thousand_backslashes_costs_nothing(
    deployed: AuthUnderTest, name: bytes
) -> None:
    browser = browser_of(deployed)
    browser.headers = httpx.Headers(cookie_lines([name + b'="' + b"\\" * 60_000 + b'"']))
    started = time.perf_counter()
    assert (await browser.get("/account")).status_code == 200
    problem_page(await browser.get("/callback?state=s&code=c"))
    assert time.perf_counter() - started < 1  # CVE-2024-7592 made it six seconds


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_in_development_a_second_cookie_of_our_name_makes_both_count_for_nothing(
    auth: AuthUnderTest,
) -> None:
    # There is no __Host- on http: another program on this computer can plant our name, as any
    # program there can read everything. What it plants beside the real one is not believed.
    victim = auth.new_browser()
    to_pingone = await auth.decide(victim, await auth.authorize(victim))
    returned = await auth.sign_on(victim, to_pingone)
    name, value = pair_of(victim, STARTED)
    planted, own = name + b"=1." + b"m" * 43, name + b"=" + value
    victim.cookies.delete(name.decode())
    for lines in ([own, planted], [planted + b"; " + own]):
        sent = cookie_lines(lines)
        problem_page(await victim.get(returned.headers["location"], headers=sent))
    response = await victim.get(returned.headers["location"], headers=cookie_lines([own]))
    code_at_client(response)


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "url",
    ["/account", "/authorize", "/callback", "/token", "/.well-known/oauth-authorization-server"]
    + [f"{INTERNAL}{path}" for path in ("/livez", "/metrics", "/introspect")],
)
async def test_no_cookie_is_parsed_by_a_library(
    deployed: AuthUnderTest, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    forbid_cookie_parsers(monkeypatch)
    response = await browser_of(deployed).get(url, headers=COOKIE)
    assert response.status_code < 500
