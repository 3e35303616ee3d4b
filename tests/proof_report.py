"""What the proofs measured, as the document that is committed: no date, no machine, no path."""

from collections.abc import Sequence
from dataclasses import dataclass, field

# The name under which a test's row travels with its result, from whichever process ran it.
PROPERTY = "measured"

_HEADER = """# What was proven, and what was measured

Written by `make prove`, which runs `tests/proofs` with the numbers below: three replicas of auth,
two of mcp, todo-api and PingOne's stand-in as separate processes, on a real PostgreSQL and a real
Valkey, all on loopback of one small machine. The latencies hold for that machine only; the counts
hold anywhere. `make test` runs most of these proofs, with smaller numbers, and prints what it
measured; those marked `long_proof` run in `make prove` only.

| Proof | Measured |
|---|---|
"""


@dataclass
class ProofReport:
    """Rows in the order of their numbers, whichever way the proofs ran."""

    _rows: dict[int, tuple[str, list[str]]] = field(default_factory=dict)

    def note(self, number: int, sentence: str, measured: str) -> None:
        """Write down one proof: what holds, in a sentence, and what was measured.

        A number that comes again adds what was measured to its row.
        """
        self._rows.setdefault(number, (sentence, []))[1].append(measured)

    def as_lines(self) -> list[str]:
        """The rows as a terminal shows them."""
        return [
            f"{number:2}. {sentence} [{', '.join(measured)}]"
            for number, (sentence, measured) in sorted(self._rows.items())
        ]

    def is_complete(self, rows: int) -> bool:
        """Whether each proof from 1 to `rows` has been noted: a part is no document."""
        return set(self._rows) == set(range(1, rows + 1))

    def as_markdown(self) -> str:
        """The document."""
        rows = (
            f"| {sentence} | {', '.join(measured)} |\n"
            for _, (sentence, measured) in sorted(self._rows.items())
        )
        return _HEADER + "".join(rows)


def latencies(seconds: Sequence[float]) -> str:
    """p50, p99 and the maximum in milliseconds, and how many there were."""
    ordered = sorted(seconds)

    def at(quantile: float) -> float:
        # The nearest rank: an observation that was made, not one in between.
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] * 1000

    return f"n={len(ordered)}, p50 {at(0.5):.0f} ms, p99 {at(0.99):.0f} ms, max {at(1.0):.0f} ms"
