"""Make the dated tables of data/basins/chu-talas-years: the Chu, Talas and Assa from 2001 to 2016 and 2021 to 2026.

Run from the repository root, after chu_talas.py:

    python tools/reconstruct/chu_talas_years.py

Flow of a gauge = mean of the month, changed by the ratio of a part of the year (October-December, January-March,
April-September) to its mean. The change has the shape of the driest (or wettest) tenth. The ratio is, in this order,

* measured: single dry years of CA-discharge, by quarters (`chu_talas_years_gauges.csv`);
* for the Talas in 2024 and 2025: the balance of Kirov, from storages and what Kazakhstan got;
* 1 + follow × anomaly of the neighbours (`chu_talas_years_neighbours.csv`: inflow of Toktogul and of Charvak); the
  rivers of the Chu take half of what a known gauge of the Chu is apart from that.

*Follow* is fitted by group on the gauge-years that are known. These were chosen for being dry, so a direct fit is too
steep; a fit of the neighbours on the gauge is not, and the spread of both turns it round. The mean of the two is used.
A gauge of the Talas gets one shift more, so that its years 2000-2011 have their mean.

2023 is copied from the basin below. The same inputs give the same bytes.
"""

from __future__ import annotations

import csv
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from math import sqrt
from statistics import mean, median, pvariance
from typing import NamedTuple

import chu_talas as base
from chu_talas import GROWING, HM3, TALAS_RIVERS, Row, Year

FOLDER = base.BASIN.parent / "chu-talas-years"
SCRIPT = "tools/reconstruct/chu_talas_years.py"
YEARS = (*range(2001, 2017), *range(2021, 2027))  # hydrological years; 2001 begins in January
COPIED = 2023
PARTS = {"oct_dec": (10, 11, 12), "jan_mar": (1, 2, 3), "growing": GROWING}
HALVES = {"apr_jun": (4, 5, 6), "jul_sep": (7, 8, 9)}
GROUPS = {row["inflow"]: row["group"] for row in base.read("inflows")} | {
    "teris": "assa", "chu_springs": "chu_springs", "talas_springs": "talas_springs", "chu_kz_side": "lower",
    "lower_talas_side": "lower"}
FITTED = {"kochkor": ("kochkor",),
          "chu_rivers": ("chon_kemin", "kegety", "alamedin", "ala_archa", "sokuluk", "ak_suu", "kara_balta",
                         "chon_kaindi"),
          "talas_rivers": TALAS_RIVERS}
RECORD = range(2000, 2012)  # years whose mean the gauges of the Talas have
CHARVAK_SPREAD = 0.27  # standard deviation of Charvak's growing seasons 1936-2011, in parts of their mean
TENTHS = 2.563  # standard deviations between the driest and the wettest tenth
TENTH = 1.282  # and from the middle to one of them
GAUGE_ERROR = 0.06  # of a measured ratio; it stands for a quarter, and the months in it follow the driest tenth
WITHOUT_GAUGE = {"chu_ungauged": 0.3, "assa": 0.3, "chu_springs": 0.4, "lower": 0.4}
KIROV_PASSES = 0.88 * 0.76  # of a release: the Kazakh share, less the loss of the reach to the Talas weir
KIROV_FULL = 550.0  # hm3
KIROV_LOSS = 15.0  # hm3 that evaporate April-September
CHU_TOGETHER = 0.5  # of what a known gauge of the Chu is apart from its neighbours, in the other rivers of the Chu
SPRINGS_FOLLOW = 0.5  # of the rivers' anomaly, in what comes out of the ground

Point = tuple[str, int, float, float]  # gauge, year, anomaly of the neighbours, anomaly of the gauge


class Fit(NamedTuple):
    """How a group follows the neighbours: slopes, and errors of the years left out, of a gauge and of a year's mean."""

    points: int
    direct: float
    reversed: float
    follow: float
    gauge_error: float
    error: float
    bias: float


# ---- what is known ----------------------------------------------------------------------------------


@cache
def statistics() -> dict[str, dict[str, Year]]:
    """Return mean, tenths and the mean since 1987 of the gauges [m3/s]."""
    return {name: base.gauge_years(name) for name in ("mean", "p10", "p90", "mean_1987")}


@cache
def known() -> dict[tuple[str, int, str], float]:
    """Return what gauges measured, by gauge, calendar year and part, as a ratio to the mean."""
    parts = (*PARTS, *HALVES, "apr_sep")
    return {(row["gauge"], int(row["year"]), part): float(row[f"{part}_percent"]) / 100
            for row in base.read("years_gauges") for part in parts if row.get(f"{part}_percent")}


