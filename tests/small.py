"""Small basins whose optimum can be found by hand, written as the files that a user would write."""

import csv
import json
from collections import defaultdict

import wateropt

SETTINGS = {
    "name": "small", "title": "A small basin", "countries": {"A": "Upstream", "B": "Downstream"}, "price_year": 2023,
    "blocks": {"peak": 6, "rest": 18}, "shortage_steps": [{"up_to": 1.0, "factor": 1.0}],
}
SCENARIO = {"title": "small", "basin": "basin", "start": "2023-01-01", "end": "2023-02-28", "step": "month",
            "closing": {"storage": "free", "transit": "free"}}
NODE_COLUMNS = ("node", "outlet", "origin", "destination", "intake", "outfall")
GRIDDED = ("link", "exchange")
STEPS = [{"up_to": 0.1, "factor": 1.0}, {"up_to": 0.5, "factor": 2.0}, {"up_to": 1.0, "factor": 4.0}]


class SmallBasin:
    """A basin under construction: each verb adds an asset, `load` writes the files and reads them back."""

    def __init__(self, **settings):
        self.settings = {**SETTINGS, **settings}
        self.tables = defaultdict(list)

    def add(self, table, **row):
        self.tables[table].append({"name": row[table], **row} if table not in ("inflow", "gain", "joint") else row)
        return self

    def profile(self, table, key, **columns):
        """Add a calendar profile: one number, or one for each month."""
        for month in range(1, 13):
            cells = {c: v[month - 1] if isinstance(v, list) else v for c, v in columns.items()}
            self.tables[table].append({**key, "month": month, **cells})
        return self

    def dated(self, table, key, calendar, **columns):
        """Add a series with a value for each period of a calendar."""
        for t, (start, days) in enumerate(zip(calendar.starts, calendar.days, strict=True)):
            cells = {c: v[t] for c, v in columns.items()}
            self.tables[table].append({**key, "start": start.isoformat(), "days": int(days), **cells})
        return self

    def inflow(self, name, node, flow=None, country="A"):
        self.tables["inflow"].append({"inflow": name, "node": node, "country": country, "evaporation": "excluded",
                                      "reservoir": ""})
        return self if flow is None else self.profile("inflow_flow", {"inflow": name}, flow_m3s=flow)

    def part(self, name, node, whole, share, country="A"):
        """Add a part of a measured inflow."""
        self.inflow(name, node, country=country)
        self.tables["inflow"][-1] |= {"share_of": whole, "share": share}
        return self

    def gain(self, name, node, flow, price, country="A"):
        self.tables["gain"].append({"gain": name, "node": node, "country": country, "unmet_cost_usd_per_m3": price})
        return self.profile("gain_flow", {"gain": name}, flow_m3s=flow)

    def lake(self, name, outlet, levels=((0, 100), (500, 150), (1000, 200)), evaporation=0.0, **given):
        usual = {"reservoir": name, "node": name, "outlet": outlet, "country": "A", "minimum_storage_hm3": 0,
                 "full_storage_hm3": 1000, "minimum_release_m3s": 0, "area_at_zero_km2": 0,
                 "area_slope_km2_per_hm3": 0, "free_change_m3s_per_day": "", "change_price_usd_per_m3s": 0}
        self.tables["reservoir_level"] += [
            {"reservoir": name, "storage_hm3": storage, "elevation_m": z} for storage, z in levels]
        self.profile("reservoir_evaporation", {"reservoir": name}, evaporation_mm_per_day=evaporation)
        return self.add("reservoir", **{**usual, **given})

    def demand(self, name, node, requirement, value, weight=1.0, **given):
        usual = {"demand": name, "node": node, "country": "B", "use": "field", "value_usd_per_m3": value}
        self.profile("demand_requirement", {"demand": name}, requirement_m3s=requirement)
        self.profile("demand_sensitivity", {"demand": name}, weight=weight)
        return self.add("demand", **{**usual, **given})

    def sink(self, name, node, target=0.0, penalty=0.0):
        self.profile("sea_target", {"sea": name}, target_m3s=target)
        return self.add("sea", sea=name, node=node, country="B", penalty_usd_per_m3=penalty)

    def reach(self, name, origin, destination, travel, loss=0.0, before=0.0, **given):
        self.profile("reach_observed", {"reach": name}, entered_m3s=before)
        usual = {"reach": name, "origin": origin, "destination": destination, "travel_days": travel, "loss": loss}
        self.tables["reach"].append({**usual, **given})
        return self

    def canal(self, name, origin, destination, capacity, loss=0.0):
        return self.add("canal", canal=name, origin=origin, destination=destination, country="B",
                        capacity_m3s=capacity, loss=loss)

    def instream(self, name, node, target, penalty):
        self.tables["instream"].append({"instream": name, "node": node, "penalty_usd_per_m3": penalty})
        return self.profile("instream_target", {"instream": name}, target_m3s=target)

    def plant(self, name, intake, outfall, **given):
        usual = {"powerhouse": name, "intake": intake, "outfall": outfall, "grid": "grid", "country": "A",
                 "capacity_mw": 1e4, "design_flow_m3s": 1e4, "efficiency": 0.9, "pondage_hm3": 100}
        return self.add("powerhouse", **{**usual, **given})

    def grid(self, name="grid", country="A", unserved=1000.0, load=0.0):
        for block in self.settings["blocks"]:
            self.profile("grid_load", {"grid": name, "block": block}, load_mw=load)
        return self.add("grid", grid=name, country=country, unserved_cost_usd_per_mwh=unserved)

    def exchange(self, name, direction, price, limit=1e5, grid="grid", country="A"):
        self.profile("exchange_step", {"exchange": name}, limit_mw=limit, price_usd_per_mwh=price)
        return self.add("exchange", exchange=name, grid=grid, country=country, direction=direction)

    def link(self, name, origin, destination, capacity, loss=0.0, price=0.0, back=0.0):
        self.tables["link"].append({"link": name, "origin": origin, "destination": destination, "capacity_mw": capacity,
                                    "reverse_capacity_mw": back, "loss": loss, "price_usd_per_mwh": price})
        return self

    def unit(self, name, cost, available, must_run=0.0, grid="grid", country="A", kind="thermal"):
        self.profile("unit_output", {"unit": name}, available_mw=available, must_run_mw=must_run)
        return self.add("unit", unit=name, grid=grid, country=country, kind=kind, cost_usd_per_mwh=cost)

    def joint(self, name, plant, owner, grid, share, price=20.0, window="period"):
        """Add a part of a plant that another country owns."""
        return self.add("joint", joint=name, powerhouse=plant, owner=owner, grid=grid, share=share, window=window,
                        sell_back_price_usd_per_mwh=price)

    def project(self, name, kind, asset, maximum, cost, country="A"):
        """Add capacity that may be built; the cost is in million USD a year for each unit."""
        return self.add("project", project=name, kind=kind, asset=asset, country=country, maximum=maximum,
                        annual_cost=cost)

    def load(self, folder, **scenario):
        """Write the basin and a scenario of two months (or another one), and return the case."""
        self.write(folder / "basin")
        (folder / "small.yaml").write_text(json.dumps({**SCENARIO, **scenario}), encoding="utf-8")
        return wateropt.load(str(folder / "small.yaml"))

    def write(self, folder, reference=None):
        reference = reference or {"key": "made", "citation": "made up"}
        said = {"source": reference["key"], "confidence": "assumed" if reference["key"] == "made" else "reported"}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "basin.yaml").write_text(json.dumps(self.settings), encoding="utf-8")
        places = {row[c] for table, rows in self.tables.items() if table not in GRIDDED for row in rows
                  for c in NODE_COLUMNS if row.get(c)}
        nodes = [{"node": n, "name": n, "country": "A", "x": 0, "y": 0} for n in sorted(places)]
        for name, rows in {**self.tables, "node": nodes}.items():
            _write(folder / f"{name}.csv", [{**row, **said} for row in rows])
        _write(folder / "references.csv", [reference])


