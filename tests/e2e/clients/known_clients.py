"""The clients of the matrix: each profile says what that client is reported to send.

None of this is promised by those clients. It was collected from their issue trackers and from those
of servers that they connect to, in the autumn of 2026; no document behind a URL was fetched. What
could not be learned (the exact words of a name, mostly) is made up and decides nothing.
"""

from typing import Any, Final
from urllib.parse import quote

from e2e.clients.profile import NOWHERE, ClientProfile
from joserfc.jwk import RSAKey

STAYS_SIGNED_IN: Final = ["authorization_code", "refresh_token"]
BOTH_SCOPES: Final = "todo_api:read todo_api:write"

# ChatGPT's own keys are behind its jwks_uri. Its document is pinned here with a key of ours in
# their place; fetching keys is tested in process, with a server that publishes them.
CHATGPT_KEY: Final = RSAKey.generate_key(2048, {"kid": "chatgpt-1", "use": "sig", "alg": "RS256"})


def _public(**members: Any) -> dict[str, Any]:
    return {
        "grant_types": STAYS_SIGNED_IN,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    } | members


# claude.ai and its apps, all by Anthropic's cloud. The document lists grants that nobody has here.
CLAUDE_REDIRECT_URI: Final = "https://claude.ai/api/mcp/auth_callback"
CLAUDE_DOCUMENT: Final = _public(
    client_id="https://claude.ai/oauth/mcp-oauth-client-metadata",
    client_name="Claude",
    client_uri="https://claude.ai",
    redirect_uris=[CLAUDE_REDIRECT_URI, "https://claude.com/api/mcp/auth_callback"],
    grant_types=[*STAYS_SIGNED_IN, "urn:ietf:params:oauth:grant-type:jwt-bearer"],
)
CLAUDE: Final = ClientProfile("Claude", CLAUDE_REDIRECT_URI, document=CLAUDE_DOCUMENT)
CLAUDE_COM: Final = ClientProfile(
    "Claude at claude.com", "https://claude.com/api/mcp/auth_callback", document=CLAUDE_DOCUMENT
)
# It names no application_type, which by default means web.
CLAUDE_REGISTERED: Final = ClientProfile(
    "Claude, registered",
    CLAUDE_REDIRECT_URI,
    registration=_public(client_name="Claude", redirect_uris=[CLAUDE_REDIRECT_URI]),
    scope="todo_api:read offline_access",
)

# Claude Code: the document has no port, the request one that is free just then.
CLAUDE_CODE_DOCUMENT: Final = _public(
    client_id="https://claude.ai/oauth/claude-code-client-metadata",
    client_name="Claude Code",
    redirect_uris=["http://localhost/callback", "http://127.0.0.1/callback"],
)
CLAUDE_CODE: Final = ClientProfile(
    "Claude Code", "http://localhost:58135/callback", document=CLAUDE_CODE_DOCUMENT
)
CLAUDE_CODE_BY_ADDRESS: Final = ClientProfile(
    "Claude Code at 127.0.0.1", "http://127.0.0.1:52163/callback", document=CLAUDE_CODE_DOCUMENT
)
CLAUDE_CODE_REGISTERED: Final = ClientProfile(
    "Claude Code, registered",
    "http://localhost:3118/callback",
    registration=_public(
        client_name="Claude Code",
        redirect_uris=["http://localhost:3118/callback"],
        application_type="native",
    ),
)

