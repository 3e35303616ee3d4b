"""A mapping of bounded size: the simulator may run for weeks and must not grow."""

from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedStore(Generic[K, V]):
    """Keeps the newest max_entries entries; an entry beyond them pushes the oldest out."""

    def __init__(self, max_entries: int) -> None:
        self._entries: dict[K, V] = {}
        self._max_entries = max_entries

    def put(self, key: K, value: V) -> None:
        """Add an entry as the newest."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]

    def get(self, key: K) -> V | None:
        """Return the entry or None."""
        return self._entries.get(key)

    def pop(self, key: K) -> V | None:
        """Remove and return the entry, or None."""
        return self._entries.pop(key, None)

    def __iter__(self) -> Iterator[V]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)