ALL_CLAUSES = [
    {"kind": "season_volume", "clause": "season", "reservoir": "lake", "sense": ">=", "first_month": 1,
     "last_month": 2, "quantity_hm3": 65, "penalty_usd_per_m3": 0.05},
    {"kind": "storage_target", "clause": "date", "reservoir": "lake", "sense": "<=", "month": 1,
     "quantity_hm3": 700, "penalty_usd_per_m3": 0.02},
    {"kind": "flow_share", "clause": "river", "share": 0.4, "first_month": 10, "last_month": 9,
     "resource": ["inflow river", "inflow brook", "net_gain side", "return_flow field", "- evaporation lake"],
     "credit": ["delivery field", "claim side", "passing town mouth"], "penalty_usd_per_m3": 0.03},
    {"kind": "minimum_flow", "clause": "passing", "origin": "lake", "destination": "below", "first_month": 2,
     "last_month": 2, "quantity_m3s": 60, "penalty_usd_per_m3": 0.02},
    {"kind": "energy_share", "clause": "part", "powerhouse": "high", "grid": "other", "share": 0.2, "first_month": 1,
     "last_month": 2, "penalty_usd_per_mwh": 20},
    {"kind": "energy_swap", "clause": "swap", "link": "line", "debtor": "grid", "first_month": 1, "last_month": 1,
     "take_gwh": 20, "repay_first_month": 2, "repay_last_month": 2, "repay_gwh": 10, "opening_gwh": 5,
     "penalty_usd_per_mwh": 200},
]


