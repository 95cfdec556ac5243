"""Check: everything that is wrong with a basin or scenario, and its water and energy budget by season."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wateropt.basin import find_basin, load_basin
from wateropt.calendar import Floats
from wateropt.errors import UsageError
from wateropt.scenario import Case, load_case
from wateropt.units import GWH_PER_MWH, HM3_PER_M3S_DAY


@dataclass(frozen=True)
class BudgetLine:
    """One line of a budget, over one season.

    Attributes:
        season: e.g. "2023 growing".
        what: water [hm³] or energy of a grid [GWh].
        available, required: sums over the season.
    """

    season: str
    what: str
    unit: str
    available: float
    required: float

    @property
    def gap(self) -> float:
        """What is required and not available without storage or hydropower (negative: a surplus)."""
        return self.required - self.available


def check(name: str) -> list[BudgetLine]:
    """Check a scenario or a basin; return the budget of a scenario (none for a basin).

    Args:
        name: a shipped scenario or basin, a scenario file, or a basin's folder.

    Raises:
        DataError: with every problem found.
        UsageError: there is no such scenario or basin.

    >>> [line.season for line in check("dry-2023-monthly")][:1]
    ['2023 non-growing']
    """
    if Path(name).is_dir():
        load_basin(Path(name))
        return []
    try:
        case = load_case(name)
    except UsageError as no_scenario:
        try:
            folder = find_basin(name)
        except UsageError as no_basin:
            raise UsageError(f"{no_scenario}; {no_basin}") from None
        load_basin(folder)
        return []
    return list(budget(case))


def budget(case: Case) -> Iterator[BudgetLine]:
    """Yield water and energy by season: what nature and neighbours give against what is asked."""
    calendar = case.calendar
    seasons = [f"{year} {season}" for year, season in zip(calendar.hydrological_years, calendar.seasons, strict=True)]
    water, energy = _water(case), _energy(case)
    for season in dict.fromkeys(seasons):
        inside = np.array([s == season for s in seasons])
        yield BudgetLine(season, "water (inflow and gains / requirements, claims, sea)", "hm3",
                         *(float(values[inside].sum()) for values in water))
        for grid, values in energy.items():
            yield BudgetLine(season, f"energy of grid {grid} (units and neighbours / load)", "GWh",
                             *(float(v[inside].sum()) for v in values))


def _water(case: Case) -> tuple[Floats, Floats]:
    kappa = case.calendar.days * HM3_PER_M3S_DAY
    gains = list(case.book.series["gain"].get("flow", {}).values())
    zero = np.zeros(len(kappa))
    gives = sum(case.book.series["inflow"].get("flow", {}).values(), zero)
    gives = gives + sum((np.maximum(g, 0) for g in gains), zero)
    asks = sum(case.book.series["demand"].get("requirement", {}).values(), zero)
    claims = sum((np.maximum(-g, 0) for g in gains), zero)
    asks = asks + claims + sum(case.book.series["sea"].get("target", {}).values(), zero)
    return kappa * gives, kappa * asks


def _energy(case: Case) -> dict[str, tuple[Floats, Floats]]:
    tables, series, days = case.book.tables, case.book.series, case.calendar.days
    links, found = tables["link"], {}
    for grid in sorted({g for g, _ in series["grid"].get("load", {})}):
        load = sum((series["grid"]["load"][g, b] * hours for (g, b) in series["grid"]["load"] if g == grid
                    for hours in [case.book.blocks[b]]), np.zeros(len(days)))
        units = [series["unit"]["available"][u] for u in tables["unit"] if tables["unit"].grid[u] == grid]
        near = {links.origin[k] for k in links if links.destination[k] == grid} | {
            links.destination[k] for k in links if links.origin[k] == grid}
        steps = tables["exchange"]
        supply = [series["exchange"]["limit"][x] for x in steps
                  if steps.direction[x] == "supply" and steps.grid[x] in near | {grid}]
        power = sum([*units, *supply], np.zeros(len(days)))
        found[grid] = (power * 24 * days * GWH_PER_MWH, load * days * GWH_PER_MWH)
    return found
