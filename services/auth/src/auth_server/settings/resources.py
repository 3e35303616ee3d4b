"""The MCP servers that handles are issued for."""

from pydantic import SecretStr, field_validator

from auth_server.settings.scopes import check_scope
from auth_server.settings.store import StoreSettings
from service_kit.settings import check_public_url


class ResourceSettings(StoreSettings):
    """The protected resource, and its server's credential for introspection."""

    api_identifier: str
    mcp_resource: str
    mcp_scopes: str = "todo_api:read todo_api:write"
    introspection_client_id: str
    introspection_client_secret: SecretStr

    @field_validator("mcp_resource")
    @classmethod
    def _check_mcp_resource(cls, value: str) -> str:
        return check_public_url(value, path_allowed=True)

    @field_validator("mcp_scopes")
    @classmethod
    def _check_mcp_scopes(cls, value: str) -> str:
        return check_scope(value)