def everything(folder, **scenario):
    """The case of a small basin with every kind of asset, project, zone and clause."""
    return everything_basin().load(folder, **{
        "opening": {"storage": {"lake": 500}, "release": {"lake": 100}}, "closing_value": {"lake": 0.01},
        "policies": ALL_CLAUSES, **scenario})


def everything_basin():
    """That basin, still to be written."""
    basin = (SmallBasin(shortage_steps=STEPS).inflow("river", "lake", 100).part("brook", "below", "river", 0.2)
             .gain("side", "below", [20] + [-10] * 11, 0.2)
             .lake("lake", "below", free_change_m3s_per_day=1, change_price_usd_per_m3s=5, evaporation=1.0,
                   area_at_zero_km2=5, area_slope_km2_per_hm3=0.05)
             .plant("high", "lake", "below", reservoir="lake", tailwater_m=50, capacity_mw=80)
             .plant("low", "below", "town", head_m=20)
             .reach("reach", "town", "mouth", 5.5, loss=0.1, capacity_m3s=500)
             .canal("canal", "below", "far", 50, loss=0.1)
             .demand("field", "far", 70, 0.05, return_share=0.3, return_days=40, outfall="town")
             .instream("least", "below", 30, 0.3).sink("end", "mouth", 10, 0.1)
             .grid(load=300).grid("other", "B").exchange("seller", "supply", 50, grid="other", country="B")
             .link("line", "other", "grid", 100, loss=0.02, price=30, back=50).unit("thermal", 40, 100, must_run=10)
             .unit("wind", 0, [0.3, 0.2] + [0.25] * 10, kind="hydro").joint("part_of_b", "high", "B", "other", 0.3))
    for kind, asset, most, cost in (("reservoir", "lake", 100, 0.01), ("powerhouse", "high", 50, 0.02),
                                    ("canal", "canal", 10, 0.05), ("lining", "canal", 1, 1.0),
                                    ("unit", "wind", 200, 0.05)):
        basin.project(f"more_{kind}", kind, asset, most, cost)
    for month in range(1, 13):
        basin.tables["reservoir_zone"].append({
            "reservoir": "lake", "zone": "buffer", "month": month, "zone_storage_hm3": 300.0,
            "price_below_usd_per_m3": 0.01, "price_above_usd_per_m3": 0.0})
    return basin


def _write(path, rows):
    header = dict.fromkeys(column for row in rows for column in row)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
