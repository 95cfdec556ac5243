"""Along the calendar: a basin's series laid on a scenario's periods, and what they lack, with the years there are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from wateropt.basin import Basin
from wateropt.calendar import Calendar, Floats, same_day
from wateropt.components import COMPONENTS
from wateropt.errors import Problem
from wateropt.tables import Key, RawSeries, Series, Table, along_calendar, daily, missing_run

Laid = dict[str, dict[Any, Floats]]  # column -> key -> values by period
OBSERVED = "observed"  # the series that are no input of the optimization
NAMED = 3  # ids of a file that a message names


class Gap(NamedTuple):
    """A series that lacks periods of the horizon.

    Attributes:
        raw: the file; key: asset, or asset and further keys.
        first, last: first and last day of the first run of missing periods, in the file's dates.
        more: number of missing periods besides.
    """

    raw: RawSeries
    key: Key
    first: date
    last: date
    more: int

    @property
    def file(self) -> str:
        """File, with its folder if that is not the basin's own."""
        return self.raw.folders.get(self.key, "") + self.raw.file

    def __str__(self) -> str:
        return f"no value for {self.first} to {self.last}" + (f" and {self.more} more" if self.more else "")


def lay_series(tables: Mapping[str, Table], basin: Basin, calendar: Calendar, years_back: int,
               scenario: str) -> tuple[dict[str, Laid], list[Problem]]:
    """Return all series along the periods, component -> column -> key -> values (period,), and what they lack.

    Args:
        tables: of the basin and the scenario's policies.
        basin: where the series are.
        calendar: the periods.
        years_back: years from the dates of the scenario to those of the series.
        scenario: name of the scenario's file.
    """
    laid: dict[str, Laid] = {}
    required: list[tuple[RawSeries, Key]] = []
    gaps: list[Gap] = []
    for part in COMPONENTS:
        laid[part.NAME] = {}
        for series in part.SERIES:
            raw = basin.series[part.NAME][series.name]
            for number, column in enumerate(raw.columns):
                laid[part.NAME][column.name] = {key: along_calendar(raw, key, number, calendar, years_back)
                                                for key in raw.rows}
            asked = _asked(series, tables[part.NAME], raw)
            required += [(raw, key) for key in asked]
            gaps += _gaps(raw, laid[part.NAME][raw.columns[0].name], asked, calendar, years_back)
    return laid, _explain(gaps, required, calendar.step, scenario, "hydrology" if years_back else "start, end")


def _asked(series: Series, table: Table, raw: RawSeries) -> list[Key]:
    """Return what needs values of a series for the whole horizon.

    These are the assets, where the series is required; else whatever has dated rows: a load that stood in the file
    and ended before the horizon would silently be none.
    """
    if series.required:
        return [key for key in table if not (series.unless and table.columns[series.unless][key])]
    return [key for key in raw.rows if key not in raw.monthly and series.name != OBSERVED]


def _gaps(raw: RawSeries, values: Mapping[Any, Floats], asked: Sequence[Key], calendar: Calendar,
          years_back: int) -> Iterable[Gap]:
    whole = np.full(len(calendar), math.nan)
    for key in asked:
        missing = missing_run(values.get(key, whole), calendar)
        if missing:
            yield Gap(raw, key, same_day(missing[0], years_back), same_day(missing[1], years_back), missing[2])


def _explain(gaps: Sequence[Gap], required: Sequence[tuple[RawSeries, Key]], step: str, scenario: str,
             place: str) -> list[Problem]:
    """Return one problem for each stretch that is missing, however many series lack it."""
    if not gaps:
        return []
    mend = _mend(gaps, required)
    problems = []
    for what in dict.fromkeys(map(str, gaps)):
        same = [gap for gap in gaps if str(gap) == what]
        if len(same) == 1:
            problems.append(Problem(same[0].file, _id(same[0].key), f"{what}; every {step} of the horizon needs one; "
                                                                    f"{mend}"))
        else:
            problems.append(Problem(scenario, place, f"{what} in {_files(same)}; every {step} of the horizon needs "
                                                     f"one; {mend}"))
    return problems


def _mend(gaps: Sequence[Gap], required: Sequence[tuple[RawSeries, Key]]) -> str:
    """Return which hydrological years there are, and what to do."""
    dated = [(raw, key) for raw, key in required if key in raw.rows and key not in raw.monthly]
    everywhere = _common(dated)
    if everywhere:
        return f"all series have the hydrological years {_years(everywhere)}: choose dates there, or add rows"
    lacking = {(gap.raw.file, gap.key) for gap in gaps}
    here = _common([(raw, key) for raw, key in dated if (raw.file, key) in lacking])
    others = _common([(raw, key) for raw, key in dated if (raw.file, key) not in lacking])
    if here or others:
        return (f"these series have the hydrological years {_years(here)}, the others {_years(others)}: lay a basin "
                "that has the missing ones over this one, or add rows")
    return "no hydrological year is whole: add rows"


def _common(series: Sequence[tuple[RawSeries, Key]]) -> set[int]:
    return set.intersection(*(_whole_years(raw, key) for raw, key in series)) if series else set()


def _whole_years(raw: RawSeries, key: Key) -> set[int]:
    """Return the hydrological years of which a dated series has every day."""
    rows = raw.rows[key]
    first, last = date.fromordinal(rows[0][0]).year, date.fromordinal(rows[-1][0] + rows[-1][1]).year
    found = set()
    for year in range(first, last + 1):
        days = date(year - 1, 10, 1).toordinal(), date(year, 10, 1).toordinal()
        if not np.isnan(daily(raw, key, 0, *days)).any():
            found.add(year)
    return found


def _years(years: set[int]) -> str:
    """Return years in words.

    >>> _years({2002, 2003, 2004, 2023, 2024}), _years(set())
    ('2002 to 2004, 2023, 2024', 'none')
    """
    runs: list[list[int]] = []
    for year in sorted(years):
        if runs and runs[-1][-1] == year - 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs) or "none"


def _files(gaps: Sequence[Gap]) -> str:
    files: dict[str, list[str]] = {}
    for gap in gaps:
        files.setdefault(gap.file, []).append(_id(gap.key))
    return ", ".join(f"{file} ({_few(ids)})" for file, ids in files.items())


def _few(ids: Sequence[str]) -> str:
    more = len(ids) - NAMED
    return ", ".join(ids[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _id(key: Key) -> str:
    return key if isinstance(key, str) else "/".join(key)
