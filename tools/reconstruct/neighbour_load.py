"""What the plants of the neighbours gave their own grids under observed operation [MW].

The exchange curves hold what neighbours really traded with Kyrgyzstan, which was on top of what their plants on
the Syr Darya gave their own consumers. That part is therefore a load of their grids: energy that a changed
release adds or takes away is then traded or replaced at the prices of the curve, and none is counted twice.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wateropt.basin import Basin, load_basin
from wateropt.calendar import Calendar
from wateropt.tables import along_calendar, daily
from wateropt.units import HM3_PER_M3S_DAY, energy_per_hm3

BASIN = Path("data/basins/naryn-syrdarya")
HOST = "kg"
CALENDAR = Calendar.between(date(2022, 10, 1), date(2024, 9, 30), "dekad")
LABEL = ("ksmake", "reconstructed", "tools/reconstruct/kyrgyz_load.py")
Floats = npt.NDArray[np.float64]
Label = tuple[str, str, str]


def observed(basin: Basin, calendar: Calendar, part: str, key: str, column: str) -> Floats:
    """Return an observed series by dekad, shape (period,)."""
    raw = basin.series[part]["observed"]
    return along_calendar(raw, key, [c.name for c in raw.columns].index(column), calendar)


def mean_storage(basin: Basin, calendar: Calendar, lake: str) -> Floats:
    """Return the mean of opening and closing storage of each dekad [hm3], shape (period,)."""
    raw = basin.series["reservoir"]["observed"]
    before = calendar.starts[0].toordinal() - 1
    opening = daily(raw, lake, [c.name for c in raw.columns].index("storage"), before, before + 1)
    storage = np.concatenate([opening, observed(basin, calendar, "reservoir", lake, "storage")])
    return np.asarray(0.5 * (storage[:-1] + storage[1:]))


def flow_and_head(basin: Basin, calendar: Calendar, plant: str) -> tuple[Floats, Floats]:
    """Return the flow [m3/s] that came to a plant and its head [m], each of shape (period,)."""
    plants, reaches, canals = (basin.tables[name] for name in ("powerhouse", "reach", "canal"))
    lake = plants.reservoir[plant]
    if lake:
        level = basin.curves[lake].elevation(mean_storage(basin, calendar, lake))
        return observed(basin, calendar, "reservoir", lake, "release"), level - plants.tailwater[plant]
    node = plants.intake[plant]
    comes = sum(observed(basin, calendar, "reach", r, "entered") * (1 - reaches.loss[r]) for r in reaches
                if reaches.destination[r] == node)
    leaves = sum((observed(basin, calendar, "canal", c, "flow") for c in canals if canals.origin[c] == node),
                 np.zeros(1))
    return np.maximum(comes - leaves, 0.0), np.full(len(calendar), plants.head[plant])


def neighbour_rows(folder: Path = BASIN, calendar: Calendar = CALENDAR, label: Label = LABEL) -> list[list[str]]:
    """Return the rows of grid_load.csv for every grid but the Kyrgyz one, sorted by grid, block and date.

    Args:
        folder: basin whose observed tables are replayed.
        calendar: its dekads.
        label: source, confidence and note of the rows.
    """
    basin = load_basin(folder)
    plants = basin.tables["powerhouse"]
    power: dict[str, Floats] = {}
    for plant in plants:
        if plants.grid[plant] != HOST:
            flow, head = flow_and_head(basin, calendar, plant)
            energy = energy_per_hm3(head, plants.efficiency[plant]) * np.minimum(flow, plants.design_flow[plant])
            megawatts = np.minimum(energy * HM3_PER_M3S_DAY * 1000 / 24, plants.capacity[plant])
            power[plants.grid[plant]] = power.get(plants.grid[plant], np.zeros(len(calendar))) + megawatts
    return [[grid, block, start.isoformat(), str(int(days)), f"{load:.1f}", *label]
            for grid in sorted(power) for block in ("peak", "rest")
            for start, days, load in zip(calendar.starts, calendar.days, power[grid], strict=True)]