# VS Code: 33418 unless it is taken, or the page at vscode.dev that hands the answer on. Then the
# state is the URI to hand it to, which is long and encoded twice.
_VSCODE_CALLBACK: Final = (
    "vscode://dynamicauthprovider/mcp.example.com?nonce=" + "n" * 64 + "&windowId=1"
    "&continueOn=" + quote("https://github.dev/organisation/repository/" + "folder/" * 120, safe="")
)
VSCODE_STATE: Final = quote(_VSCODE_CALLBACK, safe="")
_VSCODE_GRANTS: Final = [*STAYS_SIGNED_IN, "urn:ietf:params:oauth:grant-type:device_code"]
VSCODE_DOCUMENT: Final = _public(
    client_id="https://vscode.dev/oauth/client-metadata.json",
    client_name="Visual Studio Code",
    client_uri="https://code.visualstudio.com",
    application_type="native",
    redirect_uris=["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    grant_types=_VSCODE_GRANTS,
)
VSCODE_REGISTRATION: Final = _public(
    client_name="Visual Studio Code",
    client_uri="https://code.visualstudio.com",
    application_type="native",
    redirect_uris=[
        "https://insiders.vscode.dev/redirect",
        "https://vscode.dev/redirect",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
    ],
    grant_types=_VSCODE_GRANTS,
)
VSCODE: Final = ClientProfile(
    "VS Code", "http://127.0.0.1:33418/", document=VSCODE_DOCUMENT, state=VSCODE_STATE
)
VSCODE_PORT_TAKEN: Final = ClientProfile(
    "VS Code, 33418 taken", "http://127.0.0.1:60127/", document=VSCODE_DOCUMENT, state=VSCODE_STATE
)
VSCODE_WEB: Final = ClientProfile(
    "vscode.dev", "https://vscode.dev/redirect", document=VSCODE_DOCUMENT, state=VSCODE_STATE
)
VSCODE_REGISTERED: Final = ClientProfile(
    "VS Code, registered",
    "http://127.0.0.1:33418/",
    registration=VSCODE_REGISTRATION,
    state=VSCODE_STATE,
)

# Cursor sends all three at once, and gives up if one of them is refused.
CURSOR_REDIRECT_URIS: Final = (
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
)
CURSOR_REGISTRATION: Final = _public(client_name="Cursor", redirect_uris=list(CURSOR_REDIRECT_URIS))
CURSOR: Final = ClientProfile("Cursor", CURSOR_REDIRECT_URIS[0], registration=CURSOR_REGISTRATION)
CURSOR_AGENTS: Final = ClientProfile(
    "Cursor agents", CURSOR_REDIRECT_URIS[1], registration=CURSOR_REGISTRATION
)
CURSOR_LOOPBACK: Final = ClientProfile(
    "Cursor at localhost", CURSOR_REDIRECT_URIS[2], registration=CURSOR_REGISTRATION
)

# ChatGPT prefers to sign, where that is offered. One redirect URI for all connectors is used only
# with servers that send `iss` (RFC 9207).
CHATGPT_REDIRECT_URI: Final = "https://chatgpt.com/connector_platform_oauth_redirect"
CHATGPT_DOCUMENT: Final = _public(
    client_id="https://chatgpt.com/oauth/client.json",
    client_name="ChatGPT",
    client_uri="https://chatgpt.com",
    redirect_uris=[CHATGPT_REDIRECT_URI],
    token_endpoint_auth_method="private_key_jwt",
    token_endpoint_auth_methods_supported=["private_key_jwt", "none"],
    token_endpoint_auth_signing_alg="RS256",
    jwks={"keys": [CHATGPT_KEY.as_dict(private=False)]},
)
CHATGPT: Final = ClientProfile(
    "ChatGPT", CHATGPT_REDIRECT_URI, document=CHATGPT_DOCUMENT, signs_with=CHATGPT_KEY
)
CHATGPT_REGISTERED: Final = ClientProfile(
    "ChatGPT, registered",
    CHATGPT_REDIRECT_URI,
    registration=_public(client_name="ChatGPT", redirect_uris=[CHATGPT_REDIRECT_URI]),
    scope=BOTH_SCOPES,
)

# Codex: another port each time. The fixed document, and so one path for all servers, is for those
# that send `iss`; what it registers has a path that it derives from the server's URL.
CODEX_DOCUMENT: Final = _public(
    client_id="https://chatgpt.com/oauth/codex/client.json",
    client_name="Codex",
    application_type="native",
    redirect_uris=["http://127.0.0.1/callback", "http://localhost/callback"],
)
CODEX: Final = ClientProfile("Codex", "http://127.0.0.1:37819/callback", document=CODEX_DOCUMENT)
CODEX_REGISTERED: Final = ClientProfile(
    "Codex, registered",
    "http://127.0.0.1:63546/callback/6MFBM1In3Ey-",
    registration=_public(
        client_name="Codex",
        application_type="native",
        redirect_uris=["http://127.0.0.1:63546/callback/6MFBM1In3Ey-"],
    ),
)

# The Inspector: version 1 is a page, version 2 has a backend and a command line.
INSPECTOR_WEB: Final = ClientProfile(
    "MCP Inspector",
    "http://localhost:6274/oauth/callback/debug",
    registration=_public(
        client_name="MCP Inspector",
        client_uri="https://github.com/modelcontextprotocol/inspector",
        redirect_uris=[
            "http://localhost:6274/oauth/callback",
            "http://localhost:6274/oauth/callback/debug",
        ],
        scope=BOTH_SCOPES,
    ),
    scope=BOTH_SCOPES,
)
INSPECTOR_CLI: Final = ClientProfile(
    "MCP Inspector's command line",
    "http://127.0.0.1:6276/oauth/callback",
    registration=_public(
        client_name="MCP Inspector", redirect_uris=["http://127.0.0.1:6276/oauth/callback"]
    ),
    scope=BOTH_SCOPES,
)

# mcp-remote: a port derived from the server's URL, and the next one if it is taken.
_MCP_REMOTE_REGISTRATION: Final = _public(
    client_name="MCP CLI Proxy",
    client_uri="https://github.com/punkpeye/mcp-remote",
    redirect_uris=["http://localhost:9977/oauth/callback"],
)
MCP_REMOTE: Final = ClientProfile(
    "mcp-remote",
    "http://localhost:9978/oauth/callback",
    registration=_MCP_REMOTE_REGISTRATION,
    parameters={"prompt": "consent", "access_type": "offline"},
    scope="todo_api:read offline_access",
)
MCP_REMOTE_WITHOUT_RESOURCE: Final = ClientProfile(
    "mcp-remote --disable-resource-parameter",
    "http://localhost:9977/oauth/callback",
    registration=_MCP_REMOTE_REGISTRATION,
    resource_at=NOWHERE,
)

# Copilot's command line lists one port and uses another; it compares issuers as strings.
COPILOT: Final = ClientProfile(
    "Copilot CLI",
    "http://127.0.0.1:60005/",
    document=_public(
        client_id="https://github.com/copilot/cli/client-metadata.json",
        client_name="GitHub Copilot CLI",
        application_type="native",
        redirect_uris=["http://127.0.0.1:33418/"],
    ),
)
COPILOT_REGISTERED: Final = ClientProfile(
    "Copilot CLI, registered",
    "http://127.0.0.1:61566/",
    registration=_public(
        client_name="GitHub Copilot CLI",
        application_type="native",
        redirect_uris=["http://127.0.0.1:63450/"],
    ),
)

# opencode, and others whose kit leaves out what it can: no type, no resource, no state to speak of.
SPARSE: Final = ClientProfile(
    "a sparse client",
    "http://127.0.0.1:19876/mcp/oauth/callback",
    registration={
        "redirect_uris": ["http://127.0.0.1:19876/mcp/oauth/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": STAYS_SIGNED_IN,
    },
    state="1",
    resource_at=NOWHERE,
)
ONCE_IN_A_WHILE: Final = ClientProfile(
    "a client that names the resource only sometimes",
    "http://127.0.0.1:8400/callback",
    registration=_public(client_name="Agent", redirect_uris=["http://127.0.0.1:8400/callback"]),
    resource_at=frozenset({"authorize", "token"}),
)

EVERY_CLIENT: Final = (
    CLAUDE,
    CLAUDE_COM,
    CLAUDE_REGISTERED,
    CLAUDE_CODE,
    CLAUDE_CODE_BY_ADDRESS,
    CLAUDE_CODE_REGISTERED,
    VSCODE,
    VSCODE_PORT_TAKEN,
    VSCODE_WEB,
    VSCODE_REGISTERED,
    CURSOR,
    CURSOR_AGENTS,
    CURSOR_LOOPBACK,
    CHATGPT,
    CHATGPT_REGISTERED,
    CODEX,
    CODEX_REGISTERED,
    INSPECTOR_WEB,
    INSPECTOR_CLI,
    MCP_REMOTE,
    MCP_REMOTE_WITHOUT_RESOURCE,
    COPILOT,
    COPILOT_REGISTERED,
    SPARSE,
    ONCE_IN_A_WHILE,
)

# The documents of those that are known by one, as AUTH_CLIENTS takes them: whole, and once each.
PINNED_DOCUMENTS: Final = tuple(
    {
        profile.document["client_id"]: dict(profile.document)
        for profile in EVERY_CLIENT
        if profile.document is not None
    }.values()
)
