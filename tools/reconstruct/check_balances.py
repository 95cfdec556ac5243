"""Replay the observed operation of the Syr Darya's basins from their tables alone and report what does not close.

Run from the repository root, with wateropt installed:

    python tools/reconstruct/check_balances.py [BASIN ...]

Holds every observed release and canal flow, routes the rivers with the model's formulas and prints, for each basin and
each opening date, the largest residual of each lake and gauge [hm3] and every limit that history breaks. Ends with
status 1 if a residual exceeds 1e-6 hm3 or a limit is broken. A measured release below the least of its lake breaks
nothing, for holding it puts the limit aside: it is counted in a line of its own.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from wateropt.calendar import Calendar, Floats, in_months, travel_shares, water_in_transit
from wateropt.units import HM3_PER_M3S_DAY, HM3_PER_MM_KM2

BASINS = Path(__file__).resolve().parents[2] / "data" / "basins"
BASE = "naryn-syrdarya"


def hydrological_years(first: int, last: int) -> list[tuple[date, date]]:
    """Return the first and last days of hydrological years."""
    return [(date(year - 1, 10, 1), date(year, 9, 30)) for year in range(first, last + 1)]


SPANS = {  # basin -> horizons that are replayed
    BASE: [
        (date(2022, 4, 1), date(2024, 9, 30)),
        *hydrological_years(2023, 2024),
        (date(2023, 4, 1), date(2023, 9, 30)),
    ],
    "naryn-syrdarya-2001-2010": [
        (date(2001, 1, 1), date(2010, 9, 30)),
        (date(2001, 1, 1), date(2001, 9, 30)),
        *hydrological_years(2002, 2010),
    ],
    "naryn-syrdarya-reconstructed": [
        *hydrological_years(2012, 2016),
        *hydrological_years(2021, 2022),
        *hydrological_years(2025, 2026),
    ],
}
TOLERANCE = 1e-6  # hm3
SLACK = 1e-6  # m3/s

Row = dict[str, str]


@cache
def file_rows(basin: str, name: str) -> tuple[Row, ...]:
    """Return the rows of a table in a basin's folder; none if it is not there."""
    path = BASINS / basin / f"{name}.csv"
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def number(cell: str) -> float:
    """Return the number in a cell, 0 if it is empty."""
    return float(cell) if cell else 0.0


@dataclass
class Replay:
    """One replay of history.

    Attributes:
        basin: name of its folder, which may lie over `BASE`.
        calendar: its periods.
        broken: limits that history breaks, in words.
        residuals: largest residual [hm3] by lake or gauge.
        remarks: what is odd but breaks nothing, in words.
    """

    basin: str
    calendar: Calendar
    broken: list[str] = field(default_factory=list)
    residuals: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def read(self, name: str) -> list[Row]:
        """Return the rows of a table; those of the basin replace those of the same asset below it."""
        own = file_rows(self.basin, name) if self.basin != BASE else ()
        replaced = {next(iter(row.values())) for row in own}
        return [row for row in file_rows(BASE, name) if next(iter(row.values())) not in replaced] + list(own)

    def series(self, table: str, name: str, key: str, value: str) -> Floats:
        """Return a series on the calendar, from dated rows or a calendar profile."""
        rows = [row for row in self.read(table) if row[name] == key]
        if not rows:
            return np.zeros(len(self.calendar))
        if "month" in rows[0]:
            months = {int(row["month"]): float(row[value]) for row in rows}
            return np.array([months[int(month)] for month in self.calendar.months])
        starts = {row["start"]: float(row[value]) for row in rows}
        return np.array([starts[day.isoformat()] for day in self.calendar.starts])

    def before(self, table: str, name: str, key: str, value: str) -> list[float]:
        """Return the values of the days before the opening, the last day last."""
        days: list[float] = []
        for row in self.read(table):
            if row[name] == key and date.fromisoformat(row["start"]) < self.calendar.starts[0]:
                days += [float(row[value])] * int(row["days"])
        return days

    @property
    def kappa(self) -> Floats:
        """Volume of 1 m3/s in each period [hm3]."""
        return self.calendar.days * HM3_PER_M3S_DAY

    def arrivals(self, reach: Row, entered: Floats) -> Floats:
        """Return the flow arriving at the end of a reach [m3/s]."""
        icy = (
            in_months(self.calendar.months, int(reach["ice_first_month"]), int(reach["ice_last_month"]))
            if reach["ice_first_month"]
            else np.zeros(len(self.calendar), dtype=bool)
        )
        travel = np.where(icy, float(reach["ice_travel_days"]), float(reach["travel_days"]))
        limit = np.where(icy, float(reach["ice_capacity_m3s"]), float(reach["capacity_m3s"]))
        self.check(f"reach {reach['reach']}", entered, np.zeros(len(entered)), limit)
        shares = travel_shares(self.calendar, travel)
        count = len(self.calendar)
        volume = np.zeros(count + shares.shape[1])
        for delay in range(shares.shape[1]):
            volume[delay : delay + count] += entered * self.calendar.days * shares[:, delay]
        before = self.before("reach_observed", "reach", reach["reach"], "entered_m3s")
        volume[:count] += water_in_transit(self.calendar, before, float(travel[0]))[:count]
        result: Floats = volume[:count] / self.calendar.days * (1 - float(reach["loss"]))
        return result

    def check(self, what: str, values: Floats, low: Floats | float, high: Floats | float) -> None:
        """Note where values leave their limits."""
        for t in np.flatnonzero((values < np.asarray(low) - SLACK) | (values > np.asarray(high) + SLACK)):
            self.broken.append(f"{what} {self.calendar.starts[t]}: {values[t]:.4f}")


