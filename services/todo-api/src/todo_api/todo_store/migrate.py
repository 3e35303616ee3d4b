"""Brings a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import todo_api


def migrate(database_url: str) -> None:
    """Run every migration that is still missing; several replicas may do it at once."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")


def migrations_folder() -> Path:
    """Return where the migrations are: inside an installed package, beside `src` in the sources."""
    package = Path(todo_api.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"
