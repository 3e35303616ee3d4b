"""Every port of the stack, public and internal, and a request that shows whether its body came."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from raw_conversation import Answer

from local_stack.ports import Ports
from local_stack.secrets import Secrets
from local_stack.services import ENVIRONMENT_ID, INTROSPECTION_CLIENT_ID, PINGONE_CLIENT_ID

_JSON = b"Content-Type: application/json"
_FORM = b"Content-Type: application/x-www-form-urlencoded"
_CALLBACK = "http://127.0.0.1:33418/callback"


@dataclass(frozen=True, slots=True)
class Door:
    """One port. `is_intact` says of the answer to `body` whether all of the body was read.

    Where it is None, nothing on that port reads a body without a PingOne token.
    """

    port: int
    line: bytes
    fields: tuple[bytes, ...]
    body: bytes
    is_intact: Callable[[Answer], bool] | None = None


def doors(ports: Ports, secrets: Secrets, handle: str = "none") -> dict[str, Door]:
    """All of them. The handle is presented to mcp."""
    client = {"client_name": "A client with all its body", "redirect_uris": [_CALLBACK]}
    call = {"jsonrpc": "2.0", "id": "the id that comes back", "method": "ping"}
    unread = (b"POST /livez HTTP/1.1", (_JSON,), b"{}")
    return {
        "auth": Door(
            ports.auth,
            b"POST /register HTTP/1.1",
            (_JSON,),
            json.dumps(client).encode(),
            lambda answer: answer.status == 201 and b"with all its body" in answer.body,
        ),
        "auth_internal": Door(
            ports.auth_internal,
            b"POST /introspect HTTP/1.1",
            (_FORM, _basic(INTROSPECTION_CLIENT_ID, secrets.introspection_client_secret)),
            b"token=unknown",
            lambda answer: answer == Answer(200, b'{"active":false}'),
        ),
        "mcp": Door(
            ports.mcp,
            b"POST /mcp HTTP/1.1",
            (
                _JSON,
                b"Accept: application/json, text/event-stream",
                b"Authorization: Bearer " + handle.encode(),
            ),
            json.dumps(call).encode(),
            lambda answer: answer.status == 200 and b"the id that comes back" in answer.body,
        ),
        "mcp_internal": Door(ports.mcp_internal, *unread),
        "todo": Door(ports.todo, b"POST /api/todos HTTP/1.1", (_JSON,), b'{"text": "Buy milk"}'),
        "todo_internal": Door(ports.todo_internal, *unread),
        "simulator": Door(
            ports.simulator,
            b"POST /%s/as/token HTTP/1.1" % ENVIRONMENT_ID.encode(),
            (_FORM, _basic(PINGONE_CLIENT_ID, secrets.mcp_server_client_secret)),
            b"grant_type=refresh_token&refresh_token=unknown",
            lambda answer: answer.status == 400 and b'"invalid_grant"' in answer.body,
        ),
    }


def _basic(name: str, secret: str) -> bytes:
    return b"Authorization: Basic " + b64encode(f"{name}:{secret}".encode())
