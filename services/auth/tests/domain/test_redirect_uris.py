"""Which redirect URIs may be registered, and which requested one equals a registered one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.errors import InvalidRedirectUri
from auth_server.domain.redirect_uris import check_registrable, is_match

SCHEMES = frozenset({"cursor", "vscode"})
PORTS = st.integers(min_value=1, max_value=65535)


@pytest.mark.standard("RFC 8252 7.2")
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://client.example/callback",
        "https://client.example",
        "https://client.example:8443/callback?tenant=7",
        "https://xn--bcher-kva.example/",
        "https://192.0.2.7/callback",
        "https://[2001:db8::7]:8443/callback",
        "https://auth_1.internal/callback",
        "https://localhost:8443/callback",
        "https://app.localhost/callback",
        "cursor:///callback",
        "http://localhost/callback",
        "http://localhost:33418/callback",
        "http://127.0.0.1:33418/",
        "http://127.0.0.1",
        "http://[::1]:33418/callback",
        "cursor://anysphere.cursor-retrieval/oauth/callback",
        "vscode:callback",
        "https://client.example/" + "c" * 1977,
    ],
    ids=lambda value: value[:50],
)
def test_a_safe_redirect_uri_may_be_registered(redirect_uri: str) -> None:
    check_registrable(redirect_uri, SCHEMES)


@pytest.mark.standard(
    "RFC 6749 3.1.2 fragment", "RFC 9700 4.1.3", "MCP 2026-07-28 authorization: redirect URIs"
)
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "",
        "/callback",
        "//client.example/callback",
        "client.example/callback",
        "https://",
        "https:///callback",
        "https:client.example",
        "http://client.example/callback",
        "http://localhost.evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.2/callback",
        "http://0.0.0.0/callback",
        "http://[::2]/callback",
        "http://2130706433/callback",
        "http://user@localhost/callback",
        "http://localhost@evil.example/callback",
        "https://user:password@client.example/callback",
        "https://@client.example/callback",
        "https://client.example/callback#fragment",
        "https://client.example/callback#",
        "cursor://host/callback#fragment",
        "https://client.example:99999/callback",
        "https://client.example:port/callback",
        "https://[client.example/callback",
        "https://client.example/a b",
        "https://client.example\\@evil.example/",
        "https://client.example/\r\nLocation:https://evil.example",
        "https://client.example/callback\n",
        "\thttps://client.example/callback",
        "https://client.example/\x00",
        "https://b\u00fccher.example/",
        "https://client.example/\u202e",
        "https://client.example/<script>",
        'https://client.example/"',
        "https://client.example/" + "c" * 1978,
        "javascript:alert(1)",
        "JavaScript://client.example/%0aalert(1)",
        "data:text/html,hello",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "blob:https://client.example/1",
        "about:blank",
        "ftp://client.example/",
        "ws://localhost/",
        "com.example.app:/callback",
        "cursor2://host/callback",
        "cursor:",
        "cursor:/",
        "cursor://",
        "cursor://host",
        "cursor://host/",
        "cursor://user@host/callback",
        "view-source:https://client.example/",
        "filesystem:https://client.example/temporary/1",
        "intent://client.example/#Intent;scheme=https;end",
        "wss://client.example/",
        "https://client.example:0/callback",
        "https://client.example:/callback",
        "http://localhost:0/callback",
        "https://*/callback",
        "https://*.client.example/callback",
        "https://client%2eexample/callback",
        "https://%63lient.example/callback",
        "https://client..example/callback",
        "https://.client.example/callback",
        "https://[fe80::1%25eth0]/callback",
        "https://client.example/%zz",
        "https://client.example/%4",
        "https://client.example,evil.example/callback",
        "https://" + "c" * 254 + "/callback",
        "http://127.0.0.1.nip.io/callback",
        "http://localhost./callback",
        "http://[::ffff:127.0.0.1]/callback",
        "http://0x7f.1/callback",
        "http://127.1/callback",
        # Two hosts in one: some programs see the first, others the second.
        "http://[::1]evil.example/callback",
        "http://[::1].evil.example/callback",
        "http://[::1]:80evil.example/callback",
        "http://evil.example[::1]/callback",
        "https://[::1]evil.example/callback",
        "https://evil.example[::1]/callback",
        "https://evil.example:[::1]/callback",
        "cursor://[::1]evil.example/callback",
        # What a browser turns into an address of this computer, or of another one.
        "https://2130706433/callback",
        "https://0x7f000001/callback",
        "https://127.1/callback",
        "https://0x7f.1/callback",
        "https://0177.0.0.1/callback",
        "https://127.0.0.01/callback",
        "https://client.example.1/callback",
        "https://0.0.0.0/callback",
        "https://[::]/callback",
        "https://[::ffff:127.0.0.1]/callback",
        "https://[::ffff:7f00:1]/callback",
        "https://[0:0:0:0:0:0:0:1]/callback",
        "http://[0:0:0:0:0:0:0:1]/callback",
        # A host that equals another one for some programs only.
        "https://client.example./callback",
        "https://localhost./callback",
        "http://app.localhost/callback",
        "http://ip6-localhost/callback",
        "https://client.example:0443/callback",
        "http://localhost:033418/callback",
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_dangerous_redirect_uri_is_refused(redirect_uri: str) -> None:
    with pytest.raises(InvalidRedirectUri) as refused:
        check_registrable(redirect_uri, SCHEMES)
    assert "evil" not in refused.value.description


@pytest.mark.parametrize(
    "redirect_uri",
    ["javascript:alert(1)", "data:text/html,x", "http://client.example/callback", "file:///etc"],
)
def test_no_setting_allows_what_a_browser_would_run_or_send_in_the_clear(redirect_uri: str) -> None:
    with pytest.raises(InvalidRedirectUri):
        check_registrable(redirect_uri, frozenset({"javascript", "data", "http", "file"}))


def test_a_pattern_in_a_path_is_taken_literally() -> None:
    check_registrable("https://client.example/*", SCHEMES)
    assert not is_match("https://client.example/*", "https://client.example/callback")


@pytest.mark.standard("RFC 8252 7.3")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@given(registered=PORTS, requested=PORTS)
def test_on_loopback_any_port_matches(host: str, registered: int, requested: int) -> None:
    one, other = f"http://{host}:{registered}/callback", f"http://{host}:{requested}/callback"
    assert is_match(one, other)
    assert is_match(f"http://{host}/callback", other)
    assert is_match(one, f"http://{host}/callback")


@given(registered=PORTS, requested=PORTS)
def test_elsewhere_the_port_belongs_to_the_address(registered: int, requested: int) -> None:
    one, other = (f"https://client.example:{port}/callback" for port in (registered, requested))
    assert is_match(one, other) is (registered == requested)


@pytest.mark.standard("RFC 8252 7.3", "RFC 8252 8.4 exact", "RFC 9700 2.1 exact matching")
@pytest.mark.parametrize(
    ("registered", "requested"),
    [
        ("https://client.example/callback", "https://client.example/callback/"),
        ("https://client.example/callback", "https://CLIENT.example/callback"),
        ("https://client.example/callback", "https://client.example:443/callback"),
        ("https://client.example/callback", "https://client.example/callback?x=1"),
        ("https://client.example/callback", "https://client.example/a/../callback"),
        ("https://client.example/callback", "https://client.example/%63allback"),
        ("https://client.example/", "https://client.example"),
        ("https://client.example/callback", "http://client.example/callback"),
        ("https://localhost:1/callback", "https://localhost:2/callback"),
        ("cursor://host:1/callback", "cursor://host:2/callback"),
        ("http://127.0.0.1:1/callback", "http://localhost:1/callback"),
        ("http://127.0.0.1:1/callback", "http://[::1]:1/callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.2:1/callback"),
        ("http://127.0.0.1:1/callback", "https://127.0.0.1:2/callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback/"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/Callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback?x=1"),
        ("http://127.0.0.1:1/callback?x=1", "http://127.0.0.1:2/callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback;p"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback#fragment"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:1/callback#"),
        ("http://127.0.0.1:1/callback", "http://user@127.0.0.1:2/callback"),
        ("http://127.0.0.1:1/callback", "http://@127.0.0.1:2/callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:99999/callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/call\tback"),
        ("http://127.0.0.1:1/callback", " http://127.0.0.1:2/callback"),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2\\@evil.example/callback"),
        ("http://127.0.0.1:1/callback", ""),
    ],
)
def test_nothing_but_the_loopback_port_may_differ(registered: str, requested: str) -> None:
    assert not is_match(registered, requested)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://[::1]evil.example/callback",
        "https://evil.example[::1]/callback",
        "https://2130706433/callback",
        "https://client.example./callback",
        "https://user@client.example/callback",
        "https://client.example/callback#",
    ],
)
def test_what_was_registered_before_the_rules_does_not_match_any_more(redirect_uri: str) -> None:
    assert not is_match(redirect_uri, redirect_uri)


@pytest.mark.parametrize(
    "requested",
    [
        "http://[::1]evil.example:2/callback",
        "http://[::1].evil.example:2/callback",
        "http://[::1]:2evil.example/callback",
        "http://evil.example[::1]:2/callback",
        "http://[0:0:0:0:0:0:0:1]:2/callback",
        "http://[::1]:02/callback",
        "http://[::1]:\u0662/callback",
        "http://[::ffff:127.0.0.1]:2/callback",
        "http://[::1%25lo]:2/callback",
    ],
    ids=ascii,
)
def test_nothing_else_passes_for_the_loopback_address(requested: str) -> None:
    assert is_match("http://[::1]:1/callback", "http://[::1]:2/callback")
    assert not is_match("http://[::1]:1/callback", requested)


@given(st.text())
def test_what_was_not_registered_never_matches(requested: str) -> None:
    assert not is_match("https://client.example/callback", requested)


@given(st.text())
def test_any_text_is_either_registrable_or_refused(redirect_uri: str) -> None:
    try:
        check_registrable(redirect_uri, frozenset())
    except InvalidRedirectUri:
        return
    assert redirect_uri.lower().startswith(("https://", "http://"))
