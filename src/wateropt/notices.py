"""Notices: what a reader of a schedule should know of its clauses, found after the solve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wateropt.policies import POLICIES
from wateropt.result import Result
from wateropt.tables import Table
from wateropt.units import HM3_PER_M3S_DAY

SMALL = 1e-6  # hm³, GWh or MUSD per unit


def notices(result: Result) -> list[str]:
    """Return one line for each clause that was missed, or that was kept while people went short.

    A soft clause is missed where its penalty is below what keeping it would cost, or where it cannot be kept at all.
    A clause with a shadow price costs something; where energy was unserved or a town was short in the same run, giving
    way in the clause might have served them.
    """
    return [line for part in POLICIES for row in part.report(result.values, result.case.book.tables[part.NAME],
                                                             result.case.calendar)
            for line in _of_clause(row, _penalty(part, result.case.book.tables[part.NAME], row), _short(result))]


def _of_clause(row: dict[str, Any], penalty: str, short: str) -> Iterator[str]:
    clause, unit = f"clause `{row['clause']}` ({row['kind']}, {row['window']})", row["unit"]
    if row["shortfall"] > SMALL:
        if not row["hard"]:
            yield (f"{clause} is missed by {row['shortfall']:,.1f} of {row['required']:,.1f} {unit}: its penalty of "
                   f"{penalty} is too small to be respected, or it cannot be kept")
        return
    saves = row["shadow_price_musd_per_unit"] * (-1 if row["sense"] == "<=" else 1)
    if saves > SMALL and short:
        change = "more" if row["sense"] == "<=" else "less"
        yield f"{clause} is kept while {short}; one {unit} {change} in it would save {saves:,.3g} MUSD"


def _penalty(part: Any, table: Table, row: dict[str, Any]) -> str:
    unit = next(column.unit for column in part.COLUMNS if column.name == "penalty")
    return "" if row["hard"] else f"{table.penalty[row['clause']]:g} {unit}"


def _short(result: Result) -> str:
    """Return in words what energy was unserved and what towns missed, or ""."""
    energy = sum(float(line.values.sum()) for line in result.ledger("grid", "unserved"))
    sites, kappa = result.case.book.tables["demand"], result.case.calendar.days * HM3_PER_M3S_DAY
    towns = [key for key in result.values.keys("shortage") if sites.use[key[0]] == "town"]
    water = sum(float(np.sum(kappa * result.values.get("shortage", key))) for key in towns)
    found = [f"{energy:,.1f} GWh of energy are unserved"] if energy > SMALL else []
    found += [f"towns are {water:,.1f} hm3 short"] if water > SMALL else []
    return " and ".join(found)
