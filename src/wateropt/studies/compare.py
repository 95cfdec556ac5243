"""Compare: where two results differ, the biggest differences first."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wateropt.errors import DataError, Problem

# table -> (columns that name a row, columns that are summed over the horizon)
COMPARED = {
    "accounts": (("country", "item", "kind", "season"), ("musd",)),
    "release_schedule": (("reservoir", "season"), ("release_hm3", "evaporation_hm3", "energy_gwh")),
    "deliveries": (("site", "season"), ("delivery_hm3", "shortage_hm3")),
    "energy": (("grid", "season"), ("hydro_gwh", "thermal_gwh", "import_gwh", "export_gwh", "unserved_gwh")),
    "clauses": (("clause", "window"), ("achieved", "shortfall")),
}


class Difference(NamedTuple):
    """A sum that differs.

    Attributes:
        share: |difference| as a share of the column's total in the table: what orders the list.
        table, where, column: what differs.
        first, second: its sums in the two results.
    """

    share: float
    table: str
    where: str
    column: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.second - self.first


def compare(first: Path, second: Path) -> list[Difference]:
    """Return where two result folders differ, the biggest differences first.

    Raises:
        DataError: a folder holds no result.
    """
    problems = [Problem(str(folder), "", "holds no result of wateropt; give a folder that `solve` wrote")
                for folder in (first, second) if not _is_result(folder)]
    if problems:
        raise DataError("compare", problems)
    found = [difference for name in COMPARED for difference in _table(name, first, second)]
    return sorted(found, key=lambda d: (-d.share, d.table, d.where, d.column))


def _is_result(folder: Path) -> bool:
    try:
        return "wateropt" in json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, TypeError, ValueError):
        return False


def _table(name: str, first: Path, second: Path) -> Iterator[Difference]:
    sums = [_sums(folder / f"{name}.csv", *COMPARED[name]) for folder in (first, second)]
    for column in COMPARED[name][1]:
        total = max(sum(abs(v) for (_, c), v in by_key.items() if c == column) for by_key in sums)
        for where in sorted({w for by_key in sums for w, c in by_key if c == column}):
            a, b = (by_key.get((where, column), 0.0) for by_key in sums)
            if abs(a - b) > 1e-6 * max(total, 1e-6):
                yield Difference(abs(a - b) / total, name, where, column, a, b)


def _sums(path: Path, keys: tuple[str, ...], columns: tuple[str, ...]) -> dict[tuple[str, str], float]:
    sums: dict[tuple[str, str], float] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if "season" in keys and "season" not in row:
                row["season"] = "growing" if 4 <= int(row["start"][5:7]) <= 9 else "non-growing"
            if "release_hm3" in columns:
                row["release_hm3"] = str(float(row["release_m3s"]) * float(row["days"]) * 0.0864)
            where = " ".join(row[key] for key in keys)
            for column in columns:
                sums[where, column] = sums.get((where, column), 0.0) + float(row[column] or 0.0)
    return sums
