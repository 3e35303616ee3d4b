"""`application_type` (OpenID Connect Registration 2): what a client's redirect URIs make of it."""

import pytest
from auth_harness import REDIRECT_URI, AuthUnderTest

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


@pytest.mark.standard("RFC 7591 3.2.1 application_type")
@pytest.mark.parametrize(
    ("asked", "redirect_uris", "registered"),
    [
        (None, ["https://client.example/callback"], "web"),
        ("web", ["https://client.example/callback"], "web"),
        ("native", ["https://client.example/callback"], "native"),
        (None, [REDIRECT_URI], "native"),
        ("native", [REDIRECT_URI], "native"),
        # Cursor has been seen to say so, and not to say anything.
        ("web", CURSOR, "native"),
        (None, CURSOR, "native"),
        ("web", ["https://client.example/callback", REDIRECT_URI], "native"),
        ("web", ["https://localhost/callback"], "native"),
    ],
)
@ON_SQLITE
async def test_a_web_client_has_no_redirect_uri_on_the_persons_computer(
    auth: AuthUnderTest, asked: str | None, redirect_uris: list[str], registered: str
) -> None:
    answer = await auth.register(application_type=asked, redirect_uris=redirect_uris)
    assert answer["application_type"] == registered
    assert answer["redirect_uris"] == redirect_uris