def lake_residual(replay: Replay, row: Row, joins: Floats, leaves: Floats) -> Floats:
    """Return what a lake's balance misses [hm3] for flows that join and leave [m3/s], shape (period,)."""
    lake = row["reservoir"]
    closing = replay.series("reservoir_observed", "reservoir", lake, "storage_hm3")
    opening = float(
        [
            r
            for r in replay.read("reservoir_observed")
            if r["reservoir"] == lake and date.fromisoformat(r["start"]) < replay.calendar.starts[0]
        ][-1]["storage_hm3"]
    )
    storage = np.concatenate([[opening], closing])
    depth = replay.series("reservoir_evaporation", "reservoir", lake, "evaporation_mm_per_day")
    area = (
        float(row["area_at_zero_km2"])
        + float(row["area_slope_km2_per_hm3"]) * (storage[:-1] + storage[1:]) / 2
    )
    evaporation = depth * replay.calendar.days * area * HM3_PER_MM_KM2
    replay.check(
        f"storage of {lake}", closing, float(row["minimum_storage_hm3"]), float(row["full_storage_hm3"])
    )
    levels = [float(r["storage_hm3"]) for r in replay.read("reservoir_level") if r["reservoir"] == lake]
    over = float(row["full_storage_hm3"])  # a surcharged lake: the end slope of its curve goes on
    replay.check(f"level curve of {lake}", closing, min(levels), max(*levels, over))
    result: Floats = np.diff(storage) + evaporation - replay.kappa * (joins - leaves)
    return result


def check_release(replay: Replay, row: Row, release: Floats) -> None:
    """Check a release against its limits, and in the basin below the free change, which is the largest seen there."""
    lake = row["reservoir"]
    turbine = sum(float(r["design_flow_m3s"]) for r in replay.read("powerhouse") if r["reservoir"] == lake)
    high = turbine + float(row["bypass_capacity_m3s"]) + float(row["spill_capacity_m3s"])
    replay.check(f"release of {lake}", release, least_release(replay, row, release), high)
    if replay.basin != BASE:
        return
    free = float(row["free_change_m3s_per_day"]) * replay.calendar.days[1:]
    replay.check(
        f"change of release of {lake}", np.concatenate([[0.0], np.abs(np.diff(release)) - free]), -np.inf, 0.0
    )


def least_release(replay: Replay, row: Row, release: Floats) -> Floats:
    """Return the least release [m3/s], shape (period,); zero where less was measured, which is remarked."""
    lake, least = row["reservoir"], float(row["minimum_release_m3s"])
    measured = {r["start"] for r in replay.read("reservoir_observed")
                if r["reservoir"] == lake and r["confidence"] == "measured"}
    low = (release < least) & np.array([day.isoformat() in measured for day in replay.calendar.starts])
    if low.any():
        down = release[low].min()
        replay.remarks.append(f"release of {lake}: {low.sum()} measured below {least:g}, down to {down:g} m3/s")
    return np.where(low, 0.0, least)


def replay_history(basin: str, calendar: Calendar) -> Replay:
    """Route history through the basin, node by node in flow order."""
    replay = Replay(basin, calendar)
    water = natural_water(replay)
    diverted = divert(replay, water)
    lakes = {row["node"]: row for row in replay.read("reservoir")}
    for node in flow_order(replay):
        taken = sum((flow for origin, flow in diverted if origin == node), np.zeros(len(calendar)))
        if node in lakes:
            pass_lake(replay, lakes[node], water, taken)
        else:
            flow = water[node] - taken - deliveries(replay, node, water[node] - taken)
            check_targets(replay, node, flow)
            pass_on(replay, node, flow, water)
    return replay


def flow_order(replay: Replay) -> list[str]:
    """Return the nodes so that what a node sends has arrived before the next is balanced.

    A lake that is filled from the river by a canal (Koksaray) stands before the node that it releases to: its
    observed flows are known beforehand.
    """
    sends = [(row["origin"], row["destination"]) for row in replay.read("reach")]
    sends += [(row["intake"], row["outfall"]) for row in replay.read("powerhouse")]
    sends += [(row["node"], row["outlet"]) for row in replay.read("reservoir")]
    back = {(down, up) for up, down in sends}
    sends += [
        (row["origin"], row["destination"])
        for row in replay.read("canal")
        if (row["origin"], row["destination"]) not in back
    ]
    left = [row["node"] for row in replay.read("node")]
    order = []
    while left:
        ready = next(node for node in left if not any(b == node and a in left for a, b in sends))
        order.append(ready)
        left.remove(ready)
    return order


