"""Hindcast: how near the model comes to what happened, and what knowing more would have saved.

Each hydrological year of a scenario is judged by itself, from the storages observed at its start:

* *free run*: observed releases and canal flows, with the gains of other years; the lakes go where that leads them;
* *history*: the same releases with the year's own gains, and what they cost;
* *optimum*: nothing held, the same storages at the end;
* *plan*: the same LP, decided month by month, which until 1 April knows only the month at hand and expects the inflow
  of the median year after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from wateropt.calendar import Calendar, Floats, Mask
from wateropt.errors import DataError, Problem
from wateropt.hold import held
from wateropt.policies import storage_target
from wateropt.result import Result
from wateropt.scenario import Case, build_case
from wateropt.solving import Hold, LiveCase, solve
from wateropt.tables import RawSeries, Table, along_calendar, read_rows
from wateropt.units import GWH_PER_MWH, HM3_PER_M3S_DAY

KNOWN_FROM = 4  # month from whose first day the plan knows the year's own inflow
UNBOUNDED = 1e6  # hm³: wide enough for a free run that goes astray, small enough for the solver
UNKNOWN = (("inflow", "flow"), ("gain", "flow"))  # what a plan cannot know of the months ahead
END_PRICE = 1.0  # USD/m³ of closing storage that a plan misses: above every other price, so the last thing to give way
JUDGES = ("measured", "reported")  # confidence of the storages that a free run is held against
MOSTLY = 0.8  # share of the periods in which a lake's storage must have been measured
Say = Callable[[str], None]


class Year(NamedTuple):
    """A whole hydrological year of a basin."""

    year: int
    case: Case


@dataclass(frozen=True)
class FreeRun:
    """Storages that follow from observed releases and the gains of other years.

    Attributes:
        storage: lake -> storage at the end of each period [hm³], shape (period,).
        observed: the same as observed.
    """

    storage: Mapping[str, Floats]
    observed: Mapping[str, Floats]

    def farthest(self, lake: str) -> float:
        """Return the largest distance from the observed storage [hm³]."""
        return float(np.abs(self.storage[lake] - self.observed[lake]).max())

    def farthest_in_a_period(self, lake: str) -> float:
        """Return the most that one period adds to or takes from that distance [hm³]."""
        apart = np.diff(self.storage[lake] - self.observed[lake], prepend=0.0)
        return float(np.abs(apart).max())


@dataclass(frozen=True)
class Hindcast:
    """History as the judge of one hydrological year.

    Attributes:
        case: the year.
        others: hydrological years that the gains of the free run are the mean of.
        free: the free run with the gains of those years.
        uncorrected: the same, but without any gain at lakes whose inflow is measured.
        history, optimum: releases held as observed, and free with the same closing storages.
        plan: decided without knowing the season's inflow; None where no other year is known, or the season only.
        expected: hydrological year whose inflow the plan expects.
    """

    case: Case
    others: tuple[int, ...]
    free: FreeRun
    uncorrected: FreeRun
    history: Result
    optimum: Result
    plan: Result | None
    expected: int | None

    @property
    def year(self) -> int:
        """The hydrological year."""
        return int(self.case.calendar.hydrological_years[-1])


def hindcast(cases: Sequence[Case], tell: Say = lambda _: None) -> list[Hindcast]:
    """Judge every hydrological year of some scenarios by what was observed.

    Args:
        cases: scenarios whose basins have observed releases and storages over the whole horizon.
        tell: called with one line per run, for progress.

    Raises:
        DataError: nothing was observed, or no other year is known.

    >>> import wateropt
    >>> judged, = hindcast([wateropt.load("dry-2023-monthly")])
    >>> judged.optimum.objective < judged.plan.objective < judged.history.objective
    True
    """
    known = {year: case for case in cases for year in whole_years(case.basin.series["inflow"]["flow"])}
    return [judge(one, known, tell) for case in cases for one in single_years(case)]


def judge(case: Case, known: Mapping[int, Case], tell: Say) -> Hindcast:
    """Judge one hydrological year; `known` are the years with data, and a case of the basin that has them."""
    observed_storages(case)  # or say that there is no judge
    year, others = int(case.calendar.hydrological_years[-1]), other_years(case)
    tell(f"{year}: free run")
    gains = mean_of_years(case, others)
    free = free_run(case, gains)
    uncorrected = free_run(case, {**gains, **{g: np.zeros(len(case.calendar)) for g in corrections(case)}})
    hold = held(case, "observed")
    tell(f"{year}: history and optimum")
    history, optimum = solve(case, hold=hold), solve(case)
    expected = median_year({y: c for y, c in known.items() if y != year}) if unknown_months(case.calendar) else None
    plan = None if expected is None else solve_with_forecast(case, forecast(case, expected), tell)
    return Hindcast(case, others, free, uncorrected, history, optimum, plan, expected.year if expected else None)


def single_years(case: Case) -> list[Case]:
    """Return a case for each hydrological year of a case, from the storages observed at its start."""
    calendar = case.calendar
    years = sorted(set(calendar.hydrological_years.tolist()))
    if len(years) == 1:
        return [case]
    cases = []
    for year in years:
        inside = np.flatnonzero(calendar.hydrological_years == year)
        last = last_days(calendar)[inside[-1]]
        own = case.scenario.model_copy(update={"start": calendar.starts[inside[0]], "end": last, "opening": {},
                                               "closing": {}})
        cases.append(build_case(f"{case.name}:{year}", own, case.unchanged))
    return cases


def last_days(calendar: Calendar) -> list[date]:
    """Return the last day of each period."""
    return [start + timedelta(days=int(n) - 1) for start, n in zip(calendar.starts, calendar.days, strict=True)]


# ---- free run ---------------------------------------------------------------------------------------


def free_run(case: Case, gains: Mapping[str, Floats]) -> FreeRun:
    """Return the storages that observed releases and some gains [m³/s] lead to.

    The lakes are not bounded: a run that goes astray shows how far.

    Raises:
        DataError: no lake has an observed storage in every period.
    """
    observed = observed_storages(case)
    lakes = case.book.tables["reservoir"]
    wide = replace(lakes, columns={**lakes.columns, "minimum_storage": dict.fromkeys(lakes, -UNBOUNDED),
                                   "full_storage": dict.fromkeys(lakes, UNBOUNDED)})
    series = {**case.book.series, "gain": {**case.book.series["gain"], "flow": gains}}
    unasked: dict[str, Any] = {name: dict.fromkeys(values) for name, values in case.book.closing.items()}
    book = replace(case.book, tables={**case.book.tables, "reservoir": wide}, series=series, closing=unasked)
    live = LiveCase(replace(case, book=book), held(case, "observed"))
    x = live.solve_cost().x
    return FreeRun({r: x[live.horizon.columns_of("storage", r)] for r in observed}, observed)


def corrections(case: Case) -> list[str]:
    """Return the gains that only correct the balance of a lake whose inflow is measured."""
    inflows, gains = case.book.tables["inflow"], case.book.tables["gain"]
    lakes = {inflows.node[i] for i in inflows if inflows.reservoir[i]}
    return [g for g in gains if gains.node[g] in lakes]


def observed_storages(case: Case) -> dict[str, Floats]:
    """Return the storage of each lake that was measured, at the end of each period [hm³], shape (period,).

    Raises:
        DataError: no lake was measured in most periods and known in all.
    """
    ends = last_days(case.calendar)
    found: dict[str, dict[date, tuple[float, bool]]] = {}
    for row in rows_of(case, "reservoir_observed.csv"):
        if row.get("storage_hm3"):
            last = date.fromisoformat(row["start"]) + timedelta(days=int(row["days"]) - 1)
            found.setdefault(row["reservoir"], {})[last] = float(row["storage_hm3"]), row["confidence"] in JUDGES
    paths = {lake: [path[day] for day in ends if day in path] for lake, path in sorted(found.items())}
    whole = {lake: np.array([value for value, _ in path]) for lake, path in paths.items()
             if len(path) == len(ends) and sum(measured for _, measured in path) >= MOSTLY * len(ends)}
    if not whole:
        what = (f"no lake has a measured storage at the end of every {case.calendar.step} from "
                f"{case.calendar.starts[0]} to {case.scenario.end}; judge a year that was measured")
        raise DataError(f"hindcast {case.name}", [Problem("reservoir_observed.csv", "", what)])
    return whole


def rows_of(case: Case, file: str) -> Iterable[dict[str, str]]:
    """Yield the rows of a file of the case's basin, those of its highest folder that has it."""
    for folder in reversed(case.basin.folders):
        if (folder / file).exists():
            return [row for _, row in read_rows(folder / file, [])]
    return []


