"""`wateropt hindcast`: history as the judge of the model."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Markdown page to write or bring up to "
              "date, with charts in a folder of the same name.")
@click.option("--csv", "table", type=click.Path(path_type=Path, dir_okay=False), help="File for the storages and "
              "releases of all runs by period.")
def hindcast(scenarios: tuple[str, ...], page: Path | None, table: Path | None) -> None:
    """Judge each hydrological year of scenarios by what was observed.

    A free run from the observed opening storages with observed releases, the cost of what was done, of the optimum,
    and of a plan that knows the season's inflow only from 1 April.
    """
    from wateropt.report.files import write_rows
    from wateropt.scenario import load_cases
    from wateropt.studies import validation
    from wateropt.studies.hindcast import hindcast as judge

    judged = judge(load_cases(scenarios), lambda line: click.echo(line, err=True))
    for part in (validation.storages, validation.generated, validation.costs):
        click.echo(part(judged) + "\n")
    if table:
        write_rows(table, validation.tables(judged))
    if page:
        validation.write_page(judged, page)
