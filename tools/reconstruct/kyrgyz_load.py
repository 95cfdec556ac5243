"""Reconstruct the electric load of Kyrgyzstan by month and block.

No monthly load of Kyrgyzstan is published. Sums over parts of a year are: generation plus imports
less exports, or consumption at the level of generation (network losses included). This script puts
one smooth seasonal curve through all of them:

* unknowns are the mean daily energies of 36 months, January 2022 to December 2024 (GWh a day);
* each is an assumed seasonal shape times a slowly moving level; the squared second differences of
  the level are penalised (standard deviation `LEVEL_BEND` a month);
* every published sum is an equation weighted by its stated tolerance (GWh). The years have 1 GWh,
  so they are kept;
* the two blocks follow from an assumed ratio of the peak hours' mean to the day's mean, which goes
  from winter (heating, flat) to summer (the evening stands out).

The calendar year 2023 is the one place where the sources disagree. January to May is 8.0 TWh
(generation 6486 GWh and imports 1517 GWh). A year of 16558 GWh would leave 40 GWh a day for June to
December, of which December alone had about 66; the ministry's 17.2 TWh fits and is used.

The grids of the neighbours get the load that their plants on the river served (neighbour_load.py).

Reads data/sources/kyrgyz_power_monthly.csv, writes data/basins/naryn-syrdarya/grid_load.csv.
Run it from the root of the repository: python tools/reconstruct/kyrgyz_load.py
"""

from __future__ import annotations

import calendar
import csv
import datetime as dt
from collections import defaultdict
from pathlib import Path

import numpy as np
from neighbour_load import neighbour_rows

SOURCE = Path("data/sources/kyrgyz_power_monthly.csv")
TARGET = Path("data/basins/naryn-syrdarya/grid_load.csv")

FIRST_YEAR = 2022
MONTHS = 36
WRITE_FROM = dt.date(2022, 10, 1)
WRITE_UNTIL = dt.date(2024, 9, 30)

PEAK_HOURS = 6.0
DAY_HOURS = 24.0

# Mean daily energy of a month against the mean day of the year (no unit, assumed).
SHAPE = (1.42, 1.34, 1.08, 0.88, 0.76, 0.72, 0.72, 0.72, 0.74, 0.90, 1.17, 1.40)
# Mean power of the six peak hours against the mean power of the day (no unit, assumed).
PEAK_RATIO = (1.08, 1.08, 1.11, 1.14, 1.17, 1.20, 1.20, 1.19, 1.17, 1.13, 1.10, 1.08)
# Standard deviation of the monthly second difference of the level (share of the level, assumed).
LEVEL_BEND = 0.03
# A day's energy that brings the level near one, GWh.
DAY_SCALE = 47.0

SIGN = {"generation": 1.0, "import": 1.0, "consumption": 1.0, "export": -1.0}
HEADER = ["grid", "block", "start", "days", "load_mw", "source", "confidence", "note"]


def month_start(index: int) -> dt.date:
    """First day of the month `index` months after the first one."""
    return dt.date(FIRST_YEAR + index // 12, index % 12 + 1, 1)


def month_days(index: int) -> int:
    """Length of a month in days."""
    start = month_start(index)
    return calendar.monthrange(start.year, start.month)[1]


def read_anchors(path: Path) -> list[tuple[int, int, float, float]]:
    """Published sums as (first month, number of months, energy in GWh, tolerance in GWh)."""
    energy: dict[tuple[int, int], float] = defaultdict(float)
    variance: dict[tuple[int, int], float] = defaultdict(float)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["use"] != "fit":
                continue
            year, month = (int(part) for part in row["start"].split("-"))
            key = ((year - FIRST_YEAR) * 12 + month - 1, int(row["months"]))
            energy[key] += SIGN[row["item"]] * float(row["gwh"])
            variance[key] += float(row["tolerance_gwh"]) ** 2
    return [
        (first, count, energy[first, count], variance[first, count] ** 0.5) for first, count in sorted(energy)
    ]


def sum_equations(anchors: list[tuple[int, int, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Weighted rows (no unit) that ask the months' energies to give the published sums."""
    rows = np.zeros((len(anchors), MONTHS))
    right = np.zeros(len(anchors))
    for row, (first, count, energy, tolerance) in enumerate(anchors):
        for index in range(first, first + count):
            rows[row, index] = month_days(index) * SHAPE[index % 12] * DAY_SCALE / tolerance
        right[row] = energy / tolerance
    return rows, right


def smooth_equations() -> tuple[np.ndarray, np.ndarray]:
    """Weighted rows (no unit) that keep the level from bending."""
    rows = np.zeros((MONTHS - 2, MONTHS))
    for row in range(MONTHS - 2):
        rows[row, row : row + 3] = np.array([1.0, -2.0, 1.0]) / LEVEL_BEND
    return rows, np.zeros(MONTHS - 2)


def daily_energy(anchors: list[tuple[int, int, float, float]]) -> np.ndarray:
    """Mean daily energy of every month, GWh a day."""
    sums, sums_right = sum_equations(anchors)
    bends, bends_right = smooth_equations()
    level = np.linalg.lstsq(np.vstack([sums, bends]), np.concatenate([sums_right, bends_right]), rcond=None)[
        0
    ]
    return np.array([level[index] * SHAPE[index % 12] * DAY_SCALE for index in range(MONTHS)])


def block_loads(day_gwh: float, month: int) -> dict[str, float]:
    """Mean load of the two blocks, MW, for a day's energy in GWh and a month 1..12."""
    mean = day_gwh * 1000.0 / DAY_HOURS
    peak = mean * PEAK_RATIO[month - 1]
    rest = (mean * DAY_HOURS - peak * PEAK_HOURS) / (DAY_HOURS - PEAK_HOURS)
    return {"peak": peak, "rest": rest}


def load_rows(days_gwh: np.ndarray) -> list[list[str]]:
    """Rows of grid_load.csv (MW, one decimal), sorted by block and date."""
    rows: list[list[str]] = []
    for index in range(MONTHS):
        start = month_start(index)
        if not WRITE_FROM <= start <= WRITE_UNTIL:
            continue
        for block, load in block_loads(float(days_gwh[index]), start.month).items():
            row = ["kg", block, start.isoformat(), str(month_days(index)), f"{load:.1f}"]
            rows.append([*row, "kyrgyz_power_monthly", "reconstructed", "tools/reconstruct/kyrgyz_load.py"])
    return sorted(rows, key=lambda row: (row[1], row[2]))


def write_rows(path: Path, rows: list[list[str]]) -> None:
    """Write a table with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


def report(anchors: list[tuple[int, int, float, float]], days_gwh: np.ndarray) -> None:
    """Print how the reconstructed months (GWh) meet the published sums (GWh)."""
    print("first month  months  published  fitted  tolerance (GWh)")
    for first, count, energy, tolerance in anchors:
        fitted = sum(days_gwh[index] * month_days(index) for index in range(first, first + count))
        print(f"{month_start(first):%Y-%m}      {count:6d}  {energy:9.0f}  {fitted:6.0f}  {tolerance:9.0f}")
    print("month    GWh/day  GWh")
    for index in range(MONTHS):
        print(
            f"{month_start(index):%Y-%m}  {days_gwh[index]:7.1f}  {days_gwh[index] * month_days(index):6.0f}"
        )


def main() -> None:
    """Read the published sums, fit the months, write the loads."""
    anchors = read_anchors(SOURCE)
    days_gwh = daily_energy(anchors)
    write_rows(TARGET, [*load_rows(days_gwh), *neighbour_rows()])
    report(anchors, days_gwh)


if __name__ == "__main__":
    main()
