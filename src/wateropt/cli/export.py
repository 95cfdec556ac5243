"""`wateropt export`: an LP for other solvers."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenario")
@click.option("--to", "form", type=click.Choice(["mps", "lp"]), required=True, help="Format.")
@click.option("--fixed-head", is_flag=True, help="Keep the head of a straight storage path; else that of the optimum.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
def export(scenario: str, form: str, fixed_head: bool, out: Path) -> None:
    """Write a scenario's LP for other solvers."""
    from wateropt.report.model_file import write_model
    from wateropt.scenario import load_case

    objective = write_model(load_case(scenario), form, out, fixed_head=fixed_head)
    click.echo(f"{out}: optimum {objective:.10g} MUSD", err=True)
