"""`auth serve`: the service itself."""

from functools import partial

from auth_server.cli.running import explained_failures, read_service_settings
from auth_server.settings import AuthSettings


def serve() -> None:
    """Serve the public and the internal port until SIGTERM or Ctrl-C.

    Refuses to start, and says why, if the database lacks a migration or the key ring a key.
    Example, with the variables of .env.example set: auth migrate && auth serve
    """
    # Imported here: `migrate`, which runs before every start, needs none of it.
    from auth_server.app import service
    from service_kit.serving import serve as serve_listeners

    settings = read_service_settings(AuthSettings)
    with explained_failures():
        serve_listeners(partial(service, settings))
