"""A small service as a process of its own; test_serving.py runs it and sends it signals.

It tells on standard output what it does. Its public port answers /slow once a line comes in on
standard input. Its internal port answers /stream for as long as the process does not drain.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from service_kit.health import Lifecycle, health_routes
from service_kit.logging import configure_logging
from service_kit.serving import Listener, serve


def tell(line: str) -> None:
    """Write a line for the test to read, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def create_public_app(may_answer: asyncio.Event) -> FastAPI:
    """Answer when told to."""
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> str:
        tell("slow began")
        await may_answer.wait()
        tell("slow answered")
        return "done"

    return app


def create_internal_app(lifecycle: Lifecycle) -> FastAPI:
    """Answer the probes, and a stream that never ends of itself."""
    app = FastAPI()
    app.include_router(health_routes(lifecycle))
    draining = asyncio.Event()
    lifecycle.when_draining(draining.set)

    async def beats() -> AsyncIterator[str]:
        yield "beat\n"
        await draining.wait()
        yield "last beat\n"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(beats())

    return app


@asynccontextmanager
async def run_service(lifecycle: Lifecycle) -> AsyncIterator[Sequence[Listener]]:
    """Yield both listeners on the ports of the command line."""
    public_port, internal_port = map(int, sys.argv[1:])
    may_answer = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read_line() -> None:
        if sys.stdin.readline():
            may_answer.set()
        else:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, read_line)
    tell(f"opened, ready: {lifecycle.is_ready}")
    async with asyncio.TaskGroup():  # as the services' libraries have, which wrap what passes
        yield [
            Listener(create_public_app(may_answer), "127.0.0.1", public_port),
            Listener(create_internal_app(lifecycle), "127.0.0.1", internal_port),
        ]
    tell(f"closed, ready: {lifecycle.is_ready}")


if __name__ == "__main__":
    configure_logging(service="served", development=False)
    serve(run_service)
