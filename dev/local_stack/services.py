"""What runs in the stack, with which environment, and where each process says that it is ready."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.ports import Ports
from local_stack.secrets import Secrets

# The published test environment of the simulator; nothing about it is secret.
ENVIRONMENT_ID = "9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45"
PINGONE_CLIENT_ID = "c7d1e0b2-3f64-4a0b-8f5d-1a9e5b7c2d38"
INTROSPECTION_CLIENT_ID = "mcp-server"
API_IDENTIFIER = "https://todo.api.com"

# A process gets these from the shell: what any program needs ...
_SYSTEM = re.compile(r"PATH|HOME|USER|TMPDIR|TZ|LANG|LC_\w+|PYTHON\w+|SSL_CERT_\w+")
# ... and what only tunes the stack: lifetimes, limits, how much is logged or shown. Everything else
# stays outside: a PINGONE_TOKEN_ENDPOINT or AUTH_DATABASE_URL left over from other work must
# neither break the stack nor have the stack touch what it names.
_TUNING = re.compile(
    r"(?:AUTH|MCP|TODO|PINGONE|SIMULATOR)_\w*(?:_SECONDS|_DAYS|_CEILING|_PER_USER|_LOG_LEVEL|_TYPE)"
    r"|AUTH_CLIENTS|AUTH_PRIVATE_USE_SCHEMES|MCP_ALLOWED_ORIGINS|REVEAL_DOWNSTREAM_TOKEN"
)


@dataclass(frozen=True, slots=True)
class StackConfig:
    """One stack. `environment` is given to every process and wins over everything else."""

    state: Path
    ports: Ports = field(default_factory=Ports)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """The folder with one log file for each service."""
        return self.state / "logs"

    @property
    def issuer(self) -> str:
        """The authorization server's issuer and public URL."""
        return f"http://localhost:{self.ports.auth}"

    @property
    def mcp_url(self) -> str:
        """What a client connects to: the URL of the MCP server, and the resource identifier."""
        return f"http://localhost:{self.ports.mcp}/mcp"

    @property
    def pingone_issuer(self) -> str:
        """The simulator's issuer, in PingOne's form."""
        return f"http://localhost:{self.ports.simulator}/{ENVIRONMENT_ID}/as"


@dataclass(frozen=True, slots=True)
class Service:
    """One process: `python -m module arguments`, ready when ready_url answers 200."""

    name: str
    module: str
    arguments: tuple[str, ...]
    ready_url: str
    environment: Mapping[str, str] = field(repr=False)
    migrates: bool = False


def tuning_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a shell that tune the stack, such as AUTH_ACCESS_HANDLE_SECONDS."""
    return {name: value for name, value in environment.items() if _TUNING.fullmatch(name)}


def services_of(
    config: StackConfig, secrets: Secrets, shell: Mapping[str, str]
) -> tuple[Service, ...]:
    """Describe the four processes. Each gets the variables that concern it and no other's."""
    system = {name: value for name, value in shell.items() if _SYSTEM.fullmatch(name)}
    common = {**system, "PYTHONUNBUFFERED": "1"}
    tuning = {**tuning_of(shell), **config.environment}
    ports = config.ports

    def environment(wiring: Mapping[str, str]) -> dict[str, str]:
        return {**common, **wiring, **tuning}

    return (
        Service(
            "simulator",
            "pingone_simulator",
            (),
            f"http://127.0.0.1:{ports.simulator}/livez",
            environment(_simulator(config, secrets)),
        ),
        Service(
            "auth",
            "auth_server",
            ("serve",),
            f"http://127.0.0.1:{ports.auth_internal}/readyz",
            environment(_auth(config, secrets)),
            migrates=True,
        ),
        Service(
            "mcp",
            "mcp_server",
            (),
            f"http://127.0.0.1:{ports.mcp_internal}/readyz",
            environment(_mcp(config, secrets)),
        ),
        Service(
            "todo-api",
            "todo_api",
            ("serve",),
            f"http://127.0.0.1:{ports.todo_internal}/readyz",
            environment(_todo_api(config)),
            migrates=True,
        ),
    )


def _simulator(config: StackConfig, secrets: Secrets) -> dict[str, str]:
    return {
        "SIMULATOR_ISSUER": config.pingone_issuer,
        "SIMULATOR_PORT": str(config.ports.simulator),
        "SIMULATOR_CLIENT_ID": PINGONE_CLIENT_ID,
        "SIMULATOR_CLIENT_SECRET": secrets.mcp_server_client_secret,
        "SIMULATOR_REDIRECT_URIS": f"{config.issuer}/callback",
        "SIMULATOR_POST_LOGOUT_REDIRECT_URIS": f"{config.issuer}/account",
        "SIMULATOR_API_IDENTIFIER": API_IDENTIFIER,
        "SIMULATOR_KEY_FILE": str(config.state / "simulator-signing-key.pem"),
    }


def _auth(config: StackConfig, secrets: Secrets) -> dict[str, str]:
    return {
        "AUTH_PUBLIC_URL": config.issuer,
        "AUTH_PORT": str(config.ports.auth),
        "AUTH_INTERNAL_PORT": str(config.ports.auth_internal),
        "AUTH_DATABASE_URL": _sqlite(config.state / "auth.db"),
        "AUTH_ENCRYPTION_KEYS": secrets.auth_encryption_keys,
        "COOKIE_ENCRYPTION_KEY": secrets.cookie_encryption_key,
        "PINGONE_ISSUER": config.pingone_issuer,
        "MCP_SERVER_CLIENT_ID": PINGONE_CLIENT_ID,
        "MCP_SERVER_CLIENT_SECRET": secrets.mcp_server_client_secret,
        "API_IDENTIFIER": API_IDENTIFIER,
        "MCP_RESOURCE": config.mcp_url,
        **_introspection(secrets),
    }


def _mcp(config: StackConfig, secrets: Secrets) -> dict[str, str]:
    return {
        "MCP_RESOURCE": config.mcp_url,
        "MCP_PORT": str(config.ports.mcp),
        "MCP_INTERNAL_PORT": str(config.ports.mcp_internal),
        "AUTH_ISSUER": config.issuer,
        "AUTH_INTERNAL_URL": f"http://localhost:{config.ports.auth_internal}",
        "API_URL": f"http://localhost:{config.ports.todo}",
        **_introspection(secrets),
    }


def _todo_api(config: StackConfig) -> dict[str, str]:
    return {
        "TODO_PUBLIC_URL": f"http://localhost:{config.ports.todo}",
        "TODO_PORT": str(config.ports.todo),
        "TODO_INTERNAL_PORT": str(config.ports.todo_internal),
        "TODO_DATABASE_URL": _sqlite(config.state / "todo.db"),
        "API_ISSUER": config.pingone_issuer,
        "API_AUDIENCE": API_IDENTIFIER,
    }


def _introspection(secrets: Secrets) -> dict[str, str]:
    return {
        "INTROSPECTION_CLIENT_ID": INTROSPECTION_CLIENT_ID,
        "INTROSPECTION_CLIENT_SECRET": secrets.introspection_client_secret,
    }


def _sqlite(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"
