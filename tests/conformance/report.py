"""Shows verdicts to people: one table for each run, and what is wrong in full."""

from collections.abc import Sequence

from conformance.verdict import RunVerdict, ScenarioVerdict
from rich.console import Console
from rich.table import Table


def show_run(console: Console, verdict: RunVerdict) -> None:
    """Print the table of one run, and every problem in full."""
    table = Table(title=verdict.run, title_justify="left", title_style="bold", box=None)
    table.add_column("scenario", no_wrap=True)
    table.add_column("passed", justify="right")
    table.add_column("not applicable", justify="right")
    table.add_column("")
    rows = list(verdict.required)
    if verdict.others:
        rows.append(_summary(verdict.others))
    for item in rows:
        table.add_row(item.name, str(item.passed), str(item.not_applicable or ""), _mark(item))
    console.print(table)
    for problem in verdict.all_problems:
        console.print(f" {problem}", style="red", markup=False)
    console.print()


def show_conclusion(console: Console, verdicts: Sequence[RunVerdict], seconds: float) -> None:
    """Print whether everything is as it must be, how many checks passed and how long it took."""
    passed = sum(item.passed for run in verdicts for item in (*run.required, *run.others))
    failed = any(verdict.all_problems for verdict in verdicts)
    word = "[bold red]Does not conform[/]" if failed else "[bold green]Conforms[/]"
    console.print(f"{word}: {passed} checks passed, {seconds:.1f} s")


def _summary(verdicts: Sequence[ScenarioVerdict]) -> ScenarioVerdict:
    return ScenarioVerdict(
        f"{len(verdicts)} others, which do not apply",
        sum(item.passed for item in verdicts),
        sum(item.not_applicable for item in verdicts),
        tuple(problem for item in verdicts for problem in item.problems),
    )


def _mark(item: ScenarioVerdict) -> str:
    return "[red]FAILED[/]" if item.problems else "[green]ok[/]"
