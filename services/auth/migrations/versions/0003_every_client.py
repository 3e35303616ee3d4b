"""What every real client needs: keys of its own, metadata documents, initial access tokens.

Revises 0002. Replicas of 0002 go on working: nothing that they know is changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("jwks", sa.JSON(), nullable=True))
    op.add_column("clients", sa.Column("jwks_uri", sa.Text(), nullable=True))
    op.add_column("clients", sa.Column("token_endpoint_auth_signing_alg", sa.Text(), nullable=True))
    op.add_column("clients", instant("fresh_until", nullable=True))
    create_spent_assertions()
    create_initial_access_tokens()


def create_spent_assertions() -> None:
    op.create_table(
        "spent_assertions",
        sa.Column("assertion_digest", sa.LargeBinary(), nullable=False),
        instant("expires_at"),
        sa.PrimaryKeyConstraint("assertion_digest", name="pk_spent_assertions"),
    )
    op.create_index("ix_spent_assertions_expires_at", "spent_assertions", ["expires_at"])


def create_initial_access_tokens() -> None:
    op.create_table(
        "initial_access_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        instant("created_at"),
        instant("expires_at"),
        sa.Column("remaining_uses", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_initial_access_tokens"),
        sa.UniqueConstraint("token_digest", name="uq_initial_access_tokens_token_digest"),
    )
    op.create_index("ix_initial_access_tokens_expires_at", "initial_access_tokens", ["expires_at"])


def instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
