"""Make the dated tables of data/basins/naryn-syrdarya-2001-2010 from measured dekads of five lakes.

Run from the repository root, with wateropt installed, after naryn_syrdarya.py and kyrgyz_load.py:

    python tools/reconstruct/years_2001_2010.py

Reads `five_reservoirs_dekads_2001_2010.csv` and `chirchik_months_2001_2010.csv` of data/sources, and of
data/basins/naryn-syrdarya the static tables, the mean gains of 2022-2024 and what the hydrological year 2023 lends:
canals, sea target, Kyrgyz load, thermal plants. Writes every dated table of the basin and the lakes that stood above
their full storage, and prints how far the mean gains of other years miss the lakes, and in how many dekads a number was
mended or held at a limit.
"""

from __future__ import annotations

import csv
from datetime import date

import numpy as np
from gauges import (
    LEAST,
    SYSTEM_YEAR,
    along,
    dekad,
    fill_gauges,
    least_flows,
    mean_gains,
    pass_the_weirs,
    profile,
    system_of_2023,
)
from neighbour_load import neighbour_rows
from river import (
    BASIN,
    LAKES,
    SOURCES,
    History,
    Label,
    Row,
    Rows,
    Series,
    column,
    evaporations,
    lake_closure,
    reaches,
    read,
    tables,
    write_tables,
)

from wateropt.calendar import Calendar, Floats
from wateropt.units import HM3_PER_M3S_DAY

FOLDER = BASIN.parent / "naryn-syrdarya-2001-2010"
STATE_PERIOD = date(2000, 12, 21)  # holds the state before the first dekad
LAST_DAY = date(2010, 9, 30)
SPILL_YEARS, SPILL_MONTHS = (2002, 2003, 2004, 2005, 2010), (1, 2, 3, 4)
ARNASAY_CAPACITY = 400.0  # m3/s
# hm3 above the highest storage seen: by months the evaporation of a lake, and what arrives by long reaches, differ a
# little.
ROOM = {"toktogul": 5.0, "andijan": 5.0, "charvak": 5.0, "kairakkum": 30.0, "shardara": 30.0}
SCRIPT = "tools/reconstruct/years_2001_2010.py"
NET_INFLOW = ("toktogul", "andijan")

# Cells that the balance shows to be misprinted: (column, first day) -> (value, why).
MENDED = {
    ("toktogul_release", date(2001, 4, 1)): (427.2, "27.2 in the table: a digit is lost"),
    ("toktogul_release", date(2008, 4, 1)): (296.8, "96.8 in the table: a digit is lost"),
    ("andijan_inflow", date(2009, 2, 21)): (53.5, "153.5 in the table, 48 and 58 m3/s before and after"),
    ("andijan_release", date(2009, 2, 21)): (8.6, "415.3 in the table; from the balance"),
    ("kairakkum_storage", date(2009, 10, 1)): (1441.0, "441 in the table: a digit is lost"),
}


def mended(calendar: Calendar, raw: Series) -> Series:
    """Return the table with its misprints mended and a state before it; every other value stays as published."""
    found = {name: values.copy() for name, values in raw.items()}
    for (name, day), (value, _) in MENDED.items():
        found[name][calendar.starts[1:].index(day)] = value
    found = {name: np.concatenate([values[:1], values]) for name, values in found.items()}
    for lake in LAKES:
        found[f"{lake}_storage"][0] = opening(calendar, found, lake)
    return found


def opening(calendar: Calendar, found: Series, lake: str) -> float:
    """Return the storage [hm3] before the first dekad that its balance implies."""
    closing = found[f"{lake}_storage"][1]
    volume = calendar.days[1] * HM3_PER_M3S_DAY * (found[f"{lake}_inflow"][1] - found[f"{lake}_release"][1])
    air = evaporations(calendar)[lake].volume(calendar, np.full(len(calendar), closing))[0]
    return float(np.round(closing - volume + (0.0 if lake in NET_INFLOW else air), 3))


