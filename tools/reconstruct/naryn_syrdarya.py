"""Make the dated water tables of data/basins/naryn-syrdarya from the dekad aggregates in data/sources.

Run from the repository root, with wateropt installed:

    python tools/reconstruct/naryn_syrdarya.py

Reads the static tables of the basin (travel times, losses, areas, evaporation, gains) and four source tables:
`syrdarya_dekads_2022_2024.csv` (bulletins), `assumed_operation_2022_2024.csv` (what nobody published),
`chirchik_mouth_share.csv` and `kazakh_requirements.csv`. Writes `inflow_flow`, `gain_flow`, the `*_observed`
tables, `demand_requirement`, `sea_target` and `corrections`: the same bytes from the same inputs. The gains are
what closes the balance of each gauge and each lake when the observed releases are replayed with the model's own
formulas.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from wateropt.calendar import Calendar, Floats, in_months, travel_shares, water_in_transit
from wateropt.units import HM3_PER_M3S_DAY, HM3_PER_MM_KM2

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "data" / "sources"
BASIN = ROOT / "data" / "basins" / "naryn-syrdarya"

STATE_PERIOD = date(2022, 3, 21)  # holds the state before the first bulletin
LAST_DAY = date(2024, 9, 30)
LAKES = ("toktogul", "andijan", "kairakkum", "charvak", "shardara")
NET_OF_EVAPORATION = {"naryn": "toktogul", "andijan": "andijan"}  # bulletin inflow -> lake
GAUGED = {
    *("kal_akjar", "akjar_kairakkum", "kairakkum_farkhad", "kokbulak_shardara", "shardara_koksaray"),
    *("andijan_uchtepe", "uchtepe_kal", "charvak_gazalkent", "gazalkent_mouth"),
}
GUESSED = {"koksaray_arys", "arys_kyzylorda", "kyzylorda_aral", "mouth_kokbulak"}
SCRIPT = "tools/reconstruct/naryn_syrdarya.py"

Row = dict[str, str]
Series = dict[str, Floats]


def read(path: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table of the basin."""
    with (BASIN / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def column(rows: Sequence[Row], name: str) -> Floats:
    """Return a column of numbers; NaN where a cell is empty."""
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


def source_columns(file: str, calendar: Calendar) -> Series:
    """Return the number columns of a source table whose rows are exactly the periods of the calendar.

    Raises:
        ValueError: the rows are not those periods.
    """
    rows = read(SOURCES / file)
    if [row["start"] for row in rows] != [day.isoformat() for day in calendar.starts]:
        raise ValueError(f"{file}: the rows are not the dekads from {calendar.starts[0]} to {LAST_DAY}")
    names = [name for name in rows[0] if name.endswith(("_m3s", "_hm3"))]
    return {name.removesuffix("_m3s").removesuffix("_hm3"): column(rows, name) for name in names}


@dataclass(frozen=True)
class Reach:
    """Travel of water down a reach.

    Attributes:
        travel_days, ice_travel_days: without and with ice [day].
        ice: first and last month with ice, or None.
        loss: share lost on the way [1].
    """

    travel_days: float
    ice_travel_days: float
    ice: tuple[int, int] | None
    loss: float

    def arrivals(self, calendar: Calendar, entered: Floats) -> Floats:
        """Return the flow that arrives [m3/s] of the flow that entered [m3/s], both of shape (period,).

        Before the first period the reach carries the flow of that period.
        """
        icy = in_months(calendar.months, *self.ice) if self.ice else np.zeros(len(calendar), dtype=bool)
        travel = np.where(icy, self.ice_travel_days, self.travel_days)
        shares = travel_shares(calendar, travel)
        volume = np.zeros(len(calendar) + shares.shape[1])
        for delay in range(shares.shape[1]):
            volume[delay : delay + len(calendar)] += entered * calendar.days * shares[:, delay]
        carried = water_in_transit(calendar, [float(entered[0])], float(travel[0]))
        arrived: Floats = (
            (volume[: len(calendar)] + carried[: len(calendar)]) / calendar.days * (1 - self.loss)
        )
        return arrived


def reaches() -> dict[str, Reach]:
    """Return the reaches of the basin."""
    result = {}
    for row in read(BASIN / "reach.csv"):
        ice = (int(row["ice_first_month"]), int(row["ice_last_month"])) if row["ice_first_month"] else None
        result[row["reach"]] = Reach(
            float(row["travel_days"]), float(row["ice_travel_days"]), ice, float(row["loss"])
        )
    return result


@dataclass(frozen=True)
class Evaporation:
    """What a lake loses to the air (and to the ground, where the table says so).

    Attributes:
        rate: depth in each period [mm/day], shape (period,).
        area_at_zero: [km2].
        area_slope: [km2/hm3].
    """

    rate: Floats
    area_at_zero: float
    area_slope: float

    def depth(self, calendar: Calendar) -> Floats:
        """Return the volume per area [hm3/km2] in each period, shape (period,)."""
        return self.rate * calendar.days * HM3_PER_MM_KM2

    def volume(self, calendar: Calendar, storage: Floats) -> Floats:
        """Return the evaporation [hm3] of periods 1.. for closing storages [hm3] of periods 0.., by mean storage."""
        mean = (storage[:-1] + storage[1:]) / 2
        result: Floats = self.depth(calendar)[1:] * (self.area_at_zero + self.area_slope * mean)
        return result


def evaporations(calendar: Calendar) -> dict[str, Evaporation]:
    """Return the evaporation of every lake."""
    rates: dict[str, dict[int, float]] = {}
    for row in read(BASIN / "reservoir_evaporation.csv"):
        rates.setdefault(row["reservoir"], {})[int(row["month"])] = float(row["evaporation_mm_per_day"])
    return {
        row["reservoir"]: Evaporation(
            np.array([rates[row["reservoir"]][int(month)] for month in calendar.months]),
            float(row["area_at_zero_km2"]),
            float(row["area_slope_km2_per_hm3"]),
        )
        for row in read(BASIN / "reservoir.csv")
    }


def koksaray_storage(
    calendar: Calendar, opening: float, intake: Floats, release: Floats, evaporation: Evaporation
) -> Floats:
    """Return the closing storages [hm3] that follow from assumed flows [m3/s], shape (period,).

    The evaporation depends on the mean storage, so each period is one linear equation. The first period is the
    state before the bulletins: its closing storage is `opening`.
    """
    depth = evaporation.depth(calendar)
    storage = np.full(len(calendar), opening)
    for t in range(1, len(calendar)):
        half = depth[t] * evaporation.area_slope / 2
        fed = (
            calendar.days[t] * HM3_PER_M3S_DAY * (intake[t] - release[t])
            - depth[t] * evaporation.area_at_zero
        )
        storage[t] = (storage[t - 1] * (1 - half) + fed) / (1 + half)
    return np.round(storage, 9)


def filled_uch_kurgan(calendar: Calendar, bulletin: Series) -> Floats:
    """Return the release of Uch-Kurgan [m3/s], filled where the bulletins stop (December 2023).

    Filled with the release of Toktogul plus what joined between the two in the same dekad of the latest year that
    has it.
    """
    release = bulletin["uch_kurgan_release"].copy()
    joined = release - bulletin["toktogul_release"]
    where = {day: t for t, day in enumerate(calendar.starts)}
    for t in np.flatnonzero(np.isnan(release)):
        day = calendar.starts[t]
        years = (
            where.get(day.replace(year=year)) for year in range(day.year - 1, calendar.starts[0].year - 1, -1)
        )
        joined[t] = next(joined[s] for s in years if s is not None and not np.isnan(joined[s]))
        release[t] = bulletin["toktogul_release"][t] + joined[t]
    return np.round(release, 3)


def mouth_shares(calendar: Calendar) -> Floats:
    """Return the share of the flow at Gazalkent that reaches the mouth of the Chirchik [1], shape (period,)."""
    share = {int(row["month"]): float(row["mouth_share"]) for row in read(SOURCES / "chirchik_mouth_share.csv")}
    return np.array([share[int(month)] for month in calendar.months])


def tributaries(calendar: Calendar, bulletin: Series) -> tuple[Series, Series]:
    """Return the flow entering and arriving from the reaches of Karadarya and Chirchik [m3/s]."""
    lines = reaches()
    entered: Series = {
        "andijan_uchtepe": bulletin["andijan_release"],
        "uchtepe_kal": bulletin["uchtepe"],
        "charvak_gazalkent": bulletin["charvak_release"],
        "gazalkent_mouth": bulletin["gazalkent"],
    }
    arrived = {name: lines[name].arrivals(calendar, flow) for name, flow in entered.items()}
    entered["mouth_kokbulak"] = mouth_shares(calendar) * arrived["gazalkent_mouth"]
    arrived["mouth_kokbulak"] = lines["mouth_kokbulak"].arrivals(calendar, entered["mouth_kokbulak"])
    return entered, arrived


def main_river(calendar: Calendar, bulletin: Series, assumed: Series) -> tuple[Series, Series]:
    """Return the flow entering and arriving from the reaches of Naryn and Syr Darya to Shardara's outlet [m3/s]."""
    lines = reaches()
    dostyk_head = assumed["dostyk_border"] / (1 - canal_losses()["dostyk"])
    entered: Series = {
        "naryn_kal": filled_uch_kurgan(calendar, bulletin),
        "kal_akjar": bulletin["kal"],
        "akjar_kairakkum": bulletin["akjar"],
        "kairakkum_farkhad": bulletin["kairakkum_release"],
        "kokbulak_shardara": bulletin["kokbulak"],
        "shardara_koksaray": bulletin["shardara_release"],
        "dostyk": np.floor(dostyk_head * 1e6) / 1e6,
    }
    arrived = {name: lines[name].arrivals(calendar, entered[name]) for name in entered if name in lines}
    entered["farkhad_kokbulak"] = arrived["kairakkum_farkhad"] - entered["dostyk"]
    arrived["farkhad_kokbulak"] = lines["farkhad_kokbulak"].arrivals(calendar, entered["farkhad_kokbulak"])
    return entered, arrived


def river(calendar: Calendar, bulletin: Series, assumed: Series) -> tuple[Series, Series]:
    """Return the flow entering each reach and the flow arriving from it [m3/s]."""
    lines = reaches()
    entered, arrived = main_river(calendar, bulletin, assumed)
    side_entered, side_arrived = tributaries(calendar, bulletin)
    entered |= side_entered
    arrived |= side_arrived
    below = {
        "koksaray_arys": lambda: (
            arrived["shardara_koksaray"] + assumed["koksaray_release"] - assumed["koksaray_intake"]
        ),
        "arys_kyzylorda": lambda: arrived["koksaray_arys"] + assumed["arys"],
        "kyzylorda_aral": lambda: assumed["kyzylorda_pass"],
    }
    for name, flow in below.items():
        entered[name] = flow()
        arrived[name] = lines[name].arrivals(calendar, entered[name])
    return entered, arrived


def canal_losses() -> dict[str, float]:
    """Return the conveyance loss of each canal [1]."""
    return {row["canal"]: float(row["loss"]) for row in read(BASIN / "canal.csv")}


def lake_closure(
    calendar: Calendar, storage: Floats, joins: Floats, leaves: Floats, evaporation: Floats
) -> Floats:
    """Return the gain [m3/s] of periods 1.. that closes a lake's balance.

    Args:
        storage: closing storages [hm3] of periods 0..
        joins, leaves: known flows [m3/s] of periods 0..
        evaporation: [hm3] of periods 1..
    """
    kappa = calendar.days[1:] * HM3_PER_M3S_DAY
    gain: Floats = (np.diff(storage) + evaporation) / kappa - joins[1:] + leaves[1:]
    return gain


def lake_gains(calendar: Calendar, bulletin: Series, assumed: Series, arrived: Series) -> Series:
    """Return the gains that close the lakes [m3/s] of periods 1.., shape (period - 1,)."""
    air = evaporations(calendar)
    none = np.zeros(len(calendar) - 1)
    joins = {
        "kairakkum": arrived["akjar_kairakkum"],
        "shardara": arrived["kokbulak_shardara"] + bulletin["keles"],
    }
    canals = {"shardara": bulletin["kyzylkum"] + assumed["arnasay"]}
    result = {}
    for lake in ("toktogul", "andijan", "kairakkum", "shardara"):
        storage = bulletin[f"{lake}_storage"]
        net = lake in NET_OF_EVAPORATION.values()
        result[f"{lake}_closure"] = lake_closure(
            calendar,
            storage,
            bulletin[f"{lake}_inflow"] if net else joins[lake],
            bulletin[f"{lake}_release"] + canals.get(lake, 0.0),
            none if net else air[lake].volume(calendar, storage),
        )
    return result


def gains(calendar: Calendar, bulletin: Series, assumed: Series, entered: Series, arrived: Series) -> Series:
    """Return the net gains [m3/s] of periods 1.., shape (period - 1,), in the order of gain.csv."""
    net = {
        "cascade": entered["naryn_kal"] - bulletin["toktogul_release"],
        "lower_karadarya": bulletin["uchtepe"] - arrived["andijan_uchtepe"],
        "fergana_kal": bulletin["kal"] - arrived["naryn_kal"] - arrived["uchtepe_kal"],
        "fergana_akjar": bulletin["akjar"] - arrived["kal_akjar"],
        "upper_chirchik": bulletin["gazalkent"] - arrived["charvak_gazalkent"] - bulletin["ugam"],
        "lower_chirchik": entered["mouth_kokbulak"] - arrived["gazalkent_mouth"],
        "middle_syrdarya": bulletin["kokbulak"] - arrived["farkhad_kokbulak"] - arrived["mouth_kokbulak"],
    }
    net["arys"] = assumed["arys"]
    found = {name: flow[1:] for name, flow in net.items()} | lake_gains(calendar, bulletin, assumed, arrived)
    return {row["gain"]: found[row["gain"]] for row in read(BASIN / "gain.csv")}


def charvak_inflow(calendar: Calendar, bulletin: Series) -> Floats:
    """Return the inflow [m3/s] of Charvak that its volumes, releases and evaporation imply, shape (period,).

    The first period repeats the second: it only holds the state before the bulletins.
    """
    storage = bulletin["charvak_storage"]
    nothing = np.zeros(len(calendar))
    air = evaporations(calendar)["charvak"].volume(calendar, storage)
    inflow = lake_closure(calendar, storage, nothing, bulletin["charvak_release"], air)
    return np.concatenate([inflow[:1], inflow])


def dated(
    calendar: Calendar,
    name: str,
    columns: Sequence[Floats],
    digits: int,
    source: str,
    confidence: str,
    note: str = "",
    first: int = 0,
) -> list[list[object]]:
    """Return the rows of a dated series from period `first` on."""
    return [
        [
            name,
            calendar.starts[t].isoformat(),
            int(calendar.days[t]),
            *(f"{values[t - len(calendar)]:.{digits}f}" for values in columns),
            source,
            confidence,
            note,
        ]
        for t in range(first, len(calendar))
    ]


def header(table: str, *columns: str) -> list[str]:
    """Return the header of a dated series."""
    return [table, "start", "days", *columns, "source", "confidence", "note"]


def write_flows(calendar: Calendar, bulletin: Series, net: Series) -> None:
    """Write inflow_flow.csv and gain_flow.csv.

    An inflow that is net of evaporation carries the evaporation of the observed storage path.
    """
    flows = {
        "naryn": (bulletin["toktogul_inflow"], 3, "ksmake", "measured"),
        "andijan": (bulletin["andijan_inflow"], 3, "ksmake", "measured"),
        "charvak": (charvak_inflow(calendar, bulletin), 12, "ksmake", "reconstructed"),
        "ugam": (bulletin["ugam"], 3, "ksmake", "measured"),
        "keles": (bulletin["keles"], 3, "ksmake", "measured"),
    }
    air = evaporations(calendar)
    rows = []
    for name, (flow, digits, source, confidence) in flows.items():
        lake = NET_OF_EVAPORATION.get(name)
        included = [""] * (len(calendar) - 1)
        if lake:
            volume = air[lake].volume(calendar, bulletin[f"{lake}_storage"])
            included = [f"{rate:.9f}" for rate in volume / (calendar.days[1:] * HM3_PER_M3S_DAY)]
        plain = dated(calendar, name, [flow], digits, source, confidence, first=1)
        rows += [[*row[:4], extra, *row[4:]] for row, extra in zip(plain, included, strict=True)]
    write("inflow_flow.csv", header("inflow", "flow_m3s", "evaporation_included_m3s"), rows)
    known = {row["gain"]: ("ksmake", "reconstructed", SCRIPT) for row in read(BASIN / "gain.csv")}
    known["arys"] = ("bse_arys", "assumed", "")
    rows = [row for name in net for row in dated(calendar, name, [net[name]], 9, *known[name], 1)]
    write("gain_flow.csv", header("gain", "flow_m3s"), rows)


def write_observed(
    calendar: Calendar, bulletin: Series, assumed: Series, entered: Series, koksaray: Floats
) -> None:
    """Write the observed tables; their first row holds the state before the first bulletin."""
    rows = [
        row
        for name in LAKES
        for row in dated(
            calendar,
            name,
            [bulletin[f"{name}_release"], bulletin[f"{name}_storage"]],
            3,
            "ksmake",
            "measured",
        )
    ]
    rows += dated(calendar, "koksaray", [assumed["koksaray_release"], koksaray], 9, "kaspi_info", "assumed")
    write("reservoir_observed.csv", header("reservoir", "release_m3s", "storage_hm3"), rows)
    rows = []
    for name in reaches():
        confidence = "measured" if name in GAUGED else "assumed" if name in GUESSED else "reconstructed"
        rows += dated(calendar, name, [entered[name]], 3 if name in GAUGED else 9, "ksmake", confidence)
    write("reach_observed.csv", header("reach", "entered_m3s"), rows)
    rows = (
        dated(calendar, "dostyk", [entered["dostyk"]], 6, "ktkz_2024", "assumed")
        + dated(calendar, "kyzylkum", [bulletin["kyzylkum"]], 3, "ksmake", "measured")
        + dated(calendar, "arnasay", [assumed["arnasay"]], 3, "kaspi_info", "assumed")
        + dated(calendar, "koksaray_intake", [assumed["koksaray_intake"]], 3, "kaspi_info", "assumed")
    )
    write("canal_observed.csv", header("canal", "flow_m3s"), rows)


def write_requirements(calendar: Calendar, canal_flow: Mapping[str, Floats]) -> None:
    """Write demand_requirement.csv: the profiles, raised in proportion where a canal in fact brought more.

    Args:
        canal_flow: what arrived at the end of the canal [m3/s] by node of the demands.
    """
    node = {row["demand"]: row["node"] for row in read(BASIN / "demand.csv")}
    profiles = read(SOURCES / "kazakh_requirements.csv")
    total: dict[tuple[str, str], float] = {}
    for row in profiles:
        key = (node[row["demand"]], row["month"])
        total[key] = total.get(key, 0.0) + float(row["requirement_m3s"])
    rows = []
    for row in profiles:
        value, note, where = float(row["requirement_m3s"]), row["note"], node[row["demand"]]
        if where in canal_flow and value:
            seen = float(canal_flow[where][calendar.months == int(row["month"])].max())
            needed = total[where, row["month"]]
            if seen > needed:
                raised = np.ceil(value * seen / needed * 1000 - 1e-6) / 1000
                note = f"{note}; raised from {value:g} so that the sites of the canal take its largest dekad"
                value = raised
        rows.append([row["demand"], row["month"], f"{value:.3f}", row["source"], row["confidence"], note])
    write(
        "demand_requirement.csv", ["demand", "month", "requirement_m3s", "source", "confidence", "note"], rows
    )


def write_sea(calendar: Calendar, aral: Floats) -> None:
    """Write sea_target.csv: what reached the Aral by the assumed pass-down [m3/s], rounded down; Arnasay zero."""
    target = np.floor(aral * 100 - 1e-6) / 100
    rows = dated(calendar, "aral", [target], 2, "astanatimes_2024", "assumed", first=1)
    rows += dated(calendar, "arnasay", [np.zeros(len(calendar))], 2, "values", "assumed", first=1)
    write("sea_target.csv", header("sea", "target_m3s"), rows)


def write_corrections(calendar: Calendar, net: Series) -> None:
    """Write corrections.csv: the season sums of the gains [hm3]."""
    why = {row["gain"]: row["note"] for row in read(BASIN / "gain.csv")}
    labels = [
        f"{season} {year}" for season, year in zip(calendar.seasons, calendar.hydrological_years, strict=True)
    ]
    volume = calendar.days * HM3_PER_M3S_DAY
    rows = []
    for name, flow in net.items():
        rounded = np.concatenate([[0.0], np.round(flow, 9)])
        for label in dict.fromkeys(labels[1:]):
            inside = [t for t in range(1, len(calendar)) if labels[t] == label]
            rows.append(
                [
                    name,
                    label,
                    calendar.starts[inside[0]].isoformat(),
                    int(calendar.days[inside].sum()),
                    f"{(rounded * volume)[inside].sum():.3f}",
                    why[name],
                ]
            )
    write("corrections.csv", ["gain", "season", "start", "days", "volume_hm3", "why"], rows)


def main() -> None:
    """Write every dated water table of the basin."""
    calendar = Calendar.between(STATE_PERIOD, LAST_DAY, "dekad")
    bulletin = source_columns("syrdarya_dekads_2022_2024.csv", calendar)
    assumed = source_columns("assumed_operation_2022_2024.csv", calendar)
    entered, arrived = river(calendar, bulletin, assumed)
    net = gains(calendar, bulletin, assumed, entered, arrived)
    opening = float(assumed["koksaray_opening"][0])
    koksaray = koksaray_storage(
        calendar,
        opening,
        assumed["koksaray_intake"],
        assumed["koksaray_release"],
        evaporations(calendar)["koksaray"],
    )
    loss = canal_losses()
    write_flows(calendar, bulletin, net)
    write_observed(calendar, bulletin, assumed, entered, koksaray)
    write_requirements(
        calendar,
        {
            "dostyk": entered["dostyk"] * (1 - loss["dostyk"]),
            "kyzylkum": bulletin["kyzylkum"] * (1 - loss["kyzylkum"]),
        },
    )
    write_sea(calendar, arrived["kyzylorda_aral"])
    write_corrections(calendar, net)


if __name__ == "__main__":
    main()
