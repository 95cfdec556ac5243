"""`wateropt sensitivity`: thousands of variants of a scenario, as a design says."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from wateropt.studies.sensitivity.plan import Plan

EVERY = 1.0  # seconds between two lines of progress
SHOWN = 12


@click.command()
@click.argument("design", metavar="DESIGN")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep.  [default: results/DESIGN]")
@click.option("--workers", type=click.IntRange(1), metavar="N",
              help="Processes that solve runs; 1 is this process.  [default: one for each CPU]")
@click.option("--scheduler", metavar="ADDRESS", help="Use the workers of a running Dask scheduler (tcp://HOST:8786).")
@click.option("--run", "number", type=click.IntRange(0), metavar="NUMBER",
              help="Write the whole schedule of one run of the design instead, into run-NUMBER of the folder.")
@click.option("--fixed-head", is_flag=True, help="One LP a run, with the head of a straight storage path.")
@click.option("--anew", is_flag=True, help="Replace the sweep that is in the folder instead of going on with it.")
def sensitivity(design: str, out: Path | None, workers: int | None, scheduler: str | None, number: int | None,
                fixed_head: bool, anew: bool) -> None:
    """Solve the runs of a design and tell which factor moves which output.

    DESIGN is a file, a shipped design, or the `design.json` of a sweep. Writes runs.csv (a row per run), effects.csv
    (tornado or indices), effects.png, effects.svg and design.json. What was interrupted goes on where it stopped. A
    run without a schedule is a row with its reason.
    """
    from wateropt.studies.sensitivity import sweep
    from wateropt.studies.sensitivity.design import find_design, read_design
    from wateropt.studies.sensitivity.plan import make_plan
    from wateropt.workers import usable_cpus

    path = find_design(design)
    read = read_design(path)
    if fixed_head:
        read = read.model_copy(update={"fixed_head": True})
    folder = out or Path("results") / (path.parent.resolve().name if path.suffix == ".json" else path.stem)
    if number is not None:
        _write_run(make_plan(read, path, scheduled=False), number, folder)
        return
    if scheduler:
        sweep.connect(scheduler).close()
    plan = make_plan(read, path)
    state = sweep.open_folder(folder, plan, anew)
    if state.done:
        click.echo(f"{folder}: {state.done} of {len(plan)} runs are there already", err=True)
    state = sweep.run_sweep(plan, folder, state, workers=workers or usable_cpus(), scheduler=scheduler,
                            tell=_Progress(len(plan)))
    rows = sweep.write_effects(plan, folder)
    _show(plan, rows)
    share = f"{state.failed} of {state.done} runs failed ({state.failed / state.done:.1%})"
    click.echo(f"{folder}: {share}{'; see `reason` in runs.csv' if state.failed else ''}", err=True)


class _Progress:
    """Lines on stderr: runs done, their rate, and the time left."""

    def __init__(self, count: int) -> None:
        self.count, self.begin = count, time.perf_counter()
        self.told = self.begin

    def __call__(self, done: int, failed: int, before: int) -> None:
        now = time.perf_counter()
        if now - self.told < EVERY and done < self.count:
            return
        self.told = now
        rate = (done - before) / max(now - self.begin, 1e-9)
        left = f"about {(self.count - done) / rate:.0f} s left" if done < self.count else f"{now - self.begin:.0f} s"
        click.echo(f"{done} of {self.count} runs, {rate:.1f} a second, {failed} failed, {left}", err=True)


def _write_run(plan: Plan, number: int, folder: Path) -> None:
    """Solve one run as `wateropt solve` would, and write its files."""
    from dataclasses import replace

    from wateropt.errors import UsageError
    from wateropt.report.files import check_folder, write_result
    from wateropt.solving import solve

    if number >= len(plan):
        raise UsageError(f"no run {number}; the design has the runs 0 to {len(plan) - 1}")
    place = folder / f"run-{number}"
    check_folder(place)
    case = plan.vary(number)
    result = solve(replace(case, name=f"{case.name}-run-{number}"), fixed_head=plan.design.fixed_head)
    write_result(result, place)
    values = ", ".join(f"{f.name} {v}" for f, v in zip(plan.design.factors, plan.row(number), strict=True))
    click.echo(f"run {number} ({values}): {result.status}, {result.objective:,.2f} MUSD, {place}")


def _show(plan: Plan, rows: list[dict[str, Any]]) -> None:
    """Print the effects on the first output."""
    own = [row for row in rows if row["output"] == plan.outputs[0] and row["scenario"] == plan.design.scenarios[0]]
    if plan.design.method == "one_at_a_time":
        cells = [("factor", "from", "to", "at from", "at to", "swing"),
                 *((row["factor"], *map(_number, (row["low"], row["high"], row["output_low"], row["output_high"],
                                                  row["swing"]))) for row in own)]
    else:
        cells = [("factor", "index", "value", "from", "to", "note"),
                 *((row["factor"], row["index"], *(_number(row.get(k)) for k in ("value", "interval_low",
                                                   "interval_high")), row.get("note", "")) for row in own)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    click.echo(f"{plan.outputs[0]}, {plan.design.scenarios[0]}")
    for row in cells:
        click.echo("  ".join(c.ljust(w) if k == 0 else c.rjust(w)
                             for k, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip())


def _number(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.4g}"
    return "" if value is None else str(value)
