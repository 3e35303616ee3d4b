"""Which paths a person opens in a window, and which an application calls: browsers are held to it.

What breaks this rule is refused before any budget is spent, see service_kit.fetch_metadata.
"""

from typing import Final

from auth_server.endpoints.account import ACCOUNT_PATHS
from auth_server.endpoints.account_sign_in import ACCOUNT

# A person looks at what these answer.
PAGE_PATHS: Final = frozenset({"/authorize", "/consent", "/callback"}) | ACCOUNT_PATHS
# Pages of any origin may call these by CORS.
API_PATHS: Final = frozenset({"/token", "/register", "/revoke"})


def is_page(path: str) -> bool:
    """True for pages, for what their forms lead to, and for whatever may be below them one day."""
    return path in PAGE_PATHS or path.startswith(f"{ACCOUNT}/")


def is_api(path: str) -> bool:
    """True for the endpoints that applications call."""
    return path in API_PATHS
