"""Quantities: the numbers of a result that a gate can watch, each with a name and a unit.

A name is the kind and, after a colon, the id: `release:toktogul/2023-growing`. All are sums, prices or costs that
every optimal schedule shares, or nearly so: single cells of one schedule are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wateropt.calendar import Floats
from wateropt.report.tables import TABLES
from wateropt.result import Result
from wateropt.units import HM3_PER_M3S_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wateropt.studies.gate.suite import Asked

ALL = "all"
NOISE = 1e-9  # smaller values are rounding of the solver


class Quantity(NamedTuple):
    """A number of a result.

    Attributes:
        value: rounded to ten digits.
        unit: its unit.
    """

    value: float
    unit: str


Found = Iterator[tuple[str, float, str]]  # id, value, unit


def _objective(result: Result) -> Found:
    yield "", result.objective, "MUSD"


def _accounts(result: Result) -> Found:
    """Yield the sum of each account, and of each item and country over all: countries may trade at equal prices."""
    places = {(country or "none", item) for country, item, _ in (line.place for line in result.ledger("account"))}
    for country, item in sorted(places):
        yield f"{country}/{item}", _sum(result, country, item), "MUSD"
    for item in sorted({item for _, item in places}):
        yield f"{ALL}/{item}", _sum(result, None, item), "MUSD"
    for country in sorted({country for country, _ in places}):
        yield f"{country}/{ALL}", _sum(result, country, None), "MUSD"


def _sum(result: Result, country: str | None, item: str | None) -> float:
    return float(sum(line.values.sum() for line in result.ledger("account")
                     if country in (None, line.place[0] or "none") and item in (None, line.place[1])))


def _releases(result: Result) -> Found:
    volume = result.case.calendar.days * HM3_PER_M3S_DAY
    for r in result.case.book.tables["reservoir"]:
        flow = result.values.get("release", r)
        for season, inside in _seasons(result):
            yield f"{r}/{season}", float((flow * volume)[inside].sum()), "hm3"


def _seasons(result: Result) -> Iterator[tuple[str, Floats]]:
    """Yield each season of the horizon, and which periods lie in it."""
    calendar = result.case.calendar
    names = [f"{year}-{season}" for year, season in zip(calendar.hydrological_years, calendar.seasons, strict=True)]
    for season in dict.fromkeys(names):
        yield season, np.array([name == season for name in names])


def _shortages(result: Result) -> Found:
    sums: dict[str, float] = {}
    for row in TABLES["deliveries"](result):
        key = f"{row['country']}/{row['kind']}"
        sums[key] = sums.get(key, 0.0) + row["shortage_hm3"]
    yield from ((key, sums[key], "hm3") for key in sorted(sums))


def _unserved(result: Result) -> Found:
    for grid in result.case.book.tables["grid"]:
        yield grid, float(sum(line.values.sum() for line in result.ledger("grid", "unserved")
                              if line.place[0] == grid)), "GWh"


def _clauses(column: str) -> Callable[[Result], Found]:
    def clauses(result: Result) -> Found:
        for row in TABLES["clauses"](result):
            unit = f"MUSD per {row['unit']}" if column.startswith("shadow") else row["unit"]
            yield f"{row['clause']}/{row['window']}", row[column], unit

    return clauses


def _water_values(result: Result) -> Found:
    table, days = result.case.book.tables["reservoir"], result.case.calendar.days
    for r in table:
        value = result.water_value(table.node[r])
        for season, inside in _seasons(result):
            yield f"{r}/{season}", float(np.average(value[inside], weights=days[inside])), "USD/m3"


def _marginal_values(result: Result) -> Found:
    """Yield what one more unit of a datum costs: in every period together, and in each (`@` its start)."""
    whole: dict[str, float] = {}
    units: dict[str, str] = {}
    for row in TABLES["marginal_values"](result):
        key, value = f"{row['input']}/{row['where']}", float(row["musd_per_unit"])
        whole[key], units[key] = whole.get(key, 0.0) + value, f"MUSD per {row['unit']}"
        yield f"{key}@{row['start']}", value, units[key]
    yield from ((key, value, units[key]) for key, value in whole.items())


KINDS: dict[str, Callable[[Result], Found]] = {
    "objective": _objective, "account": _accounts, "release": _releases, "shortage": _shortages,
    "unserved": _unserved, "shortfall": _clauses("shortfall"), "shadow_price": _clauses("shadow_price_musd_per_unit"),
    "water_value": _water_values, "marginal_value": _marginal_values,
}
SWEPT = ("effect", "index")  # quantities of a sweep: see `sweeps`


def measure(result: Result, kinds: Sequence[str]) -> dict[str, Quantity]:
    """Return name -> quantity of some kinds.

    >>> import wateropt
    >>> result = wateropt.solve(wateropt.load("dry-2023-monthly"), fixed_head=True)
    >>> list(measure(result, ["objective", "unserved"]))[:2]
    ['objective', 'unserved:kg']
    """
    return {f"{kind}:{key}".rstrip(":"): Quantity(rounded(value), unit) for kind in KINDS if kind in kinds
            for key, value, unit in sorted(KINDS[kind](result))}


def rounded(value: float) -> float:
    """Return a value as a baseline keeps it: ten digits, and no rounding of the solver."""
    return float(f"{value:.10g}") if abs(value) > NOISE else 0.0


def fits(name: str, asked: Asked) -> bool:
    """Tell whether a row of a suite speaks of a quantity."""
    kind, _, key = name.partition(":")
    return kind == asked.quantity and ("@" in asked.which or "@" not in key) and fnmatchcase(key, asked.which)
