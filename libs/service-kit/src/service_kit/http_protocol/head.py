"""The head of an HTTP/1.1 request: where it ends, and whether its framing has one reading only.

RFC 9112 lets a server accept more than this. Everything here that is refused is read in two ways
by two implementations that exist, and a proxy in front of us may be one of them.
"""

import re
from collections.abc import Iterable
from typing import Final

# The request line and all header fields. A handle takes 60 bytes, the state of a sign-on a few KiB.
MAX_HEAD_BYTES: Final = 64 * 1024
# A browser sends about 20, a chain of proxies adds as many. Each costs far more than its bytes.
MAX_FIELDS: Final = 200

_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"([A-Z-]{1,24}) ([!-\"$-~]+) (HTTP/[0-9]\.[0-9])")
_VERSIONS: Final = frozenset({b"HTTP/1.0", b"HTTP/1.1"})
_BARE_LINE_FEED: Final = re.compile(rb"(?<!\r)\n")
# The whole line. What an invalid value hides from this is refused by the parser.
_UPGRADE: Final = re.compile(rb"\r\nUpgrade:[\t -~\x80-\xff]*(?=\r\n)", re.IGNORECASE)
_AUTHORITY: Final = re.compile(rb"[A-Za-z0-9!$&'()*+,;=._~%:\[\]-]+")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*)", re.IGNORECASE)
_FRAMING: Final = (b"host", b"transfer-encoding", b"content-length", b"expect")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


class Refused(Exception):
    """A request that reaches no application. The text goes to the client, and quotes nothing."""

    def __init__(self, status: bytes, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def _bad_request(text: str) -> Refused:
    return Refused(b"400 Bad Request", text)


def _head_too_large(text: str) -> Refused:
    return Refused(b"431 Request Header Fields Too Large", text)


class HeadReader:
    """Finds the end of a head in bytes that arrive in parts; each byte is looked at once."""

    def __init__(self) -> None:
        self._start_over()

    def _start_over(self) -> None:
        self._searched = 0
        self._is_first_line_checked = self._has_empty_line = False
        self.has_begun = False  # a byte of a request line has arrived

    def take(self, received: bytearray) -> bytes | None:
        """Remove a complete head from the front of `received`; None if it is not all there.

        The head is returned as a parser may see it: without Upgrade. Raises Refused.
        """
        if not self._has_empty_line and received.startswith(b"\r\n"):
            # RFC 9112 section 2.2: one empty line in front of a request is ignored.
            del received[:2]
            self._has_empty_line = True
        if not received or received == b"\r":
            return None
        self.has_begun = True
        end = received.find(_END, self._searched)
        if end < 0:
            self._check_unfinished(received)
            self._searched = max(len(received) - len(_END) + 1, 0)
            return None
        size = end + len(_END)
        head = bytes(received[:size])
        del received[:size]
        self._start_over()
        return _checked(head)

    def _check_unfinished(self, received: bytearray) -> None:
        """Refuse early what cannot become a head, so that nobody waits for its end."""
        if len(received) > MAX_HEAD_BYTES:
            raise too_many_bytes()
        if not self._is_first_line_checked:
            line, line_feed, _ = bytes(received).partition(b"\n")
            if line_feed:
                _check_request_line(line.removesuffix(b"\r"))
                self._is_first_line_checked = True
            elif not line[:1].isupper():
                raise _bad_request("This is not an HTTP/1.1 request line.")
        if _BARE_LINE_FEED.search(received, self._searched):
            raise _bad_request("A line of the head does not end with CR LF.")


def _checked(head: bytes) -> bytes:
    """The head without Upgrade, which we never do (RFC 9110 section 7.8); raise Refused."""
    if len(head) > MAX_HEAD_BYTES:
        raise too_many_bytes()
    if head.count(b"\n") - 2 > MAX_FIELDS:
        raise too_many_fields()
    _check_request_line(head[: head.index(b"\r\n")])
    return _UPGRADE.sub(b"", head)


def _check_request_line(line: bytes) -> None:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _bad_request("This is not an HTTP/1.1 request line.")
    method, _, version = found.groups()
    if version not in _VERSIONS:
        raise Refused(b"505 HTTP Version Not Supported", "Only HTTP/1.0 and HTTP/1.1 are spoken.")
    if method == b"CONNECT":
        raise Refused(b"501 Not Implemented", "This is no proxy: CONNECT is not implemented.")


def too_many_bytes() -> Refused:
    """The refusal of a head or trailer section with more than MAX_HEAD_BYTES."""
    return _head_too_large(f"The head of a request may have at most {MAX_HEAD_BYTES} bytes.")


def too_many_fields() -> Refused:
    """The refusal of a head or trailer section with more than MAX_FIELDS fields."""
    return _head_too_large(f"A request may have at most {MAX_FIELDS} header fields.")


def body_length(version: str, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The declared bytes of the body; None if it is chunked. Raises Refused.

    `fields` are a parser's, with names in lower case and values without the white space around
    them.
    """
    values: dict[bytes, list[bytes]] = {name: [] for name in _FRAMING}
    for name, value in fields:
        if name in values:
            values[name].append(value)
    hosts, codings, lengths, expectations = values.values()
    _check_host(version, target, hosts)
    if any(value.lower() != b"100-continue" for value in expectations):
        raise Refused(b"417 Expectation Failed", "Only 100-continue can be expected.")
    if codings:
        _check_transfer_encoding(version, codings, lengths)
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or _LENGTH.fullmatch(lengths[0]) is None:
        raise _bad_request("Content-Length must be one decimal number.")
    return int(lengths[0])


def _check_transfer_encoding(version: str, codings: list[bytes], lengths: list[bytes]) -> None:
    # RFC 9112 section 6.1: an HTTP/1.0 client does not know the header, and with a Content-Length
    # beside it the request was perhaps made to be read in two ways.
    if version == "1.0" or lengths:
        raise _bad_request("Transfer-Encoding is not allowed in this request.")
    if len(codings) > 1 or codings[0].lower() != b"chunked":
        raise Refused(b"501 Not Implemented", "The only transfer coding understood is chunked.")


def _check_host(version: str, target: bytes, hosts: list[bytes]) -> None:
    """RFC 9112 sections 3.2 and 3.2.2: one Host, which an absolute target repeats."""
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise _bad_request("A request must have exactly one Host.")
    if hosts and _AUTHORITY.fullmatch(hosts[0]) is None:
        raise _bad_request("Host is not a host with an optional port.")
    if target.startswith(b"/"):
        return
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise _bad_request("The target must be a path or an http URL.")
    if hosts and absolute[1].lower() != hosts[0].lower():
        raise _bad_request("The target names another host than Host does.")
