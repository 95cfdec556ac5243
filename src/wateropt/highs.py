"""The only door to HiGHS: pass, solve, change, solve again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highspy
import numpy as np

from wateropt.calendar import Floats
from wateropt.errors import OutputError, SolverError
from wateropt.horizon import Ints, Lp

OPTIMAL, INFEASIBLE = "optimal", "infeasible"
FAILED = (highspy.HighsModelStatus.kUnknown, highspy.HighsModelStatus.kSolveError)
# What is tried from scratch, one after another, where numbers failed: option, value, usual value.
AGAIN = (("presolve", "off", "choose"), ("simplex_strategy", 4, 1), ("solver", "ipm", "choose"))
DOUBT = 1e-7  # relative distance of primal from dual objective beyond which an "optimum" is none
LONG = 40_000  # columns from which an interior point is found sooner than a far-away vertex by simplex steps


@dataclass(frozen=True)
class Solution:
    """Solution of an LP.

    Attributes:
        status: "optimal", "infeasible" or HiGHS' own words.
        objective: value of the objective [MUSD].
        x: columns; row: rows; reduced: reduced costs of the columns; row_dual: duals of the rows.
        residual: largest primal and dual infeasibility.
        iterations: simplex iterations.
    """

    status: str
    objective: float
    x: Floats
    row: Floats
    reduced: Floats
    row_dual: Floats
    residual: tuple[float, float]
    iterations: int


class _Quiet(highspy.Highs):
    """HiGHS without callbacks: enabling them prints a banner on stdout before any option can forbid it."""

    def __init__(self) -> None:
        super(highspy.Highs, self).__init__()


class Highs:
    """A live LP in HiGHS: one thread, fixed seed.

    Pricing is Devex: steepest edge would compute its weights anew at every warm start, which takes longer
    than the re-solve itself. The LP is not scaled: its entries lie between 1e-4 and 1e1 as it is. Pivots are at
    least half of the largest entry: along the chains of storage and travel an error grows with each period, and with
    the usual tenth some optima missed rows by 7e-2 and their cost by 5e-4, called optimal.
    """

    def __init__(self, lp: Lp, time_limit: float = 3600.0, named: bool = False) -> None:
        self._highs = _Quiet()
        for option, value in {"output_flag": False, "threads": 1, "random_seed": 0, "parallel": "off",
                              "time_limit": time_limit, "primal_feasibility_tolerance": 1e-9,
                              "dual_feasibility_tolerance": 1e-9,
                              "simplex_dual_edge_weight_strategy": 1,
                              "simplex_scale_strategy": 0, "factor_pivot_threshold": 0.5}.items():
            self._highs.setOptionValue(option, value)
        self._highs.passModel(_to_highs(lp, named))
        self.columns = len(lp.cost)

    def expect_little(self) -> None:
        """Expect re-solves near their basis: costs are not perturbed, which doubles their steps; nor are these many."""
        self._highs.setOptionValue("dual_simplex_cost_perturbation_multiplier", 0.0)
        self._highs.setOptionValue("simplex_iteration_limit", 20 * self.columns)

    def replace_lp(self, lp: Lp) -> None:
        """Forget the LP and all that is known of it; take another one of the same size."""
        self._highs.clearSolver()
        continuous = np.zeros(len(lp.cost), dtype=np.int32)
        self._highs.passModel(len(lp.cost), len(lp.row_lower), len(lp.value), int(highspy.MatrixFormat.kRowwise),
                              int(highspy.ObjSense.kMinimize), 0.0, lp.cost, lp.lower, lp.upper, lp.row_lower,
                              lp.row_upper, lp.row_start, lp.column, lp.value, continuous)

    def solve(self, far: bool = False) -> Solution:
        """Solve by the dual simplex from the present basis; if that fails for numerical reasons, from scratch.

        Args:
            far: nothing is known of the optimum yet, or much has changed. A long LP is then solved by interior
                point and crossover, which ends at a basis too.
        """
        by_interior_point = far and self.columns > LONG
        if by_interior_point:
            self._highs.clearSolver()
            self._highs.setOptionValue("solver", "ipm")
        self._highs.run()
        if by_interior_point:
            self._highs.setOptionValue("solver", "choose")
        for option, value, usual in AGAIN:
            if not self._failed():
                break
            self._highs.clearSolver()
            self._highs.setOptionValue(option, value)
            self._highs.run()
            self._highs.setOptionValue(option, usual)
        status = self._highs.getModelStatus()
        words = {highspy.HighsModelStatus.kOptimal: OPTIMAL, highspy.HighsModelStatus.kInfeasible: INFEASIBLE,
                 highspy.HighsModelStatus.kUnboundedOrInfeasible: INFEASIBLE}
        info, found = self._highs.getInfo(), self._highs.getSolution()
        word = words.get(status, self._highs.modelStatusToString(status).lower())
        return Solution(
            "inaccurate" if word == OPTIMAL and self._failed() else word,
            info.objective_function_value,
            np.array(found.col_value), np.array(found.row_value), np.array(found.col_dual), np.array(found.row_dual),
            (info.max_primal_infeasibility, info.max_dual_infeasibility), info.simplex_iteration_count,
        )

    def _failed(self) -> bool:
        """Tell whether the last solve failed for numerical reasons, whatever it calls itself."""
        status = self._highs.getModelStatus()
        apart = float(getattr(self._highs.getInfo(), "primal_dual_objective_error", 0.0))
        return status in FAILED or (status == highspy.HighsModelStatus.kOptimal and apart > DOUBT)

    def basis(self) -> Any:
        """Return the present basis, for `start_from`."""
        return self._highs.getBasis()

    def start_from(self, basis: Any) -> None:
        """Begin the next solve at a basis of an LP of the same shape."""
        self._highs.setBasis(basis)

    def basic(self) -> Ints:
        """Return what is basic at the present basis, in its order, shape (row,): a column, or -1 - row for a row."""
        status, found = self._highs.getBasicVariables()
        if status == highspy.HighsStatus.kError:  # presolve found the optimum, and nothing is factored yet
            self.start_from(self.basis())
            self._highs.run()
            status, found = self._highs.getBasicVariables()
        return np.array(found, dtype=np.int64)

    def prices(self, cost: Floats) -> Floats:
        """Return the duals of all rows that some costs of the basic variables would give, shape (row,)."""
        return np.array(self._highs.getBasisTransposeSolve(cost)[1])

    def rates(self, entries: Floats) -> Floats:
        """Return by how much each basic variable falls for each unit of a column with some entries, shape (row,)."""
        return np.array(self._highs.getBasisSolve(entries)[1])

    def inverse_row(self, position: int) -> Floats:
        """Return a row of the inverse of the basis matrix, shape (row,)."""
        return np.array(self._highs.getBasisInverseRow(position)[1])

    def ranging(self) -> Any:
        """Return HiGHS' own ranging of the present basis."""
        return self._highs.getRanging()[1]

    def change_bounds(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Replace the bounds of some columns."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def change_costs(self, cost: Floats) -> None:
        """Replace the costs of all columns."""
        self._highs.changeColsCost(self.columns, np.arange(self.columns, dtype=np.int32), cost)

    def change_entries(self, rows: Ints, columns: Ints, values: Floats) -> None:
        """Overwrite coefficients in place."""
        for row, column, value in zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True):
            self._highs.changeCoeff(row, column, value)

    def change_row_bounds(self, rows: Ints, lower: Floats, upper: Floats) -> None:
        """Replace the bounds of some rows."""
        for row, low, high in zip(rows.tolist(), lower.tolist(), upper.tolist(), strict=True):
            self._highs.changeRowBounds(row, low, high)

    def add_slack(self, column: int, limit: float, sign: int, price: float) -> int:
        """Let a column miss a least (sign 1) or greatest (-1) value at a price; return the column of what is missed."""
        missed = int(self._highs.getNumCol())
        self._highs.addCol(price, 0.0, highspy.kHighsInf, 0, np.array([], dtype=np.int32), np.array([]))
        ends = np.array([column, missed], dtype=np.int32)
        self._highs.addRow(sign * limit, highspy.kHighsInf, 2, ends, np.array([float(sign), 1.0]))
        return missed

    def write(self, path: Path) -> None:
        """Write the model; the format follows the file's ending (.mps or .lp).

        Raises:
            OutputError: the file cannot be written.
        """
        if self._highs.writeModel(str(path)) == highspy.HighsStatus.kError:
            raise OutputError(f"{path}: cannot be written; choose another place")


