"""Which URLs every program reads alike, and what they are then."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.urls import Authority, ImproperUrl, Url, parse_authority, parse_url


def authority_of(url: str) -> Authority:
    authority = parse_url(url).authority
    assert authority is not None
    return authority


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://client.example/", "client.example", None),
        ("https://Client.EXAMPLE:8443", "client.example", 8443),
        ("https://auth_1.internal:1/a?b#c", "auth_1.internal", 1),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("https://host", "host", None),
        ("https://4chan.example", "4chan.example", None),
        ("https://1.2.3.4a", "1.2.3.4a", None),
        ("https://x0x.0x7fz", "x0x.0x7fz", None),
        ("https://192.0.2.7:65535/", "192.0.2.7", 65535),
        ("https://[2001:db8::1]:443/", "2001:db8::1", 443),
        ("https://[2001:DB8::1]/", "2001:db8::1", None),
        ("cursor://app.host/done", "app.host", None),
        ("https://" + "a" * 63 + ".example", "a" * 63 + ".example", None),
    ],
)
def test_a_host_is_read_with_its_port(url: str, host: str, port: int | None) -> None:
    assert (authority_of(url).host, authority_of(url).port) == (host, port)


def test_the_parts_of_a_url_are_those_of_rfc_3986() -> None:
    assert parse_url("HTTPS://a.example:8443/p/?q=/?#f/?") == Url(
        "https", parse_authority("a.example:8443"), "/p/", "q=/?", "f/?"
    )
    assert parse_url("vscode:callback") == Url("vscode", None, "callback", None, None)
    assert parse_url("cursor:///done?") == Url("cursor", None, "/done", "", None)


@pytest.mark.parametrize(
    "authority",
    [
        # Two hosts in one: each is the host for some parser.
        "[::1]evil.example",
        "evil.example[::1]",
        "[::1].evil.example",
        "[::1]:80evil.example",
        "[::1]:80:80",
        "evil.example:80[::1]",
        "[[::1]]",
        "[::1",
        "::1]",
        "::1",
        "[]",
        "[localhost]",
        "[127.0.0.1]",
        "user@client.example",
        "@client.example",
        "user:password@client.example",
        "localhost:80@evil.example",
        # Numbers that browsers turn into an IPv4 address.
        "2130706433",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0X7F000001",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.0x1",
        "1.2.3.4.5",
        "256.0.0.1",
        "127.0.0.1.",
        "client.0x",
        "client.example.1",
        # IPv6 in another form than its own.
        "[0:0:0:0:0:0:0:1]",
        "[::0001]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[v1.fe80]",
        "[1::2::3]",
        # Names that are none.
        "localhost.",
        "client.example.",
        "client..example",
        ".client.example",
        ".",
        "",
        "*",
        "*.client.example",
        "client%2eexample",
        "client.example,evil.example",
        "client.example;",
        "b\u00fccher.example",
        "loca\u017fhost",
        "\u212aelvin.example",
        "\uff4cocalhost",
        "client\u3002example",
        "client.example\n",
        " client.example",
        "client.example\t",
        "client.example\x00",
        "client.example\\.evil.example",
        "a" * 64 + ".example",
        ".".join(["a" * 49] * 6),
        # Ports that are none.
        "client.example:",
        "client.example:0",
        "client.example:0443",
        "client.example:65536",
        "client.example:100000",
        "client.example:-1",
        "client.example:+1",
        "client.example:1_0",
        "client.example:\u0664\u0664\u0663",
        "client.example:443 ",
        "client.example:https",
        "client.example:443:443",
    ],
    ids=ascii,
)
def test_a_host_that_programs_read_differently_is_refused(authority: str) -> None:
    for read in (parse_authority, lambda text: parse_url(f"https://{text}/")):
        with pytest.raises(ImproperUrl) as refused:
            read(authority)
        assert "evil" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/path",
        "//client.example",
        "client.example/path",
        ":path",
        "1a://host/",
        "https://",
        "https:///path",
        "https:client.example",
        "https:/client.example",
        "http:",
        "https://client.example/a b",
        "https://client.example/\n",
        "https://client.example\n",
        "https://client.example/%",
        "https://client.example/%4",
        "https://client.example/%zz",
        "https://client.example/\u202e",
        "https://client.example\\@evil.example",
        'https://client.example/"',
        "https://client.example/#a#b\n",
        "\u212attps://client.example/",
    ],
    ids=ascii,
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperUrl):
        parse_url(url)


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "127.255.255.254", "[::1]"]
)
def test_a_loopback_host_is_recognized(host: str) -> None:
    assert parse_authority(host).is_loopback
    assert parse_authority(f"{host}:8080").is_this_computer


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104  (every interface, which is the opposite of loopback)
        "[::]",
        "128.0.0.1",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "app.localhost",
        "10.0.0.1",
    ],
)
def test_any_other_host_is_not_loopback(host: str) -> None:
    assert not parse_authority(host).is_loopback


@pytest.mark.parametrize(
    ("host", "is_this_computer"),
    [
        ("app.localhost", True),
        ("a.b.LOCALHOST", True),
        ("ip6-localhost", True),
        ("localhost.localdomain", True),
        ("0.0.0.0", True),  # noqa: S104
        ("[::]", True),
        ("localhost.example.com", False),
        ("my-localhost", False),
        ("localhost.localdomain.example", False),
        ("126.255.255.255", False),
        ("[::2]", False),
    ],
)
def test_what_systems_take_for_this_computer_is_known(host: str, is_this_computer: bool) -> None:
    assert parse_authority(host).is_this_computer is is_this_computer


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://Client.example:443/", "client.example"),
        ("http://client.example:80/", "client.example"),
        ("http://client.example:443/", "client.example:443"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("cursor://host:443/", "host:443"),
        ("cursor:path", ""),
    ],
)
def test_a_port_is_shown_unless_the_scheme_implies_it(url: str, shown: str) -> None:
    assert parse_url(url).shown_authority == shown


@given(st.text(st.sampled_from("a1.:[]@/?#%0x-f\u212a\n ")).map("https://".__add__))
def test_what_is_read_is_what_was_written(text: str) -> None:
    try:
        url = parse_url(text)
    except ImproperUrl:
        return
    assert url.authority is not None
    host, port = url.authority.host, url.authority.port
    written = f"[{host}]" if ":" in host else host
    written += "" if port is None else f":{port}"
    query = "" if url.query is None else f"?{url.query}"
    fragment = "" if url.fragment is None else f"#{url.fragment}"
    assert text.lower() == f"https://{written}{url.path}{query}{fragment}".lower()


@pytest.mark.parametrize("piece", ["a.", "1.", ":", "[", "a", "%41", "/", "?", "#", "@", "-", "::"])
def test_a_url_that_was_made_to_be_slow_is_read_in_time(piece: str) -> None:
    started = time.perf_counter()
    for url in (piece * 30_000, f"https://{piece * 30_000}", f"https://{piece * 30_000}\x00"):
        try:
            parse_url(url)
        except ImproperUrl:
            continue
    assert time.perf_counter() - started < 1
