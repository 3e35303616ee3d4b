"""Nothing is stored before Allow: one row for each sign-on, and one for each decision.

Revises 0004. Replicas of 0004 go on working: what they store has neither a form nor a cookie of its
own, and only they finish it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("form_id", sa.Text(), nullable=True),
        sa.Column("started_digest", sa.LargeBinary(), nullable=True),
        instant("spent_at", nullable=True),
        instant("ended_at", nullable=True),
        sa.Column("answer_encrypted", sa.LargeBinary(), nullable=True),
    ):
        op.add_column("authorizations", column)
    op.create_index("ix_authorizations_form_id", "authorizations", ["form_id"])
    op.create_index("ix_authorizations_browser_digest", "authorizations", ["browser_digest"])
    op.create_table(
        "consent_decisions",
        sa.Column("form_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        instant("expires_at"),
        sa.PrimaryKeyConstraint("form_id", name="pk_consent_decisions"),
    )
    op.create_index("ix_consent_decisions_expires_at", "consent_decisions", ["expires_at"])
    op.create_table(
        "spent_account_logins",
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        instant("spent_at"),
        sa.Column("answer_encrypted", sa.LargeBinary(), nullable=True),
        instant("expires_at"),
        sa.PrimaryKeyConstraint("state_digest", name="pk_spent_account_logins"),
    )
    op.create_index("ix_spent_account_logins_expires_at", "spent_account_logins", ["expires_at"])


def instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
