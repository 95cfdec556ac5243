"""What is known of the years that nobody measured by dekad, and their likely course.

Three runs of years: October 2010 - September 2016, October 2020 - March 2022, October 2024 - September 2026. Each
begins and ends with a measured storage where there is one. Run this file to see how well the same method finds the
measured years when it is told as little of them as of the others:

    python tools/reconstruct/unmeasured_years.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from likely_years import (
    DERIVED,
    LAKES,
    VARIABLES,
    Run,
    Sample,
    dekad_of_year,
    digitised_months,
    measured,
    month_factors,
    sample,
    year_of,
)
from river import SOURCES, Series, read, source_columns

from wateropt.calendar import Calendar, Floats
from wateropt.units import HM3_PER_M3S_DAY

RUNS = (
    (date(2010, 9, 21), date(2016, 9, 30)),
    (date(2020, 9, 21), date(2022, 3, 31)),
    (date(2024, 9, 21), date(2026, 9, 30)),
)
MONTH_ERROR = 0.15  # deviation of a digitised month after its factor [1]; best of 0.07 to 0.18 in measured years
YEAR_ERROR = {"andijan": 0.03, "charvak": 0.08}  # yearly runoff against the bulletins [1]
DEKAD_ERROR = 0.10  # Charvak's gauges against its volumes, by dekad [1]
DAY_ERROR = {"inflow": 0.15, "release": 0.30}  # one day for its dekad [1]
EXACT = 2.0  # deviation of what is measured by dekad [m3/s or hm3]


def know_measured(run: Run) -> None:
    """Add what was measured by dekad inside a run: the state before it, the half year after it.

    The bulletins' first row holds the storages before them; its flows are those of one day.
    """
    for calendar, series in measured():
        for t, day in enumerate(calendar.starts):
            if day in run.calendar.starts:
                k = run.calendar.starts.index(day)
                names = [*VARIABLES, "toktogul_storage"] if t else [f"{lake}_storage" for lake in LAKES]
                for name in names:
                    run.know(run.flow(name)[k], float(series[name][t]), EXACT)


def know_dates(run: Run) -> None:
    """Add the storages, inflows and releases that were published for single days."""
    first, last = run.calendar.starts[1], run.calendar.end
    for row in read(SOURCES / "lake_storage_by_date.csv"):
        day, lake = date.fromisoformat(row["date"]), row["lake"]
        if row["use"] != "1" or not first <= day < last:
            continue
        run.know(run.storage(lake, day), float(row["storage_hm3"]), float(row["tolerance_hm3"]))
        t = max(k for k, start in enumerate(run.calendar.starts) if start <= day)
        for what, error in DAY_ERROR.items():
            if row[f"{what}_m3s"]:
                value = float(row[f"{what}_m3s"])
                run.know(run.flow(f"{lake}_{what}")[t], value, error * value)


def know_months(run: Run, factors: Floats, months: Sequence[tuple[int, int]] = ()) -> None:
    """Add the digitised months of Toktogul's inflow, times their factors; all of them or the ones named."""
    last = run.calendar.end - timedelta(days=1)
    for (year, month), flow in digitised_months().items():
        first = date(year, month, 1)
        end = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        if run.calendar.starts[1] <= first and end <= last and (not months or (year, month) in months):
            value = flow * factors[month - 1] * (end - first + timedelta(days=1)).days * HM3_PER_M3S_DAY
            run.know(run.volume("toktogul_inflow", first, end), value, MONTH_ERROR * value)


def know_runoff(run: Run, years: Sequence[int]) -> None:
    """Add the yearly runoff of the Karadarya and, where its dekads are not known, of the Chirchik."""
    for row in read(SOURCES / "runoff_years_2001_2015.csv"):
        year = int(row["hydrological_year"])
        if year in years:
            for lake, error in YEAR_ERROR.items():
                value = float(row[f"{lake}_inflow_hm3"])
                year_of_it = date(year - 1, 10, 1), date(year, 9, 30)
                run.know(run.volume(f"{lake}_inflow", *year_of_it), value, error * value)


