"""`wateropt list`: the shipped scenarios."""

from __future__ import annotations

import click

WIDE = 120  # columns of a line


@click.command("list")
def list_scenarios() -> None:
    """List the shipped scenarios: period, step, basin and meaning."""
    from wateropt.basin import JOIN
    from wateropt.scenario import find_scenario, read_scenario, shipped_scenarios

    rows: list[tuple[str, ...]] = []
    for name in shipped_scenarios():
        scenario = read_scenario(find_scenario(name))
        rows.append((name, f"{scenario.start}/{scenario.end}", scenario.step, JOIN.join(scenario.basins),
                     scenario.meaning or scenario.title))
    for line in aligned(rows):
        click.echo(line)


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows in columns, the last of which goes below, indented, where a line would be too long.

    >>> aligned([("a", "river", "short"), ("bcd", "lake", 110 * "x")]) == [
    ...     "a    river  short", "bcd  lake", "    " + 110 * "x"]
    True
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)] if rows else []
    lines = []
    for row in rows:
        cells, last = row[:-1], row[-1]
        head = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        if len(head) + 2 + len(last) <= WIDE:
            lines.append(f"{head}  {last}")
        else:
            lines += [head.rstrip(), f"    {last.strip()}"]
    return lines
