"""Which clients make room: never-used ones, the oldest of the network that most of them are from.

Nobody has proven anything with such a row, so nobody's may cost somebody else theirs: who fills the
table pushes out their own.
"""

from typing import Final

from sqlalchemy import Subquery, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.clients import ClientOrigin
from auth_server.storage.tables import clients

# A ceiling that was lowered is reached over several registrations, not by one long statement.
MOST_ROWS_TO_MAKE_ROOM: Final = 1000
# To rank ten thousand rows takes 0.1 s. At the ceiling, this share of it goes beside what must go,
# so that a flood has them ranked once in so many registrations.
SPARE_SHARE: Final = 100

# What an operator added is no part of a flood, and goes by an operator's hand only.
CAME_BY_ITSELF: Final = clients.c.origin != ClientOrigin.OPERATOR.value
IS_PUBLISHED: Final = clients.c.origin == ClientOrigin.METADATA_DOCUMENT.value
# Without its row, a disabled client that publishes itself would be fetched and known again.
MAY_GO: Final = CAME_BY_ITSELF & ~(IS_PUBLISHED & clients.c.disabled_at.is_not(None))


async def make_room(connection: AsyncConnection, origin: ClientOrigin, *, ceiling: int) -> int:
    """Delete never-used clients of this origin until `ceiling - 1` remain, or a little fewer.

    Returns how many went. Rows that another transaction holds are left to it.
    """
    may_go = clients.c.last_used_at.is_(None) & (clients.c.origin == origin.value) & MAY_GO
    counted = await connection.execute(select(func.count()).select_from(clients).where(may_go))
    excess = counted.scalar_one() - (ceiling - 1)
    if excess <= 0:
        return 0
    ranked = _ranked(may_go)
    doomed = (
        select(clients.c.client_id)
        .join(ranked, ranked.c.client_id == clients.c.client_id)
        .where(may_go)
        .order_by(ranked.c.rank.desc(), clients.c.issued_at, clients.c.client_id)
        .limit(min(excess + ceiling // SPARE_SHARE, MOST_ROWS_TO_MAKE_ROOM))
        .with_for_update(of=clients, skip_locked=True)
        # A CTE is evaluated once, see bounded_delete.
        .cte("doomed")
    )
    deleted = await connection.execute(
        delete(clients)
        .where(clients.c.client_id.in_(select(doomed)))
        .returning(clients.c.client_id)
    )
    return len(deleted.all())


def _ranked(may_go: ColumnElement[bool]) -> Subquery:
    """The place of each row in its wider network, whose last is the first to go.

    There the smaller networks with most rows come last, and of their rows the oldest. Rows of which
    nobody knows where they came from are one network.
    """
    in_network = (
        select(
            clients.c.client_id,
            clients.c.issued_at,
            clients.c.wider_network,
            func.row_number()
            .over(
                partition_by=[clients.c.wider_network, clients.c.network],
                order_by=[clients.c.issued_at.desc(), clients.c.client_id.desc()],
            )
            .label("place"),
        )
        .where(may_go)
        .subquery("in_network")
    )
    return select(
        in_network.c.client_id,
        func.row_number()
        .over(
            partition_by=in_network.c.wider_network,
            order_by=[
                in_network.c.place,
                in_network.c.issued_at.desc(),
                in_network.c.client_id.desc(),
            ],
        )
        .label("rank"),
    ).subquery("ranked")
