"""The whole system as separate processes: three replicas of auth, two of mcp, one of the rest.

PostgreSQL and Valkey are real. Clients use one address for all replicas, or a replica's own.
"""

import asyncio
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from database_servers import OwnPostgresql, own_postgresql
from replica_front import Front
from valkey_servers import ValkeyProcess

from local_stack.ports import Ports
from local_stack.processes import ServiceProcess, ignore_line
from local_stack.secrets import Secrets
from local_stack.services import Service, StackConfig, services_of

AUTH_REPLICAS = 3
MCP_REPLICAS = 2
START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
# Loads come from a few grants and one address, as no load does elsewhere. They are counted, in
# Valkey, but not refused.
PLENTY = dict.fromkeys(
    (
        "AUTH_LIMIT_REFRESH",
        "AUTH_LIMIT_REGISTER",
        "AUTH_LIMIT_PAGES",
        "MCP_LIMIT_TOOL_CALLS",
        "MCP_LIMIT_FAILURES",
    ),
    "1000000/minute",
)


@dataclass
class Replica:
    """One process with ports of its own. `url` is public; `internal` is for other services."""

    service: Service
    url: str
    internal: str
    log: Path
    process: ServiceProcess | None = None

    def start(self) -> None:
        """Start it, and do not wait for it."""
        self.process = ServiceProcess(self.service, self.service.arguments, self.log, ignore_line)

    async def ready(self) -> None:
        """Wait until it is ready."""
        deadline = time.monotonic() + START_SECONDS
        process = self._running
        while not await asyncio.to_thread(process.is_ready):
            assert process.exit_status is None, process.last_lines
            assert time.monotonic() < deadline, process.last_lines
            await asyncio.sleep(POLL_SECONDS)

    async def kill(self) -> None:
        """SIGKILL: nothing is drained, flushed or closed."""
        self._running.kill()
        assert await asyncio.to_thread(self._running.wait, STOP_SECONDS)
        assert self._running.exit_status == -9

    async def roll(self, **variables: str) -> None:
        """SIGTERM, its end, and a new process with other variables, as a rollout does it."""
        self._running.terminate()
        assert await asyncio.to_thread(self._running.wait, START_SECONDS), "it does not end"
        assert self._running.exit_status == 0, self._running.last_lines
        environment = {**self.service.environment, **variables}
        self.service = replace(self.service, environment=environment)
        self.start()
        await self.ready()

    @property
    def _running(self) -> ServiceProcess:
        assert self.process is not None
        return self.process


@dataclass
class Cluster:
    """Everything that runs, and where."""

    config: StackConfig
    secrets: Secrets = field(repr=False)
    postgresql: OwnPostgresql
    valkey: ValkeyProcess
    auth: list[Replica]
    mcp: list[Replica]
    others: list[Replica]
    database: str
    front: Front = field(init=False)

    def __post_init__(self) -> None:
        """Lay the addresses in front of the replicas; nobody listens at them yet."""
        ports = self.config.ports
        self.front = Front(
            {
                ports.auth: [_port(replica.url) for replica in self.auth],
                ports.auth_internal: [_port(replica.internal) for replica in self.auth],
                ports.mcp: [_port(replica.url) for replica in self.mcp],
            }
        )

    @property
    def issuer(self) -> str:
        """The one address of auth."""
        return self.config.issuer

    @property
    def internal(self) -> str:
        """The one address of auth's internal endpoints."""
        return f"http://localhost:{self.config.ports.auth_internal}"

    @property
    def mcp_address(self) -> str:
        """The one address of mcp."""
        return self.config.mcp_url.removesuffix("/mcp")

    @property
    def simulator(self) -> str:
        """Where PingOne's stand-in is controlled."""
        return f"http://localhost:{self.config.ports.simulator}"

    @property
    def replicas(self) -> list[Replica]:
        """Every process."""
        return [*self.others, *self.auth, *self.mcp]

    @property
    def asyncpg_dsn(self) -> str:
        """auth's database, as asyncpg takes it."""
        return self.database.replace("+asyncpg", "", 1)

    async def lose_answer(self) -> tuple[Replica, bytes]:
        """Lose the next answer of auth: which replica gave it, and its body."""
        lost = await self.front.lose_answer(self.config.ports.auth)
        [replica] = [item for item in self.auth if _port(item.url) == lost.replica]
        return replica, lost.body

    def log_files(self) -> list[Path]:
        """What every process has written down."""
        return sorted(self.config.logs.glob("*.log"))

    async def auth_command(self, *arguments: str) -> list[str]:
        """Run a command of auth as its first replica would; what it said."""
        log = self.config.logs / "command.log"
        command = ServiceProcess(self.auth[0].service, arguments, log, ignore_line)
        assert await asyncio.to_thread(command.wait, START_SECONDS), "it does not end"
        assert command.exit_status == 0, command.last_lines
        return command.last_lines


