"""Level curves: elevation of a reservoir as a smooth, increasing function of storage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wateropt.calendar import Floats


@dataclass(frozen=True)
class LevelCurve:
    """Monotone cubic through measured points (Fritsch and Carlson 1980), with its derivative.

    SciPy's `PchipInterpolator` differs only in its end slopes; loading it costs more than solving a year.

    Attributes:
        storage: storages of the points [hm³], increasing, shape (point,).
        level: their elevations [m], increasing, shape (point,).

    >>> curve = LevelCurve(np.array([0.0, 10.0, 20.0]), np.array([100.0, 110.0, 115.0]))
    >>> float(curve.elevation(np.array([10.0]))[0])
    110.0
    """

    storage: Floats
    level: Floats

    def elevation(self, storage: Floats) -> Floats:
        """Return the elevation [m] at each storage [hm³]; beyond the points the end slopes go on."""
        i, u, width, m = self._piece(storage)
        h00, h10 = (1 + 2 * u) * (1 - u) ** 2, u * (1 - u) ** 2
        h01, h11 = u**2 * (3 - 2 * u), u**2 * (u - 1)
        inside = h00 * self.level[i] + h10 * width * m[i] + h01 * self.level[i + 1] + h11 * width * m[i + 1]
        return np.asarray(inside + self._beyond(storage) * self._end_slope(storage, m))

    def slope(self, storage: Floats) -> Floats:
        """Return d elevation / d storage [m/hm³]."""
        i, u, width, m = self._piece(storage)
        rise = (self.level[i + 1] - self.level[i]) / width
        return np.asarray(6 * u * (1 - u) * rise + (1 - 4 * u + 3 * u**2) * m[i] + (3 * u**2 - 2 * u) * m[i + 1])

    def _piece(self, storage: Floats) -> tuple[np.ndarray, Floats, Floats, Floats]:
        x = np.clip(storage, self.storage[0], self.storage[-1])
        i = np.clip(np.searchsorted(self.storage, x, side="right") - 1, 0, len(self.storage) - 2)
        width = self.storage[i + 1] - self.storage[i]
        return i, (x - self.storage[i]) / width, width, self._tangents()

    def _tangents(self) -> Floats:
        h = np.diff(self.storage)
        d = np.diff(self.level) / h
        w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
        inner = (w1 + w2) / (w1 / d[:-1] + w2 / d[1:])
        tangents: Floats = np.concatenate([[d[0]], inner, [d[-1]]])
        return tangents

    def _beyond(self, storage: Floats) -> Floats:
        return np.asarray(storage - np.clip(storage, self.storage[0], self.storage[-1]))

    def _end_slope(self, storage: Floats, m: Floats) -> Floats:
        slope: Floats = np.where(np.asarray(storage) > self.storage[-1], m[-1], m[0])
        return slope
