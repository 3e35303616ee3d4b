"""Where unused registrations came from, in which browser a grant was allowed, consents by client.

Revises 0003. Replicas of 0003 go on working: they leave the new columns empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("network", sa.Text(), nullable=True))
    op.add_column("clients", sa.Column("wider_network", sa.Text(), nullable=True))
    op.add_column("grants", sa.Column("browser_digest", sa.LargeBinary(), nullable=True))
    op.create_index("ix_consents_client_id", "consents", ["client_id"])
