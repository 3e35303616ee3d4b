"""docs/storage.md names every table, and beside it every column that holds a secret."""

import re
from pathlib import Path

import pytest

from auth_server.storage.tables import metadata as auth_tables
from todo_api.todo_store.tables import metadata as todo_tables

DOCUMENT = Path(__file__).parents[1] / "docs" / "storage.md"
ROWS = {
    row.group(1): row.group(0)
    for row in re.finditer(r"^\| `(\w+)` \|.*$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
}
TABLES = auth_tables.tables | todo_tables.tables


def test_the_document_and_the_schema_have_the_same_tables() -> None:
    assert set(ROWS) - {"alembic_version"} == set(TABLES)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_secret_of_a_table_is_named(table: str) -> None:
    columns = [column.name for column in TABLES[table].columns]
    secrets = [name for name in columns if name.endswith(("_digest", "_encrypted"))]
    assert [name for name in secrets if f"`{name}`" not in ROWS[table]] == []


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_table_of_the_document_claims_no_secret_that_is_not_there(table: str) -> None:
    claimed = re.findall(r"`(\w+_(?:digest|encrypted))`", ROWS[table])
    assert [name for name in claimed if name not in TABLES[table].columns] == []
