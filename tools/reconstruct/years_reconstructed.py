"""Make the dated tables of data/basins/naryn-syrdarya-reconstructed: years that nobody measured by dekad.

Run from the repository root, with wateropt installed, after naryn_syrdarya.py and kyrgyz_load.py:

    python tools/reconstruct/years_reconstructed.py

The lakes follow from unmeasured_years.py, the gauges between them from gauges.py. Writes every dated table, the ranges
of the inflows and the table of errors in the README of the basin.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from gauges import along, fill_gauges, pass_the_weirs, profile, system_of_2023
from likely_years import LAKES, Run, measured, sample, year_of
from neighbour_load import neighbour_rows
from river import BASIN, SOURCES, History, Label, Rows, Series, read, source_columns, tables, write_tables
from unmeasured_years import ERRORS, error_rows, runs
from years_2001_2010 import GUESSED_REACHES, repeated

from wateropt.calendar import Calendar, Floats
from wateropt.units import HM3_PER_M3S_DAY

FOLDER = BASIN.parent / "naryn-syrdarya-reconstructed"
STATES = (date(2011, 9, 21), date(2020, 9, 21), date(2024, 9, 21))  # dekads that hold the state before a run
BULLETINS = (date(2022, 4, 1), date(2022, 9, 30))  # measured within the runs
FORECAST = date(2026, 2, 21)  # nothing was published of what follows
SCRIPT = "tools/reconstruct/years_reconstructed.py"
GAUGES = ("uch_kurgan_release", "uchtepe", "kal", "akjar", "ugam", "gazalkent", "keles", "kokbulak")
MEASURED_FLOWS = ("toktogul_inflow", "andijan_inflow", *(f"{lake}_release" for lake in LAKES))
TENTH = 1.2816  # standard deviations from the middle to the lowest or highest tenth
WIDER = 1.25  # the season sums of measured years are missed by this much more than the method says
NOTE_2023 = "as in the hydrological year 2023, whose system the years are given"
INFLOWS = {"naryn": "toktogul_inflow", "andijan": "andijan_inflow", "charvak": "charvak_inflow"}

LABELS = {
    "arys": Label("bse_arys", "assumed", NOTE_2023),
    "dostyk": Label("ktkz_2024", "assumed", NOTE_2023),
    "kyzylkum": Label("ksmake", "assumed", NOTE_2023),
    "arnasay": Label("own_estimate", "assumed"),
    "koksaray": Label("own_estimate", "assumed"),
    "koksaray_intake": Label("own_estimate", "assumed"),
    "aral": Label("astanatimes_2024", "assumed"),
}
MEASURED_ROWS = {"inflow_flow": {"naryn", "andijan", "ugam", "keles"}, "reservoir_observed": set(LAKES),
                 "reach_observed": {"kal_akjar", "akjar_kairakkum", "kairakkum_farkhad", "kokbulak_shardara",
                                    "shardara_koksaray", "andijan_uchtepe", "uchtepe_kal", "charvak_gazalkent",
                                    "gazalkent_mouth"}}
SOURCE_OF = {2011: "naryn_hydrograph_plot", 2020: "toktogul_by_date", 2024: "toktogul_by_date"}  # by a run's first year


@dataclass(frozen=True)
class Bulletin:
    """What the bulletins measured in the periods of a run; NaN where they did not."""

    calendar: Calendar
    values: Series

    @classmethod
    def of(cls, calendar: Calendar) -> Bulletin:
        """Return the measured dekads along a calendar; of the state before the bulletins only the storages."""
        own = measured()[1][0]
        columns = source_columns("syrdarya_dekads_2022_2024.csv", own)
        values = {name: np.full(len(calendar), np.nan) for name in columns}
        for t, day in enumerate(calendar.starts):
            if day in own.starts:
                k = own.starts.index(day)
                for name in columns:
                    if k or name.endswith("_storage"):
                        values[name][t] = columns[name][k]
        return cls(calendar, values)

    def over(self, series: Series) -> Series:
        """Return series with what was measured in place of what was estimated."""
        return {name: np.where(np.isnan(self.values[name]), flow, self.values[name]) if name in self.values else flow
                for name, flow in series.items()}


def label(table: str, name: str, day: date) -> Label:
    """Return what a row says of itself."""
    inside = BULLETINS[0] <= day <= BULLETINS[1] or day == STATES[2]
    if inside and name in MEASURED_ROWS.get(table, ()):
        return Label("ksmake", "measured")
    if name in LABELS:
        return LABELS[name]
    if table == "reach_observed" and name in GUESSED_REACHES:
        return Label("own_estimate", "assumed")
    if day >= FORECAST:
        return Label("toktogul_by_date", "assumed", f"forecast; {SCRIPT}")
    first = max(state.year for state in STATES if state <= day)
    source = "ksmake" if inside or name == "keles" else SOURCE_OF[first]
    return Label(source, "reconstructed", SCRIPT)


def ugam(calendar: Calendar, charvak: Floats) -> Floats:
    """Return the Ugam [m3/s]: the mean course of 2022-2024, each year its own volume.

    The yearly runoff is published to 2015; later years follow Charvak's inflow in proportion.
    """
    course = along(calendar, profile("inflow_flow", "ugam", "flow_m3s"))
    usual = along(calendar, profile("inflow_flow", "charvak", "flow_m3s"))
    known = {int(row["hydrological_year"]): float(row["ugam_hm3"])
             for row in read(SOURCES / "runoff_years_2001_2015.csv")}
    result = course.copy()
    years = np.array([year_of(day) for day in calendar.starts])
    kappa = calendar.days * HM3_PER_M3S_DAY
    for year in dict.fromkeys(years.tolist()):
        inside = years == year
        factor = float(charvak[inside] @ kappa[inside]) / float(usual[inside] @ kappa[inside])
        if year in known and inside.sum() > 1:
            factor = known[year] / float(course[inside] @ kappa[inside])
        result[inside] *= factor
    return np.asarray(np.round(result, 3))


def lakes_of(run: Run, state: date) -> tuple[Calendar, Series]:
    """Return the periods from a state on and the lakes' series, measured where they were; the balances close."""
    likely = run.likely()
    calendar = Calendar.between(state, last_day(run.calendar), "dekad")
    bulletin = Bulletin.of(calendar)
    skip = len(run.calendar) - len(calendar)
    found = {name: np.round(values[skip:], 3) for name, values in likely.items()}
    found = bulletin.over(found)
    kappa = calendar.days * HM3_PER_M3S_DAY
    for lake in ("toktogul", "andijan", "charvak"):
        closing = found[f"{lake}_inflow"][1:] - np.diff(found[f"{lake}_storage"]) / kappa[1:]
        found[f"{lake}_release"] = np.round(np.concatenate([found[f"{lake}_release"][:1], closing]), 3)
    for row in read(BASIN / "reservoir.csv"):
        name = f"{row['reservoir']}_release"
        if name in found:
            found[name] = np.maximum(found[name], float(row["minimum_release_m3s"]))
    found["ugam"] = ugam(calendar, found["charvak_inflow"])
    return calendar, bulletin.over(found)


