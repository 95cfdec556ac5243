"""`wateropt compare`: where two results differ."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--most", default=20, show_default=True, help="How many differences to show.")
def compare(first: Path, second: Path, most: int) -> None:
    """Show where two results (folders) differ, the biggest differences first."""
    from wateropt.studies.compare import compare as find_differences

    found = find_differences(first, second)
    if not found:
        click.echo("no difference")
    for d in found[:most]:
        click.echo(f"{d.share:7.1%}  {d.table:17} {d.where:50} {d.column:16} {d.first:12,.3f} -> {d.second:12,.3f}"
                   f"  ({d.difference:+,.3f})")
    if len(found) > most:
        click.echo(f"... and {len(found) - most} smaller ones (--most)", err=True)