# ---- other years --------------------------------------------------------------------------------------


def whole_years(raw: RawSeries) -> list[int]:
    """Return the hydrological years in which every dated id of a series has a value on every day."""
    dated = [key for key in raw.rows if key not in raw.monthly]
    if not dated:
        return []
    first = date.fromordinal(max(raw.rows[key][0][0] for key in dated)).year
    last = date.fromordinal(min(raw.rows[key][-1][0] for key in dated)).year
    return [y for y in range(first, last + 1)
            if not any(np.isnan(along_calendar(raw, key, 0, hydrological_year(y))).any() for key in dated)]


def hydrological_year(year: int) -> Calendar:
    """Return the dekads of a hydrological year."""
    return Calendar.between(date(year - 1, 10, 1), date(year, 9, 30), "dekad")


def in_year(raw: RawSeries, key: Any, calendar: Calendar, year: int) -> Floats:
    """Return a series of another hydrological year in the periods of a calendar, by month and dekad."""
    other = hydrological_year(year)
    values = along_calendar(raw, key, 0, other)
    first_days = [day.day for day in other.starts]
    out = np.empty(len(calendar))
    for t, day in enumerate(calendar.starts):
        same: Mask = other.months == day.month
        if calendar.step == "dekad":
            same &= np.array(first_days) == day.day
        out[t] = np.average(values[same], weights=other.days[same])
    return out


