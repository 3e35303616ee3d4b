"""`GET /.well-known/openid-configuration`: PingOne's members, with what the simulator can do."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pingone_simulator.resources import OIDC_SCOPES
from pingone_simulator.signing_key import ALGORITHM

_CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post"]
_CLAIMS = [
    *["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "sid", "at_hash"],
    *["name", "given_name", "family_name", "preferred_username", "email"],
]


def discovery_routes(issuer: str) -> APIRouter:
    """OpenID Connect Discovery 1.0 section 4."""
    router = APIRouter()
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/signoff",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "scopes_supported": list(OIDC_SCOPES),
        "claims_supported": _CLAIMS,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "introspection_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
        "code_challenge_methods_supported": ["S256"],
    }

    @router.get("/.well-known/openid-configuration")
    async def openid_configuration() -> JSONResponse:
        return JSONResponse(document)

    return router
