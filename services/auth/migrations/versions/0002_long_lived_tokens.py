"""What long-lived tokens need: sealed answers, an outbox, an audit trail, keys, the account page.

Revises 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY_POSTGRESQL = (
    "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'audit_events is append-only'; END $$",
    "CREATE TRIGGER audit_events_append_only BEFORE UPDATE ON audit_events"
    " FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()",
)
APPEND_ONLY_SQLITE = (
    "CREATE TRIGGER audit_events_append_only BEFORE UPDATE ON audit_events"
    " BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END",
)


def upgrade() -> None:
    extend_handles()
    extend_grants()
    extend_clients()
    op.add_column("upstream_tokens", instant("attempted_at", nullable=True))
    create_upstream_revocations()
    create_encryption_keys()
    create_audit_events()
    create_account_page()


def extend_handles() -> None:
    for table in ("access_handles", "refresh_handles"):
        op.drop_column(table, "id")
    op.add_column("refresh_handles", sa.Column("answer_encrypted", sa.LargeBinary(), nullable=True))
    sealed = sa.text("answer_encrypted IS NOT NULL")
    op.create_index(
        "ix_refresh_handles_sealed",
        "refresh_handles",
        ["rotated_at"],
        postgresql_where=sealed,
        sqlite_where=sealed,
    )


def extend_grants() -> None:
    op.add_column("grants", instant("last_used_at", nullable=True))
    op.execute("UPDATE grants SET last_used_at = created_at")
    with op.batch_alter_table("grants") as batch:
        batch.alter_column("last_used_at", existing_type=sa.DateTime(timezone=True), nullable=False)


def extend_clients() -> None:
    op.add_column("clients", sa.Column("origin", sa.Text(), nullable=True))
    op.execute("UPDATE clients SET origin = 'registered'")
    with op.batch_alter_table("clients") as batch:
        batch.alter_column("origin", existing_type=sa.Text(), nullable=False)


def create_upstream_revocations() -> None:
    op.create_table(
        "upstream_revocations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tokens_encrypted", sa.LargeBinary(), nullable=False),
        instant("created_at"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        instant("next_attempt_at"),
        sa.PrimaryKeyConstraint("id", name="pk_upstream_revocations"),
    )
    op.create_index(
        "ix_upstream_revocations_next_attempt_at", "upstream_revocations", ["next_attempt_at"]
    )


def create_encryption_keys() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("proof_encrypted", sa.LargeBinary(), nullable=False),
        instant("first_used_at"),
        sa.PrimaryKeyConstraint("key_id", name="pk_encryption_keys"),
    )


def create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        instant("occurred_at"),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("grant_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        sqlite_autoincrement=True,
    )
    for column in ("occurred_at", "grant_id"):
        op.create_index(f"ix_audit_events_{column}", "audit_events", [column])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in APPEND_ONLY_SQLITE if is_sqlite else APPEND_ONLY_POSTGRESQL:
        op.execute(statement)


def create_account_page() -> None:
    op.create_table(
        "account_logins",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("code_verifier_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("nonce_encrypted", sa.LargeBinary(), nullable=False),
        instant("expires_at"),
        sa.PrimaryKeyConstraint("id", name="pk_account_logins"),
        sa.UniqueConstraint("state_digest", name="uq_account_logins_state_digest"),
    )
    op.create_table(
        "account_sessions",
        sa.Column("session_digest", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        instant("expires_at"),
        sa.PrimaryKeyConstraint("session_digest", name="pk_account_sessions"),
    )
    for table in ("account_logins", "account_sessions"):
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])
    # A person who disconnects a client is forgotten to have consented to it.
    op.create_index("ix_consents_subject", "consents", ["subject"])


def instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
