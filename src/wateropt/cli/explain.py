"""`wateropt explain`: why a value of a schedule is what it is."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.argument("cell", metavar="NAME:ID@START")
@click.option("--scenario", metavar="FILE", default="", help="The scenario's file, if it is no shipped one.")
@click.option("--step", type=click.FloatRange(1e-4, 0.5), default=0.01, show_default=True,
              help="Share of the value by which it is forced up and down.")
def explain(result: Path, cell: str, scenario: str, step: float) -> None:
    """Say what holds a value where it is, and what the next-best use of that water or energy was.

    RESULT is a folder that `solve` wrote; NAME:ID@START is a value of its schedule, such as
    release:toktogul@2023-01-11. The value is forced up and down a little, everything else is free, and the case is
    solved again at the head of the result: what moves then is the alternative, and what it costs is told.
    """
    from wateropt.studies.explain import explain_cell, in_words
    from wateropt.studies.provenance import case_of

    case, facts = case_of(result, scenario)
    for line in in_words(explain_cell(case, cell, fixed_head=facts["fixed_head"], step=step)):
        click.echo(line)
