"""`auth migrate`: the schema of the database."""

from auth_server.cli.console import say
from auth_server.cli.running import explained_failures, read_service_settings
from auth_server.settings import StoreSettings
from auth_server.storage.schema import upgrade


def migrate() -> None:
    """Bring the database of AUTH_DATABASE_URL to the newest schema. Safe to run at any time.

    It runs before each start of the service. Several at once do no harm: one works, the others
    wait. Example: AUTH_DATABASE_URL=postgresql+asyncpg://auth@db/auth auth migrate
    """
    settings = read_service_settings(StoreSettings)
    with explained_failures():
        upgrade(settings.auth_database_url.get_secret_value())
    say("The database has the newest schema.")
