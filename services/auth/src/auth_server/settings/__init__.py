"""The environment of the authorization server. Read by app and cli only."""

from auth_server.settings.auth import AuthSettings
from auth_server.settings.pingone import MAX_PINGONE_TIMEOUT_SECONDS
from auth_server.settings.store import DataSettings, StoreSettings

__all__ = ["MAX_PINGONE_TIMEOUT_SECONDS", "AuthSettings", "DataSettings", "StoreSettings"]
