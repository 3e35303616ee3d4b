"""What can go wrong at PingOne. The difference decides whether a grant lives or dies.

UpstreamError
├── UpstreamRefused         PingOne understood and said no, with an OAuth error code
├── UpstreamUnavailable     no usable answer: time-out, reset, 5xx, 429, not JSON
└── UpstreamAnswerRejected  an answer that fails our checks: signature, audience, nonce, shape
"""


class UpstreamError(Exception):
    """Something went wrong at PingOne. The text is for the log and holds no token.

    It ends with PingOne's correlation id, if there is one: their support asks for it.
    """

    def __init__(self, text: str, *, correlation_id: str | None = None) -> None:
        super().__init__(text if correlation_id is None else f"{text} [{correlation_id}]")


class UpstreamRefused(UpstreamError):
    """PingOne answered with an OAuth error; `invalid_grant` on a refresh means: dead."""

    def __init__(self, error: str, *, correlation_id: str | None = None) -> None:
        super().__init__(f"PingOne refused: {error}", correlation_id=correlation_id)
        self.error = error


class UpstreamUnavailable(UpstreamError):
    """PingOne gave no usable answer; nothing is known to be dead.

    `is_ambiguous` tells that the request may have been carried out all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        is_ambiguous: bool = False,
        retry_after_seconds: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(f"PingOne is unavailable: {reason}", correlation_id=correlation_id)
        self.is_ambiguous = is_ambiguous
        self.retry_after_seconds = retry_after_seconds


class UpstreamAnswerRejected(UpstreamError):
    """PingOne's answer fails a check; the text names the check, never the value."""
