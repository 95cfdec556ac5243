"""The same LP in fewer rows and columns, for many re-solves: half of a year's rows and a quarter of its columns go.

HiGHS' own presolve forgets the basis that a re-solve begins at. What is left out here keeps it:

* columns that are data move to the right-hand sides;
* a row with one other column is a bound of that column: a simplex method passes any number of bounds in one step, but
  takes a step for each row;
* a free column that one equation defines (an account) is written into the costs.

The optimum is the same; only what was left out is computed from it. Duals are not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wateropt.calendar import Floats
from wateropt.highs import OPTIMAL, Highs, Solution
from wateropt.horizon import Ints, Lp

CROSSED = 1e-9  # by which rounding may let a lower bound pass an upper one: the tolerance of a row
NONE: Floats = np.array([])


@dataclass(frozen=True)
class Condensed:
    """What of an LP's structure is left out. Entries are numbered as in the matrix by rows.

    Attributes:
        row: row of each entry, shape (entry,).
        columns, rows: what is kept.
        data: columns that are fixed to a value.
        data_entries, bound_entries: entries of data; entries whose row bounds their column.
        own_entries, other_entries: in the rows that define a free column, its entry and those of the others.
        kept_entries, starts, column: the kept matrix by rows.
    """

    row: Ints
    columns: Ints
    rows: Ints
    data: Ints
    data_entries: Ints
    bound_entries: Ints
    own_entries: Ints
    other_entries: Ints
    kept_entries: Ints
    starts: Ints
    column: Ints

    @classmethod
    def of(cls, lp: Lp, data: npt.NDArray[np.bool_]) -> Condensed:
        """Find what can be left out.

        Args:
            lp: any LP.
            data: which columns are fixed, in it and in each LP of the same structure, shape (column,).
        """
        height, width = lp.shape
        row = np.repeat(np.arange(height), np.diff(lp.row_start))
        live = ~data[lp.column]
        own = _definitions(lp, row, live)
        defines, defined = np.zeros(height, dtype=bool), data.copy()
        defines[row[own]], defined[lp.column[own]] = True, True
        bounds = (np.bincount(row[live], minlength=height) == 1) & ~defines
        rows, columns = np.flatnonzero(~defines & ~bounds), np.flatnonzero(~defined)
        kept = np.flatnonzero(~defines[row] & ~bounds[row] & ~defined[lp.column])
        others = defines[row]
        others[own] = False
        starts = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=height)[rows])])
        number = np.zeros(width, dtype=np.int64)
        number[columns] = np.arange(len(columns))
        return cls(row, columns, rows, np.flatnonzero(data), np.flatnonzero(~live), np.flatnonzero(live & bounds[row]),
                   own, np.flatnonzero(others), kept, starts, number[lp.column[kept]])

    def fits(self, lp: Lp) -> bool:
        """Tell whether an LP of this structure still has the numbers that let its parts be left out."""
        own, row = lp.column[self.own_entries], self.row[self.own_entries]
        return bool((lp.lower[self.data] == lp.upper[self.data]).all()
                    and lp.value[self.bound_entries].all() and lp.value[self.own_entries].all()
                    and np.isinf(lp.lower[own]).all() and np.isinf(lp.upper[own]).all()
                    and (lp.row_lower[row] == lp.row_upper[row]).all())

    def reduce(self, lp: Lp) -> Lp:
        """Return the LP of what is kept; it has no names."""
        height = len(lp.row_lower)
        shift = np.bincount(self.row[self.data_entries],
                            lp.value[self.data_entries] * lp.lower[lp.column[self.data_entries]], minlength=height)
        row_lower, row_upper = lp.row_lower - shift, lp.row_upper - shift
        lower, upper = self._bounds(lp, row_lower, row_upper)
        price = np.zeros(height)
        price[self.row[self.own_entries]] = lp.cost[lp.column[self.own_entries]] / lp.value[self.own_entries]
        others = self.other_entries
        cost = lp.cost - np.bincount(lp.column[others], price[self.row[others]] * lp.value[others], len(lp.cost))
        return Lp(cost[self.columns], lower[self.columns], upper[self.columns], row_lower[self.rows],
                  row_upper[self.rows], self.starts, self.column, lp.value[self.kept_entries], (), ())

    def _bounds(self, lp: Lp, row_lower: Floats, row_upper: Floats) -> tuple[Floats, Floats]:
        """Return the bounds of all columns, with those of the rows that hold one column."""
        lower, upper, value = lp.lower.copy(), lp.upper.copy(), lp.value[self.bound_entries]
        row, column = self.row[self.bound_entries], lp.column[self.bound_entries]
        ends = row_lower[row] / value, row_upper[row] / value
        np.maximum.at(lower, column, np.minimum(*ends))
        np.minimum.at(upper, column, np.maximum(*ends))
        return lower, np.where((upper < lower) & (upper >= lower - CROSSED), lower, upper)

    def expand(self, lp: Lp, kept: Floats) -> Floats:
        """Return all columns of the LP from those that are kept."""
        x = lp.lower.copy()
        own = lp.column[self.own_entries]
        x[own] = 0.0
        x[self.columns] = kept
        rest = np.bincount(self.row[self.other_entries],
                           lp.value[self.other_entries] * x[lp.column[self.other_entries]], minlength=len(lp.row_lower))
        row = self.row[self.own_entries]
        x[own] = (lp.row_lower[row] - rest[row]) / lp.value[self.own_entries]
        return x


def _definitions(lp: Lp, row: Ints, live: npt.NDArray[np.bool_]) -> Ints:
    """Return the entries of free columns that stand in one row, an equation; at most one of a row."""
    free = np.isinf(lp.lower) & np.isinf(lp.upper) & (np.bincount(lp.column, minlength=len(lp.cost)) == 1)
    found = np.flatnonzero(live & free[lp.column] & (lp.row_lower == lp.row_upper)[row])
    return found[np.unique(row[found], return_index=True)[1]]


class CondensedHighs(Highs):
    """A live LP whose re-solves are of its condensed form; it begins at the optimal basis of what it was made from.

    Args:
        lp: the LP.
        data: which columns are fixed, whatever changes, shape (column,).
    """

    def __init__(self, lp: Lp, data: npt.NDArray[np.bool_]) -> None:
        self._first, self._form = lp, Condensed.of(lp, data)
        self._keys = self._form.row * len(lp.cost) + lp.column
        super().__init__(self._form.reduce(lp))
        super().solve(far=True)
        self.expect_little()
        self._best: Any = self.basis()
        self._loaded = False
        self.reload()

    def reload(self) -> None:
        """Forget every change and solve: the LP is again what it was made from, at its optimal basis."""
        lp = self._first
        self._lp = replace(lp, lower=lp.lower.copy(), upper=lp.upper.copy(), row_lower=lp.row_lower.copy(),
                           row_upper=lp.row_upper.copy(), value=lp.value.copy())
        self._next, self._loaded = self._best, False

    def change_bounds(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Replace the bounds of some columns."""
        self._lp.lower[columns], self._lp.upper[columns], self._loaded = lower, upper, False

    def change_row_bounds(self, rows: Ints, lower: Floats, upper: Floats) -> None:
        """Replace the bounds of some rows."""
        self._lp.row_lower[rows], self._lp.row_upper[rows], self._loaded = lower, upper, False

    def change_entries(self, rows: Ints, columns: Ints, values: Floats) -> None:
        """Overwrite coefficients that the LP has."""
        self._lp.value[np.searchsorted(self._keys, rows * len(self._lp.cost) + columns)] = values
        self._loaded = False

    def solve(self, far: bool = False) -> Solution:  # noqa: ARG002
        """Solve from the last basis; rows and duals of the solution are empty."""
        if not self._form.fits(self._lp):
            return Solution("not alike", np.nan, NONE, NONE, NONE, NONE, (0.0, 0.0), 0)
        if not self._loaded:
            self.replace_lp(self._form.reduce(self._lp))
            self.start_from(self._next)
            self._loaded = True
        found = super().solve()
        self._next = self.basis()
        if found.status != OPTIMAL:
            return replace(found, row=NONE, reduced=NONE, row_dual=NONE)
        x = self._form.expand(self._lp, found.x)
        return replace(found, objective=float((self._lp.cost * x).sum()), x=x, row=NONE, reduced=NONE, row_dual=NONE)
