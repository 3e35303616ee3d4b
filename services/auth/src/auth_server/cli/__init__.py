"""The command line `auth`: serve, and look after database, keys, grants, clients and tokens."""

import typer

from auth_server.cli.audit import audit
from auth_server.cli.clients import clients
from auth_server.cli.doctor import doctor
from auth_server.cli.grants import grants
from auth_server.cli.keys import keys
from auth_server.cli.migrate import migrate
from auth_server.cli.serve import serve
from auth_server.cli.sweep import sweep
from auth_server.cli.tokens import tokens

app = typer.Typer(
    help="mcp-pingone's authorization server. Its configuration is the environment: .env.example"
    " lists every variable.",
    epilog="Exit status: 0 done; 1 failed, and stderr says why in one line; 2 wrong usage;"
    " 69 a port is taken; 78 the environment lacks something, and stderr names it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(migrate)
app.command()(doctor)
app.command()(sweep)
app.add_typer(grants, name="grants")
app.add_typer(clients, name="clients")
app.add_typer(tokens, name="tokens")
app.add_typer(audit, name="audit")
app.add_typer(keys, name="keys")


def main() -> None:
    """The entry point of the `auth` command."""
    app()
