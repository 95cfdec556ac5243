"""Print how the time to build, lay out and read back grows with the horizon, beside HiGHS alone.

Run as `python benchmarks/long_horizon.py [YEARS...]`. Years of dry-2023 are put one after another (with 365 days
each), the inflow of each times another factor, head fixed. Target: everything but HiGHS within a tenth of HiGHS
where HiGHS needs a second or more.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

import wateropt
from wateropt.calendar import Calendar
from wateropt.head import HeadPath
from wateropt.highs import Highs
from wateropt.horizon import Horizon
from wateropt.result import Result
from wateropt.scenario import Case

FACTORS = (0.92, 1.08, 0.85, 1.0, 1.15, 0.8, 0.95, 1.05, 0.9)  # of the inflow of one year after another


def repeated(case: Case, years: int) -> Case:
    """Return a case whose series stand `years` times one after another, on a calendar of that length."""
    first = case.calendar.starts[0]
    last = date(first.year + years, first.month, 1) - timedelta(days=1)
    calendar = Calendar.between(first, last, case.calendar.step)
    series = {part: {column: {key: np.tile(values, years) for key, values in by_key.items()}
                     for column, by_key in columns.items()} for part, columns in case.book.series.items()}
    wetness = np.repeat(np.resize(FACTORS, years), len(case.calendar))
    series["inflow"]["flow"] = {key: values * wetness for key, values in series["inflow"]["flow"].items()}
    return replace(case, book=replace(case.book, calendar=calendar, series=series))


def measure(case: Case) -> tuple[int, float, float]:
    """Return the columns of a case, the seconds of everything but HiGHS, and those of HiGHS."""
    begin = time.perf_counter()
    horizon = Horizon(case)
    path = HeadPath(horizon)
    lp = horizon.lp()
    highs = Highs(lp)
    built = time.perf_counter()
    solution = highs.solve(far=True)
    solved = time.perf_counter()
    Result.collect(horizon, lp, solution, solution, path, solution.status, {})
    return len(lp.cost), built - begin + time.perf_counter() - solved, solved - built


def main() -> None:
    """Print one line per length."""
    case = wateropt.load("dry-2023")
    for years in [int(argument) for argument in sys.argv[1:]] or [1, 3, 10]:
        columns, ours, theirs = measure(repeated(case, years))
        print(f"{years:3} years, {columns:7} columns: all but HiGHS {ours:6.2f} s, HiGHS {theirs:7.2f} s, "
              f"ratio {ours / theirs:.3f}")


if __name__ == "__main__":
    main()
