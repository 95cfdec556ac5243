"""`wateropt check`: find every problem of basins and scenarios."""

from __future__ import annotations

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def check(paths: tuple[str, ...]) -> None:
    """Name every problem of basins and scenarios, and show their water and energy budget by season.

    PATH is a scenario (shipped name or file) or a basin (shipped name or folder).
    """
    from wateropt.checking import check as find_problems
    from wateropt.errors import DataError

    wrong = 0
    for path in paths:
        try:
            lines = find_problems(path)
        except DataError as error:
            click.echo(f"error: {error}", err=True)
            wrong += 1
            continue
        click.echo(f"{path}: no problems")
        for line in lines:
            click.echo(f"  {line.season:18} {line.what:56} available {line.available:10,.0f}  required "
                       f"{line.required:10,.0f}  gap {line.gap:10,.0f} {line.unit}")
    if wrong:
        raise click.exceptions.Exit(DataError.code)
