"""Head: successive first-order forms of the energy of storage plants.

Energy E = k(S) v is bilinear. Around a storage path S0 and a flow v0 the LP holds
E = k(S0) v + v0 k'(S0) (S - S0); the path follows the solution until the LP's energy is the curve's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from wateropt.calendar import Floats
from wateropt.horizon import Horizon
from wateropt.units import energy_per_hm3

STEP = 0.15  # most that mean storage may leave its path, as a share of full storage
SHRINK = 0.6  # of the step, when the gap fails to halve
TOLERANCE = 1e-3  # Σ|E by the LP - E by the curve| / Σ E by the curve, at every plant


@dataclass
class HeadPath:
    """The storage path around which the energy of storage plants is linear.

    Attributes:
        horizon: the LP whose slots are kept.
        step: present limit of |S - S0| as a share of full storage (infinite at first).
    """

    horizon: Horizon
    step: float = float("inf")
    storage: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        case = self.horizon.case
        self.table = case.book.tables["powerhouse"]
        self.plants = [p for p in self.table if self.table.reservoir[p]]
        self.blocks = self.horizon.stage.blocks
        self.curves = case.basin.curves
        book, count = case.book, self.horizon.periods
        for p in self.plants:
            lake = self.table.reservoir[p]
            first = book.opening["storage"][lake]
            last = book.closing["storage"][lake]
            middle = (np.arange(count) + 0.5) / count
            self.storage[p] = first + (first if last is None else last - first) * (0 if last is None else middle)
        self._fill({key: np.zeros(count) for key in self._keys()})

    def _keys(self) -> list[tuple[str, str]]:
        return [(p, b) for p in self.plants for b in self.blocks]

    def per_hm3(self, plant: str, storage: Floats) -> Floats:
        """Return energy per volume [GWh/hm³] at each mean storage [hm³]."""
        level = self.curves[self.table.reservoir[plant]].elevation(storage)
        return np.asarray(energy_per_hm3(level - self.table.tailwater[plant], self.table.efficiency[plant]))

    def _slope(self, plant: str, storage: Floats) -> Floats:
        level = self.curves[self.table.reservoir[plant]].slope(storage)
        return np.asarray(energy_per_hm3(level, self.table.efficiency[plant]))

    def follow(self, x: Floats) -> None:
        """Lay the path along a solution."""
        for p in self.plants:
            self.storage[p] = x[self.horizon.columns_of("mean_storage", p)]
        self._fill(self.volumes(x))

    def volumes(self, x: Floats) -> dict[tuple[str, str], Floats]:
        """Return the turbined volume by plant and block [hm³]."""
        hm3 = self.horizon.stage.slots["block_hm3_per_m3s"]
        return {(p, b): np.asarray(hm3[b]) * x[self.horizon.columns_of("block_turbine", (p, b))]
                for p, b in self._keys()}

    def _fill(self, volume: Mapping[tuple[str, str], Floats]) -> None:
        slots = self.horizon.stage.slots
        for p in self.plants:
            slots["head_energy"][p] = self.per_hm3(p, self.storage[p])
            slots["head_storage"][p] = self.storage[p]
        for p, b in self._keys():
            slots["head_slope"][p, b] = volume[p, b] * self._slope(p, self.storage[p])

    def gap(self, x: Floats) -> float:
        """Return the largest Σ|E by the LP - E by the curve| / Σ E by the curve of any plant."""
        volume, worst = self.volumes(x), 0.0
        for p in self.plants:
            each = self.per_hm3(p, x[self.horizon.columns_of("mean_storage", p)])
            true = {b: each * volume[p, b] for b in self.blocks}
            missed = sum(np.abs(x[self.horizon.columns_of("energy", (p, b))] - true[b]).sum() for b in self.blocks)
            total = sum(true[b].sum() for b in self.blocks)
            worst = max(worst, float(missed / total) if total > 0 else 0.0)
        return worst

    def limits(self) -> tuple[Floats, Floats, Floats]:
        """Return LP columns of mean storage and their present limits."""
        columns, low, high = [], [], []
        full = self.horizon.case.book.tables["reservoir"].full_storage
        for p in self.plants:
            width = self.step * full[self.table.reservoir[p]]
            columns.append(self.horizon.columns_of("mean_storage", p))
            low.append(self.storage[p] - width)
            high.append(self.storage[p] + width)
        empty = np.array([], dtype=np.int64)
        return (np.concatenate([empty, *columns]), np.concatenate([empty.astype(float), *low]),
                np.concatenate([empty.astype(float), *high]))

    def binds(self, x: Floats) -> bool:
        """Tell whether a step limit binds."""
        columns, low, high = self.limits()
        near = 1e-6 * np.maximum(np.abs(low), 1.0)
        return bool(((x[columns] - low < near) | (high - x[columns] < near)).any())
