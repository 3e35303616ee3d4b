"""How much a caller may do in which time."""

from pydantic import Field, field_validator

from auth_server.settings.store import StoreSettings
from service_kit.rate_limits import parse_limits


class RateLimitSettings(StoreSettings):
    """Budgets in the notation `20/second;600/minute`; an empty one is off."""

    auth_rate_limits: bool = True
    auth_limit_authorize: str = Field("300/minute", description="by address")
    auth_limit_pages: str = Field("1200/minute", description="by address")
    auth_limit_cross_origin: str = Field(
        "60/minute", description="by address, for pages of other origins"
    )
    auth_limit_register: str = Field("100/minute", description="by address")
    auth_limit_token: str = Field("600/minute", description="by client_id and address")
    auth_limit_token_address: str = Field("3000/minute", description="by address")
    auth_limit_refresh: str = Field("120/minute", description="by grant")
    auth_limit_client_failures: str = Field("20/minute", description="by client_id and address")
    auth_limit_introspection_failures: str = Field(
        "20/minute", description="by client_id and address"
    )

    @field_validator(
        "auth_limit_authorize",
        "auth_limit_pages",
        "auth_limit_cross_origin",
        "auth_limit_register",
        "auth_limit_token",
        "auth_limit_token_address",
        "auth_limit_refresh",
        "auth_limit_client_failures",
        "auth_limit_introspection_failures",
    )
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_limits(value)
        return value