def pack_basis(basis: Any) -> tuple[bytes, bytes]:
    """Return a basis as bytes, one for each column and row: it can be sent to other processes."""
    return bytes(map(int, basis.col_status)), bytes(map(int, basis.row_status))


def unpack_basis(packed: tuple[bytes, bytes]) -> Any:
    """Return the basis of bytes."""
    basis = highspy.HighsBasis()
    basis.col_status, basis.row_status = ([highspy.HighsBasisStatus(k) for k in part] for part in packed)
    basis.valid = True
    return basis


def _to_highs(lp: Lp, named: bool) -> highspy.HighsLp:
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(lp.cost), len(lp.row_lower)
    model.col_cost_, model.col_lower_, model.col_upper_ = lp.cost, lp.lower, lp.upper
    model.row_lower_, model.row_upper_ = lp.row_lower, lp.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = lp.row_start, lp.column
    model.a_matrix_.value_ = lp.value
    if named:
        model.col_names_, model.row_names_ = list(lp.column_names), list(lp.row_names)
    return model


def require_answer(solution: Solution) -> Solution:
    """Return the solution if it is optimal.

    Raises:
        SolverError: HiGHS stopped for another reason than infeasibility.
    """
    if solution.status not in (OPTIMAL, INFEASIBLE):
        raise SolverError(f"the solver stopped: {solution.status}")
    return solution
