"""A revocation as other processes hear of it: which grant has ended, and at which resource."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Revocation:
    """The end of one grant. A grant ends once, so its id names the event, too."""

    grant_id: str
    resource: str
