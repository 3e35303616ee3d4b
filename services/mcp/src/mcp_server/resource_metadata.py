"""The protected resource metadata (RFC 9728), at the root and at the path of the resource."""

from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import request_response
from starlette.types import ASGIApp

from mcp_server.tool_scopes import SUPPORTED_SCOPES

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def resource_metadata_url(resource: str) -> str:
    """Return where the metadata of a resource is found (RFC 9728 section 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{_WELL_KNOWN}{parts.path}"


def resource_metadata_paths(resource: str) -> tuple[str, str]:
    """Return where clients look: at the root and, by RFC 9728, at the path of the resource."""
    return _WELL_KNOWN, _WELL_KNOWN + urlsplit(resource).path


def create_resource_metadata(*, resource: str, issuer: str, name: str) -> ASGIApp:
    """Return the application that answers GET with the metadata; any web page may read it."""
    document = {
        "resource": resource,
        # A client compares these as strings with the issuer it finds there: no trailing slash.
        "authorization_servers": [issuer],
        "scopes_supported": list(SUPPORTED_SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    }

    async def answer(_request: Request) -> Response:
        return JSONResponse(document, headers={"Cache-Control": "public, max-age=300"})

    # What clients send along, needed or not; a browser asks first.
    return CORSMiddleware(
        request_response(answer),
        allow_origins=["*"],
        allow_methods=["GET"],
        allow_headers=["authorization", "content-type", "mcp-protocol-version"],
    )
