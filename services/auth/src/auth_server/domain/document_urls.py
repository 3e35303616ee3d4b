"""From where documents and key sets of clients can be fetched, as far as the text of a URL tells.

https on port 443 of a host with a name of at least two labels. Addresses are looked at when the
name has been looked up.
"""

import re
from typing import Final

MAX_LENGTH: Final = 2000

# RFC 3986 2, without the fragment and without user information: nothing in which a parser could see
# another host than this expression does. No backslash, white space or percent sign in a host.
_URL: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]{1,253})(?P<port>:443)?"
    r"(?:[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?",
    re.ASCII,
)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)


class UnfetchableUrl(ValueError):
    """Nothing is fetched from such a URL. The text says why, and does not quote it."""


def host_to_fetch_from(url: str) -> str:
    """Return the host, in lower case; raise UnfetchableUrl."""
    match = _URL.fullmatch(url) if len(url) <= MAX_LENGTH else None
    if match is None:
        raise UnfetchableUrl("not an https URL on port 443, or it has odd characters")
    host = match["host"].lower()
    if not _is_dns_name(host):
        raise UnfetchableUrl("the host is no name of two or more labels")
    return host


def _is_dns_name(host: str) -> bool:
    """True for letters, digits and hyphens, with a last label that makes it no IPv4 address."""
    labels = host.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # 127.1, 0x7f.1 and 2130706433 are addresses for some resolvers: such a name ends in a number.
    return not labels[-1].isdigit() and not labels[-1].startswith("0x")
