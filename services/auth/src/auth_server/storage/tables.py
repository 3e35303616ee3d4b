"""The tables. `*_digest` columns are looked up or compared, `*_encrypted` ones can be revealed.

Nothing else holds a secret: a handle, code, state or browser cookie is here as a digest only.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from auth_server.storage.column_types import SpaceSeparated, UtcDateTime
from auth_server.storage.table_parts import expires_at, of_grant
from auth_server.storage.table_parts import metadata as metadata  # exported: it has all of these

clients: Final = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("client_name", Text, nullable=False),
    Column("client_uri", Text),
    Column("redirect_uris", JSON, nullable=False),
    Column("token_endpoint_auth_method", Text, nullable=False),
    Column("grant_types", SpaceSeparated, nullable=False),
    Column("application_type", Text, nullable=False),
    Column("scope", Text),
    Column("secret_digest", LargeBinary),
    # Indexed for make_room, which looks for the oldest.
    Column("issued_at", UtcDateTime, nullable=False, index=True),
    expires_at(),
    # Set by the first redeemed code: until then the row is anybody's flood.
    Column("last_used_at", UtcDateTime),
    # Of an unused row, where it came from: what is counted, and no more of the address.
    Column("network", Text),
    Column("wider_network", Text),
    # Set by an operator; a disabled client is unknown to every endpoint.
    Column("disabled_at", UtcDateTime),
    # Who brought it here. What an operator added is neither swept nor pushed out by a flood.
    Column("origin", Text, nullable=False),
    # Public keys of private_key_jwt: the set itself, or where it is published.
    Column("jwks", JSON(none_as_null=True)),
    Column("jwks_uri", Text),
    # The one algorithm that the client signs with, if it said so.
    Column("token_endpoint_auth_signing_alg", Text),
    # Of a Client ID Metadata Document: until when this copy serves without asking again.
    Column("fresh_until", UtcDateTime),
)

# Client assertions (RFC 7523) that have been accepted: the insert is what spends one.
spent_assertions: Final = Table(
    "spent_assertions",
    metadata,
    # Of client_id and jti together: two clients may use the same jti.
    Column("assertion_digest", LargeBinary, primary_key=True),
    expires_at(),
)

# Initial access tokens (RFC 7591 3), which an operator hands to those who may register.
initial_access_tokens: Final = Table(
    "initial_access_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    Column("note", Text),
    Column("created_at", UtcDateTime, nullable=False),
    expires_at(),
    # How many registrations are left; none is no bound.
    Column("remaining_uses", Integer),
)

authorizations: Final = Table(
    "authorizations",
    metadata,
    Column("id", Text, primary_key=True),
    # What was shown: several rows if Allow was pressed several times. Null in rows of replicas that
    # are older than this column, which only they finish; so is started_digest.
    Column("form_id", Text, index=True),
    Column("step", Text, nullable=False),
    # The cookie that lets this sign-on finish.
    Column("started_digest", LargeBinary),
    # The cookie that consents are remembered under.
    Column("browser_digest", LargeBinary, nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    # The client's own state (RFC 6749 4.1.1), returned to it as it came: its secret, not ours.
    Column("client_state_encrypted", LargeBinary),
    Column("code_challenge", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("scopes", SpaceSeparated, nullable=False),
    Column("prompts", SpaceSeparated, nullable=False),
    Column("consent_is_remembered", Boolean, nullable=False),
    expires_at(),
    # Set at PingOne: our state towards it, and what its answer is checked with.
    Column("state_digest", LargeBinary, unique=True),
    Column("code_verifier_encrypted", LargeBinary),
    Column("nonce_encrypted", LargeBinary),
    # PingOne's answer: since when it is looked at, what came of it, and when.
    Column("spent_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("answer_encrypted", LargeBinary),
    # Set while a second consent is awaited.
    Column("account_subject", Text),
    Column("account_username", Text),
    Column("account_tokens_encrypted", LargeBinary),
)

# What became of a consent form, once it led to a code or was denied. The insert decides.
consent_decisions: Final = Table(
    "consent_decisions",
    metadata,
    Column("form_id", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    expires_at(),
)

consents: Final = Table(
    "consents",
    metadata,
    # Browser, client, redirect URI and resource together are too long for an index of PostgreSQL.
    Column("key_digest", LargeBinary, primary_key=True),
    Column("subject", Text, primary_key=True, index=True),
    Column("scope", Text, primary_key=True),
    # Also in the key's digest; here so that consents can be found by client.
    Column("client_id", Text, nullable=False, index=True),
    expires_at(),
)

grants: Final = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    # No foreign key: configured clients have no row.
    Column("client_id", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False, index=True),
    Column("username", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("scopes", SpaceSeparated, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    expires_at(),
    # The last redemption or rotation: the most idle grant is the first to make room.
    Column("last_used_at", UtcDateTime, nullable=False),
    # The browser that it was allowed in, which tells two sign-ins of one app from those of two.
    Column("browser_digest", LargeBinary),
    Column("revoked_at", UtcDateTime, index=True),
    Column("revocation_reason", Text),
)

codes: Final = Table(
    "codes",
    metadata,
    Column("code_digest", LargeBinary, primary_key=True),
    of_grant(),
    Column("client_id", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", Text, nullable=False),
    Column("scopes", SpaceSeparated, nullable=False),
    expires_at(),
    Column("redeemed_at", UtcDateTime),
)

access_handles: Final = Table(
    "access_handles",
    metadata,
    Column("access_digest", LargeBinary, primary_key=True),
    of_grant(),
    Column("scopes", SpaceSeparated, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    expires_at(),
)

refresh_handles: Final = Table(
    "refresh_handles",
    metadata,
    Column("refresh_digest", LargeBinary, primary_key=True),
    of_grant(),
    Column("scopes", SpaceSeparated, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    expires_at(),
    Column("rotated_at", UtcDateTime),
    # The token response of the rotation, under a key that only the spent handle yields.
    Column("answer_encrypted", LargeBinary),
)
Index(
    "ix_refresh_handles_sealed",
    refresh_handles.c.rotated_at,
    postgresql_where=refresh_handles.c.answer_encrypted.is_not(None),
    sqlite_where=refresh_handles.c.answer_encrypted.is_not(None),
)

upstream_tokens: Final = Table(
    "upstream_tokens",
    metadata,
    of_grant(primary_key=True),
    Column("tokens_encrypted", LargeBinary, nullable=False),
    # Counts refreshes: one that began before another finished finds a different number.
    Column("version", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", UtcDateTime),
    # Since when the outcome of a refresh is unknown: its lease was taken and nothing came of it.
    Column("attempted_at", UtcDateTime),
)

# The outbox of RFC 7009 requests to PingOne: written with the end that causes them.
upstream_revocations: Final = Table(
    "upstream_revocations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tokens_encrypted", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False, index=True),
)

# Sign-ins to the account page, at PingOne. Apart from `authorizations`: they lead to no client.
account_logins: Final = Table(
    "account_logins",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state_digest", LargeBinary, nullable=False, unique=True),
    # The cookie that lets this sign-in finish.
    Column("browser_digest", LargeBinary, nullable=False),
    Column("code_verifier_encrypted", LargeBinary, nullable=False),
    Column("nonce_encrypted", LargeBinary, nullable=False),
    expires_at(),
)

# Those that PingOne has answered: what came of one, for a browser that repeats the request.
spent_account_logins: Final = Table(
    "spent_account_logins",
    metadata,
    Column("state_digest", LargeBinary, primary_key=True),
    Column("browser_digest", LargeBinary, nullable=False),
    Column("spent_at", UtcDateTime, nullable=False),
    # Sealed under the state and the cookie's secret, neither of which is stored.
    Column("answer_encrypted", LargeBinary),
    expires_at(),
)

account_sessions: Final = Table(
    "account_sessions",
    metadata,
    Column("session_digest", LargeBinary, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("username", Text, nullable=False),
    expires_at(),
)

# Each key that has ever been the first of a ring, until `auth keys rewrap` has replaced it.
encryption_keys: Final = Table(
    "encryption_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    # Opens under the right key only: a new key under an old id is noticed at the start.
    Column("proof_encrypted", LargeBinary, nullable=False),
    Column("first_used_at", UtcDateTime, nullable=False),
)

# Append-only: a trigger refuses UPDATE, and only the sweep deletes, by age.
audit_events: Final = Table(
    "audit_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("occurred_at", UtcDateTime, nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("actor", Text, nullable=False),
    Column("subject", Text),
    Column("client_id", Text),
    Column("grant_id", Text, index=True),
    Column("address", Text),
    # An operator's own words; `reason` holds ours.
    Column("note", Text),
    # The ids of deleted events do not return: who reads on from one misses nothing.
    sqlite_autoincrement=True,
)
