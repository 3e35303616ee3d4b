"""Tells what a client's real requests are, and verifies every answer.

Nothing here is written in advance: without the request there is no step.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local_stack.agent import REDIRECT_URI, Exchange
from local_stack.browser import Visit
from local_stack.pages import Page
from local_stack.services import StackConfig
from local_stack.transcript import Transcript, shorten

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Narrator:
    """Listens to one agent. `told` names the kinds of steps that were told."""

    def __init__(self, transcript: Transcript, config: StackConfig, client_name: str) -> None:
        self._say = transcript
        self._config = config
        self._client_name = client_name
        self._tellers: Mapping[str, Callable[[Exchange], None]] = {
            "/.well-known/oauth-protected-resource/mcp": self._resource_metadata,
            "/.well-known/oauth-authorization-server": self._server_metadata,
            "/register": self._registration,
            "/token": self._token,
            "/revoke": self._revocation,
            "/mcp": self._mcp,
        }
        self.told: set[str] = set()

    def exchange(self, exchange: Exchange) -> None:
        """Tell one request and its answer."""
        teller = self._tellers.get(exchange.path, self._unforeseen)
        self.told.add(teller.__name__.lstrip("_"))
        teller(exchange)

    def visit(self, authorization_url: str, visit: Visit) -> None:
        """Tell what the person saw between the client's request and the answer to it."""
        asked = dict(parse_qsl(urlsplit(authorization_url).query))
        self.told.add("authorization")
        self._say.step("The client sends the person's browser to the authorization endpoint")
        self._say.sent(f"GET {_without_query(authorization_url)}")
        self._say.facts(
            {
                "client_id": asked["client_id"],
                "redirect_uri": asked["redirect_uri"],
                "resource": asked.get("resource", "(none)"),
                "scope": asked.get("scope", "(none)"),
                "code_challenge": shorten(asked["code_challenge"]) + " (S256)",
                "state": shorten(asked["state"]),
            }
        )
        for kind, page in visit.pages:
            (self._consent if kind == "consent" else self._sign_on)(page, asked)
        if "sign_on" not in visit.kinds:
            self._say.note("PingOne knows this browser already and asks for no password again.")
        self._arrival(asked, visit)

    def question(self, message: str) -> None:
        """Tell what the MCP server had the client ask the person, who agrees."""
        self.told.add("confirmation")
        self._say.note("The server asks back, and the client shows it to the person (MRTR):")
        self._say.facts({"question": message})
        self._say.sent("the person ticks the box; the client calls again with the answer")

    def _consent(self, page: Page, asked: Mapping[str, str]) -> None:
        self.told.add("consent")
        self._say.step("The authorization server asks the person, before anything goes to PingOne")
        self._say.received(f"a page at {_origin(page.url)}: “{page.heading}”")
        scopes = [name for name in asked.get("scope", "").split() if name != "offline_access"]
        self._say.check(self._client_name in page.text, f"it names the client: {self._client_name}")
        host = urlsplit(REDIRECT_URI).hostname or ""
        self._say.check(host in page.text, f"it names where the browser will go: {host}")
        self._say.check(
            bool(scopes) and all(name in page.text for name in scopes),
            f"it names what the client could do: {', '.join(scopes)}",
        )
        self._say.sent("the person presses Allow")

    def _sign_on(self, page: Page, _asked: Mapping[str, str]) -> None:
        self.told.add("sign_on")
        self._say.step("PingOne (here its simulator) asks the person to sign on")
        self._say.received(f"a page at {_origin(page.url)}: “{page.heading}”")
        self._say.check(
            page.url.startswith(self._config.pingone_issuer),
            "the password is typed at PingOne, and nowhere else",
        )

    def _arrival(self, asked: Mapping[str, str], visit: Visit) -> None:
        self._say.step("PingOne sends the browser back, and so does the authorization server")
        callback = f"{self._config.issuer}/callback"
        self._say.check(
            any(_without_query(url) == callback for url in visit.redirects),
            f"PingOne's own code went to {callback}, not to the client",
        )
        answer = visit.answer
        self._say.received(f"redirect to {_without_query(visit.arrived_at)}")
        self._say.facts(
            {
                "code": shorten(answer.get("code", "")),
                "state": shorten(answer.get("state", "")),
                "iss": answer.get("iss", "(none)"),
            }
        )
        self._say.check(answer.get("state") == asked["state"], "state is the one the client sent")
        self._say.check(answer.get("iss") == self._config.issuer, "iss is the issuer (RFC 9207)")

    def _mcp(self, exchange: Exchange) -> None:
        if exchange.status == 401:
            self._challenge(exchange)
        elif exchange.status == 403:
            self._step_up(exchange)
        else:
            self._message(exchange)

    def _challenge(self, exchange: Exchange) -> None:
        challenge = _challenge_of(exchange)
        has_handle = "authorization" in exchange.request_headers
        self.told.add("dead_handle" if has_handle else "challenge")
        with_or_without = "with the revoked handle" if has_handle else "without a handle"
        self._say.step(f"The client calls the MCP server {with_or_without}")
        self._say.sent(f"POST {exchange.url}  {_rpc_name(exchange)}")
        self._say.received(f"401 {exchange.headers.get('www-authenticate', '')}")
        expected = "invalid_token" if has_handle else None
        self._say.check(challenge.get("error") == expected, f"error code: {expected or 'none'}")
        self._say.check("resource_metadata" in challenge, "it says where to read on (RFC 9728)")

    def _step_up(self, exchange: Exchange) -> None:
        self.told.add("step_up")
        challenge = _challenge_of(exchange)
        self._say.step(f"{_rpc_name(exchange)} needs more than the person has allowed so far")
        self._say.sent(f"POST {exchange.url}  {_rpc_name(exchange)}")
        self._say.received(f"403 {exchange.headers.get('www-authenticate', '')}")
        self._say.check(challenge.get("error") == "insufficient_scope", "insufficient_scope")
        self._say.note("So the client asks the person again, for this scope too (step-up).")

    def _message(self, exchange: Exchange) -> None:
        result = exchange.received.get("result", {})
        self._say.step(_rpc_name(exchange))
        self._say.sent(f"POST {exchange.url}  Bearer {_bearer(exchange)}")
        if exchange.status == 202:
            self._say.received("202, a notification has no answer")
            return
        is_result = exchange.status == 200 and bool(result) and not result.get("isError")
        self._say.check(is_result, f"{exchange.status}, {'a result' if is_result else 'an error'}")
        self._say.facts(_result_facts(exchange.sent.get("method", ""), result))

    def _resource_metadata(self, exchange: Exchange) -> None:
        document = exchange.received
        self._say.step("The client reads which server protects this resource (RFC 9728)")
        self._say.sent(f"GET {exchange.url}")
        self._say.received(str(exchange.status))
        self._say.facts(_some(document, "resource", "authorization_servers", "scopes_supported"))
        self._say.check(document.get("resource") == self._config.mcp_url, "it is this resource")
        self._say.check(
            document.get("authorization_servers") == [self._config.issuer],
            "one authorization server, named exactly",
        )

    def _server_metadata(self, exchange: Exchange) -> None:
        document = exchange.received
        self._say.step("It reads the metadata of that authorization server (RFC 8414)")
        self._say.sent(f"GET {exchange.url}")
        self._say.received(str(exchange.status))
        names = ("issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint")
        self._say.facts(_some(document, *names))
        self._say.check(document.get("issuer") == self._config.issuer, "the issuer is itself")
        self._say.check(
            document.get("code_challenge_methods_supported") == ["S256"], "PKCE with S256 only"
        )

    def _registration(self, exchange: Exchange) -> None:
        document = exchange.received
        self._say.step("It registers itself (RFC 7591)")
        self._say.sent(f"POST {exchange.url}")
        self._say.facts(_some(exchange.sent, "client_name", "redirect_uris"))
        self._say.received(str(exchange.status))
        self._say.facts(_some(document, "client_id", "token_endpoint_auth_method"))
        self._say.check(
            exchange.status == 201 and "client_secret" not in document,
            "a public client: it has no secret, PKCE protects its codes",
        )

    def _token(self, exchange: Exchange) -> None:
        form, document = exchange.form, exchange.received
        self._say.step("It exchanges the code for a handle")
        self._say.sent(f"POST {exchange.url}  grant_type={form.get('grant_type', '')}")
        self._say.facts({name: shorten(form.get(name, "")) for name in ("code", "code_verifier")})
        self._say.received(str(exchange.status))
        names = ("access_token", "refresh_token", "token_type", "expires_in", "scope")
        self._say.facts(_some(document, *names))
        access_token = str(document.get("access_token", ""))
        self._say.check(
            access_token.startswith("mcpat_") and "." not in access_token,
            "an opaque handle: not a JWT, not PingOne's, of use at the MCP server alone",
        )
        self._say.check(exchange.headers.get("cache-control") == "no-store", "no-store")

    def _revocation(self, exchange: Exchange) -> None:
        self._say.step("The client gives its access back (RFC 7009)")
        self._say.sent(f"POST {exchange.url}  token={exchange.form.get('token', '')}")
        self._say.check(exchange.status == 200, str(exchange.status))

    def _unforeseen(self, exchange: Exchange) -> None:
        self._say.step("A request that does not belong to the story")
        self._say.check(False, f"{exchange.method} {exchange.url} {exchange.status}")


