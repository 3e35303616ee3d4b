"""What a migration, and what looking after the data, needs to know."""

from datetime import timedelta
from typing import Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.redirect_uris import NEVER_PRIVATE_USE
from auth_server.storage.encryption import KeyRing
from auth_server.storage.engines import parse_database_url
from service_kit.key_files import given_keys
from service_kit.settings import LogLevel, ServiceSettings, check_public_url, is_development

_MAX_DAYS: Final = 3650


class StoreSettings(ServiceSettings):
    """What a migration needs to know: no key and no credential but the database's."""

    auth_public_url: str = Field("http://localhost:8080", description="the issuer")
    auth_database_url: SecretStr = SecretStr("sqlite+aiosqlite:///.local-state/auth.db")
    auth_log_level: LogLevel = "INFO"

    @property
    def is_development(self) -> bool:
        """True when the issuer is http on a loopback host."""
        return is_development(self.auth_public_url)

    @field_validator("auth_public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        return check_public_url(value)

    @field_validator("auth_database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr) -> SecretStr:
        parse_database_url(value.get_secret_value())
        return value


class DataSettings(StoreSettings):
    """What looking after the data needs: database, key ring and lifetimes, nothing of PingOne's."""

    # The file first: it has been read when the keys are.
    auth_encryption_keys_file: str = ""
    auth_encryption_keys: SecretStr = Field(SecretStr(""), validate_default=True)

    auth_consent_form_minutes: int = Field(60, ge=5, le=1440)
    auth_sign_on_minutes: int = Field(30, ge=5, le=1440)
    auth_code_seconds: int = Field(60, ge=5, le=600)
    auth_access_handle_seconds: int = Field(3600, ge=1, le=86_400)
    auth_refresh_handle_days: int = Field(30, ge=1, le=_MAX_DAYS)
    auth_refresh_grace_seconds: int = Field(60, ge=0, le=600)
    auth_grant_days: int = Field(180, ge=1, le=_MAX_DAYS)
    auth_grants_per_client: int = Field(20, ge=1, le=1000)
    auth_consent_days: int = Field(30, ge=1, le=_MAX_DAYS)
    auth_audit_days: int = Field(365, ge=1, le=_MAX_DAYS)
    auth_private_use_schemes: str = "cursor vscode vscode-insiders"

    @property
    def private_use_schemes(self) -> frozenset[str]:
        """Schemes that redirect URIs may have beside https and loopback http."""
        return frozenset(self.auth_private_use_schemes.split())

    @property
    def key_ring(self) -> KeyRing:
        """The keys of the ring, whether they came from a variable or from a file."""
        return KeyRing.parse(self.auth_encryption_keys.get_secret_value())

    @property
    def lifetimes(self) -> Lifetimes:
        """How long things live."""
        return Lifetimes(
            consent_form=timedelta(minutes=self.auth_consent_form_minutes),
            sign_on=timedelta(minutes=self.auth_sign_on_minutes),
            code=timedelta(seconds=self.auth_code_seconds),
            access_handle=timedelta(seconds=self.auth_access_handle_seconds),
            refresh_handle=timedelta(days=self.auth_refresh_handle_days),
            refresh_grace=timedelta(seconds=self.auth_refresh_grace_seconds),
            grant=timedelta(days=self.auth_grant_days),
            consent=timedelta(days=self.auth_consent_days),
            audit=timedelta(days=self.auth_audit_days),
        )

    @field_validator("auth_private_use_schemes")
    @classmethod
    def _check_private_use_schemes(cls, value: str) -> str:
        if refused := NEVER_PRIVATE_USE.intersection(value.lower().split()):
            raise ValueError(f"{', '.join(sorted(refused))} must never be redirected to")
        return value

    @field_validator("auth_encryption_keys")
    @classmethod
    def _read_encryption_keys(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        file = info.data.get("auth_encryption_keys_file", "")
        keys = given_keys("AUTH_ENCRYPTION_KEYS", value.get_secret_value(), file)
        try:
            KeyRing.parse(keys)
        except ValueError as error:
            raise ValueError(f"{file}: {error}" if file else str(error)) from None
        return SecretStr(keys)
