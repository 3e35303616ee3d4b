"""The command line `auth`: serve, and look after the database."""

import sys
from functools import partial
from typing import TypeVar

import typer

from auth_server.settings import AuthSettings, StoreSettings
from auth_server.storage.database import StorageUnavailable
from auth_server.storage.schema import SchemaOutdated, upgrade
from service_kit.logging import configure_logging
from service_kit.serving import serve as serve_listeners
from service_kit.settings import read_settings_or_exit

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

app = typer.Typer(
    help="mcp-pingone's authorization server. Its configuration is the environment: .env.example"
    " lists every variable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def serve() -> None:
    """Serve the public and the internal port until SIGTERM or Ctrl-C."""
    # Imported here: `migrate`, which runs before every start, needs none of it.
    from auth_server.app import service

    settings = _read(AuthSettings)
    try:
        serve_listeners(partial(service, settings))
    except (SchemaOutdated, StorageUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None


@app.command()
def migrate() -> None:
    """Bring the database of AUTH_DATABASE_URL to the newest schema. Safe to run at any time."""
    settings = _read(StoreSettings)
    try:
        upgrade(settings.auth_database_url.get_secret_value())
    except StorageUnavailable as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None
    typer.echo("The database has the newest schema.")


def _read(settings_class: type[SettingsT]) -> SettingsT:
    settings = read_settings_or_exit(settings_class)
    configure_logging(
        service="auth", development=settings.is_development, level=settings.auth_log_level
    )
    return settings


def main() -> None:
    """The entry point of the `auth` command."""
    app()
