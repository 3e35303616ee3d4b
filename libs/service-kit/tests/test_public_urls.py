"""Which URLs a service may be known by, and which of them are a developer's own machine."""

import pytest

from service_kit.settings import check_public_url, is_development, is_loopback_host


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"]
)
def test_a_loopback_host_is_recognized(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "0.0.0.0",  # noqa: S104  (every interface, which is the opposite of loopback)
        "::",
        "128.0.0.1",
        "127.1",
        "2130706433",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "app.localhost",
        "localhost ",
        "10.0.0.1",
    ],
)
def test_any_other_host_is_not_loopback(host: str | None) -> None:
    assert not is_loopback_host(host)


@pytest.mark.parametrize(
    ("url", "development"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("https://localhost:8080", False),
        ("http://auth.example.com", False),
        ("https://auth.example.com", False),
        ("http://localhost@auth.example.com", False),
        ("http://auth.example.com/#@localhost", False),
    ],
)
def test_development_is_plain_http_on_a_loopback_host(url: str, development: bool) -> None:
    assert is_development(url) is development


@pytest.mark.parametrize(
    "url",
    [
        "https://auth.example.com",
        "https://auth.example.com:8443",
        "https://auth_1:8443",
        "https://203.0.113.7",
        "https://[2001:db8::1]:8443",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://[::1]:8080",
    ],
)
def test_a_public_url_is_returned_as_it_was_written(url: str) -> None:
    assert check_public_url(url) == url


ABSOLUTE = "must be an absolute"
HTTPS = "must be https"
PLAIN = "must not have a trailing slash, a query, a fragment or user information"
PORT = "must have a port between 1 and 65535"


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("", ABSOLUTE),
        ("auth.example.com", ABSOLUTE),
        ("//auth.example.com", ABSOLUTE),
        ("/auth", ABSOLUTE),
        ("ftp://auth.example.com", ABSOLUTE),
        ("javascript:alert(1)", ABSOLUTE),
        ("https://", ABSOLUTE),
        ("https://:8080", ABSOLUTE),
        ("https:auth.example.com", ABSOLUTE),
        ("https://[::1", "Invalid IPv6 URL"),
        ("http://auth.example.com", HTTPS),
        ("http://localhost.example.com", HTTPS),
        ("http://localhost@auth.example.com", HTTPS),
        ("http://0.0.0.0:8080", HTTPS),
        ("https://auth.example.com/", PLAIN),
        ("https://auth.example.com?", PLAIN),
        ("https://auth.example.com#", PLAIN),
        ("https://auth.example.com?a=b", PLAIN),
        ("https://auth.example.com#a", PLAIN),
        ("https://me@auth.example.com", PLAIN),
        ("https://me:password@auth.example.com", PLAIN),
        ("https://@auth.example.com", PLAIN),
        ("https://auth.example.com/as", "must not have a path"),
        ("https://auth.example.com:0", PORT),
        ("https://auth.example.com:65536", PORT),
        ("https://auth.example.com:", PORT),
        ("https://auth.example.com:https", PORT),
    ],
)
def test_a_url_that_is_no_public_url_is_refused_with_the_reason(url: str, refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        check_public_url(url)


@pytest.mark.parametrize(
    "url",
    [
        " https://auth.example.com",
        "https://auth.example.com ",
        "https://auth.example.com\n",
        "https://auth.exa\nmple.com",
        "https://auth.example.com\r\nSet-Cookie:a",
        "https://auth.example.com\t",
        "\x00https://auth.example.com",
        "https://auth.example.com\\@evil.example",
        "https://evil.example\\.auth.example.com",
        "https://auth.exämple.com",
        "https://auth.ex%61mple.com",
        'https://auth.example.com"',
    ],
)
def test_a_url_that_two_programs_would_read_differently_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=ABSOLUTE):
        check_public_url(url)


def test_a_path_is_accepted_where_it_is_allowed_but_still_no_trailing_slash() -> None:
    issuer = "https://auth.pingone.eu/7c0b1b4a/as"
    assert check_public_url(issuer, path_allowed=True) == issuer
    for url in (f"{issuer}/", f"{issuer}?a", f"{issuer}#a"):
        with pytest.raises(ValueError, match=PLAIN):
            check_public_url(url, path_allowed=True)