@contextmanager
def running_cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[Cluster]:
    """Start everything, yield when all of it is ready, and stop it whatever happens.

    `environment` goes to every process. Call it from the main thread.
    """
    with ExitStack() as stack:
        # As durable as the real one, but for a crash of the whole machine.
        postgresql = stack.enter_context(own_postgresql("-c synchronous_commit=on"))
        valkey = ValkeyProcess()
        valkey.start()
        stack.callback(valkey.kill)
        cluster = _describe(folder, environment, postgresql, valkey)
        stack.callback(_stop, cluster)
        stack.enter_context(cluster.front)
        _start(cluster)
        yield cluster


def _describe(
    folder: Path, environment: Mapping[str, str], postgresql: OwnPostgresql, valkey: ValkeyProcess
) -> Cluster:
    postgresql.server.execute("CREATE DATABASE auth")
    database = postgresql.server.url_of("auth")
    ports = iter(_free_ports(len(Ports().by_variable()) + 2 * (AUTH_REPLICAS + MCP_REPLICAS)))
    front = Ports(*(next(ports) for _ in Ports().by_variable()))
    wiring = {
        "AUTH_DATABASE_URL": database,
        "AUTH_REDIS_URL": valkey.url,
        "MCP_REDIS_URL": f"{valkey.url.removesuffix('/0')}/1",
        **PLENTY,
    }
    config = StackConfig(folder / "state", front, {**wiring, **environment})
    config.logs.mkdir(parents=True)
    secrets = Secrets.load_or_create(config.state)
    services = {item.name: item for item in services_of(config, secrets, os.environ)}

    def replicas(name: str, number: int) -> list[Replica]:
        made = []
        for index in range(1, number + 1):
            public, internal = next(ports), next(ports)
            prefix = name.upper()
            own = {f"{prefix}_PORT": str(public), f"{prefix}_INTERNAL_PORT": str(internal)}
            made.append(_replica(services[name], f"{name}-{index}", own, public, internal, config))
        return made

    others = [
        _replica(services["simulator"], "simulator", {}, front.simulator, front.simulator, config),
        _replica(services["todo-api"], "todo-api", {}, front.todo, front.todo_internal, config),
    ]
    auth, mcp = replicas("auth", AUTH_REPLICAS), replicas("mcp", MCP_REPLICAS)
    return Cluster(config, secrets, postgresql, valkey, auth, mcp, others, database)


def _replica(
    service: Service,
    name: str,
    own: Mapping[str, str],
    public: int,
    internal: int,
    config: StackConfig,
) -> Replica:
    ready_url = service.ready_url
    if own:
        ready_url = f"http://127.0.0.1:{internal}/readyz"
    described = replace(
        service, name=name, ready_url=ready_url, environment={**service.environment, **own}
    )
    # localhost, and not 127.0.0.1: a browser's cookies are those of the one name.
    url, internal_url = f"http://localhost:{public}", f"http://localhost:{internal}"
    return Replica(described, url, internal_url, config.logs / f"{name}.log")


def _start(cluster: Cluster) -> None:
    deadline = time.monotonic() + START_SECONDS
    migrating = [cluster.auth[0].service, cluster.others[1].service]
    migrations = [
        ServiceProcess(service, ("migrate",), cluster.config.logs / "migrate.log", ignore_line)
        for service in migrating
    ]
    for migration in migrations:
        assert migration.wait(deadline - time.monotonic())
        assert migration.exit_status == 0, migration.last_lines
    for replica in cluster.replicas:
        replica.start()
    for replica in cluster.replicas:
        process = replica.process
        assert process is not None
        while not process.is_ready():
            assert process.exit_status is None, process.last_lines
            assert time.monotonic() < deadline, process.last_lines
            time.sleep(POLL_SECONDS)


def _stop(cluster: Cluster) -> None:
    # Nothing of theirs is needed any more: there is no reason to let them drain.
    for replica in cluster.replicas:
        if replica.process is not None:
            replica.process.kill()
            replica.process.wait(STOP_SECONDS)


def _free_ports(number: int) -> Sequence[int]:
    holders = [socket.socket() for _ in range(number)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
