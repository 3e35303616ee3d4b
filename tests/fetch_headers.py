"""What browsers say of a request by itself, as current ones do (W3C Fetch Metadata)."""


def navigation(site: str = "none") -> dict[str, str]:
    """A window goes there: by the address bar (none), a link, a form or a redirect."""
    return said(site, "navigate", "document")


def script(site: str) -> dict[str, str]:
    """A script of a page asks with fetch(), to read the answer."""
    return said(site, "cors", "empty")


def said(site: str, mode: str, dest: str) -> dict[str, str]:
    """All three headers."""
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