def know_charvak(run: Run) -> None:
    """Add the dekads of Charvak's inflow that were gauged."""
    where = {day: t for t, day in enumerate(run.calendar.starts)}
    rows = run.flow("charvak_inflow")
    for row in read(SOURCES / "charvak_inflow_dekads_2010_2015.csv"):
        t = where.get(date.fromisoformat(row["start"]))
        if t is not None:
            run.know(rows[t], float(row["inflow_m3s"]), DEKAD_ERROR * float(row["inflow_m3s"]))


def shardara_losses() -> Floats:
    """Return what leaves Shardara beside the river [m3/s], gauge errors included, shape (36,)."""
    calendar, series = measured()[1]
    columns = source_columns("syrdarya_dekads_2022_2024.csv", calendar)
    other = columns["kokbulak"] + columns["keles"] - series["shardara_arrival"]
    found: dict[int, list[float]] = {}
    for t, day in enumerate(calendar.starts[1:], start=1):
        found.setdefault(dekad_of_year(day), []).append(float(other[t]))
    return np.array([np.mean(found[k]) for k in range(36)])


def know_sums(run: Run) -> None:
    """Add the published sums; at Shardara they are of the river, which also feeds the losses of the lake."""
    first, last = run.calendar.starts[1], run.calendar.end
    losses = shardara_losses()[run.dekads] * run.kappa
    for row in read(SOURCES / "published_sums.csv"):
        begin, end = date.fromisoformat(row["start"]), date.fromisoformat(row["last_day"])
        if not (first <= begin and end < last):
            continue
        names = row["series"].split("+")
        value = float(row["volume_hm3"])
        if names == ["shardara_arrival"]:
            inside = [begin <= day <= end for day in run.calendar.starts]
            value -= float(losses[inside].sum())
        known = np.sum([run.volume(name, begin, end) for name in names], axis=0)
        run.know(known, value, float(row["tolerance_hm3"]))


def runs(years: Sample) -> list[Run]:
    """Return the three runs with all that is known of them."""
    found = []
    for first, last in RUNS:
        end = date(2022, 9, 30) if last == date(2022, 3, 31) else last  # the measured half year joins the run
        run = Run(Calendar.between(first, end, "dekad"), years)
        know_measured(run)
        know_dates(run)
        know_months(run, month_factors(years, digitised_months()))
        know_runoff(run, range(2011, 2016))
        know_charvak(run)
        know_sums(run)
        found.append(run)
    return found


def volumes(run: Run, series: Floats, season: str = "") -> dict[int, float]:
    """Return the volume [hm3] of a flow by hydrological year, of one season or the whole year."""
    found: dict[int, float] = {}
    for t, day in enumerate(run.calendar.starts[1:], start=1):
        if not season or run.calendar.seasons[t] == season:
            found[year_of(day)] = found.get(year_of(day), 0.0) + float(series[t] * run.kappa[t])
    return found


# --- the judge: measured years, told as little of them -------------------------------------------------------------

DATES = ((10, 20), (12, 31), (1, 22), (4, 12), (5, 15), (6, 28), (8, 17), (9, 30))  # days with a storage


def told(year: int, everything: Sample, inflow_known: bool) -> Run:
    """Return a run of one measured year, without it in the sample, that knows as much as of the other years."""
    others = everything.without(year)
    run = Run(Calendar.between(date(year - 1, 9, 21), date(year, 9, 30), "dekad"), others)
    row = everything.years.index(year)
    truth = {name: values[row] for name, values in everything.values.items()}
    stored = np.concatenate([[np.nan], truth["toktogul_storage"]])
    for month, day in DATES:
        when = date(year - (month >= 10), month, day)
        t = dekad_of_year(when) + 1
        part = (when - run.calendar.starts[t]).days / run.calendar.days[t]
        if t > 1:
            run.know(run.storage("toktogul", when), float((1 - part) * stored[t - 1] + part * stored[t]), 30.0)
    opening = truth["toktogul_storage"][0] - (truth["toktogul_inflow"] - truth["toktogul_release"])[0] * run.kappa[1]
    run.know(run.flow("toktogul_storage")[0], float(opening), 30.0)
    if inflow_known:
        know_months(run, month_factors(others, digitised_months()))
        know_runoff(run, [year])
    return run