@cache
def neighbours() -> dict[int, Row]:
    """Return the rows of the neighbouring rivers by year."""
    return {int(row["year"]): row for row in base.read("years_neighbours")}


def anomaly(year: int, part: str) -> float:
    """Return by how much the neighbours are above (or below) their mean in a part of a hydrological year [1]."""
    row = neighbours().get(year, {})
    columns = ("naryn_growing", "charvak") if part == "growing" else (f"naryn_{part}",)
    values = [float(row[f"{c}_percent"]) / 100 for c in columns if row.get(f"{c}_percent")]
    return mean(values) - 1 if values else 0.0


def calendar_year(year: int, part: str) -> int:
    """Return the calendar year of a part of a hydrological year."""
    return year - (part == "oct_dec")


# ---- how the rivers follow their neighbours -----------------------------------------------------------


def spread(gauges: Iterable[str]) -> float:
    """Return the variance of the growing seasons of a group, from the tenths of its gauges."""
    stats = statistics()
    width = [sum(stats["p90"][g][m] - stats["p10"][g][m] for m in GROWING) / sum(stats["mean"][g][m] for m in GROWING)
             for g in gauges]
    return mean((w / TENTHS) ** 2 for w in width)


def slopes(points: Sequence[Point], ratio: float) -> tuple[float, float]:
    """Return the slope of gauges on neighbours through the mean: fitted directly, and turned round.

    `ratio`: variance of the gauges over that of the neighbours.
    """
    xy = sum(x * y for *_, x, y in points)
    return xy / sum(x * x for *_, x, _ in points), xy / sum(y * y for *_, y in points) * ratio


def fit(points: Sequence[Point], ratio: float | None) -> Fit:
    """Return a fit and its errors where each year in turn is left out; without `ratio` the direct one alone counts."""

    def follow(kept: Sequence[Point]) -> tuple[float, float, float]:
        direct, turned = slopes(kept, ratio or 1.0)
        return direct, turned, direct if ratio is None else (direct + turned) / 2

    errors, years = [], []
    for year in sorted({year for _, year, *_ in points}):
        slope = follow([p for p in points if p[1] != year])[2]
        own = [slope * x - y for _, other, x, y in points if other == year]
        errors += own
        years += [mean(own)] * len(own)  # a year counts as often as it has gauges
    return Fit(len(points), *follow(points), sqrt(mean(e * e for e in errors)), sqrt(mean(e * e for e in years)),
               mean(errors))


@cache
def fits() -> dict[str, Fit]:
    """Return the fit of each group in the growing season, and that of all rivers in winter."""
    found = {}
    for group, gauges in FITTED.items():
        points = [(g, year, anomaly(year, "growing"), value - 1) for (g, year, part), value in sorted(known().items())
                  if g in gauges and part == "apr_sep"]
        recent = [anomaly(year, "growing") for year in RECORD]
        variance = pvariance(recent) if group == "talas_rivers" else CHARVAK_SPREAD ** 2
        found[group] = fit(points, spread(gauges) / variance)
    winter = []
    for (gauge, year, part), value in sorted(known().items()):
        hydrological = year + (part == "oct_dec")
        steady = gauge in ("chon_kemin", *TALAS_RIVERS) and gauge != "kumush_too"  # its winters vary tenfold
        if part in PARTS and steady and anomaly(hydrological, part):
            winter.append((gauge, year, anomaly(hydrological, part), value - 1))
    return found | {"winter": fit(winter, None)}


def group_of(gauge: str) -> str:
    """Return the group whose fit a gauge has."""
    return next((group for group, gauges in FITTED.items() if gauge in gauges), "")


@cache
def shift(gauge: str) -> float:
    """Return what the predicted years 2000-2011 of a gauge of the Talas lack for the mean of its record [1]."""
    measured = {year: known()[gauge, year, "apr_sep"] - 1 for year in RECORD if (gauge, year, "apr_sep") in known()}
    follow = fits()["talas_rivers"].follow
    left = [follow * anomaly(year, "growing") for year in RECORD if year not in measured]
    return -(sum(measured.values()) + sum(left)) / len(left)


