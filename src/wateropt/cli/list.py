"""`wateropt list`: the shipped scenarios."""

from __future__ import annotations

import click


@click.command("list")
def list_scenarios() -> None:
    """List the shipped scenarios: basin, period, step and meaning."""
    from wateropt.scenario import find_scenario, read_scenario, shipped_scenarios

    for name in shipped_scenarios():
        scenario = read_scenario(find_scenario(name))
        click.echo(f"{name}: {' + '.join(scenario.basins)}, {scenario.start} to {scenario.end}, by {scenario.step}s")
        click.echo(f"    {scenario.meaning}")
