"""What is decided on the text of a URL, before any name is looked up."""

import pytest

from auth_server.domain.document_urls import UnfetchableUrl, host_to_fetch_from


@pytest.mark.parametrize(
    "url",
    [
        "http://client.example/doc",
        "HTTPS://client.example/doc",
        "ftp://client.example/doc",
        "file:///etc/passwd",
        "gopher://client.example/",
        "javascript:alert(1)",
        "data:application/json,{}",
        "//client.example/doc",
        "https:client.example/doc",
        "https:///doc",
        "https://",
        "",
        # Other ports are other services.
        "https://client.example:80/doc",
        "https://client.example:8443/doc",
        "https://client.example:0/doc",
        "https://client.example:/doc",
        "https://client.example:443:443/doc",
        "https://client.example:\uff14\uff14\uff13/doc",
        # User information hides the host.
        "https://client.example@127.0.0.1/doc",
        "https://user:password@client.example/doc",
        "https://client.example%40evil.example/doc",
        "https://client.example#@evil.example/",
        "https://client.example/doc#fragment",
        # Parsers disagree about these.
        "https://client.example\\@evil.example/doc",
        "https://client.example\\doc",
        "https://client.example/do c",
        "https://client.example/doc\n",
        " https://client.example/doc",
        "https://client.example\t/doc",
        "https://client.example\x00/doc",
        "https://client%2eexample/doc",
        "https://127%2e0.0.1/doc",
        # Addresses, in the notations that resolvers understand.
        "https://127.0.0.1/doc",
        "https://8.8.8.8/doc",
        "https://127.1/doc",
        "https://2130706433/doc",
        "https://0x7f000001/doc",
        "https://0x7f.0x0.0x0.0x1/doc",
        "https://0177.0.0.1/doc",
        "https://[::1]/doc",
        "https://[::ffff:127.0.0.1]/doc",
        "https://[fe80::1%25eth0]/doc",
        "https://①②⑦.0.0.1/doc",
        # Names that are no public ones.
        "https://localhost/doc",
        "https://metadata/doc",
        "https://client.example./doc",
        "https://.client.example/doc",
        "https://client..example/doc",
        "https://-client.example/doc",
        "https://client_1.example/doc",
        "https://" + "a" * 64 + ".example/doc",
        "https://" + "a." * 127 + "example/doc",
        "https://bücher.example/doc",
        "https://client。example/doc",
        "https://client.example/" + "a" * 2000,
    ],
)
def test_a_hostile_url_is_refused_before_any_dns(url: str) -> None:
    with pytest.raises(UnfetchableUrl):
        host_to_fetch_from(url)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "claude.ai",
        ),
        ("https://vscode.dev/oauth/client-metadata.json", "vscode.dev"),
        ("https://Client.EXAMPLE/doc?version=2", "client.example"),
        ("https://client.example:443/doc", "client.example"),
        ("https://client.example", "client.example"),
        ("https://xn--bcher-kva.example/%7Edoc", "xn--bcher-kva.example"),
        ("https://3com.example/doc", "3com.example"),
    ],
)
def test_a_url_of_a_public_name_is_allowed(url: str, host: str) -> None:
    assert host_to_fetch_from(url) == host