def predicted(gauge: str, year: int, part: str) -> float:
    """Return the ratio of a gauge to its mean that follows from the neighbours."""
    if part != "growing":
        return 1 + fits()["winter"].follow * anomaly(year, part)
    ratio = 1 + fits()[group_of(gauge)].follow * anomaly(year, part)
    if gauge in TALAS_RIVERS:
        return ratio + (shift(gauge) if year in RECORD else 0.0)
    chu = fits()["chu_rivers"].follow * anomaly(year, part)
    apart = [known()[g, year, "apr_sep"] - 1 - chu for g in FITTED["chu_rivers"] if (g, year, "apr_sep") in known()]
    return ratio + (CHU_TOGETHER * mean(apart) if apart else 0.0)


# ---- flows of the gauges -----------------------------------------------------------------------------


def days(year: int, month: int) -> int:
    """Return the days of a month of a hydrological year."""
    return monthrange(year - (month >= 10), month)[1]


def volume(year: int, flow: Mapping[int, float], months: Iterable[int]) -> float:
    """Return the volume of a flow over months of a hydrological year [hm3]."""
    return sum(flow[m] * days(year, m) * HM3 for m in months)


def reference(gauge: str, year: int) -> Year:
    """Return the mean that a ratio refers to: Kochkor brought a quarter more in the winters since 1987.

    After 2011 the long mean is nearer to what is known: 100 % in the winter of 2023, 115 % in December 2025.
    """
    return statistics()["mean_1987" if gauge == "kochkor" and year <= 2011 else "mean"][gauge]


def bent(gauge: str, year: int, months: Sequence[int], ratio: float) -> Year:
    """Return flows with a ratio to the mean whose change has the shape of the driest or wettest tenth [m3/s]."""
    stats, mean_flow = statistics(), reference(gauge, year)
    tenth = stats["p10" if ratio < 1 else "p90"][gauge]
    change = {m: mean_flow[m] * (tenth[m] / stats["mean"][gauge][m] - 1) for m in months}
    times = (ratio - 1) * volume(year, mean_flow, months) / volume(year, change, months)
    # where a ratio lies far outside the tenths, no month falls below a fifth of its mean
    return {m: max(mean_flow[m] + times * change[m], 0.2 * mean_flow[m]) for m in months}


def gauge_flow(gauge: str, year: int) -> Year:
    """Return the flow of a gauge in a hydrological year [m3/s]."""
    flow: Year = {}
    for part, months in PARTS.items():
        halves = {h: known().get((gauge, year, h)) for h in HALVES}
        measured = known().get((gauge, calendar_year(year, part), part))
        if part == "growing" and None not in halves.values():
            for half, own in HALVES.items():
                flow |= bent(gauge, year, own, halves[half] or 1.0)
        elif measured is not None:
            flow |= bent(gauge, year, months, measured)
        elif gauge == "kirov_rodniki":
            flow |= {m: statistics()["mean"][gauge][m] for m in months}  # follows nothing
        elif part == "growing" and gauge in TALAS_RIVERS and year in kirov_balance():
            flow |= bent(gauge, year, months, kirov_balance()[year])
        else:
            flow |= bent(gauge, year, months, predicted(gauge, year, part))
    return flow


def arrival(year: int) -> Year:
    """Return what reaches Kirov from October to March [m3/s]: the gauge at Klyuchevka, below the offtakes."""
    flow: Year = {}
    for part in ("oct_dec", "jan_mar"):
        ratio = known().get(("klyuchevka", calendar_year(year, part), part), predicted("klyuchevka", year, part))
        flow |= bent("klyuchevka", year, PARTS[part], ratio)
    return flow


def talas_ratio(year: int) -> float:
    """Return the growing season of the four rivers of the Talas against their mean, without the balance of Kirov."""
    means = statistics()["mean"]
    weight = {g: volume(year, means[g], GROWING) for g in TALAS_RIVERS}
    ratio = {g: known().get((g, year, "apr_sep"), predicted(g, year, "growing")) for g in TALAS_RIVERS}
    return sum(weight[g] * ratio[g] for g in TALAS_RIVERS) / sum(weight.values())


@cache
def kirov_balance() -> dict[int, float]:
    """Return the growing season of the Talas against its mean, from storages of Kirov and what Kazakhstan got."""
    pairs = [(talas_ratio(year) - 1, value - 1) for (g, year, part), value in sorted(known().items())
             if (g, part) == ("klyuchevka", "apr_sep")]
    # what arrives falls more steeply than the rivers: the fields above drink first
    steep = sum(x * y for x, y in pairs) / sum(x * x for x, _ in pairs)
    found = {}
    for row in base.read("years_kirov"):
        year = int(row["year"])
        filled = volume(year, {m: q - 1 for m, q in arrival(year).items()}, arrival(year))
        april = float(row["april_hm3"] or min(storage("kirov", year - 1) + filled, KIROV_FULL))
        came = storage("kirov", year) - april + float(row["delivered_hm3"]) / KIROV_PASSES + KIROV_LOSS
        share = came / volume(year, statistics()["mean"]["klyuchevka"], GROWING)
        found[year] = 1 + (share - 1) / steep
        print(f"Kirov {year}: {came:.0f} hm3 arrived April-September, {100 * share:.0f} % of the mean; the rivers "
              f"{100 * found[year]:.0f} % (they follow the neighbours with {100 * talas_ratio(year):.0f} %)")
    return found


