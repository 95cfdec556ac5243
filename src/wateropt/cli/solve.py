"""`wateropt solve`: solve scenarios and write their schedules."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
              help="Folder that gets a folder per scenario.")
@click.option("--fixed-head", is_flag=True, help="One LP, with the head of a straight storage path.")
@click.option("--hold", metavar="FILE|observed", help="Fix the releases of a CSV (reservoir, start, days, "
              "release_m3s), or the shipped observations, and cost them.")
@click.option("--ranging", is_flag=True, help="Write ranging.csv too: left and right derivative of the cost for each "
              "datum, and up to where each holds.")
@click.option("--workers", type=click.IntRange(1), metavar="N",
              help="Processes that solve scenarios; 1 is this process.  [default: one for each CPU]")
def solve(scenarios: tuple[str, ...], out: Path, fixed_head: bool, hold: str | None, ranging: bool,
          workers: int | None) -> None:
    """Solve scenarios and write their schedules (all shipped scenarios if none is named).

    SCENARIO is a shipped name (see `wateropt list`) or a scenario file. A scenario that has no schedule does not
    stop the others; the exit code is that of the worst.
    """
    import time

    begin = time.perf_counter()
    from wateropt.cli.progress import Progress, show_notices, show_summary
    from wateropt.hold import held
    from wateropt.report.files import check_folder
    from wateropt.running import Job, run, worst
    from wateropt.scenario import load_cases, shipped_scenarios
    from wateropt.workers import usable_cpus

    imports = time.perf_counter() - begin
    begin = time.perf_counter()
    cases = load_cases(scenarios or shipped_scenarios())
    spent = {"imports": imports, "read": (time.perf_counter() - begin) / len(cases)}
    for case in cases:
        check_folder(out / case.name)
    jobs = [Job(number, case, out / case.name, fixed_head, held(case, hold) if hold else None, spent, ranging)
            for number, case in enumerate(cases)]
    workers = min(workers or usable_cpus(), len(jobs))
    outcomes = run(jobs, workers, Progress(jobs, workers))
    show_summary(outcomes)
    show_notices(outcomes)
    code = worst([outcome.code for outcome in outcomes])
    if code:
        raise click.exceptions.Exit(code)
