"""Rows of the table `authorizations`, and the authorizations that they stand for."""

from typing import Any, Final

from sqlalchemy.engine import RowMapping

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    AuthorizationStep,
    Finish,
    PendingAuthorization,
    UpstreamAccount,
    UpstreamLogin,
)
from auth_server.domain.grants import Subject
from auth_server.storage.encryption import Encryption
from auth_server.storage.upstream_tokens import decode_tokens, encode_tokens

CLIENT_STATE_PURPOSE: Final = "authorizations.client_state"
CODE_VERIFIER_PURPOSE: Final = "authorizations.code_verifier"
NONCE_PURPOSE: Final = "authorizations.nonce"
ACCOUNT_TOKENS_PURPOSE: Final = "authorizations.account_tokens"


class AuthorizationRows:
    """Encrypts on the way in, decrypts on the way out."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    def values_of(self, pending: PendingAuthorization) -> dict[str, Any]:
        """The columns of an authorization that goes to PingOne; it must have a login."""
        request, login = pending.request, pending.login
        if login is None:
            raise ValueError("the authorization has no login")
        return {
            "id": pending.id,
            "form_id": pending.form_id,
            "step": pending.step.value,
            "started_digest": pending.started_digest,
            "browser_digest": pending.browser_digest,
            "client_id": request.client_id,
            "redirect_uri": request.redirect_uri,
            "client_state_encrypted": None
            if request.state is None
            else self._encrypt(request.state, pending.id, CLIENT_STATE_PURPOSE),
            "code_challenge": request.code_challenge,
            "resource": request.resource,
            "scopes": request.scopes,
            "prompts": request.prompts,
            "consent_is_remembered": pending.consent_is_remembered,
            "expires_at": pending.expires_at,
            "state_digest": login.state_digest,
            "code_verifier_encrypted": self._encrypt(
                login.code_verifier, pending.id, CODE_VERIFIER_PURPOSE
            ),
            "nonce_encrypted": self._encrypt(login.nonce, pending.id, NONCE_PURPOSE),
        }

    def account_values(self, row_id: str, account: UpstreamAccount) -> dict[str, Any]:
        """The columns of an account that waits for a second consent."""
        return {
            "account_subject": account.subject.subject,
            "account_username": account.subject.username,
            "account_tokens_encrypted": self._encryption.encrypt(
                encode_tokens(account.tokens), row_id=row_id, purpose=ACCOUNT_TOKENS_PURPOSE
            ),
        }

    def pending_of(self, row: RowMapping) -> PendingAuthorization:
        """The authorization in a row."""
        return PendingAuthorization(
            id=row["id"],
            form_id=row["form_id"],
            step=AuthorizationStep(row["step"]),
            started_digest=row["started_digest"],
            browser_digest=row["browser_digest"],
            request=AuthorizationRequest(
                client_id=row["client_id"],
                redirect_uri=row["redirect_uri"],
                state=None
                if row["client_state_encrypted"] is None
                else self._decrypt(row, "client_state_encrypted", CLIENT_STATE_PURPOSE),
                code_challenge=row["code_challenge"],
                resource=row["resource"],
                scopes=row["scopes"],
                prompts=row["prompts"],
            ),
            expires_at=row["expires_at"],
            consent_is_remembered=row["consent_is_remembered"],
            login=self._login_of(row),
            account=self.account_of(row),
            finish=None
            if row["spent_at"] is None
            else Finish(row["spent_at"], row["ended_at"], row["answer_encrypted"]),
        )

    def account_of(self, row: RowMapping) -> UpstreamAccount | None:
        """The account that waits in a row, if one does."""
        if row["account_tokens_encrypted"] is None:
            return None
        tokens = self._decrypt(row, "account_tokens_encrypted", ACCOUNT_TOKENS_PURPOSE)
        return UpstreamAccount(
            subject=Subject(row["account_subject"], row["account_username"]),
            tokens=decode_tokens(tokens.encode("utf-8")),
        )

    def _login_of(self, row: RowMapping) -> UpstreamLogin | None:
        if row["code_verifier_encrypted"] is None:
            return None
        return UpstreamLogin(
            state_digest=row["state_digest"],
            code_verifier=self._decrypt(row, "code_verifier_encrypted", CODE_VERIFIER_PURPOSE),
            nonce=self._decrypt(row, "nonce_encrypted", NONCE_PURPOSE),
        )

    def _encrypt(self, value: str, row_id: str, purpose: str) -> bytes:
        return self._encryption.encrypt(value.encode("utf-8"), row_id=row_id, purpose=purpose)

    def _decrypt(self, row: RowMapping, column: str, purpose: str) -> str:
        return self._encryption.decrypt(row[column], row_id=row["id"], purpose=purpose).decode()
