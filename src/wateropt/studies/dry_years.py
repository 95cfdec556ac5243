"""Dry years: which hydrological years of a basin's record are dry, and by which rule."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wateropt.basin import basin_folders, load_basin
from wateropt.errors import DataError, Problem, nearest
from wateropt.tables import CONFIDENCES, Column, Table, read_rows

FILE = "hydrological_year.csv"
LOWEST = 1 / 3  # of the record: a year whose available water ranks there is dry
BORDER = 300.0  # hm³: nearer to the limit of the lowest third, a year could as well lie on its other side. The error
# of a reconstructed year is 300 to 900 hm³, and the bulletins of measured ones miss 30 to 190
LEAST_SHARE = 0.6  # of what was agreed for the season: a year that brings less is dry
PLAIN = ("hydrological_year", "source", "confidence", "note")
ENDINGS = ("_inflow_hm3", "_opening_hm3", "_season_hm3", "_agreed_hm3")


class DryYear(NamedTuple):
    """A hydrological year of the record; volumes in hm³, None where they are not known.

    Attributes:
        year: the year in which it ends.
        inflow, opening: of the storage reservoir: inflow of the year, storage at its start.
        available: inflow plus what stands above dead storage at the start.
        rank: 1 for the least available of the `of` years that have both numbers.
        season, agreed: inflow of the reservoir downstream in the growing season, and what was agreed.
        share: season over agreed.
        dry: by which rules the year is dry; empty if it is not.
        border: whether its available water lies within BORDER of the limit.
        confidence: of the row.
    """

    year: int
    inflow: float | None
    opening: float | None
    available: float | None
    rank: int | None
    of: int
    season: float | None
    agreed: float | None
    share: float | None
    dry: tuple[str, ...]
    border: bool
    confidence: str


def dry_years(folder: Path) -> list[DryYear]:
    """Return the years of a basin's record, in their order, each with what decides whether it is dry.

    A year is dry if the water available at the upper reservoir is in the lowest third of the record, or if the lower
    one gets less than 60 % of what was agreed for the season.

    Raises:
        DataError: the basin has no such record, or something in it is wrong.
    """
    place = next((other for other in reversed(basin_folders(folder)) if (other / FILE).exists()), None)
    if place is None:
        raise DataError(f"basin {folder.name}", [Problem(FILE, "", "is not there, nor in what the basin includes; "
                                                         "without it no year can be called dry")])
    problems: list[Problem] = []
    rows = read_rows(place / FILE, problems)
    dead, names = _reservoirs(rows, load_basin(folder).tables["reservoir"], problems)
    numbers = [(line, row, _numbers(line, row, names, problems)) for line, row in rows] if names else []
    years = [row["hydrological_year"] for _, row, _ in numbers]
    problems += [Problem(FILE, f"line {line}", f"{row['hydrological_year']} stands twice; once is needed")
                 for n, (line, row, _) in enumerate(numbers) if row["hydrological_year"] in years[:n]]
    if problems:
        raise DataError(f"basin {folder.name}", problems)
    return _ranked([(int(row["hydrological_year"]), values, row["confidence"]) for _, row, values in numbers], dead)


def _reservoirs(rows: list[tuple[int, dict[str, str]]], reservoirs: Table,
                problems: list[Problem]) -> tuple[float, list[str]]:
    """Return the dead storage [hm³] of the upper reservoir and the four headers with numbers."""
    header = list(rows[0][1]) if rows else []
    names = []
    for ending in ENDINGS:
        found = [name for name in header if name.endswith(ending)]
        if rows and len(found) != 1:
            problems.append(Problem(FILE, "line 1", f"needs one column `<reservoir>{ending}`; has {len(found)}"))
        names += found[:1]
    missing = [name for name in PLAIN[:3] if rows and name not in header]
    problems += [Problem(FILE, "line 1", f"no column `{name}`; add it") for name in missing]
    if problems or not rows:
        return 0.0, []
    lakes = [name.removesuffix(ending) for name, ending in zip(names, ENDINGS, strict=True)]
    for lake in sorted({*lakes} - {*reservoirs}):
        problems.append(Problem(FILE, "line 1", f"no reservoir `{lake}`; {nearest(lake, reservoirs.ids)}"))
    return (0.0, []) if problems else (float(reservoirs.minimum_storage[lakes[0]]), names)


def _numbers(line: int, row: dict[str, str], names: list[str], problems: list[Problem]) -> list[float | None]:
    cells: list[float | None] = []
    for column in (Column(name.removesuffix("_hm3"), "hm3", "", default=None, low=0.0) for name in names):
        try:
            cells.append(column.read(row[column.header]))
        except ValueError as error:
            problems.append(Problem(FILE, f"line {line}", str(error)))
    if not row["hydrological_year"].isdecimal():
        problems.append(Problem(FILE, f"line {line}", f"year is `{row['hydrological_year']}`; a number is needed"))
    if row["confidence"] not in CONFIDENCES:
        problems.append(Problem(FILE, f"line {line}", f"confidence: {nearest(row['confidence'], CONFIDENCES)}"))
    return cells


def _ranked(rows: list[tuple[int, list[float | None], str]], dead: float) -> list[DryYear]:
    """Return the years with their ranks and verdicts; `dead` is the upper reservoir's dead storage [hm³]."""
    available = {year: inflow + opening - dead for year, (inflow, opening, *_), _ in rows
                 if inflow is not None and opening is not None}
    order = sorted(available, key=lambda year: (available[year], year))
    limit = _limit([available[year] for year in order])
    found = []
    for year, (inflow, opening, season, agreed), confidence in sorted(rows, key=lambda row: row[0]):
        rank = order.index(year) + 1 if year in available else None
        share = season / agreed if season is not None and agreed else None
        dry = (("available",) if rank and rank <= LOWEST * len(order) else ()) + (
            ("season",) if share is not None and share < LEAST_SHARE else ())
        border = year in available and abs(available[year] - limit) <= BORDER
        found.append(DryYear(year, inflow, opening, available.get(year), rank, len(order), season, agreed, share, dry,
                             border, confidence))
    return found


def _limit(ascending: list[float]) -> float:
    """Return the available water [hm³] half-way between the last year of the lowest third and the next."""
    last = int(LOWEST * len(ascending))
    return (ascending[last - 1] + ascending[last]) / 2 if 0 < last < len(ascending) else float("-inf")
