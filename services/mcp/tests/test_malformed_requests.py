"""Whatever is sent to mcp, the answer is a challenge or a JSON-RPC error, never a failure."""

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from malformed_requests import RawRequest, answer, assert_told_in_form, malformed_requests
from prometheus_client import CollectorRegistry

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

# Stands for a handle that auth calls active.
HANDLE = "the-handle"
META = "io.modelcontextprotocol/protocolVersion"

TOOLS = ["list_todos", "create_todo", "set_todo_status", "delete_todo", "who_am_i", "x"]
MESSAGES = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "method": st.sampled_from(
            [*["tools/call"] * 4, "tools/list", "initialize", "ping", "server/discover", "x"]
        ),
    },
    optional={
        "id": st.one_of(st.integers(), st.text(max_size=4)),
        "params": st.fixed_dictionaries(
            {"name": st.sampled_from(TOOLS)},
            optional={
                "arguments": st.dictionaries(
                    st.sampled_from(["text", "todo_id", "completed", "limit", "cursor", "x"]),
                    st.one_of(st.text(max_size=8), st.booleans(), st.integers(), st.none()),
                    max_size=3,
                ),
                "requestState": st.sampled_from(["", "v1.", "v1.AAAA", 1, None]),
                "inputResponses": st.dictionaries(
                    st.sampled_from(["confirm_deletion", "x"]),
                    st.sampled_from([None, 1, {}, {"action": "accept"}, {"action": "x"}]),
                    max_size=2,
                ),
                "_meta": st.dictionaries(
                    st.sampled_from([META, "progressToken"]),
                    st.sampled_from(["2026-07-28", "2025-11-25", "", 1, None]),
                ),
            },
        ),
    },
)

REQUESTS = malformed_requests(
    [
        ("POST", "/mcp"),
        ("POST", "/mcp"),
        ("POST", "/mcp"),
        ("GET", "/mcp"),
        ("DELETE", "/mcp/"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
        ("POST", "/mcp/../mcp"),
    ],
    names=[
        *("jsonrpc", "id", "method", "params", "name", "arguments", "_meta", "todo_id", "text"),
        *("completed", "cursor", "limit", "protocolVersion", "capabilities", "clientInfo", META),
        *("result", "error", "uri", "access_token"),
    ],
    values=[
        *("2.0", "tools/call", "tools/list", "initialize", "server/discover", "ping"),
        *("notifications/initialized", "resources/read", "list_todos", "create_todo"),
        *("2026-07-28", "2025-11-25", "../admin"),
    ],
    usual=[
        ("host", "localhost:8081"),
        ("authorization", f"Bearer {HANDLE}"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ],
    members=MESSAGES,
    headers=[
        ("authorization", "Bearer x"),
        ("authorization", "Basic YTpi"),
        ("content-type", "text/plain"),
        ("content-length", "99999999999999999999999"),
        ("content-length", "\xb2"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "list_todos"),
        ("mcp-session-id", "1"),
        ("last-event-id", "1"),
        ("origin", "http://localhost:6274"),
        ("host", "["),
    ],
)


# Beside the tables of refusals, which only hold what somebody thought of: the layer, the SDK behind
# it and the tools meet what nobody did. Derandomized, so that it cannot fail in somebody else's
# change; and it does not shrink what it finds, as each attempt would start a service.
@settings(
    max_examples=15,
    phases=[Phase.generate],
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(REQUESTS, min_size=20, max_size=20))
async def test_no_request_makes_the_server_fail(world: "World", requests: list[RawRequest]) -> None:
    world.registry = CollectorRegistry()  # a service of its own for each example
    handle = f"Bearer {world.sign_in()}".encode()
    async with world.running() as door:
        for request in requests:
            headers = tuple(
                (name, handle if value == f"Bearer {HANDLE}".encode() else value)
                for name, value in request.headers
            )
            signed = RawRequest(request.method, request.path, request.query, headers, request.body)
            status, head, text = await answer(door.app, signed)
            assert_told_in_form(status, head, text)
