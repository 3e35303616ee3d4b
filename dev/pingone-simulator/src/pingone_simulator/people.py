"""The people of the simulated environment. Their passwords are published: that is the point."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """A PingOne user. `sub` is stable over restarts, so that a client's data stays theirs."""

    sub: str
    username: str
    password: str
    given_name: str
    family_name: str
    email: str

    def claims(self, scopes: Collection[str]) -> dict[str, str]:
        """Return the claims that the scopes open (OpenID Connect Core section 5.4)."""
        claims: dict[str, str] = {}
        if "profile" in scopes:
            claims |= {
                "name": f"{self.given_name} {self.family_name}",
                "given_name": self.given_name,
                "family_name": self.family_name,
                "preferred_username": self.username,
            }
        if "email" in scopes:
            claims["email"] = self.email
        return claims


PEOPLE = (
    Person(
        sub="3e0c1a52-7d24-4b1f-9a35-5d0f6c2b8e11",
        username="alice",
        password="alice",  # noqa: S106  (published on the sign-on page)
        given_name="Alice",
        family_name="Archer",
        email="alice@example.com",
    ),
    Person(
        sub="b86f94d0-15c3-4e7a-8c02-f1e7a93d4622",
        username="bob",
        password="bob",  # noqa: S106  (published on the sign-on page)
        given_name="Bob",
        family_name="Baker",
        email="bob@example.com",
    ),
)


def authenticate(username: str, password: str) -> Person | None:
    """Return the person with this user name and password, or None."""
    for person in PEOPLE:
        if person.username == username:
            matches = hmac.compare_digest(person.password.encode(), password.encode())
            return person if matches else None
    return None
