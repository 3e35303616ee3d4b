"""Which URLs a service may be known by, and which of them are a developer's own machine."""

import pytest

from service_kit.settings import check_public_url, is_development


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
        ("http://[::1]auth.example.com", False),
        ("http://[::1].auth.example.com:8080", False),
        ("http://127.0.0.1.auth.example.com", False),
        ("http://2130706433", False),
        ("http://[::ffff:127.0.0.1]", False),
        ("http://[::ffff:7f00:1]", False),
        ("http://localhost.", False),
        ("http://localhost\n", False),
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
HOST = "must name a host"
USER = "must not have user information"
PLAIN = "must not have a trailing slash, a query or a fragment"
LOWER = "must have its scheme and host in lower case, and no port that its scheme implies"
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
        ("https://", HOST),
        ("https://:8080", HOST),
        ("https:auth.example.com", HOST),
        ("https://[::1", HOST),
        ("http://auth.example.com", HTTPS),
        ("http://localhost.example.com", HTTPS),
        ("http://localhost@auth.example.com", USER),
        ("http://0.0.0.0:8080", HTTPS),
        ("https://auth.example.com/", PLAIN),
        ("https://auth.example.com?", PLAIN),
        ("https://auth.example.com#", PLAIN),
        ("https://auth.example.com?a=b", PLAIN),
        ("https://auth.example.com#a", PLAIN),
        ("https://me@auth.example.com", USER),
        ("https://me:password@auth.example.com", USER),
        ("https://@auth.example.com", USER),
        ("https://auth.example.com/as", "must not have a path"),
        ("https://[::1]auth.example.com", HOST),
        ("https://auth.example.com[::1]", HOST),
        ("https://2130706433", HOST),
        ("https://127.1", HOST),
        ("https://auth.example.com.", HOST),
        ("https://auth..example.com", HOST),
        ("HTTPS://auth.example.com", LOWER),
        ("https://Auth.example.com", LOWER),
        ("https://auth.example.com:443", LOWER),
        ("http://localhost:80", LOWER),
        ("https://auth.example.com:08443", PORT),
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
    with pytest.raises(ValueError, match=f"{ABSOLUTE}|{HOST}"):
        check_public_url(url)


def test_a_path_is_accepted_where_it_is_allowed_but_still_no_trailing_slash() -> None:
    issuer = "https://auth.pingone.eu/7c0b1b4a/as"
    assert check_public_url(issuer, path_allowed=True) == issuer
    for url in (f"{issuer}/", f"{issuer}?a", f"{issuer}#a"):
        with pytest.raises(ValueError, match=PLAIN):
            check_public_url(url, path_allowed=True)
