"""The MCP servers that handles are issued for: one in five variables, or several in a list."""

from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, InstanceOf, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import NoDecode

from auth_server.domain.handles import digest
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.settings.resource_list import parse_resource_list, parse_scope_list
from auth_server.settings.store import StoreSettings
from service_kit.key_files import read_text_file
from service_kit.settings import check_public_url, is_development

_KEEP_ONE: Final = "AUTH_RESOURCES describes every MCP server; take this out of auth's environment"


class ResourceSettings(StoreSettings):
    """The protected resources, and their servers' credentials for introspection.

    Either the list is given, or the variables of the single resource.
    """

    # The list first: it has been read when the others are, which settings check unset as well. Of
    # its secrets only digests are kept.
    auth_resources_file: str = ""
    auth_resources: Annotated[tuple[InstanceOf[ProtectedResource], ...], NoDecode] = Field(
        (), description="several MCP servers, a JSON list"
    )
    api_identifier: str = ""
    mcp_resource: str = ""
    mcp_scopes: str = "todo_api:read todo_api:write"
    introspection_client_id: str = ""
    introspection_client_secret: SecretStr = SecretStr("")

    @property
    def protected_resources(self) -> ProtectedResources:
        """What the variables describe, in the one form or in the other."""
        return ProtectedResources(self.auth_resources or [self._single_resource])

    @property
    def _single_resource(self) -> ProtectedResource:
        return ProtectedResource(
            identifier=self.mcp_resource,
            upstream_audience=self.api_identifier,
            upstream_scopes=parse_scope_list(self.mcp_scopes),
            introspection_client_id=self.introspection_client_id,
            introspection_client_secret_digest=digest(
                self.introspection_client_secret.get_secret_value()
            ),
        )

    @field_validator("auth_resources", mode="before")
    @classmethod
    def _read_list(cls, value: Any, info: ValidationInfo) -> Any:
        file = info.data.get("auth_resources_file", "")
        if value and file:
            raise ValueError("AUTH_RESOURCES_FILE is set as well; keep one of the two")
        if not value and not file:
            return ()
        text = read_text_file(Path(file)) if file else str(value)
        # A public URL that is missing or wrong ends the start by itself.
        development = is_development(info.data.get("auth_public_url", ""))
        try:
            return parse_resource_list(text, is_development=development)
        except ValueError as error:
            raise ValueError(f"{file}: {error}" if file else str(error)) from None

    @field_validator("api_identifier", "mcp_resource", "introspection_client_id")
    @classmethod
    def _check_presence(cls, value: str, info: ValidationInfo) -> str:
        _check_presence(value, info)
        return value

    @field_validator("introspection_client_secret")
    @classmethod
    def _check_secret_presence(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        _check_presence(value.get_secret_value(), info)
        return value

    @field_validator("mcp_resource")
    @classmethod
    def _check_mcp_resource(cls, value: str) -> str:
        return check_public_url(value, path_allowed=True) if value else value

    @field_validator("mcp_scopes")
    @classmethod
    def _check_mcp_scopes(cls, value: str, info: ValidationInfo) -> str:
        if not info.data.get("auth_resources"):
            parse_scope_list(value)
        return value

    @model_validator(mode="after")
    def _refuse_scopes_beside_a_list(self) -> Self:
        # The one of them with a default: only here it is known whether it was given.
        if self.auth_resources and self.mcp_scopes and "mcp_scopes" in self.model_fields_set:
            raise ValueError(f"MCP_SCOPES: {_KEEP_ONE}")
        return self


def _check_presence(value: str, info: ValidationInfo) -> None:
    """A variable of the single resource is there exactly if the list is not."""
    if "auth_resources" not in info.data:
        return  # the list is there, and wrong: that is enough to say
    if info.data["auth_resources"] and value:
        raise ValueError(_KEEP_ONE)
    if not info.data["auth_resources"] and not value:
        raise ValueError("must be set; or AUTH_RESOURCES, for several MCP servers")