def history(run: Run, state: date) -> History:
    """Return the operation of one run from a state on."""
    calendar, lakes = lakes_of(run, state)
    lakes["kyzylkum"], assumed = system_of_2023(calendar)
    bulletin = fill_gauges(calendar, lakes, assumed)
    seen = Bulletin.of(calendar)
    gauges = {name: seen.over({name: bulletin[name]})[name] for name in GAUGES}
    assumed = pass_the_weirs(calendar, bulletin["shardara_release"], assumed)
    return History(calendar, bulletin | gauges, assumed, label)


def last_day(calendar: Calendar) -> date:
    """Return the last day of a calendar."""
    return calendar.end - timedelta(days=1)


def write_power(histories: list[History]) -> None:
    """Write unit_output and grid_load; the plants of the neighbours follow from the tables already written."""
    units: Rows = []
    loads: Rows = []
    for one in histories:
        first, last = one.calendar.starts[1], last_day(one.calendar)
        months, dekads = Calendar.between(first, last, "month"), Calendar.between(first, last, "dekad")
        units += repeated("unit_output", 1, months)
        loads += [*repeated("grid_load", 2, months),
                  *neighbour_rows(FOLDER, dekads, ("toktogul_by_date", "reconstructed", SCRIPT))]
    write_tables(FOLDER, {"unit_output": in_order(units, 1)}, {"grid_load": in_order(loads, 2)})


