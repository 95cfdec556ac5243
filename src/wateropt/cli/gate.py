"""`wateropt gate`: whether a change of the data moved the results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wateropt.studies.gate.baseline import Baseline
    from wateropt.studies.gate.changelog import Changelog
    from wateropt.studies.gate.check import Report

SUMMARY = "GITHUB_STEP_SUMMARY"


@click.command()
@click.argument("suite", type=click.Path(path_type=Path), metavar="SUITE.yaml")
@click.option("--update", "accept", is_flag=True, help="Accept what moved: write the baseline, and old and new values "
              "into the table **Changed results** of CHANGELOG.md.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="JUnit XML to write, a test case for each quantity.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes that solve; 1 is this process.  "
              "[default: one for each CPU]")
def gate(suite: Path, accept: bool, junit: Path | None, workers: int | None) -> None:
    """Run a suite again and compare its results with the committed baseline.

    The baseline SUITE.baseline.json is beside the suite. What moved further than the suite allows is printed with
    the change of the input that moved it; the exit code is then 6. A baseline that was changed without a row in
    CHANGELOG.md is refused. In GitHub Actions a summary is added to the page of the run.
    """
    from wateropt.errors import DriftError
    from wateropt.studies.gate.check import check
    from wateropt.studies.gate.pages import heading, lines, remarks
    from wateropt.studies.gate.suite import BASELINE, read_suite
    from wateropt.workers import usable_cpus

    asked = read_suite(suite)
    file = suite.with_name(f"{suite.stem}{BASELINE}")
    changelog, baseline = _accepted(suite, file, accept)
    report = check(asked, suite, baseline, workers=workers or usable_cpus(), tell=_tell)
    for line in lines(report) if baseline else [heading(report)]:
        click.echo(line)
    for line in remarks(report):
        click.echo(line, err=True)
    _write_pages(report, junit)
    _fail_without_schedule(report)
    if accept:
        _update(report, file, changelog)
    elif report.moved:
        raise DriftError(f"{len(report.moved)} of {len(report.compared)} quantities are not those of {file.name}; "
                         "mend the change, or accept it with `--update`")


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _accepted(suite: Path, file: Path, accept: bool) -> tuple[Changelog, Baseline | None]:
    """Return the changelog and the baseline, which must agree; no baseline only where one is to be written."""
    from wateropt.studies.gate.baseline import read_baseline
    from wateropt.studies.gate.changelog import check_baseline, read_changelog

    changelog = read_changelog(suite)
    if accept and not file.exists():
        return changelog, None
    baseline = read_baseline(file)
    check_baseline(baseline, changelog, file.name)
    return changelog, baseline


def _write_pages(report: Report, file: Path | None) -> None:
    from wateropt.studies.gate.pages import junit, markdown, write_text

    if file:
        write_text(file, junit(report))
    if os.environ.get(SUMMARY):
        write_text(Path(os.environ[SUMMARY]), markdown(report), append=True)


def _fail_without_schedule(report: Report) -> None:
    """Raise the error of the runs that have no schedule: they cannot be compared, nor accepted."""
    from wateropt.errors import InfeasibleError, SolverError, WateroptError
    from wateropt.running import worst

    if report.failures:
        code = worst([code for code, _ in report.failures.values()])
        kinds: dict[int, type[WateroptError]] = {kind.code: kind for kind in (InfeasibleError, SolverError)}
        raise kinds.get(code, WateroptError)(f"no schedule for {', '.join(report.failures)}; mend the data, or take "
                                             "the run out of the suite")


def _update(report: Report, file: Path, changelog: Changelog) -> None:
    from wateropt.studies.gate.update import update

    rows = update(report, file, changelog)
    if rows:
        many = f"{len(rows)} rows" if len(rows) > 1 else "a row"
        click.echo(f"{file.name} is written, and {many} in {changelog.path.name}", err=True)
    else:
        click.echo(f"nothing moved; {file.name} stays as it is", err=True)
