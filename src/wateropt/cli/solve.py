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
def solve(scenarios: tuple[str, ...], out: Path, fixed_head: bool, hold: str | None) -> None:
    """Solve scenarios and write their schedules (all shipped scenarios if none is named).

    SCENARIO is a shipped name (see `wateropt list`) or a scenario file.
    """
    import time

    begin = time.perf_counter()
    from wateropt.cli.progress import Progress, show_notices, show_summary
    from wateropt.errors import SolverError
    from wateropt.hold import held
    from wateropt.report.files import check_folder, summary, write_result
    from wateropt.scenario import load_cases, shipped_scenarios
    from wateropt.solving import Clock
    from wateropt.solving import solve as optimize

    imports = time.perf_counter() - begin
    begin = time.perf_counter()
    cases = load_cases(scenarios or shipped_scenarios())
    read = (time.perf_counter() - begin) / len(cases)
    for case in cases:
        check_folder(out / case.name)
    done = []
    with Progress(len(cases)) as progress:
        for case in cases:
            begin = time.perf_counter()
            clock = Clock({"imports": imports, "read": read})
            tell = progress.start(case.name)
            fixed = held(case, hold) if hold else None
            result = optimize(case, fixed_head=fixed_head, hold=fixed, clock=clock, tell=tell)
            write_result(result, out / case.name)
            progress.finish(case.name, time.perf_counter() - begin)
            done.append((summary(result), result))
    show_summary(done, out)
    show_notices(done)
    if any(result.status != "optimal" for _, result in done):
        raise SolverError("a schedule is written but not settled; see its `status` in summary.json")
