"""The river from gauge to gauge: what turns a history of operation into the dated tables of a basin.

Shared by the scripts that write the dated tables of `data/basins/naryn-syrdarya` and of the basins laid over it. The
static tables (travel times, losses, areas, evaporation, gains) are always those of `naryn-syrdarya`; a history may lie
in any years, and its rows go to any folder, each with its own source and confidence.

    history = History(calendar, bulletin, assumed, label)
    write_tables(folder, tables(history))

The gains are what closes the balance of each gauge and each lake when the observed releases are replayed with the
model's own formulas.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from wateropt.calendar import Calendar, Floats, in_months, travel_shares, water_in_transit
from wateropt.units import HM3_PER_M3S_DAY, HM3_PER_MM_KM2

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "data" / "sources"
BASIN = ROOT / "data" / "basins" / "naryn-syrdarya"

LAKES = ("toktogul", "andijan", "kairakkum", "charvak", "shardara")
NET_OF_EVAPORATION = {"naryn": "toktogul", "andijan": "andijan"}  # bulletin inflow -> lake
GAUGED = {
    *("kal_akjar", "akjar_kairakkum", "kairakkum_farkhad", "kokbulak_shardara", "shardara_koksaray"),
    *("andijan_uchtepe", "uchtepe_kal", "charvak_gazalkent", "gazalkent_mouth"),
}
GUESSED = {"koksaray_arys", "arys_kyzylorda", "kyzylorda_aral", "mouth_kokbulak"}

Row = dict[str, str]
Series = dict[str, Floats]
Rows = list[list[object]]


def read(path: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
        raise ValueError(f"{file}: the rows are not the {len(calendar)} dekads from {calendar.starts[0]} on")
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

    def entering(self, calendar: Calendar, arrived: Floats, least: float | Floats) -> Floats:
        """Return the flow that must enter [m3/s], at least `least`, so that `arrived` [m3/s] arrives; shape (period,).

        What arrives late of one period is taken off the next, so only travel much shorter than a period has an answer.
        """
        wanted, late = arrived / (1 - self.loss), 0.0
        shares = travel_shares(calendar, np.full(len(calendar), self.travel_days))
        least = np.broadcast_to(least, wanted.shape)
        entered = np.maximum(wanted, least)
        for t in range(len(calendar)):
            if t > 0:
                late = entered[t - 1] * calendar.days[t - 1] * (1 - shares[t - 1, 0]) / calendar.days[t]
                entered[t] = max((wanted[t] - late) / shares[t, 0], least[t])
        return entered


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


def mouth_shares(calendar: Calendar) -> Floats:
    """Return the share of the flow at Gazalkent that reaches the mouth of the Chirchik [1], shape (period,)."""
    share = {int(row["month"]): float(row["mouth_share"]) for row in read(SOURCES / "chirchik_mouth_share.csv")}
    return np.array([share[int(month)] for month in calendar.months])


def tributaries(calendar: Calendar, bulletin: Series) -> tuple[Series, Series]:
    """Return the flow entering and arriving from the reaches of Karadarya and Chirchik [m3/s].

    The Chirchik brings to its mouth `chirchik_mouth`, or where that is not known a share of the flow at Gazalkent.
    """
    lines = reaches()
    entered: Series = {
        "andijan_uchtepe": bulletin["andijan_release"],
        "uchtepe_kal": bulletin["uchtepe"],
        "charvak_gazalkent": bulletin["charvak_release"],
        "gazalkent_mouth": bulletin["gazalkent"],
    }
    arrived = {name: lines[name].arrivals(calendar, flow) for name, flow in entered.items()}
    mouth = bulletin.get("chirchik_mouth")
    entered["mouth_kokbulak"] = mouth_shares(calendar) * arrived["gazalkent_mouth"] if mouth is None else mouth
    arrived["mouth_kokbulak"] = lines["mouth_kokbulak"].arrivals(calendar, entered["mouth_kokbulak"])
    return entered, arrived


def main_river(calendar: Calendar, bulletin: Series, assumed: Series) -> tuple[Series, Series]:
    """Return the flow entering and arriving from the reaches of Naryn and Syr Darya to Shardara's outlet [m3/s]."""
    lines = reaches()
    dostyk_head = assumed["dostyk_border"] / (1 - canal_losses()["dostyk"])
    entered: Series = {
        "naryn_kal": bulletin["uch_kurgan_release"],
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


@dataclass(frozen=True)
class Label:
    """What a row says of itself: a key of references.csv, one of the four confidences, a note."""

    source: str
    confidence: str
    note: str = ""


@dataclass(frozen=True)
class History:
    """Operation of the river in consecutive periods; the first one holds the state before.

    Attributes:
        calendar: the periods.
        bulletin: flows [m3/s] and closing storages [hm3, `..._storage`] by gauge, each of shape (period,).
        assumed: flows of what nobody publishes [m3/s], each of shape (period,).
        label: (table, id, start of the period) -> what the row says of itself.
        koksaray_opening: storage of Koksaray at the end of the first period [hm3].
    """

    calendar: Calendar
    bulletin: Series
    assumed: Series
    label: Callable[[str, str, date], Label]
    koksaray_opening: float = 0.0

    @cached_property
    def flows(self) -> tuple[Series, Series]:
        """Flow entering each reach (and the Dostyk canal) and flow arriving from it [m3/s]."""
        return river(self.calendar, self.bulletin, self.assumed)

    @cached_property
    def net(self) -> Series:
        """Net gains [m3/s] of periods 1.., shape (period - 1,)."""
        return gains(self.calendar, self.bulletin, self.assumed, *self.flows)

    @cached_property
    def koksaray(self) -> Floats:
        """Closing storages of Koksaray [hm3], shape (period,)."""
        intake, release = self.assumed["koksaray_intake"], self.assumed["koksaray_release"]
        air = evaporations(self.calendar)["koksaray"]
        return koksaray_storage(self.calendar, self.koksaray_opening, intake, release, air)

    def rows(self, table: str, name: str, columns: Sequence[Floats], digits: int, first: int = 0) -> Rows:
        """Return the rows of a dated series from period `first` on; columns may lack the first ones."""
        found: Rows = []
        for t in range(first, len(self.calendar)):
            day = self.calendar.starts[t]
            label = self.label(table, name, day)
            values = (f"{column[t - len(self.calendar)]:.{digits}f}" for column in columns)
            made_from = (label.source, label.confidence, label.note)
            found.append([name, day.isoformat(), int(self.calendar.days[t]), *values, *made_from])
        return found


def inflow_rows(history: History) -> Rows:
    """Return inflow_flow; an inflow that is net of evaporation carries that of the observed storage path."""
    calendar, bulletin = history.calendar, history.bulletin
    flows = {
        "naryn": (bulletin["toktogul_inflow"], 3),
        "andijan": (bulletin["andijan_inflow"], 3),
        "charvak": (charvak_inflow(calendar, bulletin), 12),
        "ugam": (bulletin["ugam"], 3),
        "keles": (bulletin["keles"], 3),
    }
    air = evaporations(calendar)
    found: Rows = []
    for name, (flow, digits) in flows.items():
        lake = NET_OF_EVAPORATION.get(name)
        included = [""] * (len(calendar) - 1)
        if lake:
            volume = air[lake].volume(calendar, bulletin[f"{lake}_storage"])
            included = [f"{rate:.9f}" for rate in volume / (calendar.days[1:] * HM3_PER_M3S_DAY)]
        plain = history.rows("inflow_flow", name, [flow], digits, first=1)
        found += [[*row[:4], extra, *row[4:]] for row, extra in zip(plain, included, strict=True)]
    return found


def lake_rows(history: History) -> Rows:
    """Return reservoir_observed; the first row of a lake holds the state before the first period."""
    found: Rows = []
    for name in LAKES:
        columns = [history.bulletin[f"{name}_release"], history.bulletin[f"{name}_storage"]]
        found += history.rows("reservoir_observed", name, columns, 3)
    koksaray = [history.assumed["koksaray_release"], history.koksaray]
    return found + history.rows("reservoir_observed", "koksaray", koksaray, 9)


def reach_rows(history: History) -> Rows:
    """Return reach_observed; gauges are exact in three digits."""
    entered = history.flows[0]
    names = ((name, 3 if name in GAUGED else 9) for name in reaches())
    return [row for name, digits in names for row in history.rows("reach_observed", name, [entered[name]], digits)]


def canal_rows(history: History) -> Rows:
    """Return canal_observed."""
    flows = {
        "dostyk": (history.flows[0]["dostyk"], 6),
        "kyzylkum": (history.bulletin["kyzylkum"], 3),
        "arnasay": (history.assumed["arnasay"], 3),
        "koksaray_intake": (history.assumed["koksaray_intake"], 3),
    }
    return [row for name, (flow, digits) in flows.items()
            for row in history.rows("canal_observed", name, [flow], digits)]


def sea_rows(history: History) -> Rows:
    """Return sea_target: what reached the Aral by the assumed pass-down [m3/s], rounded down; Arnasay zero."""
    target = np.floor(history.flows[1]["kyzylorda_aral"] * 100 - 1e-6) / 100
    nothing = np.zeros(len(history.calendar))
    return (history.rows("sea_target", "aral", [target], 2, first=1)
            + history.rows("sea_target", "arnasay", [nothing], 2, first=1))


def correction_rows(history: History) -> Rows:
    """Return corrections: the season sums of the gains [hm3]."""
    calendar = history.calendar
    why = {row["gain"]: row["note"] for row in read(BASIN / "gain.csv")}
    labels = [f"{season} {year}"
              for season, year in zip(calendar.seasons, calendar.hydrological_years, strict=True)]
    volume = calendar.days * HM3_PER_M3S_DAY
    found: Rows = []
    for name, flow in history.net.items():
        rounded = np.concatenate([[0.0], np.round(flow, 9)])
        for label in dict.fromkeys(labels[1:]):
            inside = [t for t in range(1, len(calendar)) if labels[t] == label]
            first, days = calendar.starts[inside[0]].isoformat(), int(calendar.days[inside].sum())
            found.append([name, label, first, days, f"{(rounded * volume)[inside].sum():.3f}", why[name]])
    return found


def dated(key: str, *columns: str) -> list[str]:
    """Return the header of a dated series."""
    return [key, "start", "days", *columns, "source", "confidence", "note"]


HEADERS = {
    "inflow_flow": dated("inflow", "flow_m3s", "evaporation_included_m3s"),
    "gain_flow": dated("gain", "flow_m3s"),
    "reservoir_observed": dated("reservoir", "release_m3s", "storage_hm3"),
    "reach_observed": dated("reach", "entered_m3s"),
    "canal_observed": dated("canal", "flow_m3s"),
    "sea_target": dated("sea", "target_m3s"),
    "corrections": ["gain", "season", "start", "days", "volume_hm3", "why"],
    "grid_load": ["grid", "block", "start", "days", "load_mw", "source", "confidence", "note"],
    "unit_output": dated("unit", "available_mw", "must_run_mw"),
    "demand_requirement": ["demand", "month", "requirement_m3s", "source", "confidence", "note"],
}


def tables(history: History) -> dict[str, Rows]:
    """Return the rows of every dated water table of a history."""
    return {
        "inflow_flow": inflow_rows(history),
        "gain_flow": [row for name, flow in history.net.items()
                      for row in history.rows("gain_flow", name, [flow], 9, first=1)],
        "reservoir_observed": lake_rows(history),
        "reach_observed": reach_rows(history),
        "canal_observed": canal_rows(history),
        "sea_target": sea_rows(history),
        "corrections": correction_rows(history),
    }


def write_tables(folder: Path, *parts: Mapping[str, Rows]) -> None:
    """Write the tables of one history, or of several that follow each other, asset by asset."""
    for name in dict.fromkeys(name for part in parts for name in part):
        rows = [row for part in parts for row in part.get(name, [])]
        ids = dict.fromkeys(row[0] for row in rows)
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADERS[name])
            writer.writerows(row for asset in ids for row in rows if row[0] == asset)
