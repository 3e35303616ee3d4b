"""The real client of auth's introspection against an HTTP server on the loopback interface."""

import base64
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from answering_peers import Handler, Peer, answering, hang, hang_up, peer

from mcp_server.handle_verifier import AiohttpIntrospector, IntrospectionUnavailable

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


def introspector(auth: Peer, secret: str = "p/ä: s+") -> AiohttpIntrospector:
    return AiohttpIntrospector(
        auth.session, auth_internal_url=auth.url, client_id="mcp server", client_secret=secret
    )


@pytest.mark.standard("RFC 7662 2.1 request")
async def test_introspection_is_a_form_with_form_encoded_basic_credentials(world: "World") -> None:
    async with peer(answering(200, {"active": False})) as auth:
        answer = await introspector(auth)(world.sign_in())

    request = auth.requests[0]
    credentials = base64.b64decode(request["headers"]["Authorization"].removeprefix("Basic "))
    assert answer == {"active": False}
    assert (request["method"], request["path"]) == ("POST", "/introspect")
    assert credentials == b"mcp+server:p%2F%C3%A4%3A+s%2B"
    assert request["body"] == f"token={world.sign_in()}&token_type_hint=access_token"
    assert request["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "answer",
    [
        answering(500, {"active": False}),
        answering(503, {}),
        answering(429, {}),
        answering(401, {"error": "invalid_client"}),
        answering(403, {"active": False}),
        answering(204, b""),
        answering(302, {"active": False}, Location="/elsewhere"),
        answering(200, b""),
        answering(200, b"<html>"),
        answering(200, [{"active": False}]),
        answering(200, b"[" * 60_000),
        answering(200, {"active": False, "padding": "x" * 70_000}),
    ],
)
async def test_whatever_is_not_a_json_object_with_200_is_an_outage(
    world: "World", answer: Handler
) -> None:
    async with peer(answer) as auth:
        with pytest.raises(IntrospectionUnavailable) as caught:
            await introspector(auth)(world.sign_in())

    assert len(auth.requests) == 1
    assert world.sign_in() not in str(caught.value)


async def test_a_connection_that_auth_has_closed_is_tried_once_more(world: "World") -> None:
    async with peer(hang_up) as auth:
        with pytest.raises(IntrospectionUnavailable):
            await introspector(auth)(world.sign_in())
    assert len(auth.requests) == 2

    calls = iter([hang_up, answering(200, {"active": False})])

    async def replaced(request: web.Request) -> web.StreamResponse:
        return await next(calls)(request)

    async with peer(replaced) as auth:
        assert await introspector(auth)(world.sign_in()) == {"active": False}


async def test_an_auth_that_does_not_answer_in_time_is_an_outage(world: "World") -> None:
    async with peer(hang, timeout_seconds=0.05) as auth:
        with pytest.raises(IntrospectionUnavailable):
            await introspector(auth)(world.sign_in())


async def test_an_auth_that_is_not_there_is_an_outage(world: "World", unused_tcp_port: int) -> None:
    async with peer(answering(200, {})) as auth:
        auth.url = f"http://127.0.0.1:{unused_tcp_port}"
        with pytest.raises(IntrospectionUnavailable):
            await introspector(auth)(world.sign_in())


async def test_refused_credentials_are_said_clearly_and_without_the_secret(
    world: "World", capsys: pytest.CaptureFixture[str]
) -> None:
    async with peer(answering(401, {})) as auth:
        with pytest.raises(IntrospectionUnavailable):
            await introspector(auth, "hush-hush")(world.sign_in())

    logged = "".join(capsys.readouterr())
    assert "introspection.credentials_refused" in logged
    assert "INTROSPECTION_CLIENT_SECRET" in logged
    assert "hush" not in logged


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
async def test_a_question_whose_connection_ends_before_its_answer_is_asked_once_more(
    is_reset: bool,
) -> None:
    asked = 0

    async def answer_the_second(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked == 2:
            return web.json_response({"active": False})
        assert request.transport is not None
        if is_reset:
            connection = request.transport.get_extra_info("socket")
            no_linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        request.transport.abort()
        return web.Response()

    async with peer(answer_the_second) as auth:
        assert await introspector(auth)("a handle") == {"active": False}
    assert asked == 2
