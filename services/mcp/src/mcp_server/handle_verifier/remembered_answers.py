"""What auth has answered lately: bounded in number, found by handle, forgotten by grant."""

from collections import OrderedDict
from dataclasses import dataclass

from mcp_server.handle_verifier.verified_handle import VerifiedHandle


@dataclass(frozen=True, slots=True)
class Answer:
    """A remembered answer. Both times are seconds of the monotonic clock."""

    handle: VerifiedHandle
    asked_at: float
    usable_until: float


class RememberedAnswers:
    """Answers under the digests of their handles; the least recently used makes room."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._digests_by_grant: dict[str, set[bytes]] = {}

    def get(self, digest: bytes) -> Answer | None:
        """The answer about this handle, which is now the most recently used."""
        answer = self._answers.get(digest)
        if answer is not None:
            self._answers.move_to_end(digest)
        return answer

    def put(self, digest: bytes, answer: Answer) -> None:
        """Remember an answer in place of an earlier one."""
        self.drop(digest)
        self._answers[digest] = answer
        self._digests_by_grant.setdefault(answer.handle.grant_id, set()).add(digest)
        if len(self._answers) > self._max_entries:
            self.drop(next(iter(self._answers)))

    def drop(self, digest: bytes) -> None:
        """Forget what is known of this handle, if anything."""
        answer = self._answers.pop(digest, None)
        if answer is None:
            return
        of_grant = self._digests_by_grant[answer.handle.grant_id]
        of_grant.discard(digest)
        if not of_grant:
            del self._digests_by_grant[answer.handle.grant_id]

    def drop_grant(self, grant_id: str) -> None:
        """Forget every handle of a grant."""
        for digest in self._digests_by_grant.pop(grant_id, set()):
            del self._answers[digest]

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._digests_by_grant.clear()