def surcharged(calendar: Calendar, lakes: Series) -> list[Row]:
    """Return the rows of the lakes that stood above their full storage, which is raised to what was seen."""
    found = []
    for row in read(BASIN / "reservoir.csv"):
        lake, full = row["reservoir"], float(row["full_storage_hm3"])
        storage = lakes.get(f"{lake}_storage", np.zeros(1))
        if storage.max() > full:
            day = calendar.starts[int(storage.argmax())]
            raised = 10 * np.ceil((storage.max() + ROOM[lake]) / 10)
            why = f"full storage {full:.0f} hm3 in {BASIN.name}; surcharged to {storage.max():.0f} in {day:%B %Y}"
            found.append(row | {"full_storage_hm3": f"{raised:.0f}", "note": f"{why}; the rest as there"})
    return found


def write_surcharged(calendar: Calendar, lakes: Series) -> None:
    """Write reservoir: only the lakes that stood above their full storage."""
    rows = surcharged(calendar, lakes)
    with (FOLDER / "reservoir.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def table_of_lakes(calendar: Calendar) -> Series:
    """Return the table of the five lakes as it is, shape (period - 1,)."""
    rows = read(SOURCES / "five_reservoirs_dekads_2001_2010.csv")
    if [row["start"] for row in rows] != [day.isoformat() for day in calendar.starts[1:]]:
        raise ValueError(f"five_reservoirs_dekads_2001_2010.csv: not the dekads to {LAST_DAY}")
    names = [name for name in rows[0] if name.endswith(("_m3s", "_hm3"))]
    return {name.removesuffix("_m3s").removesuffix("_hm3"): column(rows, name) for name in names}


def chirchik(calendar: Calendar, lakes: Series) -> Series:
    """Return the Ugam, the Chirchik at Gazalkent and at its mouth [m3/s] by dekads that keep the measured months.

    The Ugam has the mean course of 2022-2024 within a month, Gazalkent that of Charvak's release and the Ugam, the
    mouth that of Gazalkent. The state period repeats the first.
    """
    rows = read(SOURCES / "chirchik_months_2001_2010.csv")
    months = {row["start"][:7]: t for t, row in enumerate(rows)}
    where = np.array([months[f"{max(day, calendar.starts[1]):%Y-%m}"] for day in calendar.starts])
    where[0] = -1

    def by_month(flow: Floats) -> Floats:
        mean = {m: np.average(flow[where == m], weights=calendar.days[where == m]) for m in {*where.tolist()}}
        return np.array([mean[m] for m in where.tolist()])

    measured = {name: column(rows, f"{name}_m3s")[np.maximum(where, 0)] for name in ("ugam", "gazalkent", "chinaz")}
    course = along(calendar, profile("inflow_flow", "ugam", "flow_m3s"))
    ugam = course * measured["ugam"] / by_month(course)
    comes = reaches()["charvak_gazalkent"].arrivals(calendar, lakes["charvak_release"]) + ugam
    gazalkent = comes + measured["gazalkent"] - by_month(comes)
    mouth = gazalkent * measured["chinaz"] / measured["gazalkent"]
    return {"ugam": ugam, "gazalkent": gazalkent, "chirchik_mouth": np.maximum(mouth, 0.0)}


def arnasay(calendar: Calendar, lakes: Series) -> Floats:
    """Return the spill to the Arnasay [m3/s]: what the table's inflow of Shardara brings too much in a flood winter."""
    air = evaporations(calendar)["shardara"].volume(calendar, lakes["shardara_storage"])
    leaves = lakes["shardara_release"] + lakes["kyzylkum"]
    over = -lake_closure(calendar, lakes["shardara_storage"], lakes["shardara_inflow"], leaves, air)
    spills = np.isin([day.year for day in calendar.starts], SPILL_YEARS) & np.isin(calendar.months, SPILL_MONTHS)
    flow = np.where(spills[1:], np.clip(over, 0.0, ARNASAY_CAPACITY), 0.0)
    return np.round(np.concatenate([[0.0], flow]), 3)


# ---- labels -----------------------------------------------------------------------------------------


NOTE_2023 = "as in the hydrological year 2023, whose system the years are given"
LABELS = {
    "naryn": Label("murphy", "measured"),
    "andijan": Label("murphy", "measured"),
    "charvak": Label("murphy", "reconstructed", SCRIPT),
    "ugam": Label("riverscentralasia", "reconstructed", SCRIPT),
    "keles": Label("ksmake", "reconstructed", SCRIPT),
    "arys": Label("bse_arys", "assumed", NOTE_2023),
    "dostyk": Label("ktkz_2024", "assumed", NOTE_2023),
    "kyzylkum": Label("ksmake", "assumed", NOTE_2023),
    "arnasay": Label("murphy", "assumed"),
    "koksaray": Label("own_estimate", "assumed"),
    "koksaray_intake": Label("own_estimate", "assumed"),
    "aral": Label("astanatimes_2024", "assumed"),
}
MEASURED_REACHES = {"andijan_uchtepe", "kairakkum_farkhad", "charvak_gazalkent", "shardara_koksaray"}
GUESSED_REACHES = {"koksaray_arys", "arys_kyzylorda", "kyzylorda_aral"}
INFLOW_COLUMNS = {"naryn": ("toktogul_inflow",), "andijan": ("andijan_inflow",)}


class Labels:
    """What the rows say of themselves; a cell that was mended says why."""

    def __init__(self, calendar: Calendar) -> None:
        self.first = calendar.starts[0]

    def __call__(self, table: str, name: str, day: date) -> Label:
        """Return the label of a row."""
        if table == "gain_flow" and name != "arys":
            return Label("murphy", "reconstructed", SCRIPT)
        if table == "reach_observed" and name not in MEASURED_REACHES:
            return Label("murphy", "assumed" if name in GUESSED_REACHES else "reconstructed")
        return self._measured(self._columns(table, name), day) or LABELS.get(name) or Label("murphy", "measured")

    def _columns(self, table: str, name: str) -> tuple[str, ...]:
        """Return the columns of the table of the lakes that a row is taken from."""
        if table == "reservoir_observed" and name != "koksaray":
            return f"{name}_release", f"{name}_storage"
        if table == "reach_observed":
            return (f"{name.split('_', maxsplit=1)[0]}_release",)
        return INFLOW_COLUMNS.get(name, ()) if table == "inflow_flow" else ()

    def _measured(self, columns: tuple[str, ...], day: date) -> Label | None:
        """Return the label of a measured row, None for a row of another kind."""
        if not columns:
            return None
        if day == self.first:
            return Label("murphy", "reconstructed", "the state before the first dekad, from its balance")
        why = "; ".join(MENDED[name, day][1] for name in columns if (name, day) in MENDED)
        return Label("murphy", "reconstructed" if why else "measured", why)


def history_2001_2010() -> History:
    """Return the operation of January 2001 to September 2010."""
    calendar = Calendar.between(STATE_PERIOD, LAST_DAY, "dekad")
    lakes = mended(calendar, table_of_lakes(calendar))
    lakes["kyzylkum"], assumed = system_of_2023(calendar)
    lakes |= chirchik(calendar, lakes)
    assumed["arnasay"] = arnasay(calendar, lakes)
    bulletin = fill_gauges(calendar, lakes, assumed)
    assumed = pass_the_weirs(calendar, bulletin["shardara_release"], assumed)
    return History(calendar, bulletin, assumed, Labels(calendar))


# ---- power ------------------------------------------------------------------------------------------


def repeated(table: str, keys: int, months: Calendar) -> Rows:
    """Return the monthly rows of the system's year, repeated in every month; the first `keys` cells name a series."""
    found: Rows = []
    rows = [list(row.values()) for row in read(BASIN / f"{table}.csv") if row.get("grid", "kg") == "kg"]
    lent = {(*row[:keys], int(row[keys][5:7])): row for row in rows
            if SYSTEM_YEAR[0] <= date.fromisoformat(row[keys]) <= SYSTEM_YEAR[1]}
    for name in dict.fromkeys(key[:keys] for key in lent):
        for start, days in zip(months.starts, months.days, strict=True):
            row = lent[(*name, start.month)]
            values = row[keys + 2 : -3]
            found.append([*name, start.isoformat(), int(days), *values, row[-3], "assumed", NOTE_2023])
    return found


def write_power() -> None:
    """Write unit_output and grid_load; the plants of the neighbours follow from the tables already written."""
    months = Calendar.between(date(2001, 1, 1), LAST_DAY, "month")
    dekads = Calendar.between(date(2001, 1, 1), LAST_DAY, "dekad")
    neighbours = neighbour_rows(FOLDER, dekads, ("murphy", "reconstructed", SCRIPT))
    write_tables(FOLDER, {"unit_output": repeated("unit_output", 1, months)})
    write_tables(FOLDER, {"grid_load": [*repeated("grid_load", 2, months), *neighbours]})


# ---- report -----------------------------------------------------------------------------------------


LUMPS = {  # lake -> gains between it and the lakes above
    "kairakkum": ("cascade", "lower_karadarya", "fergana_kal", "fergana_akjar", "kairakkum_closure"),
    "shardara": ("upper_chirchik", "lower_chirchik", "middle_syrdarya", "shardara_closure"),
}


def report_means(history: History) -> None:
    """Print how far mean gains miss what arrived at two lakes: those of the other years, and those of 2022-2024.

    Whole hydrological years 2002 to 2010: root mean square by dekad [m3/s] and of season sums [hm3], mean of the sums.
    """
    calendar, today = history.calendar, mean_gains(history.calendar)
    years = np.array(calendar.hydrological_years)
    kappa = calendar.days * HM3_PER_M3S_DAY
    where = np.array([dekad(day) for day in calendar.starts])
    for lake, names in LUMPS.items():
        gain = np.concatenate([[0.0], sum(history.net[name] for name in names)])
        others = np.array([gain[(where == here).all(1) & (years != year) & (years > 2001)].mean()
                           for here, year in zip(where, years, strict=True)])
        for what, mean in (("other years", others), ("2022-2024", sum(today[name] for name in names))):
            for season in ("growing", "non-growing"):
                inside = (years > 2001) & np.array([s == season for s in calendar.seasons])
                missed = gain - mean
                sums = np.array([(missed * kappa)[inside & (years == y)].sum() for y in range(2002, 2011)])
                dekads = np.sqrt((missed[inside] ** 2).mean())
                print(f"{lake}, {season}, mean gains of {what}: dekads {dekads:.0f} m3/s, "
                      f"seasons {np.sqrt((sums ** 2).mean()):.0f} hm3, mean {sums.mean():+.0f} hm3")


def report_limits(history: History) -> None:
    """Print in how many dekads a value was mended or a flow nobody published held at a limit."""
    calendar, bulletin = history.calendar, history.bulletin
    print(f"{len(MENDED)} misprints of the table of the lakes are mended")
    least = {"uch_kurgan_release": "naryn_uch_kurgan", "gazalkent": "gazalkent", "kokbulak": "kokbulak"}
    limits = {gauge: least_flows(calendar, name) for gauge, name in least.items()}
    for gauge, limit in (limits | LEAST).items():
        print(f"{gauge}: {(bulletin[gauge] <= limit)[1:].sum()} dekads at its least")
    for lake in ("kairakkum", "shardara"):
        flow = history.net[f"{lake}_closure"]
        inside = np.abs(flow) > 0.01
        print(f"{lake}_closure: {inside.sum()} dekads, {(flow * calendar.days[1:] * HM3_PER_M3S_DAY).sum():.0f} hm3")
    for name in ("arnasay", "koksaray_intake"):
        flow = history.assumed[name]
        print(f"{name}: {(flow > 0).sum()} dekads, {(flow * calendar.days * HM3_PER_M3S_DAY).sum():.0f} hm3")


def main() -> None:
    """Write every dated table of the basin, and its surcharged lakes."""
    history = history_2001_2010()
    write_surcharged(history.calendar, history.bulletin)
    write_tables(FOLDER, tables(history))
    write_power()
    report_means(history)
    report_limits(history)


if __name__ == "__main__":
    main()
