"""Holding: fix releases and canal flows to what was observed, or to a schedule in a CSV file, and cost it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wateropt.calendar import Floats
from wateropt.ends import years_back
from wateropt.errors import DataError, Problem
from wateropt.scenario import Case
from wateropt.tables import Column, RawSeries, Series, Table, along_calendar, read_rows, read_series

OBSERVED = {"release": ("reservoir", "release"), "canal_flow": ("canal", "flow")}


def held(case: Case, source: str) -> dict[tuple[str, str], Floats]:
    """Return what is held: (variable, id) -> values by period, NaN where nothing is held.

    Args:
        case: the case.
        source: `observed` for the shipped observations of releases and canals, or a CSV file with the columns
            `reservoir,start,days,release_m3s` (a `release_schedule.csv` is one).

    Raises:
        DataError: the file is wrong, or nothing was observed in the horizon.
    """
    return _observed(case) if source == "observed" else _from_file(case, Path(source))


def _observed(case: Case) -> dict[tuple[str, str], Floats]:
    back = years_back(case.scenario.start, case.scenario.hydrology)
    hold: dict[tuple[str, str], Floats] = {}
    for variable, (part, column) in OBSERVED.items():
        raw = case.basin.series[part]["observed"]
        number = [c.name for c in raw.columns].index(column)
        for key in raw.rows:
            hold[variable, str(key)] = along_calendar(raw, key, number, case.calendar, back)
    _require(hold, case, "observed")
    return {key: values for key, values in hold.items() if not np.isnan(values).all()}


def _from_file(case: Case, path: Path) -> dict[tuple[str, str], Floats]:
    problems: list[Problem] = []
    rows = read_rows(path, problems)
    header = set(rows[0][1]) if rows else set()
    for name in ("reservoir", "start", "days", "release_m3s"):
        if rows and name not in header:
            problems.append(Problem(path.name, "line 1", f"no column `{name}`; add it"))
    if problems:
        raise DataError(f"hold file {path.name}", problems)
    raw = _as_series(path, rows, case.book.tables["reservoir"], problems)
    if problems:
        raise DataError(f"hold file {path.name}", problems)
    hold = {("release", str(key)): along_calendar(raw, key, 0, case.calendar) for key in raw.rows}
    _require(hold, case, path.name)
    return hold


def _as_series(path: Path, rows: list[tuple[int, dict[str, str]]], reservoirs: Table,
               problems: list[Problem]) -> RawSeries:
    """Read a schedule (which has other columns and no sources) as a series."""
    column = Column("release", "m3/s", "release that is held", low=0.0)
    wanted = ("reservoir", "start", "days", "release_m3s")
    kept = [(line, {**{name: row[name] for name in wanted}, "source": "held", "confidence": "assumed"})
            for line, row in rows]
    return read_series(path.parent, reservoirs, Series("release", (column,), ""), problems, (path.name, kept))


def _require(hold: dict[tuple[str, str], Floats], case: Case, source: str) -> None:
    if all(np.isnan(values).all() for values in hold.values()):
        first, last = case.calendar.starts[0], case.scenario.end
        raise DataError(f"hold {source}", [Problem(source, "", f"has no release between {first} and {last}")])