def error_rows(everything: Sample, inflow_known: bool) -> list[list[str]]:
    """Return, for each measured year told as little, the errors of what was found."""
    rows = []
    for year in everything.years:
        if inflow_known and not 2006 <= year <= 2010:
            continue
        run = told(year, everything, inflow_known)
        found = run.likely()
        k = everything.years.index(year)
        truth = {name: values[k] for name, values in everything.values.items()}

        def miss(name: str, months: tuple[int, ...] = (), found: Series = found, truth: Series = truth,
                 run: Run = run) -> float:
            inside = np.isin(run.calendar.months[1:], months) if months else np.full(36, True)
            return float(((found[name][1:] - truth[name]) * run.kappa[1:])[inside].sum())

        def rough(name: str, found: Series = found, truth: Series = truth) -> float:
            return float(np.sqrt(np.mean((found[name][1:] - truth[name]) ** 2)))

        summer = (4, 5, 6, 7, 8, 9)
        share = miss("toktogul_inflow") / float((truth["toktogul_inflow"] * run.kappa[1:]).sum())
        rows.append([
            str(year),
            f"{100 * share:+.0f}",
            *(f"{miss(name):+.0f}" for name in ("andijan_inflow", "charvak_inflow")),
            *(f"{miss(name, summer):+.0f}" for name in ("kairakkum_arrival", "shardara_arrival")),
            *(f"{rough(name):.0f}" for name in ("toktogul_inflow", "toktogul_release", "toktogul_storage")),
            *(f"{rough(f'{lake}_storage'):.0f}" for lake in LAKES[1:]),
        ])
    numbers = np.array([[float(cell) for cell in row[1:]] for row in rows])
    rows.append(["RMS", *(f"{value:.0f}" for value in np.sqrt((numbers**2).mean(axis=0)))])
    return rows


ERRORS = ("year", "Naryn, %", "Andijan, hm3", "Charvak, hm3", "Kairakkum arrival Apr-Sep, hm3",
          "Shardara arrival Apr-Sep, hm3", "Naryn, m3/s", "Toktogul release, m3/s", "Toktogul, hm3",
          *(f"{lake.capitalize()}, hm3" for lake in LAKES[1:]))


def main() -> None:
    """Print how well the measured years are found, and the likely years."""
    everything = sample()
    for inflow_known in (False, True):
        print("\nleft out, storages on eight days known" + (", months of inflow and yearly runoff too" * inflow_known))
        print(" | ".join(ERRORS))
        for row in error_rows(everything, inflow_known):
            print(" | ".join(row))
    for run in runs(everything):
        likely = run.likely()
        for name in ("toktogul_inflow", "toktogul_release", "andijan_inflow", "charvak_inflow", "andijan_release",
                     "charvak_release", "kairakkum_arrival", "kairakkum_release", "shardara_arrival",
                     "shardara_release"):
            print(name, {y: round(v) for y, v in volumes(run, likely[name]).items()},
                  {y: round(v) for y, v in volumes(run, likely[name], "growing").items()})
        for lake in LAKES:
            print(lake, [round(float(v)) for v in likely[f"{lake}_storage"][::6]], likely[f"{lake}_storage"].min())
        for name in DERIVED:
            print(name, likely[name].min().round(1), likely[name].max().round(1))


if __name__ == "__main__":
    main()
