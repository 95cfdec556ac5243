"""Sampling: which value each factor takes in each run. It depends on the design alone."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from wateropt.calendar import Floats
from wateropt.errors import DataError, Problem
from wateropt.studies.sensitivity.design import Design, Value

Row = tuple[Value, ...]
ENDS, GRID_POINTS, MORRIS_LEVELS = 2, 3, 4
LEAST_SOBOL = 8  # base points below which a confidence interval says nothing


def problem_of(design: Design) -> dict[str, Any]:
    """Return the design as SALib names it: every factor between 0 and 1."""
    count = len(design.factors)
    return {"num_vars": count, "names": [factor.name for factor in design.factors], "bounds": [[0.0, 1.0]] * count}


def block(design: Design) -> int:
    """Return how many runs belong together: if one fails, indices leave out all of them."""
    count = len(design.factors)
    return {"sobol": count + 2, "morris": count + 1}.get(design.method, 1)


def shares(design: Design) -> Floats | None:
    """Return the drawn shares of the factors' ranges, shape (run, factor); None where nothing is drawn.

    Raises:
        DataError: so few runs that there is no sample.
    """
    if design.method in ("one_at_a_time", "grid"):
        return None
    problem, groups = problem_of(design), design.runs // block(design)
    if design.method == "latin_hypercube":
        from SALib.sample import latin

        return np.asarray(latin.sample(problem, design.runs, seed=design.seed))
    if design.method == "sobol":
        from SALib.sample import sobol

        base = 1 << (groups.bit_length() - 1) if groups else 0  # the sequence is balanced at powers of two only
        _require(design, base, LEAST_SOBOL)
        return np.asarray(sobol.sample(problem, base, calc_second_order=False, seed=design.seed))
    from SALib.sample import morris

    _require(design, groups, 2)
    return np.asarray(morris.sample(problem, groups, num_levels=levels(design), seed=design.seed))


def levels(design: Design) -> int:
    """Return the levels of a Morris design."""
    return design.points or MORRIS_LEVELS


def _require(design: Design, groups: int, least: int) -> None:
    if groups < least:
        need = least * block(design)
        what = f"is {design.runs}; {design.method} with {len(design.factors)} factors needs {need} or more"
        raise DataError("the design", [Problem("design", "runs", what)])


def sample(design: Design) -> list[Row]:
    """Return the values of the factors in every run of one scenario.

    Raises:
        DataError: more runs than allowed, or so few that there is no sample, or no number of them.

    >>> from wateropt.studies.sensitivity.design import Design, Factor
    >>> one = Factor(name="x", table="t", column="c", range=(0.5, 2))
    >>> sample(Design(scenario="s", method="one_at_a_time", factors=[one]))
    [(1.0,), (0.5,), (2.0,)]
    """
    if design.method not in ("one_at_a_time", "grid") and "runs" not in design.model_fields_set:
        missing = Problem("design", "runs", f"is missing; {design.method} needs a number of runs")
        raise DataError("the design", [missing])
    drawn = shares(design)
    if drawn is not None:
        return [tuple(f.at(float(u)) for f, u in zip(design.factors, row, strict=True)) for row in drawn]
    counts = [len(factor.levels or ()) or design.points or GRID_POINTS for factor in design.factors]
    made = math.prod(counts) if design.method == "grid" else 1
    rows = _one_at_a_time(design) if design.method == "one_at_a_time" else _grid(design) if made <= design.runs else []
    if max(made, len(rows)) > design.runs:
        what = f"is {design.runs}, but the factors make {max(made, len(rows))}; raise it or take fewer values"
        raise DataError("the design", [Problem("design", "runs", what)])
    return rows


def _one_at_a_time(design: Design) -> list[Row]:
    base = tuple(factor.base for factor in design.factors)
    rows = [base]
    for k, factor in enumerate(design.factors):
        rows += [(*base[:k], value, *base[k + 1:]) for value in factor.points(design.points or ENDS)
                 if value != factor.base]
    return rows


def _grid(design: Design) -> list[Row]:
    return list(itertools.product(*(factor.points(design.points or GRID_POINTS) for factor in design.factors)))


def as_shares(design: Design, rows: list[Row]) -> npt.NDArray[np.float64]:
    """Return the place of every value in its factor's range, from 0 to 1, shape (run, factor)."""
    out = np.zeros((len(rows), len(design.factors)))
    for k, factor in enumerate(design.factors):
        for r, row in enumerate(rows):
            out[r, k] = _share(factor, row[k])
    return out


def _share(factor: Any, value: Value) -> float:
    if factor.levels is not None:
        return factor.levels.index(value) / max(len(factor.levels) - 1, 1) if value in factor.levels else 0.0
    low, high = factor.range
    return 0.5 if value is None else (float(value) - low) / (high - low)
