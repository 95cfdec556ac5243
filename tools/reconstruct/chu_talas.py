"""Make the dated tables of data/basins/chu-talas from statistics of the gauges and the reports of the season 2023.

Run from the repository root:

    python tools/reconstruct/chu_talas.py

No flow of the Chu or Talas in 2023 is published by month. What is known: monthly statistics over the years of record
(`chu_talas_gauges.csv`), single figures of the season (`chu_talas_season_2023.csv`), storages on some dates. From them

* the Chu rivers get percentages of their mean month by month, so that the plain mean of the eight reported rivers is
  what was reported for May and for April-June; Kochkor gets its reported sum; the Talas rivers follow the Chu rivers;
* Orto-Tokoy and Kirov are replayed month by month (`chu_talas_replay.csv`) through a storage that was reported, which
  gives their storage at both ends of the hydrological year;
* the springs above Kirov close the flow that filled it from October to March;
* requirements follow from a volume and a mix of crops.

Low and high inflow are factors on the middle one, by group and season (`chu_talas_ranges.csv`); `inflow_range.csv`
holds the sums of the three. The same inputs give the same bytes.
"""

from __future__ import annotations

import csv
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "data" / "sources"
BASIN = ROOT / "data" / "basins" / "chu-talas"
SCRIPT = "tools/reconstruct/chu_talas.py"

MONTHS = (10, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9)  # hydrological year 2023
DAYS = {month: monthrange(2022 if month >= 10 else 2023, month)[1] for month in MONTHS}
GROWING = (4, 5, 6, 7, 8, 9)
RIVERS = ("kochkor", "chon_kemin", "kegety", "alamedin", "ala_archa", "sokuluk", "ak_suu", "kara_balta")  # reported
HM3 = 0.0864  # hm3 that 1 m3/s brings in a day
TERIS_SHAPE = {1: 0.6, 2: 0.8, 3: 2.0, 4: 2.6, 5: 1.6, 6: 0.8, 7: 0.5, 8: 0.45, 9: 0.5, 10: 0.65, 11: 0.75, 12: 0.75}
TALAS_RIVERS = ("ak_tash", "ur_maral", "besh_tash", "kumush_too")

Row = dict[str, str]
Year = dict[int, float]  # month -> value


# ---- reading and writing ----------------------------------------------------------------------------


