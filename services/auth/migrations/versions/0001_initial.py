"""Clients, authorizations, consents, grants, and what hangs on a grant.

Revises nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_clients()
    create_authorizations()
    create_consents()
    create_grants()
    create_codes()
    create_handles("access_handles", "access_digest")
    create_handles("refresh_handles", "refresh_digest", instant("rotated_at", nullable=True))
    create_upstream_tokens()


def create_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("client_uri", sa.Text(), nullable=True),
        sa.Column("redirect_uris", sa.JSON(), nullable=False),
        sa.Column("token_endpoint_auth_method", sa.Text(), nullable=False),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("application_type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=True),
        instant("issued_at"),
        instant("expires_at"),
        instant("last_used_at", nullable=True),
        instant("disabled_at", nullable=True),
        sa.PrimaryKeyConstraint("client_id", name="pk_clients"),
    )
    op.create_index("ix_clients_issued_at", "clients", ["issued_at"])
    op.create_index("ix_clients_expires_at", "clients", ["expires_at"])


def create_authorizations() -> None:
    op.create_table(
        "authorizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("client_state_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("prompts", sa.Text(), nullable=False),
        sa.Column("consent_is_remembered", sa.Boolean(), nullable=False),
        instant("expires_at"),
        sa.Column("state_digest", sa.LargeBinary(), nullable=True),
        sa.Column("code_verifier_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("nonce_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("account_subject", sa.Text(), nullable=True),
        sa.Column("account_username", sa.Text(), nullable=True),
        sa.Column("account_tokens_encrypted", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_authorizations"),
        sa.UniqueConstraint("state_digest", name="uq_authorizations_state_digest"),
    )
    op.create_index("ix_authorizations_expires_at", "authorizations", ["expires_at"])


def create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        instant("expires_at"),
        sa.PrimaryKeyConstraint("key_digest", "subject", "scope", name="pk_consents"),
    )
    op.create_index("ix_consents_expires_at", "consents", ["expires_at"])


def create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        instant("created_at"),
        instant("expires_at"),
        instant("revoked_at", nullable=True),
        sa.Column("revocation_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
    )
    for column in ("client_id", "subject", "expires_at", "revoked_at"):
        op.create_index(f"ix_grants_{column}", "grants", [column])


def create_codes() -> None:
    op.create_table(
        "codes",
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        instant("expires_at"),
        instant("redeemed_at", nullable=True),
        sa.PrimaryKeyConstraint("code_digest", name="pk_codes"),
        ends_with_grant("codes"),
    )
    op.create_index("ix_codes_grant_id", "codes", ["grant_id"])
    op.create_index("ix_codes_expires_at", "codes", ["expires_at"])


def create_handles(table: str, digest: str, *further: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column(digest, sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        instant("issued_at"),
        instant("expires_at"),
        *further,
        sa.PrimaryKeyConstraint(digest, name=f"pk_{table}"),
        ends_with_grant(table),
    )
    op.create_index(f"ix_{table}_grant_id", table, ["grant_id"])
    op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])


def create_upstream_tokens() -> None:
    op.create_table(
        "upstream_tokens",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("tokens_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        instant("lease_until", nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name="pk_upstream_tokens"),
        ends_with_grant("upstream_tokens"),
    )


def instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def ends_with_grant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["grant_id"], ["grants.id"], name=f"fk_{table}_grant_id_grants", ondelete="CASCADE"
    )
