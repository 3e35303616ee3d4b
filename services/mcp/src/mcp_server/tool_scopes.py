"""Which scopes each tool needs: the one table behind the 403, the tools' own check and the PRM."""

from collections.abc import Mapping
from types import MappingProxyType

READ = "todo_api:read"
WRITE = "todo_api:write"

# What a client is told to ask for first; more is asked for when a tool needs it (step-up).
MINIMAL_SCOPES = (READ,)
# No offline_access here: whether to stay signed in is between the client and auth.
SUPPORTED_SCOPES = (READ, WRITE)

TOOL_SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "who_am_i": frozenset(),
        "list_todos": frozenset({READ}),
        "create_todo": frozenset({WRITE}),
        "set_todo_status": frozenset({WRITE}),
        "delete_todo": frozenset({WRITE}),
    }
)


def scopes_lacking(tool: str, granted: frozenset[str]) -> frozenset[str]:
    """Return the scopes a tool needs when any of them is not granted, else the empty set.

    All of them, since one challenge must name everything the operation needs. There is no
    hierarchy: write does not imply read. A tool that does not exist needs nothing.
    """
    needed = TOOL_SCOPES.get(tool, frozenset())
    return frozenset() if needed <= granted else needed
