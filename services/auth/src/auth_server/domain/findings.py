"""What an examination of the installation finds: `auth doctor` shows it."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How bad a finding is. Only a problem keeps people from signing in, now or soon."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what is there, and, unless it is ok, what to change.

    Neither text ever holds a secret.
    """

    check: str
    outcome: Outcome
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Outcome.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """It works, but not as well as it should, or it could not be told."""
    return Finding(check, Outcome.WARNING, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, Outcome.PROBLEM, found, advice)
