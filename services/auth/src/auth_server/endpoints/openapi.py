"""What the endpoints say of themselves in OpenAPI.

They read their parameters by hand, strictly, so the framework cannot know them. Nobody is served
this description: the tests hold the endpoints to it.
"""

from collections.abc import Mapping
from typing import Any, Final

from auth_server.domain.authorization_requests import MAX_STATE_LENGTH
from auth_server.domain.clients import GrantType, TokenEndpointAuthMethod
from auth_server.domain.pkce import S256

Schema = dict[str, Any]
Described = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_URI: Final[Schema] = {"type": "string", "format": "uri"}
_SECONDS: Final[Schema] = {"type": "integer", "minimum": 0}
_VERIFIER: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9._~-]{43,128}$"}
_CHALLENGE: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}


def _object(properties: Mapping[str, Schema], *required: str) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _answer(description: str, schema: Schema, media_type: str = "application/json") -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _body(media_type: str, schema: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def _form(properties: Mapping[str, Schema], *required: str) -> Schema:
    return _body("application/x-www-form-urlencoded", _object(properties, *required))


_REFUSAL: Final = _object({"error": _NAME, "error_description": _TEXT}, "error")
_REFUSALS: Final[dict[int, Schema]] = {
    400: _answer("Refused (RFC 6749 5.2)", _REFUSAL),
    401: _answer("The caller is not proven", _REFUSAL),
    429: _answer("Too often; Retry-After says when to come again", _REFUSAL),
    503: _answer("Away for now; Retry-After says when to come again", _REFUSAL),
}
_PAGE: Final = {"type": "string"}

# How a client proves itself, in the body; or by HTTP Basic.
_CLIENT: Final[dict[str, Schema]] = {
    "client_id": _TEXT,
    "client_secret": _TEXT,
    "client_assertion_type": _TEXT,
    "client_assertion": _TEXT,
}
_PROVEN_BY_BASIC: Final[list[Schema]] = [{}, {"HTTPBasic": []}]

AUTHORIZE: Final[Described] = {
    "openapi_extra": {
        "parameters": [
            {"name": name, "in": "query", "required": is_required, "schema": schema}
            for name, is_required, schema in (
                ("response_type", True, {"const": "code"}),
                ("client_id", True, _NAME),
                ("redirect_uri", False, _URI),
                ("code_challenge", True, _CHALLENGE),
                ("code_challenge_method", True, {"const": S256}),
                ("scope", False, _TEXT),
                ("state", False, {"type": "string", "maxLength": MAX_STATE_LENGTH}),
                ("resource", False, _URI),
                ("prompt", False, _TEXT),
            )
        ]
    },
    "responses": {
        200: _answer("The consent page", _PAGE, "text/html"),
        303: {"description": "To PingOne, or back to the client with an error (RFC 6749 4.1.2.1)"},
        **{
            status: _answer(
                "A page: the request may not be answered by redirect", _PAGE, "text/html"
            )
            for status in (400, 401, 429, 503)
        },
    },
}

TOKEN: Final[Described] = {
    "openapi_extra": {
        **_form(
            {
                "grant_type": {"enum": list(GrantType)},
                "code": _TEXT,
                "code_verifier": _VERIFIER,
                "redirect_uri": _TEXT,
                "refresh_token": _TEXT,
                "scope": _TEXT,
                "resource": _TEXT,
                **_CLIENT,
            },
            "grant_type",
        ),
        "security": _PROVEN_BY_BASIC,
    },
    "responses": {
        200: _answer(
            "Handles (RFC 6749 5.1)",
            _object(
                {
                    "access_token": {"type": "string", "pattern": "^mcpat_"},
                    "token_type": {"const": "Bearer"},
                    "expires_in": _SECONDS,
                    "scope": _NAME,
                    "refresh_token": {"type": "string", "pattern": "^mcprt_"},
                },
                *("access_token", "token_type", "expires_in", "scope"),
            ),
        ),
        **_REFUSALS,
    },
}

_METADATA: Final[dict[str, Schema]] = {
    "redirect_uris": {"type": "array", "items": _URI, "minItems": 1},
    "client_name": {"type": "string", "maxLength": 200},
    "token_endpoint_auth_method": {"enum": list(TokenEndpointAuthMethod)},
    "grant_types": {"type": "array", "items": _TEXT, "contains": {"const": "authorization_code"}},
    "response_types": {"type": "array", "items": _TEXT, "contains": {"const": "code"}},
    "application_type": {"enum": ["native", "web"]},
    "scope": _TEXT,
}

REGISTER: Final[Described] = {
    "openapi_extra": _body("application/json", _object(_METADATA, "redirect_uris")),
    "responses": {
        201: _answer(
            "The client (RFC 7591 3.2.1)",
            _object(
                {
                    **_METADATA,
                    "client_id": _NAME,
                    "client_id_issued_at": _SECONDS,
                    "client_secret": _NAME,
                    "client_secret_expires_at": {"const": 0},
                },
                *("client_id", "client_id_issued_at", "redirect_uris", "grant_types"),
                *("token_endpoint_auth_method", "response_types", "application_type"),
            ),
        ),
        **_REFUSALS,
    },
}

REVOKE: Final[Described] = {
    "openapi_extra": {
        **_form({"token": _NAME, "token_type_hint": _TEXT, **_CLIENT}, "token"),
        "security": _PROVEN_BY_BASIC,
    },
    "responses": {
        200: {"description": "Revoked, or unknown (RFC 7009 2.2)"},
        **_REFUSALS,
    },
}

_DOWNSTREAM: Final = _object(
    {
        "access_token": _NAME,
        "token_type": {"const": "Bearer"},
        "expires_at": _SECONDS,
        "audience": _NAME,
        "scope": _TEXT,
    },
    *("access_token", "token_type", "expires_at", "audience", "scope"),
)
_ACTIVE: Final = _object(
    {
        "active": {"const": True},
        "scope": _TEXT,
        "client_id": _NAME,
        "username": _TEXT,
        "token_type": {"const": "Bearer"},
        "exp": _SECONDS,
        "iat": _SECONDS,
        "sub": _NAME,
        "aud": _URI,
        "iss": _URI,
        "grant_id": _NAME,
        "downstream_token": _DOWNSTREAM,
    },
    *("active", "scope", "client_id", "exp", "sub", "aud", "iss", "grant_id", "downstream_token"),
)
# Exactly one negative answer.
_INACTIVE: Final = {
    **_object({"active": {"const": False}}, "active"),
    "additionalProperties": False,
}

INTROSPECT: Final[Described] = {
    "openapi_extra": {
        **_form({"token": _NAME, "token_type_hint": _TEXT}, "token"),
        "security": [{"HTTPBasic": []}],
    },
    "responses": {
        200: _answer("What the handle stands for", {"oneOf": [_ACTIVE, _INACTIVE]}),
        **_REFUSALS,
    },
}