def in_order(rows: Rows, keys: int) -> Rows:
    """Return rows by series (the first `keys` cells) and date."""
    return sorted(rows, key=lambda row: [str(cell) for cell in row[: keys + 1]])


def range_rows(run: Run, state: date) -> Rows:
    """Return inflow_range: lowest and highest tenth of each inflow's season, by hydrological year."""
    likely = run.likely()
    _, covariance = run.given()
    years = np.array([year_of(day) for day in run.calendar.starts])
    found: Rows = []
    for year in dict.fromkeys(years[[day > state for day in run.calendar.starts]].tolist()):
        for name, series in INFLOWS.items():
            for season in ("non-growing", "growing"):
                inside = (years == year) & np.array([s == season for s in run.calendar.seasons])
                known = (inside * run.kappa) @ run.flow(series)
                middle = float(likely[series] @ (inside * run.kappa))
                away = WIDER * TENTH * float(np.sqrt(known @ covariance @ known))
                low, high = max(middle - away, 0.3 * middle), middle + away
                found.append([year, "inflow_flow", name, season, f"{low / middle:.2f}", f"{high / middle:.2f}",
                              f"{low:.0f}", f"{middle:.0f}", f"{high:.0f}", "lowest and highest tenth"])
    return found


def write_ranges(rows: Rows) -> None:
    """Write inflow_range.csv."""
    with (FOLDER / "inflow_range.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["year", "table", "group", "season", "low_factor", "high_factor", "low_hm3", "middle_hm3",
                         "high_hm3", "note"])
        writer.writerows(rows)


def write_errors(readme: Path) -> None:
    """Write the tables of errors between the marks of the README."""
    everything = sample()
    parts = ["<!-- errors: written by tools/reconstruct/years_reconstructed.py -->"]
    for known, words in ((True, "As 2012 to 2015: months of inflow (digitised), yearly runoff, storages on eight days"),
                         (False, "As 2021, 2025: storages on eight days only")):
        parts += ["", f"{words}.", "", "| " + " | ".join(ERRORS) + " |", "|---|" + "---:|" * (len(ERRORS) - 1)]
        parts += ["| " + " | ".join(row) + " |" for row in error_rows(everything, known)]
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split("<!-- errors", maxsplit=1)
    after = rest.split("<!-- end of errors -->", maxsplit=1)[1]
    readme.write_text(before + "\n".join(parts) + "\n\n<!-- end of errors -->" + after, encoding="utf-8")


def main() -> None:
    """Write every dated table of the basin."""
    found = list(zip(runs(sample()), STATES, strict=True))
    histories = [history(run, state) for run, state in found]
    write_tables(FOLDER, *(tables(one) for one in histories))
    write_power(histories)
    write_ranges([row for run, state in found for row in range_rows(run, state)])
    write_errors(FOLDER / "README.md")
    for one in histories:
        for lake in ("toktogul", "andijan", "kairakkum", "shardara"):
            gain = one.net[f"{lake}_closure"]
            print(one.calendar.starts[0], lake, "closure", gain.min().round(2), gain.max().round(2))
        print({year: round(v) for year, v in volumes_of(one).items()})


def volumes_of(one: History) -> dict[int, float]:
    """Return the inflow of Toktogul by hydrological year [hm3]."""
    found: dict[int, float] = {}
    for t, day in enumerate(one.calendar.starts[1:], start=1):
        volume = one.bulletin["toktogul_inflow"][t] * one.calendar.days[t] * HM3_PER_M3S_DAY
        found[year_of(day)] = found.get(year_of(day), 0.0) + float(volume)
    return found


if __name__ == "__main__":
    main()
