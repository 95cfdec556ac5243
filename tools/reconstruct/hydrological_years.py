"""Write data/basins/naryn-syrdarya/hydrological_year.csv: the record that decides which years are dry.

Run from the repository root, with wateropt installed:

    python tools/reconstruct/hydrological_years.py

One row for each hydrological year of which Toktogul's inflow and opening storage are measured or can be
reconstructed (likely_years.py), with Shardara's inflow of April-September where it was published.
"""

from __future__ import annotations

import csv
from datetime import date

import numpy as np
from likely_years import DEKADS, MEASURED, measured, sample, year_of
from river import BASIN, SOURCES, read
from unmeasured_years import runs, volumes
from years_2001_2010 import STATE_PERIOD, table_of_lakes

from wateropt.calendar import Calendar
from wateropt.units import HM3_PER_M3S_DAY

USUAL_AGREED = 4200  # hm3 in April-September: the agreement of 2023 stands in for years of which none was published
HEADER = ("hydrological_year", "toktogul_inflow_hm3", "toktogul_opening_hm3", "shardara_season_hm3",
          "shardara_agreed_hm3", "source", "confidence", "note")
NOTES = {
    range(2011, 2017): "monthly inflow digitised from a plot, storages by date",
    range(2021, 2022): "storages by date and the sum of three inflows in 2021",
    range(2022, 2023): "storages by date to March, then measured",
    range(2025, 2026): "storages by date; no sum of inflow is published",
    range(2026, 2027): "storages by date to 18 February 2026, then forecasts",
}


def inflows_and_openings() -> dict[int, tuple[float, float]]:
    """Return measured inflow [hm3] and opening storage [hm3] of Toktogul by hydrological year."""
    found = {}
    for calendar, series in measured():
        volume = series["toktogul_inflow"] * calendar.days * HM3_PER_M3S_DAY
        for year in MEASURED:
            inside = [t for t, day in enumerate(calendar.starts) if year_of(day) == year]
            if len(inside) == DEKADS:
                found[year] = float(volume[inside].sum()), float(series["toktogul_storage"][inside[0] - 1])
    return found


def inflow_2001() -> float:
    """Return the inflow of 2001 [hm3]: measured from January on, October to December as the mean of the other years."""
    calendar = Calendar.between(STATE_PERIOD, date(2010, 9, 30), "dekad")
    flow = table_of_lakes(calendar)["toktogul_inflow"]
    volume = flow * calendar.days[1:] * HM3_PER_M3S_DAY
    seen = volume[[day < date(2001, 10, 1) for day in calendar.starts[1:]]].sum()
    autumn = Calendar.between(date(2001, 10, 1), date(2001, 12, 31), "dekad")
    before = sample().mean("toktogul_inflow")[: len(autumn)] @ autumn.days * HM3_PER_M3S_DAY
    return float(seen + before)


def shardara_seasons() -> dict[int, tuple[float, float | None, str]]:
    """Return Shardara's inflow of April-September [hm3], what was agreed, and a note, by year."""
    calendar = Calendar.between(STATE_PERIOD, date(2010, 9, 30), "dekad")
    volume = table_of_lakes(calendar)["shardara_inflow"] * calendar.days[1:] * HM3_PER_M3S_DAY
    summer = np.isin(calendar.months[1:], range(4, 10))
    years = np.array([year_of(day) for day in calendar.starts[1:]])
    found: dict[int, tuple[float, float | None, str]] = {
        year: (float(volume[summer & (years == year)].sum()), None, "") for year in range(2001, 2011)
    }
    for row in read(SOURCES / "shardara_seasons.csv"):
        agreed = float(row["agreed_hm3"]) if row["agreed_hm3"] else None
        found[int(row["hydrological_year"])] = float(row["season_hm3"]), agreed, row["note"]
    return found


def record() -> dict[int, tuple[float | None, float | None, str, str, str]]:
    """Return inflow, opening, source, confidence and note by year."""
    found: dict[int, tuple[float | None, float | None, str, str, str]] = {
        2001: (inflow_2001(), None, "murphy", "reconstructed",
               "October-December 2000 as the mean of other years; the opening storage is not known"),
    }
    for year, (inflow, opening) in inflows_and_openings().items():
        found[year] = inflow, opening, "murphy" if year < 2011 else "ksmake", "measured", ""
    for run in runs(sample()):
        likely = run.likely()
        storage = likely["toktogul_storage"]
        inflow_of = volumes(run, likely["toktogul_inflow"])
        for year, volume in inflow_of.items():
            opening = float(storage[run.calendar.starts.index(date(year - 1, 10, 1)) - 1])
            note = next(text for years, text in NOTES.items() if year in years)
            source = "naryn_hydrograph_plot" if year < 2017 else "toktogul_by_date"
            found[year] = volume, opening, source, "assumed" if year == 2026 else "reconstructed", note
    return found


def main() -> None:
    """Write the record."""
    seasons = shardara_seasons()
    rows = []
    for year, (inflow, opening, source, confidence, note) in sorted(record().items()):
        season, agreed, season_note = seasons.get(year, (None, None, ""))
        notes = [note, season_note, "" if agreed else "agreed: that of 2023, assumed"]
        numbers = ["" if value is None else f"{value:.0f}" for value in (inflow, opening, season)]
        said = "; ".join(filter(None, notes))
        rows.append([year, *numbers, f"{agreed or USUAL_AGREED:.0f}", source, confidence, said])
    with (BASIN / "hydrological_year.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
