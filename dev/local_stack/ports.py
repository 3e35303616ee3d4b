"""The ports of the stack: the usual ones, others by environment variable, or any free ones."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from local_stack.problem import StackProblem

_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


@dataclass(frozen=True, slots=True)
class Ports:
    """A field `auth_internal` is the port that AUTH_INTERNAL_PORT names."""

    auth: int = 8080
    auth_internal: int = 8090
    mcp: int = 8081
    mcp_internal: int = 8091
    todo: int = 8082
    todo_internal: int = 8092
    simulator: int = 9080

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The usual ports, except where a variable such as AUTH_PORT names another one."""
        given: dict[str, int] = {}
        for name in _names():
            variable = _variable(name)
            if value := environment.get(variable):
                given[name] = _as_port(variable, value)
        ports = cls(**given)
        if len(set(ports.by_variable().values())) < len(_names()):
            raise StackProblem("Two services cannot have the same port: " + ports.describe())
        return ports

    @classmethod
    def free(cls) -> Self:
        """Ports nobody listens on now. All are held until the last is found, so they differ."""
        holders = [socket.socket() for _ in _names()]
        try:
            for holder in holders:
                holder.bind(("127.0.0.1", 0))
            return cls(*(holder.getsockname()[1] for holder in holders))
        finally:
            for holder in holders:
                holder.close()

    def by_variable(self) -> dict[str, int]:
        """Every port by the variable that sets it."""
        return {_variable(name): getattr(self, name) for name in _names()}

    def taken(self) -> dict[str, int]:
        """Those that somebody listens on already, by variable."""
        return {name: port for name, port in self.by_variable().items() if _is_taken(port)}

    def describe(self) -> str:
        """All ports on one line, as a shell would take them."""
        return " ".join(f"{name}={port}" for name, port in self.by_variable().items())


def refuse_taken(ports: Ports) -> None:
    """Raise StackProblem if a port is taken, naming each and saying what to do."""
    taken = ports.taken()
    if not taken:
        return
    lines = [f"  {port} ({name}): lsof -i :{port} shows who" for name, port in taken.items()]
    example = " ".join(f"{name}={port}" for name, port in _alternatives(taken).items())
    raise StackProblem(
        "These ports are in use by another program, perhaps another stack of this project:\n"
        + "\n".join(lines)
        + f"\nStop that program, or choose other ports, for example:\n  {example} make dev"
    )


def _alternatives(taken: Mapping[str, int]) -> dict[str, int]:
    free = iter(Ports.free().by_variable().values())
    return {name: next(free) for name in taken}


def _names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Ports))


def _variable(name: str) -> str:
    return f"{name.upper()}_PORT"


def _as_port(variable: str, value: str) -> int:
    if value.isascii() and value.isdigit() and 1 <= int(value) <= 65535:
        return int(value)
    raise StackProblem(f"{variable} must be a port from 1 to 65535")


def _is_taken(port: int) -> bool:
    # Clients try both addresses of `localhost`: a stranger on either of them would be in the way.
    for family, address in _LOOPBACK:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
    return False
