"""From which hosts the documents of clients are fetched: the operator's rules."""

import re
from dataclasses import dataclass
from typing import Final, Self

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class DocumentHosts:
    """`*.example.com` is every host below example.com, and not example.com itself."""

    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, allowed: str, denied: str) -> Self:
        """Read two lists, separated by spaces; raise ValueError for what is no host or pattern."""
        return cls(parse_host_patterns(allowed), parse_host_patterns(denied))

    def allows(self, host: str) -> bool:
        """True unless the host is denied, or there are allowed ones and it is not one of them."""
        if _matches(host, self.denied):
            return False
        return not self.allowed or _matches(host, self.allowed)


def parse_host_patterns(value: str) -> frozenset[str]:
    """Read a list that is separated by spaces; raise ValueError for what is no host or pattern."""
    patterns = value.lower().split()
    for pattern in patterns:
        if _PATTERN.fullmatch(pattern) is None:
            raise ValueError(f"must list hosts, as in: claude.ai *.example.com; not {pattern!r}")
    return frozenset(patterns)


def _matches(host: str, patterns: frozenset[str]) -> bool:
    labels = host.lower().split(".")
    parents = (".".join(labels[start:]) for start in range(1, len(labels)))
    return host.lower() in patterns or any(f"*.{parent}" in patterns for parent in parents)
