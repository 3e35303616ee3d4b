"""Files that hold keys, as a secret store mounts them: one key a line, or comma separated."""

from pathlib import Path
from typing import Final

MAX_BYTES: Final = 64 * 1024


def split_keys(text: str) -> tuple[str, ...]:
    """The keys in a text, in order, without the white space around them."""
    keys = text.replace("\n", ",").split(",")
    return tuple(key.strip() for key in keys if key.strip())


def given_keys(variable: str, value: str, file: str) -> str:
    """The keys in a variable, or in the file that its neighbour *_FILE names, comma separated.

    Raises ValueError unless exactly one of the two is set and the file can be read.
    """
    if value and file:
        raise ValueError(f"{variable}_FILE is set as well; keep one of the two")
    if value:
        return value
    if not file:
        raise ValueError(f"this or {variable}_FILE must be set")
    return ",".join(read_key_file(Path(file)))


def read_key_file(path: Path) -> tuple[str, ...]:
    """The keys in a file, in order; raise ValueError, which names the file and never a key."""
    keys = split_keys(read_text_file(path))
    if not keys:
        raise ValueError(f"{path} holds no key")
    return keys


def read_text_file(path: Path) -> str:
    """The text of a file of secrets; raise ValueError, which names the file and nothing in it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} is longer than {MAX_BYTES} bytes; is it the right file?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text; is it the right file?") from None