def other_years(case: Case) -> tuple[int, ...]:
    """Return the years that a case's gains can be estimated on; none where the basin has no gains.

    Raises:
        DataError: the basin has gains of no other year.
    """
    raw = case.basin.series["gain"]["flow"]
    others = tuple(y for y in whole_years(raw) if y not in case.calendar.hydrological_years)
    if raw.rows and not others:
        found = "holds no other whole hydrological year that gains could be estimated on; add one"
        raise DataError(f"hindcast {case.name}", [Problem(raw.file, "", found)])
    return others


def mean_of_years(case: Case, years: Sequence[int]) -> dict[str, Floats]:
    """Return each gain [m³/s] in the periods of a case as the mean of some hydrological years."""
    raw = case.basin.series["gain"]["flow"]
    return {str(g): np.mean([in_year(raw, g, case.calendar, year) for year in years], axis=0) for g in raw.rows}


def median_year(known: Mapping[int, Case]) -> Year | None:
    """Return the year whose inflows bring the median volume (of an even number, the lower); None of no year."""
    volume = {}
    for year, case in known.items():
        raw, calendar = case.basin.series["inflow"]["flow"], hydrological_year(year)
        volume[year] = sum(float(along_calendar(raw, key, 0, calendar) @ calendar.days) for key in raw.rows)
    ranked = sorted(volume, key=lambda y: (volume[y], y))
    return Year(ranked[(len(ranked) - 1) // 2], known[ranked[(len(ranked) - 1) // 2]]) if ranked else None


# ---- a plan that does not know the season -------------------------------------------------------------

Forecast = Mapping[tuple[str, str], Mapping[str, Floats]]  # (component, column) -> id -> values [m³/s]


def forecast(case: Case, expected: Year) -> Forecast:
    """Return inflows and gains [m³/s] of the year that is expected, in the periods of a case."""
    return {(part, column): {key: in_year(expected.case.basin.series[part][column], key, case.calendar, expected.year)
                             for key in case.book.series[part][column]} for part, column in UNKNOWN}


def solve_with_forecast(case: Case, expected: Forecast, tell: Say = lambda _: None) -> Result:
    """Return the year as it goes when its inflow is known only from April.

    At the start of each month the whole year is optimized with the true inflow to the end of that month and the
    expected one after; the month's releases and canal flows are then held. From 1 April everything is known. A plan may
    find out too late that the closing storages are out of reach: they give way at END_PRICE.
    """
    case = with_soft_ends(case)
    hold: dict[tuple[str, str], Floats] = {}
    for begin, end in unknown_months(case.calendar):
        tell(f"{case.calendar.hydrological_years[-1]}: plan of {case.calendar.starts[begin]:%B}")
        plan = solve(believing(case, expected, end), hold=hold)
        for key, values in decided(plan).items():
            hold.setdefault(key, np.full(len(case.calendar), np.nan))[begin:end] = values[begin:end]
    return solve(case, hold=hold)


def with_soft_ends(case: Case) -> Case:
    """Return a case whose closing storages may be missed at END_PRICE."""
    book, ends = case.book, case.book.closing["storage"]
    due = {f"end_{lake}": lake for lake, least in sorted(ends.items()) if least is not None}
    month = int(case.calendar.months[-1])
    columns = {"reservoir": due, "sense": dict.fromkeys(due, ">="), "month": dict.fromkeys(due, month),
               "quantity": {c: ends[lake] for c, lake in due.items()}, "penalty": dict.fromkeys(due, END_PRICE)}
    targets = Table(storage_target.NAME, tuple(due), columns, {c: c for c in due})
    tables = {**book.tables, storage_target.NAME: targets.over(book.tables[storage_target.NAME])}
    open_ends: dict[str, Any] = {**book.closing, "storage": dict.fromkeys(ends)}
    return replace(case, book=replace(book, tables=tables, closing=open_ends))


def missed_at_the_end(plan: Result) -> float:
    """Return the closing storage that a plan misses [hm³]."""
    return float(sum(plan.values.get("storage_missed", c)[-1] for c in plan.values.keys("storage_missed")
                     if str(c).startswith("end_")))


def unknown_months(calendar: Calendar) -> list[tuple[int, int]]:
    """Return first period and the period after the last of each month before the inflow is known."""
    months = calendar.months.tolist()
    stop = months.index(KNOWN_FROM) if KNOWN_FROM in months else len(months)
    edges = [t for t in range(stop) if t == 0 or months[t] != months[t - 1]]
    return list(zip(edges, [*edges[1:], stop][: len(edges)], strict=True))


def believing(case: Case, expected: Forecast, known: int) -> Case:
    """Return a case with the expected inflow from period `known` on."""
    series = dict(case.book.series)
    for (part, column), by_key in expected.items():
        true = series[part][column]
        mixed = {key: np.concatenate([true[key][:known], by_key[key][known:]]) for key in true}
        series[part] = {**series[part], column: mixed}
    return replace(case, book=replace(case.book, series=series))


def decided(plan: Result) -> Hold:
    """Return what an operator sets: releases and canal flows [m³/s]."""
    return {(name, key): plan.values.get(name, key) for name in ("release", "canal_flow")
            for key in plan.values.keys(name)}


# ---- generation -----------------------------------------------------------------------------------------


class Generation(NamedTuple):
    """Hydropower of the river plants of a grid in some months [GWh].

    Attributes:
        grid: the grid; first, last: the months' first and last day.
        reported: what all plants gave; others: what plants outside the river gave of it.
        modelled: what the river plants give with the observed releases.
    """

    grid: str
    first: date
    last: date
    reported: float
    others: float
    modelled: float

    @property
    def miss(self) -> float:
        """Modelled less reported, as a share of what was reported of the river plants."""
        return self.modelled / (self.reported - self.others) - 1


def generation(judged: Sequence[Hindcast]) -> list[Generation]:
    """Return reported and modelled generation of every reported time that the judged years cover."""
    found = {}
    for one in judged:
        for row in rows_of(one.case, "generation_reported.csv"):
            first = date.fromisoformat(row["start"])
            found[row["grid"], first, int(row["days"])] = float(row["generation_gwh"])
    compared = []
    for (grid, first, days), reported in sorted(found.items()):
        last = first + timedelta(days=days - 1)
        amounts = [_generated(one, grid, first, last) for one in judged]
        covered, river, others = (sum(amount[k] for amount in amounts) for k in range(3))
        if round(covered) == days:
            compared.append(Generation(grid, first, last, reported, others, river))
    return compared


def _generated(one: Hindcast, grid: str, first: date, last: date) -> tuple[float, float, float]:
    """Return the days of a year between two dates, and what river and other plants gave in them [GWh]."""
    calendar, tables = one.case.calendar, one.case.book.tables
    ends = last_days(calendar)
    inside = np.array([first <= a and b <= last for a, b in zip(calendar.starts, ends, strict=True)])
    river = sum(float(line.values[inside].sum()) for line in one.history.ledger("grid", "hydro")
                if line.place[0] == grid)
    units, available = tables["unit"], one.case.book.series["unit"]["available"]
    hours = 24 * calendar.days
    others = sum(float((GWH_PER_MWH * available[u] * hours)[inside].sum()) for u in units if units.grid[u] == grid)
    return float(calendar.days[inside].sum()), river, others


def volume(case: Case, flow: Floats, season: str = "") -> float:
    """Return the volume of a flow [hm³] in a season, or in the year."""
    inside = np.array([season in ("", s) for s in case.calendar.seasons])
    return float((flow * case.calendar.days * HM3_PER_M3S_DAY)[inside].sum())