# ---- inflows and gains -------------------------------------------------------------------------------


@cache
def copied(table: str) -> list[Row]:
    """Return the rows of a table of the basin below."""
    with (base.BASIN / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def year_2023(name: str) -> Year:
    """Return an inflow or gain of 2023 by month [m3/s]."""
    rows = [*copied("inflow_flow"), *copied("gain_flow")]
    return {date.fromisoformat(row["start"]).month: float(row["flow_m3s"]) for row in rows
            if row.get("inflow", row.get("gain")) == name}


@cache
def inflows(year: int) -> dict[str, Year]:
    """Return every inflow of a hydrological year [m3/s]."""
    rows = base.read("inflows")
    if year == COPIED:
        return {name: year_2023(name) for name in (*(row["inflow"] for row in rows), "teris")}
    gauges = {g: gauge_flow(g, year) for row in rows for g in row["gauges"].split(";")}
    found = {row["inflow"]: {m: float(row["factor"]) * sum(gauges[g][m] for g in row["gauges"].split(";"))
                             for m in base.MONTHS} for row in rows}
    against = {m: wetness(found, year, TALAS_RIVERS) for m in base.MONTHS}
    found["teris"] = {m: year_2023("teris")[m] * against[m] for m in base.MONTHS}
    return found


def wetness(flows: Mapping[str, Year], year: int, rivers: Iterable[str]) -> float:
    """Return the growing season of some rivers against that of 2023."""
    return sum(volume(year, flows[r], GROWING) for r in rivers) / sum(volume(year, year_2023(r), GROWING)
                                                                      for r in rivers)


@cache
def gains(year: int) -> dict[str, Year]:
    """Return springs and small rivers of a hydrological year [m3/s]: those of 2023, half as moved as the rivers."""
    names = ("chu_springs", "chu_kz_side", "lower_talas_side", "talas_springs")
    before = {name: year_2023(name) for name in names}
    if year == COPIED:
        return before
    flows = inflows(year)
    chu, talas = wetness(flows, year, FITTED["chu_rivers"]), wetness(flows, year, TALAS_RIVERS)
    times = {"chu_springs": chu, "chu_kz_side": chu, "lower_talas_side": talas}
    found = {name: {m: q * (1 + SPRINGS_FOLLOW * (times[name] - 1)) for m, q in before[name].items()}
             for name in times}
    natural = {m: 0.95 * sum(flows[r][m] for r in TALAS_RIVERS) for m in base.MONTHS}  # less the loss of the reach
    winter = {m: max(q - natural[m], 0.0) for m, q in arrival(year).items()}
    return found | {"talas_springs": winter | {m: before["talas_springs"][m] * talas for m in GROWING}}


# ---- lakes -------------------------------------------------------------------------------------------


@cache
def storages() -> dict[tuple[str, int], tuple[float, str, str, str]]:
    """Return storage on 30 September [hm3] with source, confidence and note, where something is known."""
    found = {}
    for row in copied("reservoir_observed"):
        day = date.fromisoformat(row["start"])
        if day.month == 9:
            found[row["reservoir"], day.year] = (float(row["storage_hm3"]), row["source"], row["confidence"],
                                                 row["note"])
    # Orto-Tokoy: from 7 June to 30 September along the line of 2022 and 2023
    ends = {381.0: found["orto_tokoy", 2022][0], 237.0: found["orto_tokoy", 2023][0]}
    slope = (ends[381.0] - ends[237.0]) / (381.0 - 237.0)
    for row in base.read("years_lakes"):
        year, reported = int(row["year"]), float(row["reported_hm3"])
        if row["gain_m3s"]:
            since = (date.fromisoformat(row["reported_on"]) - date(year, 9, 30)).days
            value = reported - float(row["gain_m3s"]) * since * HM3
        else:
            value = ends[237.0] + slope * (reported - 237.0)
        found.setdefault((row["reservoir"], year), (value, row["source"], row["confidence"], row["note"]))
    return found


def storage(reservoir: str, year: int) -> float:
    """Return the storage on 30 September [hm3]: from a report, else the middle of what is known of the lake.

    The last year is left as the one before: nothing is known of its end but that it was dry.
    """
    if year == max(YEARS):
        return storage(reservoir, year - 1)
    values = [value[0] for (r, _), value in storages().items() if r == reservoir]
    return storages().get((reservoir, year), (median(values), "", "", ""))[0]


def before_2001(reservoir: str) -> float:
    """Return the storage on 31 December 2000 [hm3]: the middle of September, filled as in autumn 2022."""
    autumn = {m: q - 1 for m, q in bent("klyuchevka", 2001, (10, 11, 12),
                                        known()["klyuchevka", 2000, "oct_dec"]).items()}
    filled = {"kirov": volume(2001, autumn, (10, 11, 12)),
              "orto_tokoy": volume(2001, {m: q - 4 for m, q in reference("kochkor", 2001).items()}, (10, 11, 12)),
              "tasotkel": 140.0, "teris": 20.0, "chui_ponds": 75.0}
    return storage(reservoir, 2000) + filled[reservoir]


def lake_rows(lake: Row) -> list[tuple[object, ...]]:
    """Return the state of a lake before and after every year; in 2023 as the basin below has it."""
    name = lake["reservoir"]
    first = (name, "2000-12-01", 31, f"{min(float(lake['release_before_m3s']), 2):.2f}", f"{before_2001(name):.1f}",
             "own_estimate", "assumed", "middle of the known Septembers, and what comes October-December")
    rows: list[tuple[object, ...]] = [first]
    for year in sorted({*YEARS, 2020}):
        value, source, confidence, note = storages().get(
            (name, year), (storage(name, year), "own_estimate", "assumed",
                           "as a year before" if year == max(YEARS) else "middle of what is known of other years"))
        rows.append((name, f"{year}-09-01", 30, f"{float(lake['release_before_m3s']):.2f}", f"{value:.1f}", source,
                     confidence, note))
    kept = [(name, row["start"], row["days"], row["release_m3s"], row["storage_hm3"], row["source"],
             row["confidence"], own_note(row)) for row in copied("reservoir_observed") if row["reservoir"] == name]
    starts = {row[1] for row in kept}
    return sorted([*(row for row in rows if row[1] not in starts), *kept], key=lambda row: str(row[1]))


def own_note(row: Row) -> str:
    """Return the note of a copied row; a script named in it would be another folder's."""
    return SCRIPT if row["note"].startswith("tools/") else row["note"]


# ---- tables ------------------------------------------------------------------------------------------


def start(year: int, month: int) -> str:
    """Return the first day of a month of a hydrological year."""
    return f"{year - (month >= 10)}-{month:02d}-01"


def months_of(year: int) -> list[int]:
    """Return the months of a hydrological year that have rows."""
    return [m for m in base.MONTHS if year > min(YEARS) or m < 10]


def write_series(name: str, key: str, flows: Mapping[int, Mapping[str, Year]], assumed: Iterable[str]) -> None:
    """Write flows by month of every year."""
    words = {x: ("own_estimate", "assumed") if x in assumed else ("ca_discharge", "reconstructed")
             for x in flows[COPIED]}
    base.write(name, f"{key},start,days,flow_m3s,source,confidence,note",
               [(x, start(year, m), days(year, m), f"{flows[year][x][m]:.3f}", *words[x], SCRIPT)
                for x in sorted(words) for year in YEARS for m in months_of(year)], FOLDER)


def write_states() -> None:
    """Write lakes and water under way at the ends of the years."""
    base.write("reservoir_observed", "reservoir,start,days,release_m3s,storage_hm3,source,confidence,note",
               [row for lake in sorted(base.read("lakes"), key=lambda r: r["reservoir"]) for row in lake_rows(lake)],
               FOLDER)
    ends = [("2000-12-01", 31), *((f"{year}-09-01", 30) for year in sorted({*YEARS, 2020}))]
    base.write("reach_observed", "reach,start,days,entered_m3s,source,confidence,note",
               [(row["reach"], first, length, row["entered_m3s"], row["source"], row["confidence"],
                 "as in September 2022") for row in copied("reach_observed") for first, length in ends], FOLDER)


def half_width(group: str, season: str, year: int) -> float:
    """Return how far low and high estimate lie from the middle, as a part of it."""
    growing = season == "growing"
    if group in WITHOUT_GAUGE:
        return WITHOUT_GAUGE[group]
    if group == "talas_springs":
        return 0.4 if growing else 0.2
    own = fits()[group if growing else "winter"]
    row = neighbours()[year]
    apart = (float(row["high"]) - float(row["low"])) / 200 if row["low"] and growing else 0.0
    wide = sqrt((TENTH * own.error) ** 2 + (own.follow * apart) ** 2)
    gauges = FITTED[group]
    flows = {g: volume(year, inflows(year)[g], GROWING) for g in gauges}
    measured = [g for g in gauges if (g, year, "apr_sep") in known()]
    share = sum(flows[g] for g in measured) / sum(flows.values()) if growing else 0.0
    ratio = sum(flows.values()) / sum(volume(year, statistics()["mean"][g], GROWING) for g in gauges)
    return min(share * GAUGE_ERROR + (1 - share) * wide / (ratio if growing else 1.0), 0.6)


def range_rows() -> list[tuple[object, ...]]:
    """Return low, middle and high estimate by year, group and season [hm3]; 2023 as the basin below has it."""
    rows: list[tuple[object, ...]] = []
    for year in YEARS:
        for row in copied("inflow_range"):
            group, growing = row["group"], row["season"] == "growing"
            months = [m for m in months_of(year) if (m in GROWING) == growing]
            middle = sum(volume(year, flow, months) for x, flow in {**inflows(year), **gains(year)}.items()
                         if GROUPS[x] == group)
            half = half_width(group, row["season"], year) if year != COPIED else 0.0
            low, high = (row["low_factor"], row["high_factor"]) if year == COPIED else (f"{1 - half:.2f}",
                                                                                      f"{1 + half:.2f}")
            rows.append((row["table"], group, row["season"], year, low, high, f"{middle * float(low):.0f}",
                         f"{middle:.0f}", f"{middle * float(high):.0f}", range_note(group, year)))
    return rows


def range_note(group: str, year: int) -> str:
    """Return why a range is as wide as it is."""
    if year == COPIED:
        return "as in chu-talas"
    if group in WITHOUT_GAUGE or group == "talas_springs":
        return "no gauge"
    return "error of the fit with the year left out; 6 % where a gauge is known"


def write_readme(rows: Sequence[tuple[object, ...]]) -> None:
    """Put the tables of fits and years between their marks in README.md."""
    lines = ["",
             "| group | gauge-years | direct | turned round | used | error of a gauge | error of a year | mean error |",
             "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, f in fits().items():
        turned = "" if name == "winter" else f"{f.reversed:.2f}"
        lines.append(f"| {name} | {f.points} | {f.direct:.2f} | {turned} | {f.follow:.2f} | {f.gauge_error:.2f} | "
                     f"{f.error:.2f} | {f.bias:+.2f} |")
    lines += ["", "| year | neighbours | Kochkor | Chu rivers | Talas rivers | all water, low | middle | high |",
              "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for year in YEARS:
        parts = [sum(volume(year, inflows(year)[g], GROWING) for g in gauges)
                 / sum(volume(year, statistics()["mean"][g], GROWING) for g in gauges) for gauges in FITTED.values()]
        sums = [sum(float(str(row[i])) for row in rows if row[3] == year) for i in (6, 7, 8)]
        lines.append(f"| {year} | {100 * (1 + anomaly(year, 'growing')):.0f} | "
                     + " | ".join(f"{100 * part:.0f}" for part in parts)
                     + " | " + " | ".join(f"{s:.0f}" for s in sums) + " |")
    path = FOLDER / "README.md"
    head, _, rest = path.read_text(encoding="utf-8").partition("<!-- made: years -->")
    _, _, tail = rest.partition("<!-- end -->")
    path.write_text(head + "<!-- made: years -->" + "\n".join(lines) + "\n\n<!-- end -->" + tail, encoding="utf-8")


def main() -> None:
    """Write the dated tables."""
    assumed = {"teris", *(x for x, group in GROUPS.items() if group in ("chu_ungauged", "assa"))}
    write_series("inflow_flow", "inflow", {year: inflows(year) for year in YEARS}, assumed)
    write_series("gain_flow", "gain", {year: gains(year) for year in YEARS}, gains(COPIED))
    write_states()
    rows = range_rows()
    base.write("inflow_range", "table,group,season,year,low_factor,high_factor,low_hm3,middle_hm3,high_hm3,note", rows,
               FOLDER)
    write_readme(rows)


if __name__ == "__main__":
    main()
