"""A client as a table: what it says of itself, and what it sends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from joserfc.jwk import RSAKey

Step = Literal["authorize", "token", "refresh"]
EVERYWHERE: Final[frozenset[Step]] = frozenset({"authorize", "token", "refresh"})
NOWHERE: Final[frozenset[Step]] = frozenset()


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """One client, and one way in which it connects.

    Exactly one of `registration` (the body of its `POST /register`) and `document` (what its
    client_id, a URL, shows) is there. `redirect_uri` is the one that its authorization request
    names. `scope` None means: what the challenge says (MCP authorization, scope selection).
    """

    name: str
    redirect_uri: str
    registration: Mapping[str, Any] | None = None
    document: Mapping[str, Any] | None = None
    scope: str | None = None
    state: str = "b7Jt0uS4wQeNnV2c"
    resource_at: frozenset[Step] = EVERYWHERE
    parameters: Mapping[str, str] = field(default_factory=dict)
    signs_with: RSAKey | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.name