def _challenge_of(exchange: Exchange) -> dict[str, str]:
    return dict(_PARAMETER.findall(exchange.headers.get("www-authenticate", "")))


def _rpc_name(exchange: Exchange) -> str:
    method = str(exchange.sent.get("method", ""))
    if method == "tools/call":
        return f"tools/call {exchange.sent.get('params', {}).get('name', '')}"
    return method


def _result_facts(method: str, result: Mapping[str, Any]) -> dict[str, str]:
    if method == "tools/list":
        return {"tools": ", ".join(str(tool["name"]) for tool in result.get("tools", []))}
    if result.get("resultType") == "input_required":
        return {"requestState": shorten(str(result.get("requestState", "")))}
    if method == "tools/call":
        return _some(result.get("structuredContent") or {"content": result.get("content")})
    return _some(result, "supportedVersions", "protocolVersion")


def _some(document: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The named members that are there, or all, as text."""
    return {name: _text(document[name]) for name in names or document if name in document}


def _text(value: object) -> str:
    if isinstance(value, list):
        separator = "\n" if any(isinstance(item, dict) for item in value) else ", "
        return separator.join(_text(item) for item in value) or "(none)"
    if isinstance(value, dict):
        return "; ".join(f"{name} {_text(item)}" for name, item in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _bearer(exchange: Exchange) -> str:
    return exchange.request_headers.get("authorization", "(none)").partition(" ")[2]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_query(url: str) -> str:
    return urlsplit(url)._replace(query="", fragment="").geturl()
