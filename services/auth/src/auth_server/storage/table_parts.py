"""What all tables share: how their constraints are named, and two columns."""

from datetime import datetime
from typing import Final

from sqlalchemy import Column, ForeignKey, MetaData, Text

from auth_server.storage.column_types import UtcDateTime

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def of_grant(*, primary_key: bool = False) -> Column[str]:
    """The grant that made the row, which goes when the grant goes."""
    return Column(
        "grant_id",
        Text,
        ForeignKey("grants.id", ondelete="CASCADE"),
        primary_key=primary_key,
        index=not primary_key,
        nullable=False,
    )


def expires_at() -> Column[datetime]:
    """When the row counts no longer; the sweep looks for it."""
    return Column("expires_at", UtcDateTime, nullable=False, index=True)