def read(name: str) -> list[Row]:
    """Return the rows of a source table."""
    with (SOURCES / f"chu_talas_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, header: str, rows: Iterable[Sequence[object]], folder: Path = BASIN) -> None:
    """Write a table of a basin."""
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def start(month: int) -> str:
    """Return the first day of a month of the hydrological year."""
    return f"{2022 if month >= 10 else 2023}-{month:02d}-01"


def gauge_years(statistic: str) -> dict[str, Year]:
    """Return a statistic of each gauge by month [m3/s]."""
    return {row["gauge"]: {m: float(row[f"m{m}"]) for m in MONTHS}
            for row in read("gauges") if row["statistic"] == statistic}


def volume(flow: Mapping[int, float], months: Iterable[int] = MONTHS) -> float:
    """Return the volume of a flow over some months [hm3]."""
    return sum(flow[m] * DAYS[m] * HM3 for m in months)


# ---- inflows ----------------------------------------------------------------------------------------


def kochkor(mean: Year, dry: Year, season: Mapping[str, float]) -> Year:
    """Return the inflow of Orto-Tokoy: the reported sum of April-August in the shape of dry years."""
    scale = season["kochkor_apr_aug_hm3"] / volume(dry, (4, 5, 6, 7, 8))
    winter = season["kochkor_winter_percent"] / 100
    return {m: dry[m] * scale if m in GROWING else mean[m] * winter for m in MONTHS}


def may_percent(season: Mapping[str, float], kochkor_share: float) -> float:
    """Return the May percentage of the rivers that have none of their own."""
    known = [100 * kochkor_share, season["may_chon_kemin_percent"], season["may_alamedin_percent"]]
    return (len(RIVERS) * season["may_percent"] - sum(known)) / (len(RIVERS) - len(known))


def june_percent(means: Mapping[str, Year], own: Mapping[str, Year], season: Mapping[str, float]) -> float:
    """Return the June percentage that brings the plain mean of April-June to the reported one."""
    spring = (4, 5, 6)
    others = [r for r in RIVERS if r != "kochkor"]
    fixed = volume(own["kochkor"], spring) / volume(means["kochkor"], spring)
    fixed += sum(volume(own[r], (4, 5)) / volume(means[r], spring) for r in others)
    per_june = sum(volume(means[r], (6,)) / volume(means[r], spring) for r in others)
    return (len(RIVERS) * season["april_june_percent"] - 100 * fixed) / per_june


def gauges_2023(season: Mapping[str, float]) -> dict[str, Year]:
    """Return the flow of every gauge in the hydrological year 2023 [m3/s], middle estimate."""
    means, dry = gauge_years("mean"), gauge_years("p10")
    own = {"kochkor": kochkor(means["kochkor"], dry["kochkor"], season)}
    may = dict.fromkeys(means, may_percent(season, own["kochkor"][5] / means["kochkor"][5]))
    may |= {"chon_kemin": season["may_chon_kemin_percent"], "alamedin": season["may_alamedin_percent"]}
    may |= dict.fromkeys(TALAS_RIVERS, season["may_percent"])
    percent = {m: season["july_september_percent" if m in GROWING else "winter_percent"] for m in MONTHS}
    percent[4] = season["april_percent"]
    for gauge in sorted(set(means) - {"kochkor", "klyuchevka"}):
        own[gauge] = {m: means[gauge][m] * (may[gauge] if m == 5 else percent[m]) / 100 for m in MONTHS}
    june = june_percent(means, own, season)
    print(f"May of the other rivers {may['sokuluk']:.1f} %, June of all but Kochkor {june:.1f} % of the mean")
    for gauge in sorted(set(own) - {"kochkor"}):
        own[gauge][6] = means[gauge][6] * june / 100
    own["kirov_rodniki"] = dry["kirov_rodniki"]  # springs: a dry year, but no flood to lose
    return own


def inflows(season: Mapping[str, float]) -> dict[str, Year]:
    """Return every inflow of the basin [m3/s], middle estimate."""
    gauges = gauges_2023(season)
    found = {row["inflow"]: {m: float(row["factor"]) * sum(gauges[g][m] for g in row["gauges"].split(";"))
                             for m in MONTHS} for row in read("inflows")}
    mean_shape = sum(TERIS_SHAPE[m] * DAYS[m] for m in MONTHS) / 365
    found["teris"] = {m: season["teris_mean_m3s"] * TERIS_SHAPE[m] / mean_shape for m in MONTHS}
    return found


def gains(season: Mapping[str, float], flows: Mapping[str, Year], arrives: Year) -> dict[str, Year]:
    """Return the springs and small rivers between the gauges [m3/s], middle estimate."""

    def seasonal(name: str) -> Year:
        return {m: season[f"{name}_{'summer' if m in GROWING else 'winter'}_m3s"] for m in MONTHS}

    natural = {m: 0.95 * sum(flows[r][m] for r in TALAS_RIVERS) for m in MONTHS}  # less the loss of the reach
    springs = {m: season["kirov_growing_gain_m3s"] if m in GROWING else max(arrives[m] - natural[m], 0.0)
               for m in MONTHS}
    return {"chu_springs": seasonal("chu_springs"), "chu_kz_side": seasonal("chu_kz_side"),
            "lower_talas_side": seasonal("lower_talas"), "talas_springs": springs}


# ---- lakes ------------------------------------------------------------------------------------------


def depths(kind: str) -> Year:
    """Return the evaporation [mm/day] of a lake in the mountains, in the lowland or between them."""
    month = {int(row["month"]): (float(row["mountain_mm"]), float(row["lowland_mm"])) for row in read("evaporation")}
    weight = {"mountain": 0.0, "middle": 0.5, "lowland": 1.0}[kind]
    return {m: ((1 - weight) * month[m][0] + weight * month[m][1]) / DAYS[m] for m in MONTHS}


def replay(opening: float, inflow: Year, release: Year, lake: Row, depth: Year) -> Year:
    """Return the storage at the end of each month [hm3], by the model's own balance."""
    zero, slope = float(lake["area_at_zero_km2"]), float(lake["area_slope_km2_per_hm3"])
    storage, path = opening, {}
    for m in MONTHS:
        lost = 1e-3 * depth[m] * DAYS[m]
        change = (inflow[m] - release[m]) * DAYS[m] * HM3
        storage = (storage * (1 - lost * slope / 2) + change - lost * zero) / (1 + lost * slope / 2)
        path[m] = storage
    return path


def at_day(path: Year, before: int, month: int, day: int) -> float:
    """Return the storage on a day [hm3], on the line between two ends of months."""
    return path[before] + (path[month] - path[before]) * day / DAYS[month]


def opening_through(target: float, known: Sequence[int], *lake: object) -> float:
    """Return the opening storage whose replay meets a storage on a day (month before, month, day)."""
    first, second = (at_day(replay(s, *lake), *known) for s in (0.0, 100.0))  # type: ignore[arg-type]
    return 100.0 * (target - first) / (second - first)


def lake_paths(season: Mapping[str, float], flows: Mapping[str, Year]) -> dict[str, tuple[float, Year, Year]]:
    """Return opening storage, releases and storages of the two lakes that can be replayed."""
    with (BASIN / "reservoir.csv").open(encoding="utf-8", newline="") as file:
        lakes = {row["reservoir"]: row for row in csv.DictReader(file)}
    kinds = {row["reservoir"]: row["evaporation"] for row in read("lakes")}
    rows = {(row["reservoir"], int(row["month"])): row for row in read("replay")}
    release = {r: {m: float(rows[r, m]["release_m3s"]) for m in MONTHS} for r in ("orto_tokoy", "kirov")}
    inflow = {"orto_tokoy": flows["kochkor"], "kirov": {m: float(rows["kirov", m]["inflow_m3s"]) for m in MONTHS}}
    # mean release of the first days differs from the month's: 7 June at 65 m3/s; 20 April still at 1 m3/s
    early = 20 * (release["kirov"][4] - 1) * HM3 - 20 / 30 * (release["kirov"][4] - 1) * 30 * HM3
    known = {"orto_tokoy": (season["orto_tokoy_7_june_hm3"], (5, 6, 7)),
             "kirov": (season["kirov_21_april_hm3"] - 20 * (release["kirov"][4] - 1) * HM3 - early, (3, 4, 20))}
    found = {}
    for r, (target, when) in known.items():
        rest = (inflow[r], release[r], lakes[r], depths(kinds[r]))
        opening = opening_through(target, when, *rest)
        found[r] = (opening, release[r], replay(opening, *rest))
    return found


def print_checks(paths: Mapping[str, tuple[float, Year, Year]], flows: Mapping[str, Year]) -> None:
    """Print what the replays say against what was reported."""
    for name, reported in (("orto_tokoy", "654 released April-August"), ("kirov", "14.5 hm3 on 22 August")):
        opening, release, path = paths[name]
        ends = ", ".join(f"{path[m]:.1f} at the end of month {m}" for m in (3, 7, 8, 9))
        print(f"{name}: {opening:.1f} hm3 on 1 October, {ends}; released April-August "
              f"{volume(release, (4, 5, 6, 7, 8)):.0f} hm3 (reported: {reported})")
    rows = {int(row["month"]): float(row["inflow_m3s"]) for row in read("replay") if row["reservoir"] == "kirov"}
    natural = sum(volume(flows[r], GROWING) for r in TALAS_RIVERS)
    print(f"Talas April-September: {natural:.0f} hm3 at the gauges, {volume(rows, GROWING):.0f} reached Kirov")


# ---- tables -----------------------------------------------------------------------------------------


def write_series(name: str, key: str, flows: Mapping[str, Year], confidence: Mapping[str, tuple[str, str]]) -> None:
    """Write flows by month."""
    write(name, f"{key},start,days,flow_m3s,source,confidence,note",
          [(x, start(m), DAYS[m], f"{flows[x][m]:.3f}", *confidence[x], SCRIPT) for x in sorted(flows) for m in MONTHS])


def requirement(row: Row) -> Year:
    """Return the requirement of a demand site [m3/s]: its volume of the season in the shape of its crops."""
    use = dict.fromkeys(MONTHS, 0.0)
    for crop in read("crops"):
        for m in MONTHS:
            use[m] += float(row[crop["crop"]]) * float(crop["m3_per_ha"]) * float(crop.get(f"m{m}") or 0)
    total = sum(use[m] for m in GROWING)
    return {m: float(row["volume_hm3"]) * use[m] / total / (DAYS[m] * HM3) for m in MONTHS}


def write_requirements() -> None:
    """Write the requirements of fields and of the flood meadows."""
    rows = [(row["demand"], m, f"{requirement(row)[m]:.3f}", row["source"], row["confidence"], row["note"])
            for row in sorted(read("requirements"), key=lambda r: r["demand"]) for m in range(1, 13)]
    meadows = {m: 30 if m in (3, 4, 5) else 10 if m in GROWING else 20 for m in range(1, 13)}
    rows += [("lower_chu_meadows", m, f"{meadows[m]:.3f}", "own_estimate", "assumed",
              "flooding in spring, a base flow to the lakes") for m in range(1, 13)]
    rows += [("assa_lakes", m, "6.000", "own_estimate", "assumed", "an even flow to the lakes") for m in range(1, 13)]
    write("demand_requirement", "demand,month,requirement_m3s,source,confidence,note", rows)


def write_lakes(paths: Mapping[str, tuple[float, Year, Year]]) -> None:
    """Write level curves, evaporation and the state of the lakes at both ends of the year."""
    lakes = sorted(read("lakes"), key=lambda row: row["reservoir"])
    write("reservoir_evaporation", "reservoir,month,evaporation_mm_per_day,source,confidence,note",
          [(row["reservoir"], m, f"{depths(row['evaporation'])[m]:.3f}", "general", "assumed", "open-water estimate")
           for row in lakes for m in range(1, 13)])
    write("reservoir_level", "reservoir,storage_hm3,elevation_m,source,confidence,note",
          [point for row in lakes for point in level_curve(row)])
    observed = [row for lake in lakes for row in lake_states(lake, paths.get(lake["reservoir"]))]
    write("reservoir_observed", "reservoir,start,days,release_m3s,storage_hm3,source,confidence,note", observed)


def level_curve(lake: Row) -> list[tuple[object, ...]]:
    """Return points of V = c z^n, z above the tailwater, whose slope at full storage is the area there."""
    full, area, depth = (float(lake[k]) for k in ("full_hm3", "area_at_full_km2", "depth_at_full_m"))
    bend = area * depth / full
    note = f"V = c z^n through {depth:g} m and {area:g} km2 at {full:g} hm3; z above the tailwater"
    return [(lake["reservoir"], f"{share * full:.2f}", f"{depth * share ** (1 / bend):.3f}", "own_estimate",
             "reconstructed", note) for share in (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)]


def lake_states(lake: Row, path: tuple[float, Year, Year] | None) -> list[tuple[object, ...]]:
    """Return release and storage of the months that are known, from September 2022 to September 2023."""
    name, note = lake["reservoir"], lake["note"]
    if path is None:
        ends = (("2022-09-01", lake["release_before_m3s"], lake["opening_hm3"]),
                ("2023-09-01", lake["release_at_end_m3s"], lake["closing_hm3"]))
        return [(name, first, 30, f"{float(q):.2f}", f"{float(s):.1f}", "own_estimate", "assumed", note)
                for first, q, s in ends]
    opening, release, storage = path
    first = (name, "2022-09-01", 30, f"{float(lake['release_before_m3s']):.2f}", f"{opening:.1f}", "own_estimate",
             "reconstructed", note)
    return [first, *((name, start(m), DAYS[m], f"{release[m]:.2f}", f"{storage[m]:.1f}",
                      "tazabek_2023" if name == "orto_tokoy" else "kirov_2023", "reconstructed", SCRIPT)
                     for m in MONTHS)]


def write_range(flows: Mapping[str, Year], extra: Mapping[str, Year]) -> None:
    """Write the sums of low, middle and high estimate by group and season [hm3]."""
    groups = {row["inflow"]: row["group"] for row in read("inflows")} | {"teris": "assa"}
    groups |= {"chu_springs": "chu_springs", "talas_springs": "talas_springs", "chu_kz_side": "lower",
               "lower_talas_side": "lower"}
    rows = []
    for row in read("ranges"):
        months = GROWING if row["season"] == "growing" else tuple(m for m in MONTHS if m not in GROWING)
        middle = sum(volume(flow, months) for x, flow in {**flows, **extra}.items() if groups[x] == row["group"])
        sums = (f"{middle * float(row['low']):.0f}", f"{middle:.0f}", f"{middle * float(row['high']):.0f}")
        rows.append((row["table"], row["group"], row["season"], row["low"], row["high"], *sums, row["note"]))
    write("inflow_range", "table,group,season,low_factor,high_factor,low_hm3,middle_hm3,high_hm3,note", rows)
    print("low, middle, high:", *(f"{sum(float(row[i]) for row in rows):.0f}" for i in (5, 6, 7)), "hm3")


def main() -> None:
    """Write the dated tables."""
    season = {row["item"]: float(row["value"]) for row in read("season_2023")}
    flows = inflows(season)
    replayed = {int(row["month"]): row for row in read("replay") if row["reservoir"] == "kirov"}
    extra = gains(season, flows, {m: float(replayed[m]["inflow_m3s"]) for m in MONTHS})
    paths = lake_paths(season, flows)
    print_checks(paths, flows)
    assumed = {"teris", *(row["inflow"] for row in read("inflows") if row["group"] in ("chu_ungauged", "assa"))}
    write_series("inflow_flow", "inflow", flows,
                 {x: ("own_estimate", "assumed") if x in assumed else ("ca_discharge", "reconstructed") for x in flows})
    write_series("gain_flow", "gain", extra, dict.fromkeys(extra, ("own_estimate", "assumed")))
    write_requirements()
    write_lakes(paths)
    write_range(flows, extra)


if __name__ == "__main__":
    main()
