"""Result: one frozen answer of a case: schedule, duals, ledger and how it was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wateropt.calendar import Floats
from wateropt.head import SLOTS, HeadPath
from wateropt.highs import Solution
from wateropt.horizon import Horizon, Lp
from wateropt.marginals import Marginals, Ranging
from wateropt.scenario import Case
from wateropt.stage import Columns

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Line:
    """One named term of a balance or an account, along time.

    Attributes:
        book: node [hm³], grid [GWh] or account [MUSD].
        place: node; (grid, block); (country, item, kind).
        term: what it is; item: the asset that causes it.
        values: shape (period,); what enters is positive, a cost is positive.
    """

    book: str
    place: Any
    term: str
    item: Any
    values: Floats


@dataclass(frozen=True)
class Values:
    """Values and duals by name and id, along time.

    Attributes:
        periods: number of periods.
        amounts: (group, id) -> values, 0 where the column does not exist; openings hold one value.
        reduced_costs: (group, id) -> d cost / d column [MUSD per unit].
        duals: (constraint, id) -> d cost / d right-hand side [MUSD per unit].
        exists: (group, id) -> whether the column exists in each period.
    """

    periods: int
    amounts: Mapping[tuple[str, Any], Floats]
    reduced_costs: Mapping[tuple[str, Any], Floats]
    duals: Mapping[tuple[str, Any], Floats]
    exists: Mapping[tuple[str, Any], Any]

    def get(self, name: str, key: Any) -> Floats:
        """Return a variable, state or datum by period; zeros if the case has none."""
        return self.amounts.get((name, key), np.zeros(self.periods))

    def with_opening(self, state: str, key: Any) -> Floats:
        """Return a state at the start and after each period, shape (period + 1,)."""
        return np.concatenate([self.amounts[f"{state}_opening", key], self.amounts[state, key]])

    def reduced_cost(self, name: str, key: Any) -> Floats:
        """Return d cost / d column by period; zeros if the case has none."""
        return self.reduced_costs.get((name, key), np.zeros(self.periods))

    def dual(self, row: str, key: Any) -> Floats:
        """Return d cost / d right-hand side by period; zeros if the case has no such row."""
        return self.duals.get((row, key), np.zeros(self.periods))

    def keys(self, name: str) -> list[Any]:
        """Return the ids of a variable, state or datum."""
        return [key for group, key in self.amounts if group == name]


@dataclass(frozen=True)
class Result:
    """Answer of a case.

    Attributes:
        case: what was solved.
        status: "optimal", or why the solver stopped early.
        objective: joint cost [MUSD of the basin's price year].
        values: schedule and duals. Duals are those of the cost LP at its head; the schedule is the one
            chosen among those of equal cost.
        lines: the ledger.
        groups: variable, state or datum -> its kind, unit and ids.
        derived: name -> id -> values that follow from the schedule (head, elevation).
        run: how it was found (solves, head gap, sizes, residuals, seconds by phase).
        marginals: whose cost each input moves, and what numbers of tables cost.
        ranging: (group, id, period) -> left and right derivative of data; empty unless it was asked for.
    """

    case: Case
    status: str
    objective: float
    values: Values
    lines: tuple[Line, ...]
    groups: Mapping[str, Columns]
    derived: Mapping[str, Mapping[str, Floats]]
    run: Mapping[str, Any]
    marginals: Marginals
    ranging: Mapping[tuple[str, Any, int], Ranging]

    @classmethod
    def collect(cls, horizon: Horizon, lp: Lp, cost: Solution, chosen: Solution, path: HeadPath,
                status: str, run: Mapping[str, Any], marginals: Marginals,
                ranging: Mapping[tuple[str, Any, int], Ranging]) -> Result:
        """Read a solution back from LP columns to names."""
        values = _read_values(horizon, cost, chosen)
        amounts = horizon.evaluate_ledger(chosen.x)
        lines = tuple(Line(term.book, term.place, term.term, term.item, amounts[:, k])
                      for k, term in enumerate(horizon.stage.terms))
        derived: dict[str, Mapping[str, Floats]] = {}
        for part in horizon.case.parts:
            if hasattr(part, "derive"):
                derived |= part.derive(values, horizon.case.book.tables[part.NAME], horizon.case.basin.curves)
        sizes = {"columns": len(lp.cost), "rows": len(lp.row_lower), "entries": len(lp.value)}
        residuals = {"primal": cost.residual[0], "dual": cost.residual[1]}
        facts = {"head_gap": path.gap(chosen.x), "sizes": sizes, "iterations": cost.iterations,
                 "head": _head(horizon), "residuals": residuals}
        return cls(horizon.case, status, cost.objective, values, lines, horizon.stage.groups, derived,
                   {**run, **facts}, marginals, ranging)

    def ledger(self, book: str, *terms: str) -> Iterator[Line]:
        """Yield the lines of a book, all or those of some terms."""
        return (line for line in self.lines if line.book == book and (not terms or line.term in terms))

    def account(self, country: str | None = None, item: str | None = None, kind: str | None = None) -> float:
        """Return the sum of accounts [MUSD], of all or of one country, item or kind."""
        wanted = (country, item, kind)
        return float(sum(line.values.sum() for line in self.ledger("account")
                         if all(w in (None, p) for w, p in zip(wanted, line.place, strict=True))))

    def water_value(self, node: str) -> Floats:
        """Return the water value at a node [USD/m³], shape (period,): positive when more water helps."""
        return self.values.dual("water_balance", node)

    def price(self, grid: str, block: str) -> Floats:
        """Return the price of energy on a grid in a block [USD/MWh], shape (period,)."""
        return 1e3 * self.values.dual("energy_balance", (grid, block))

    def to_xarray(self) -> xr.Dataset:
        """Return everything as a dataset: one variable per quantity, with units and coordinates."""
        from wateropt.report.dataset import dataset

        return dataset(self)


def _head(horizon: Horizon) -> dict[str, Any]:
    return {name: dict(horizon.stage.slots[name]) for name in SLOTS if name in horizon.stage.slots}


def _read_values(horizon: Horizon, cost: Solution, chosen: Solution) -> Values:
    amounts, reduced, exists = {}, {}, {}
    for k, (name, key) in enumerate(horizon.keys):
        place = horizon.position[:, k]
        if horizon.stage.groups[name].kind == "opening":
            place = place[:1]
        exists[name, key] = place >= 0
        amounts[name, key] = np.where(place >= 0, chosen.x[place], 0.0)
        reduced[name, key] = np.where(place >= 0, cost.reduced[place], 0.0)
    duals = {}
    for k, (name, key) in enumerate(horizon.row_keys):
        place = horizon.row_position[:, k]
        duals[name, key] = np.where(place >= 0, cost.row_dual[place], 0.0)
    return Values(horizon.periods, amounts, reduced, duals, exists)
