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


def scopes_to_ask_for(tool: str, granted: frozenset[str]) -> frozenset[str]:
    """Return what to ask for when a tool needs a scope that is not granted, else the empty set.

    Everything the tool needs, and what a client begins with: some clients ask for exactly what the
    last challenge named, and would give up reading for writing. It depends on the tool alone, so
    that the answer to one operation is always the same. There is no hierarchy: write does not imply
    read. A tool that does not exist needs nothing.
    """
    needed = TOOL_SCOPES.get(tool, frozenset())
    return frozenset() if needed <= granted else needed | frozenset(MINIMAL_SCOPES)
