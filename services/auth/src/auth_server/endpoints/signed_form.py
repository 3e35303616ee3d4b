"""Forms that only the browser they were shown to can send: a signed token, and the same origin."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fastapi import Request
from itsdangerous import BadData, URLSafeTimedSerializer

from auth_server.domain.handles import Digest
from auth_server.endpoints.parameters import Parameters
from auth_server.endpoints.same_origin import is_same_origin

TOKEN_FIELD: Final = "csrf_token"


@dataclass(frozen=True, slots=True)
class SignedForm:
    """Signs what a form is bound to, and checks it when the form comes back.

    `purpose` keeps the tokens of one form from counting in another. `cookie_keys` is ordered as
    configured: the first signs, all verify.
    """

    purpose: str
    issuer: str
    cookie_keys: Sequence[str]
    lifetime: timedelta

    def token(self, owner: Digest, *values: str) -> str:
        """The hidden field: good for the owner of this cookie, and for these values."""
        return str(self._signer().dumps([*values, _text(owner)]))

    def is_ours(self, request: Request, form: Parameters, owner: Digest, *values: str) -> bool:
        """True if the form came from our page, was shown to this owner, and not too long ago."""
        if not is_same_origin(request, self.issuer):
            return False
        try:
            signed = self._signer().loads(
                form.optional(TOKEN_FIELD) or "", max_age=int(self.lifetime.total_seconds())
            )
        except BadData:
            return False
        return bool(signed == [*values, _text(owner)])

    def _signer(self) -> URLSafeTimedSerializer:
        # itsdangerous signs with the last key of its list.
        return URLSafeTimedSerializer(list(reversed(self.cookie_keys)), salt=self.purpose)


def _text(digest: Digest) -> str:
    return base64.urlsafe_b64encode(digest).decode("ascii")
