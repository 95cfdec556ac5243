"""`wateropt rank`: which scenarios lose most."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wateropt.studies.rank import Loss

WORDS = {"irrigation_loss_musd": ("irrigation", "MUSD"), "short_hm3": ("short", "hm3"),
         "unserved_musd": ("unserved", "MUSD"), "unserved_gwh": ("unserved", "GWh"),
         "unmet_claims_hm3": ("claims", "hm3")}


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: one row per scenario and country.")
def rank(folders: tuple[Path, ...], as_csv: bool) -> None:
    """Rank results by what is short of water and electricity in each country, worst first.

    DIR is a folder that `solve` wrote for a scenario, or one that holds such folders. Numbers are sums over the
    horizon; of one longer than a year, the mean of its years. `loss` is the value of the water that demand sites
    miss and the cost of unserved energy. Claims are withdrawals that are no demand site.
    """
    from wateropt.studies.rank import rank as find_losses

    losses = find_losses(folders)
    if as_csv:
        _write_csv(losses)
    else:
        for line in _table(losses):
            click.echo(line)


def _table(losses: list[Loss]) -> list[str]:
    """Return lines: a column for each measure of each country that loses something in some scenario."""
    shown = [(measure, country) for measure in WORDS for country in sorted({c for x in losses for c in x.countries})
             if any(loss.a_year(measure, country) for loss in losses)]
    rows = [("", "", "", "loss", *(WORDS[measure][0] for measure, _ in shown)),
            ("", "", "", "all", *(country for _, country in shown)),
            ("rank", "scenario", "years", "MUSD", *(WORDS[measure][1] for measure, _ in shown))]
    rows += [(str(place), loss.scenario, f"{loss.years:g}", f"{loss.loss:,.1f}",
              *(f"{loss.a_year(measure, country):,.1f}" for measure, country in shown))
             for place, loss in enumerate(losses, start=1)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if k == 1 else cell.rjust(width)
                      for k, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]


def _write_csv(losses: list[Loss]) -> None:
    from wateropt.studies.rank import ALL, MEASURES

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("rank", "scenario", "country", "years", *MEASURES))
    for place, loss in enumerate(losses, start=1):
        for country in (ALL, *loss.countries):
            writer.writerow((place, loss.scenario, country, f"{loss.years:g}",
                             *(f"{loss.a_year(measure, country):.10g}" for measure in MEASURES)))
