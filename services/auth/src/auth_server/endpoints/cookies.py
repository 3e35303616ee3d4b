"""The secrets in our cookies: read strictly, and nothing but 256 bits as we write them."""

import re
from typing import Final

from fastapi import Request

from auth_server.domain.handles import Digest, digest
from service_kit.cookies import cookie_value

_SECRET: Final = re.compile(rb"[A-Za-z0-9_-]{43}")


def secret_digest(request: Request, name: str) -> Digest | None:
    """The digest of the secret in the cookie `name`; None if it is absent or of another form.

    The secret itself goes no further: what came from outside can become the value of no cookie.
    """
    value = cookie_value(request.scope, name.encode("ascii"))
    if value is None or _SECRET.fullmatch(value) is None:
        return None
    return digest(value.decode("ascii"))
