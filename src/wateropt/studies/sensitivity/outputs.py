"""Outputs: what is kept of a run. Each is a sum over columns of the LP, so no result is collected."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from wateropt.calendar import Floats
from wateropt.horizon import Horizon, Ints, label
from wateropt.units import HM3_PER_M3S_DAY

KEY_SHARE = 0.05  # of all storage that a reservoir must hold to be a key storage
SEASONS_END = (3, 9)  # months
OBJECTIVE = "objective_musd"


@dataclass
class Outputs:
    """Sums over columns of an LP.

    Attributes:
        sums: output -> LP columns and their weights.
    """

    sums: dict[str, tuple[Ints, Floats]] = field(default_factory=dict)

    @classmethod
    def of(cls, horizon: Horizon) -> Outputs:
        """Return the outputs of a case: accounts, shortages, unserved energy, unmet claims, key storages."""
        out, tables = cls(), horizon.case.book.tables
        kappa = horizon.case.calendar.days * HM3_PER_M3S_DAY
        for name, key in horizon.keys:
            columns = horizon.columns_of(name, key)
            if name == "account":
                country, item, _ = key
                if country == "none":
                    out._add("penalties_musd", columns)
                    out._add(f"penalty_{item}_musd", columns)
                else:
                    out._add(f"account_{country}_musd", columns)
                    out._add(f"account_{country}_{item}_musd", columns)
            elif name == "shortage":
                out._add(f"shortage_{tables['demand'].country[key[0]]}_hm3", columns, kappa)
            elif name == "claim_unmet":
                out._add(f"claims_unmet_{tables['gain'].country[key]}_hm3", columns, kappa)
            elif name == "unserved":
                out._add(f"unserved_{key[0]}_gwh", columns)
        out._add_storages(horizon)
        return out

    def _add(self, name: str, columns: Ints, weights: Floats | float = 1.0) -> None:
        kept = columns >= 0
        before = self.sums.get(name, (np.array([], dtype=np.int64), np.array([])))
        new = np.broadcast_to(weights, columns.shape)[kept]
        self.sums[name] = np.concatenate([before[0], columns[kept]]), np.concatenate([before[1], new])

    def _add_storages(self, horizon: Horizon) -> None:
        lakes, calendar = horizon.case.book.tables["reservoir"], horizon.case.calendar
        total = sum(lakes.full_storage.values()) if len(lakes) else 0.0
        last = len(calendar) - 1
        for r in lakes:
            if lakes.full_storage[r] < KEY_SHARE * total:
                continue
            for t, month in enumerate(calendar.months):
                ends = month in SEASONS_END and (t == last or calendar.months[t + 1] != month)
                if ends or t == last:
                    year = calendar.starts[t].year
                    self._add(f"storage_{label(r)}_{year}_{month:02d}_hm3", horizon.columns_of("storage", r)[t:t + 1])

    def read(self, x: Floats) -> dict[str, float]:
        """Return the outputs of a solution, the objective apart."""
        return {name: float(weights @ x[columns]) for name, (columns, weights) in self.sums.items()}


def chosen(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return the names that match a pattern, the objective first.

    >>> chosen(["account_*"], ["objective_musd", "account_KG_musd", "unserved_kg_gwh"])
    ['account_KG_musd']
    """
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