def natural_water(replay: Replay) -> dict[str, Floats]:
    """Return what inflows and gains bring to each node [m3/s], shape (period,)."""
    water = {row["node"]: np.zeros(len(replay.calendar)) for row in replay.read("node")}
    inflows = replay.read("inflow")
    for row in inflows:
        whole = row["share_of"] or row["inflow"]
        parts = sum(float(other["share"]) for other in inflows if other["share_of"] == row["inflow"])
        share = float(row["share"]) if row["share_of"] else 1 - parts
        water[row["node"]] += share * replay.series("inflow_flow", "inflow", whole, "flow_m3s")
        if row["evaporation"] == "included":
            column = "evaporation_included_m3s"
            water[row["node"]] += replay.series("inflow_flow", "inflow", whole, column)
    for row in replay.read("gain"):
        water[row["node"]] += replay.series("gain_flow", "gain", row["gain"], "flow_m3s")
    return water


def divert(replay: Replay, water: dict[str, Floats]) -> list[tuple[str, Floats]]:
    """Bring the observed canal flows to their ends; return what each takes from its head [m3/s]."""
    diverted = []
    for row in replay.read("canal"):
        flow = replay.series("canal_observed", "canal", row["canal"], "flow_m3s")
        replay.check(f"canal {row['canal']}", flow, 0.0, float(row["capacity_m3s"]))
        diverted.append((row["origin"], flow))
        water[row["destination"]] += flow * (1 - float(row["loss"]))
    return diverted


def pass_lake(replay: Replay, row: Row, water: dict[str, Floats], taken: Floats) -> None:
    """Let a lake release what was observed, and note what its balance misses."""
    release = replay.series("reservoir_observed", "reservoir", row["reservoir"], "release_m3s")
    check_release(replay, row, release)
    missed = lake_residual(replay, row, water[row["node"]], release + taken)
    replay.residuals[row["reservoir"]] = float(np.abs(missed).max())
    water[row["outlet"]] += release


def check_targets(replay: Replay, node: str, flow: Floats) -> None:
    """Compare a flow with the targets at its node."""
    for table in ("instream", "sea"):
        for row in (r for r in replay.read(table) if r["node"] == node):
            target = replay.series(f"{table}_target", table, row[table], "target_m3s")
            replay.check(f"{table} {row[table]}", flow, target, np.inf)


def pass_on(replay: Replay, node: str, flow: Floats, water: dict[str, Floats]) -> None:
    """Send a flow through the run-of-river plant or the reach that begins at its node."""
    for plant in (r for r in replay.read("powerhouse") if r["intake"] == node and not r["reservoir"]):
        water[plant["outfall"]] += flow
        replay.check(f"plant {node}", flow, 0.0, np.inf)
    for reach in (r for r in replay.read("reach") if r["origin"] == node):
        water[reach["destination"]] += replay.arrivals(reach, flow)
        seen = replay.series("reach_observed", "reach", reach["reach"], "entered_m3s")
        if reach["reach"] != "kyzylorda_aral":
            replay.residuals[reach["reach"]] = float(np.abs((flow - seen) * replay.kappa).max())


def deliveries(replay: Replay, node: str, available: Floats) -> Floats:
    """Return what the demands of a node take [m3/s]: towns, what history passed on, fields, wetlands.

    At the end of a canal, delivery must not fall short of what arrives: the requirement is checked instead.
    """
    demands = [row for row in replay.read("demand") if row["node"] == node]
    total = np.zeros(len(available))
    passed = (
        replay.series("reach_observed", "reach", "kyzylorda_aral", "entered_m3s")
        if node == "kyzylorda"
        else np.zeros(len(available))
    )
    for use in ("town", "field", "wetland"):
        for row in (r for r in demands if r["use"] == use):
            need = replay.series("demand_requirement", "demand", row["demand"], "requirement_m3s")
            took = np.clip(available - total - passed, 0.0, need)
            total += took
            short = ((need - took) * replay.kappa).sum()
            print(
                f"  {row['demand']}: requirement {(need * replay.kappa).sum():.0f} hm3, short {short:.0f} hm3"
            )
    if demands and node != "kyzylorda":
        replay.check(f"room in the fields of {node}", total - available, 0.0, np.inf)
    return total


def main() -> int:
    """Print the residuals of every replay; return 1 if one is too large or a limit is broken."""
    bad = False
    for basin in sys.argv[1:] or SPANS:
        for first, last in SPANS[basin]:
            print(f"{basin}, {first} to {last}")
            replay = replay_history(basin, Calendar.between(first, last, "dekad"))
            for name, value in replay.residuals.items():
                print(f"  {name}: largest residual {value:.1e} hm3")
            for text in replay.remarks:
                print(f"  {text}")
            for text in replay.broken:
                print(f"  broken: {text}")
            bad |= bool(replay.broken) or max(replay.residuals.values()) > TOLERANCE
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
