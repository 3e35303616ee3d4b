"""The keys and credentials of one stack: made at its first start, readable by their owner only.

They outlive a restart, or everyone would have to sign in again. `make clean` removes them.
"""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from local_stack.problem import StackProblem

FILE_NAME = "secrets.json"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """What no process of the stack may print."""

    auth_encryption_keys: str = field(repr=False)
    cookie_encryption_key: str = field(repr=False)
    mcp_server_client_secret: str = field(repr=False)
    introspection_client_secret: str = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make new ones from the system's randomness."""
        return cls(
            auth_encryption_keys=f"local-1:{_random_base64()}",
            cookie_encryption_key=_random_base64(),
            mcp_server_client_secret=secrets.token_urlsafe(_KEY_BYTES),
            introspection_client_secret=secrets.token_urlsafe(_KEY_BYTES),
        )

    @classmethod
    def load_or_create(cls, folder: Path) -> Self:
        """Read the secrets of a state folder, or make and keep them; raise StackProblem."""
        path = folder / FILE_NAME
        try:
            return cls._parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls._create(path)
        except (OSError, ValueError) as error:
            raise StackProblem(
                f"{path} cannot be used ({error}). `make clean` removes it together with the"
                " databases whose content it encrypts."
            ) from error

    @classmethod
    def _parse(cls, text: str) -> Self:
        document = json.loads(text)
        names = {item.name for item in fields(cls)}
        if not isinstance(document, dict) or document.keys() != names:
            raise ValueError("it does not hold the secrets of this version")
        return cls(**{name: str(document[name]) for name in names})

    @classmethod
    def _create(cls, path: Path) -> Self:
        made = cls.generate()
        # Created with its final mode: there is no moment at which others could open it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(made), stream, indent=2)
        return made


def _random_base64() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")
