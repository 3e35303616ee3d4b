"""The cookies that a browser holds of the authorization server, by kind."""

from http.cookies import SimpleCookie

import httpx

ASKED, STARTED, LONG_LIVED = (f"mcp_pingone_{kind}" for kind in ("asked_", "started_", "browser"))


def held(browser: httpx.AsyncClient, kind: str) -> dict[str, str]:
    """The browser's cookies of one kind, by name; behind https their names begin with __Host-."""
    return {
        cookie.name: cookie.value or ""
        for cookie in browser.cookies.jar
        if cookie.name.removeprefix("__Host-").startswith(kind)
    }


def only_name(browser: httpx.AsyncClient, kind: str) -> str:
    """The name of its one cookie of this kind."""
    [name] = held(browser, kind)
    return name


def secret_in(value: str) -> str:
    """The secret in the value of a cookie, behind the time if there is one."""
    return value.rpartition(".")[2]


def was_set(response: httpx.Response, kind: str) -> list[SimpleCookie]:
    """What a response sets of one kind, without what it takes back."""
    cookies = [SimpleCookie(line) for line in response.headers.get_list("set-cookie")]
    return [
        cookie
        for cookie in cookies
        for name, morsel in cookie.items()
        if name.removeprefix("__Host-").startswith(kind) and morsel.value
    ]


def attributes_of(response: httpx.Response, kind: str) -> dict[str, str]:
    """The attributes of the one cookie of this kind that a response sets."""
    [cookie] = was_set(response, kind)
    [morsel] = cookie.values()
    assert len(secret_in(morsel.value)) == 43  # 256 bits
    return {name: str(value) for name, value in morsel.items() if value}
