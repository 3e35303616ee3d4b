"""Todos in SQL. Every statement names the owner; every change is one statement."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Insert, Row, and_, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from todo_api.todo_store.database import Database
from todo_api.todo_store.tables import todos
from todo_api.todos import Page, Todo, TodoChange, TodoNotFound, TodoVersionMismatch, TooManyTodos

NewId = Callable[[], UUID]
Now = Callable[[], datetime]

_TODO_COLUMNS = (
    todos.c.id,
    todos.c.text,
    todos.c.completed,
    todos.c.version,
    todos.c.created_at,
    todos.c.updated_at,
)


class TodoStore:
    """The todos of all owners. Every method may raise StoreUnavailable.

    `new_id` makes ids that grow with time (UUIDv7): they are also the order of the pages.
    """

    def __init__(self, database: Database, *, new_id: NewId, now: Now, max_per_owner: int) -> None:
        self._database = database
        self._new_id = new_id
        self._now = now
        self._max_per_owner = max_per_owner

    async def page(
        self, owner: str, *, after: UUID | None, limit: int, completed: bool | None
    ) -> Page:
        """Return up to limit todos that follow `after`, oldest first."""
        statement = select(*_TODO_COLUMNS).where(todos.c.owner == owner)
        if after is not None:
            statement = statement.where(todos.c.id > after)
        if completed is not None:
            statement = statement.where(todos.c.completed == completed)
        async with self._database.autocommit() as connection:
            # One more than asked for tells whether there is a next page.
            result = await connection.execute(statement.order_by(todos.c.id).limit(limit + 1))
            found = [_todo(row) for row in result]
        page = tuple(found[:limit])
        return Page(page, page[-1].id if len(found) > limit else None)

    async def get(self, owner: str, todo_id: UUID) -> Todo:
        """Return a todo; raise TodoNotFound."""
        statement = select(*_TODO_COLUMNS).where(_is(owner, todo_id))
        async with self._database.autocommit() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise TodoNotFound
        return _todo(row)

    async def create(self, owner: str, text: str) -> Todo:
        """Store a new todo; raise TooManyTodos at the ceiling, however many arrive at once."""
        async with self._database.transaction() as connection:
            await _wait_for_turn(connection, owner)
            # Made here, an owner's ids grow in the order of the commits: whoever pages through
            # the todos meanwhile finds the new one ahead, not behind the cursor.
            now = self._now()
            todo = Todo(self._new_id(), text, False, 1, now, now)
            inserted = await connection.execute(self._insert_below_ceiling(owner, todo))
        if inserted.rowcount != 1:
            raise TooManyTodos(self._max_per_owner)
        return todo

    def _insert_below_ceiling(self, owner: str, todo: Todo) -> Insert:
        count = select(func.count()).where(todos.c.owner == owner).scalar_subquery()
        values = {
            todos.c.owner: owner,
            todos.c.id: todo.id,
            todos.c.text: todo.text,
            todos.c.completed: todo.completed,
            todos.c.version: todo.version,
            todos.c.created_at: todo.created_at,
            todos.c.updated_at: todo.updated_at,
        }
        row = select(*(literal(value, column.type) for column, value in values.items()))
        return insert(todos).from_select(list(values), row.where(count < self._max_per_owner))

    async def update(
        self, owner: str, todo_id: UUID, change: TodoChange, *, versions: frozenset[int] | None
    ) -> Todo:
        """Change a todo that is in one of the versions (None: any) and return it.

        Raises TodoNotFound or TodoVersionMismatch.
        """
        values: dict[str, Any] = {"version": todos.c.version + 1, "updated_at": self._now()}
        if change.text is not None:
            values["text"] = change.text
        if change.completed is not None:
            values["completed"] = change.completed
        statement = (
            todos.update()
            .where(_is(owner, todo_id), *_in_versions(versions))
            .values(values)
            .returning(*_TODO_COLUMNS)
        )
        async with self._database.autocommit() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise await self._reason_for_miss(owner, todo_id)
        return _todo(row)

    async def delete(self, owner: str, todo_id: UUID, *, versions: frozenset[int] | None) -> None:
        """Delete a todo that is in one of the versions (None: any).

        Raises TodoNotFound or TodoVersionMismatch.
        """
        statement = todos.delete().where(_is(owner, todo_id), *_in_versions(versions))
        async with self._database.autocommit() as connection:
            deleted = await connection.execute(statement)
        if deleted.rowcount != 1:
            raise await self._reason_for_miss(owner, todo_id)

    async def _reason_for_miss(
        self, owner: str, todo_id: UUID
    ) -> TodoNotFound | TodoVersionMismatch:
        try:
            await self.get(owner, todo_id)
        except TodoNotFound as error:
            return error
        return TodoVersionMismatch()


async def _wait_for_turn(connection: AsyncConnection, owner: str) -> None:
    """Let one transaction at a time count and add an owner's todos; the lock ends with it."""
    if connection.dialect.name == "postgresql":
        # A statement of its own: the count that follows must see what the one before committed.
        lock = func.hashtextextended(owner, literal(0, BigInteger))
        await connection.execute(select(func.pg_advisory_xact_lock(lock)))


def _is(owner: str, todo_id: UUID) -> ColumnElement[bool]:
    return and_(todos.c.owner == owner, todos.c.id == todo_id)


def _in_versions(versions: frozenset[int] | None) -> list[ColumnElement[bool]]:
    return [] if versions is None else [todos.c.version.in_(versions)]


def _todo(row: Row[*tuple[Any, ...]]) -> Todo:
    return Todo(row.id, row.text, row.completed, row.version, row.created_at, row.updated_at)
