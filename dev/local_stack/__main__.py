"""`python -m local_stack up|demo`: what `make dev` and `make demo` run."""

import argparse
import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from local_stack.demo import run_demo
from local_stack.problem import StackProblem
from local_stack.up import run_up

_STATE = Path(__file__).resolve().parents[2] / ".local-state"

_DESCRIPTION = """\
Runs the PingOne simulator, the authorization server, the MCP server and the sample API as processes
of this machine: SQLite files, generated keys, no Docker, no Redis, no account at PingOne.
"""
_EPILOG = """\
commands:
  up     start everything and keep it running, with every log in this terminal; Ctrl-C stops it
  demo   play the whole story with a real MCP client and exit: discovery, registration, consent,
         sign-on, code exchange, all five tools, revocation; exit status 0 only if all of it worked

environment:
  AUTH_PORT MCP_PORT TODO_PORT SIMULATOR_PORT AUTH_INTERNAL_PORT MCP_INTERNAL_PORT
  TODO_INTERNAL_PORT
         other ports than 8080 8081 8082 9080 8090 8091 8092; demo takes free ones by itself
  AUTH_ACCESS_HANDLE_SECONDS MCP_INTROSPECTION_CACHE_SECONDS SIMULATOR_ACCESS_TOKEN_SECONDS
  TODO_MAX_PER_USER AUTH_LOG_LEVEL MCP_LOG_LEVEL REVEAL_DOWNSTREAM_TOKEN ...
         lifetimes, limits and log levels are handed on to the services. Addresses, databases, keys
         and credentials are the stack's own: those of your shell are not used, and not touched.

examples:
  python -m local_stack demo
  AUTH_ACCESS_HANDLE_SECONDS=30 python -m local_stack up      watch a client refresh its handle
  AUTH_PORT=18080 python -m local_stack up                    when 8080 is in use
"""


def main() -> int:
    """Do what the command line says; return the exit status."""
    arguments = _parse_arguments()
    # SIGINT, too: a script that starts this in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    console = Console(highlight=False)
    try:
        return (
            run_demo(console) if arguments.command == "demo" else run_up(console, arguments.state)
        )
    except StackProblem as problem:
        errors = Console(stderr=True, highlight=False, soft_wrap=True)
        errors.print(str(problem), markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local_stack",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("up", "demo"), help="see below")
    parser.add_argument(
        "--state",
        type=Path,
        default=_STATE,
        metavar="FOLDER",
        help="where `up` keeps databases, keys and logs (default: .local-state of this repository);"
        " `demo` uses a folder of its own and removes it",
    )
    return parser.parse_args()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # The same way out as Ctrl-C: every `finally` on it stops what was started.
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
