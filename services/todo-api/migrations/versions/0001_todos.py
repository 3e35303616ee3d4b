"""Todos: a row each, found by owner and id."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "todos",
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("text", sa.String(1000), nullable=False),
        sa.Column("completed", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "id"),
    )


def downgrade() -> None:
    op.drop_table("todos")
