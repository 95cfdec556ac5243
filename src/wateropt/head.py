"""Head: successive first-order forms of the energy of storage plants.

Energy E = k(S) v is bilinear. Around a storage path S0 and a flow v0 the LP holds
E = k(S0) v + v0 k'(S0) (S - S0); the path follows the solution until the LP's energy is the curve's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from wateropt.calendar import Floats
from wateropt.scenario import Case
from wateropt.units import energy_per_hm3

if TYPE_CHECKING:
    from wateropt.horizon import Horizon

STEP = 0.15  # most that mean storage may leave its path, as a share of full storage
SHRINK = 0.6  # of the step, when the gap fails to halve
TOLERANCE = 1e-4  # Σ|E by the LP - E by the curve| / Σ E by the curve, at every plant: looser, duals are percents off
SLOTS = ("head_energy", "head_slope", "head_storage")

Key = tuple[str, str]  # plant, block
Paths = dict[str, Floats]  # plant -> mean storage [hm³], shape (period,)


def storage_plants(case: Case) -> list[str]:
    """Return the plants whose head follows a reservoir."""
    table = case.book.tables["powerhouse"]
    return [p for p in table if table.reservoir[p]]


def straight_path(case: Case) -> Paths:
    """Return mean storages on a straight line from opening to least closing storage."""
    book, lake = case.book, case.book.tables["powerhouse"].reservoir
    share = (np.arange(len(case.calendar)) + 0.5) / len(case.calendar)
    paths = {}
    for p in storage_plants(case):
        first = book.opening["storage"][lake[p]]
        last = book.closing["storage"][lake[p]]
        paths[p] = first + ((first if last is None else last) - first) * share
    return paths


def energy_at(case: Case, plant: str, storage: Floats) -> Floats:
    """Return energy per volume [GWh/hm³] of a plant at each mean storage [hm³]."""
    table = case.book.tables["powerhouse"]
    level = case.basin.curves[table.reservoir[plant]].elevation(storage)
    return np.asarray(energy_per_hm3(level - table.tailwater[plant], table.efficiency[plant]))


def head_slots(case: Case, paths: Paths, volume: Mapping[Key, Floats]) -> dict[str, dict[str | Key, Floats]]:
    """Return the values along time of the slots of the first-order form.

    Args:
        case: the case.
        paths: mean storage S0 by plant [hm³].
        volume: turbined volume v0 by plant and block [hm³]; where absent, zero: the head does not respond.
    """
    table = case.book.tables["powerhouse"]
    slope = {p: case.basin.curves[table.reservoir[p]].slope(paths[p]) for p in paths}
    rise = {p: energy_per_hm3(slope[p], table.efficiency[p]) for p in paths}
    zero = np.zeros(len(case.calendar))
    return {
        "head_energy": {p: energy_at(case, p, paths[p]) for p in paths},
        "head_storage": {p: paths[p] for p in paths},
        "head_slope": {(p, b): volume.get((p, b), zero) * rise[p] for p in paths for b in case.book.blocks},
    }


class HeadPath:
    """The storage path of a loaded LP.

    Attributes:
        step: present limit of |S - S0| as a share of full storage (infinite at first).
        storage: the path S0.
    """

    def __init__(self, horizon: Horizon) -> None:
        self.horizon, self.case = horizon, horizon.case
        self.step = float("inf")
        self.storage = straight_path(self.case)
        self._lake = self.case.book.tables["powerhouse"].reservoir
        self._fill({})

    def follow(self, x: Floats) -> None:
        """Lay the path along a solution."""
        self.storage = {p: x[self.horizon.columns_of("mean_storage", p)] for p in self.storage}
        self._fill(self._volumes(x))

    def spread(self, x: Floats) -> None:
        """Keep the straight path, with what a solution turbines spread evenly over time: the head responds."""
        days = self.case.calendar.days / self.case.calendar.days.sum()
        self._fill({key: volume.sum() * days for key, volume in self._volumes(x).items()})

    def lay_straight(self) -> None:
        """Lay the path on the straight line of the present case: the head does not respond."""
        self.storage = straight_path(self.case)
        self._fill({})

    def _fill(self, volume: Mapping[Key, Floats]) -> None:
        if self.storage:
            self.horizon.stage.slots.update(head_slots(self.case, self.storage, volume))

    def _volumes(self, x: Floats) -> dict[Key, Floats]:
        hm3 = self.horizon.stage.slots["block_hm3_per_m3s"]
        return {(p, b): np.asarray(hm3[b]) * x[self.horizon.columns_of("block_turbine", (p, b))]
                for p in self.storage for b in self.case.book.blocks}

    def gap(self, x: Floats) -> float:
        """Return the largest Σ|E by the LP - E by the curve| / Σ E by the curve of any plant."""
        volume, worst = self._volumes(x), 0.0
        for p in self.storage:
            each = energy_at(self.case, p, x[self.horizon.columns_of("mean_storage", p)])
            true = np.array([each * volume[p, b] for b in self.case.book.blocks])
            by_lp = np.array([x[self.horizon.columns_of("energy", (p, b))] for b in self.case.book.blocks])
            if true.sum() > 0:
                worst = max(worst, float(np.abs(by_lp - true).sum() / true.sum()))
        return worst

    def limits(self) -> tuple[np.ndarray, Floats, Floats]:
        """Return LP columns of mean storage and their present limits."""
        full = {lake: self._full(lake) for lake in self._lake.values() if lake}
        if not self.storage:
            return np.array([], dtype=np.int64), np.array([]), np.array([])
        columns = np.concatenate([self.horizon.columns_of("mean_storage", p) for p in self.storage])
        middle = np.concatenate(list(self.storage.values()))
        wide = np.repeat([self.step * full[self._lake[p]] for p in self.storage], self.horizon.periods)
        return columns, middle - wide, middle + wide

    def _full(self, lake: str) -> float:
        grows = self.horizon.stage.expansion("reservoir", lake)
        return float(self.case.book.tables["reservoir"].full_storage[lake]) + (grows[1] if grows else 0.0)

    def binds(self, x: Floats) -> bool:
        """Tell whether a step limit binds."""
        columns, low, high = self.limits()
        near = 1e-6 * np.maximum(np.abs(low), 1.0)
        return bool(((x[columns] - low < near) | (high - x[columns] < near)).any())
