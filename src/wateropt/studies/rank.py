"""Rank: which scenarios lose most, by what is short of water and of electricity in each country, worst first.

It reads the CSV files of results and nothing else. Water short is that of demand sites: fields, towns and lakes.
Withdrawals that are no site (most of those in Uzbekistan and Tajikistan) are claims; what they miss is a column of
its own and costs a penalty, no country's money.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wateropt.errors import DataError, Problem

READ = ("accounts", "deliveries", "energy")
MEASURES = ("irrigation_loss_musd", "short_hm3", "unserved_musd", "unserved_gwh", "unmet_claims_hm3")
ALL = "all"
ACCOUNTS = {"shortage": "irrigation_loss_musd", "unserved_energy": "unserved_musd"}
KINDS = {"site": "short_hm3", "claim": "unmet_claims_hm3"}
DAYS = 365.25
NOISE = 1e-6  # of any measure: rounding of the solver


@dataclass
class Loss:
    """What a scenario loses.

    Attributes:
        scenario: name of the result's folder.
        years: length of its horizon; at least one, as a season cannot be scaled to a year.
        sums: measure -> country -> sum over the horizon; the country `all` is the sum of countries.
    """

    scenario: str
    years: float = 1.0
    sums: dict[str, dict[str, float]] = field(default_factory=lambda: {measure: {} for measure in MEASURES})

    def a_year(self, measure: str, country: str = ALL) -> float:
        """Return a measure of a country, in the mean of years."""
        value = self.sums[measure].get(country, 0.0) / self.years
        return value if abs(value) > NOISE else 0.0

    @property
    def loss(self) -> float:
        """Irrigation loss and cost of unserved energy of all countries [MUSD a year]."""
        return self.a_year("irrigation_loss_musd") + self.a_year("unserved_musd")

    def add(self, measure: str, country: str, value: str) -> None:
        """Add a cell to a measure."""
        for place in (country, ALL):
            self.sums[measure][place] = self.sums[measure].get(place, 0.0) + float(value or 0.0)

    @property
    def countries(self) -> list[str]:
        """Countries that lose something, in alphabetical order."""
        return sorted({country for measure in MEASURES for country in self.sums[measure]
                       if country != ALL and self.a_year(measure, country)})


def rank(folders: Sequence[Path]) -> list[Loss]:
    """Return what scenarios lose, the worst first: by money, then by water, claims and energy.

    Args:
        folders: results, or folders that hold them.

    Raises:
        DataError: a folder holds no result, or two results have one name.
    """
    places = [place for folder in folders for place in _results(folder)]
    problems = [Problem(str(folder), "", "holds no result of wateropt; give a folder that `solve` wrote")
                for folder in folders if not _results(folder)]
    names = [place.name for place in places]
    problems += [Problem(str(place), "", f"two results are called `{place.name}`; rename one")
                 for place in places if names.count(place.name) > 1]
    if problems:
        raise DataError("rank", problems)
    return sorted((_read(place) for place in places), key=_order)


def _order(loss: Loss) -> tuple[float, float, float, float, str]:
    water, claims, energy = (loss.a_year(m) for m in ("short_hm3", "unmet_claims_hm3", "unserved_gwh"))
    return -loss.loss, -water, -claims, -energy, loss.scenario


def _results(folder: Path) -> list[Path]:
    """Return a folder if it is a result, else the results in it."""
    found = [place for place in (folder.absolute(), *sorted(folder.absolute().glob("[!.]*")))
             if all((place / f"{name}.csv").is_file() for name in READ)]
    return found[:1] if found[:1] == [folder.absolute()] else found


def _read(place: Path) -> Loss:
    loss = Loss(place.name)
    periods: dict[str, float] = {}
    for row in _rows(place, "accounts"):
        if row["item"] in ACCOUNTS:
            loss.add(ACCOUNTS[row["item"]], row["country"], row["musd"])
    for row in _rows(place, "deliveries"):
        periods[row["start"]] = float(row["days"])
        loss.add(KINDS[row["kind"]], row["country"], row["shortage_hm3"])
    for row in _rows(place, "energy"):
        periods[row["start"]] = float(row["days"])
        loss.add("unserved_gwh", row["country"], row["unserved_gwh"])
    loss.years = max(round(sum(periods.values()) / DAYS, 1), 1.0)
    return loss


def _rows(place: Path, table: str) -> Iterator[dict[str, str]]:
    with (place / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
