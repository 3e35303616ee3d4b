"""`python -m todo_api`: serve the API, or migrate its database."""

import argparse
import os
import sys

from sqlalchemy.exc import SQLAlchemyError

from service_kit.logging import configure_logging
from service_kit.serving import serve
from service_kit.settings import read_settings_or_exit
from todo_api.settings import StoreSettings, TodoApiSettings
from todo_api.todo_store.migrate import migrate

_DESCRIPTION = "Sample protected API: todos, guarded by PingOne access tokens."
_EPILOG = """\
environment:
  API_ISSUER           issuer of the access tokens (required), for example
                       https://auth.pingone.eu/ENVIRONMENT-ID/as
  API_AUDIENCE         audience they must have (https://todo.api.com)
  API_JWKS_URI         the issuer's key set, instead of discovering it
  API_READ_SCOPE       the scope that reading needs (todo_api:read)
  API_WRITE_SCOPE      the scope that everything else needs (todo_api:write)
  TODO_DATABASE_URL    postgresql+asyncpg://... or sqlite+aiosqlite:///... (a file in .local-state)
  TODO_MAX_PER_USER    how many todos one user may have (1000)
  TODO_PUBLIC_URL      where callers reach this service; required to serve
  TODO_LISTEN_HOST     address to listen on (127.0.0.1)
  TODO_PORT            port of the API (8082)
  TODO_LOG_LEVEL       the least important lines to log (INFO)
  TODO_INTERNAL_PORT   port of /livez, /readyz and /metrics (8092)

first start:
  python -m todo_api migrate && python -m todo_api
"""


def main() -> None:
    """Read the command line and the environment, and do as they say."""
    parser = argparse.ArgumentParser(
        prog="python -m todo_api",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "migrate"),
        default="serve",
        help="serve the API (the default), or bring its database to the newest schema",
    )
    if parser.parse_args().command == "migrate":
        _migrate()
    else:
        _serve()


def _migrate() -> None:
    settings = read_settings_or_exit(StoreSettings)
    configure_logging(
        service="todo-api", development=settings.development, level=settings.todo_log_level
    )
    try:
        migrate(settings.todo_database_url.get_secret_value())
    except (OSError, SQLAlchemyError) as error:
        # Its kind only: the text of a driver's error may hold the URL.
        sys.stderr.write(f"The database cannot be migrated: {type(error).__name__}\n")
        raise SystemExit(1) from None


def _serve() -> None:
    # Imported here: `migrate`, which runs before every start, needs none of it.
    from todo_api.app import SchemaMissing, create_service

    settings = read_settings_or_exit(TodoApiSettings)
    configure_logging(
        service="todo-api", development=settings.development, level=settings.todo_log_level
    )
    try:
        serve(create_service(settings))
    except SchemaMissing as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(os.EX_CONFIG) from None


if __name__ == "__main__":
    main()
