"""The balances of a run, closed from its written tables and the basin's input tables alone.

Nothing of the engine is used: what the model should hold is written here a second time, on plain rows.
"""

import csv
import json
from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import yaml

DAY = 0.0864  # hm3 that 1 m3/s brings in a day
HOUR = 0.0036
CLOSE = 1e-6  # of the throughput, or of 1 where less passes
OWN = ("storage_change", "evaporation", "evaporation_included")


class Gap(NamedTuple):
    """A balance that does not close."""

    table: str
    what: str
    where: tuple
    residual: float


def residuals(folder, basin):
    """Return every balance of a result's folder that does not close."""
    return gaps(Run(folder, basin))


def gaps(run):
    """Return every balance of a run that does not close."""
    parts = (_reservoirs, _plants, _reaches, _nodes, _terms, _deliveries, _grids, _links)
    found = []
    for part in parts:
        for what, where, residual, throughput in part(run):
            if not abs(residual) <= CLOSE * max(1.0, abs(throughput)):
                found.append(Gap(part.__name__.strip("_"), what, where, residual))
    return found


class Run:
    """Written tables and input tables as rows of numbers and words."""

    def __init__(self, folder, basin):
        self.tables = {path.stem: _read(path) for path in folder.glob("*.csv")}
        folders = _with_included(basin)
        self.basin = _layered(folders)
        self.head_gap = json.loads((folder / "summary.json").read_text())["head_gap"]
        self.hours = {}
        for place in folders:
            self.hours.update(_settings(place).get("blocks", {}))
        self.periods = sorted({(row["start"], row["days"]) for row in self.tables["nodes"]})
        self._days, self._grouped = {}, {}

    def assets(self, name):
        return {row[name]: row for row in self.basin.get(name, ())}

    def may_grow(self, kind, asset):
        """Most that a project may add to an asset, in the unit of its kind."""
        projects = self.basin.get("project", ())
        return sum(row["maximum"] for row in projects if (row["kind"], row["asset"]) == (kind, asset))

    def rows(self, name, *keys):
        return {tuple(row[key] for key in keys): row for row in self.tables[name]}

    def rate(self, file, column, start, days, **key):
        """Mean of an input series over a period, from its daily values."""
        values = self._daily(file, column, key)
        first = date.fromisoformat(start)
        return sum(values(first + timedelta(days=k)) for k in range(int(days))) / days

    def on(self, file, column, day, **key):
        return self._daily(file, column, key)(day)

    def _daily(self, file, column, key):
        name = (file, column, *key.values())
        if name not in self._days:
            self._days[name] = _days_of(self._groups(file, tuple(key)).get(tuple(key.values()), []), column)
        return self._days[name]

    def _groups(self, file, keys):
        """Rows of an input table by the values of some columns."""
        if (file, keys) not in self._grouped:
            found = self._grouped[file, keys] = {}
            for row in self.basin[file]:
                found.setdefault(tuple(row[k] for k in keys), []).append(row)
        return self._grouped[file, keys]


def _settings(folder):
    return yaml.safe_load((folder / "basin.yaml").read_text(encoding="utf-8"))


def _with_included(folder):
    """A basin's folder after those that it includes."""
    found = []
    for name in _settings(folder).get("includes", ()):
        found += [place for place in _with_included(folder.parent / name) if place not in found]
    return [*found, folder]


def _layered(folders):
    """Rows of every table; those that a later folder has of an asset stand for all that an earlier one has of it."""
    tables = {}
    for folder in folders:
        for path in folder.glob("*.csv"):
            own = _read(path)
            if not own:
                continue
            key = next(iter(own[0]))
            named = {(row[key], row.get("block")) for row in own}
            kept = [row for row in tables.get(path.stem, ()) if (row[key], row.get("block")) not in named]
            tables[path.stem] = kept + own
    return tables


def _days_of(rows, column):
    if rows and "month" in rows[0]:
        months = {row["month"]: row[column] for row in rows}
        return lambda day: months[day.month]
    days = {}
    for row in rows:
        first = date.fromisoformat(row["start"])
        days.update({first + timedelta(days=k): row[column] for k in range(int(row["days"]))})
    return lambda day: days[day]


def _read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: _number(cell) for key, cell in row.items()} for row in csv.DictReader(file)]


def _number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


def level(points, storage):
    """Elevation of a lake: monotone cubic through (storage, elevation), tangents by weighted harmonic means."""
    x, y = zip(*points, strict=True)
    h = [b - a for a, b in pairwise(x)]
    d = [(b - a) / w for (a, b), w in zip(pairwise(y), h, strict=True)]
    m = [d[0], *(3 * (p + q) / ((2 * q + p) / e + (q + 2 * p) / f)
                 for (p, q), (e, f) in zip(pairwise(h), pairwise(d), strict=True)), d[-1]]
    i = max(k for k in range(len(h)) if k == 0 or x[k] <= storage)
    u = (storage - x[i]) / h[i]
    return (y[i] + (y[i + 1] - y[i]) * u * u * (3 - 2 * u)
            + h[i] * u * (1 - u) * (m[i] * (1 - u) - m[i + 1] * u))


def opening_storage(run, lake):
    before = date.fromisoformat(run.periods[0][0]) - timedelta(days=1)
    return run.on("reservoir_observed", "storage_hm3", before, reservoir=lake)


def _curve(run, lake):
    return sorted((row["storage_hm3"], row["elevation_m"]) for row in run.basin["reservoir_level"]
                  if row["reservoir"] == lake)


def _beyond(low, value, high):
    """By how much a value leaves its limits."""
    return max(low - value, 0.0) + (max(value - high, 0.0) if high != "" else 0.0)


# ---- water ------------------------------------------------------------------------------------------


def _evaporation(run, lake, start, days, mean):
    """Depth times area at mean storage, less what the inflow series is net of already [hm3]."""
    row = run.assets("reservoir")[lake]
    depth = run.rate("reservoir_evaporation", "evaporation_mm_per_day", start, days, reservoir=lake)
    area = row["area_at_zero_km2"] + row["area_slope_km2_per_hm3"] * mean
    lost = 1e-3 * depth * days * area
    back = sum(DAY * days * run.rate("inflow_flow", "evaporation_included_m3s", start, days, inflow=key)
               for key, inflow in run.assets("inflow").items() if inflow["reservoir"] == lake)
    return lost, back


def _reservoirs(run):
    rows = run.rows("release_schedule", "reservoir", "start")
    for lake, given in run.assets("reservoir").items():
        before, curve = opening_storage(run, lake), _curve(run, lake)
        most = given["full_storage_hm3"] + run.may_grow("reservoir", lake)
        for start, days in run.periods:
            row, where, k = rows[lake, start], (lake, start), DAY * days
            passed = k * (row["inflow_m3s"] + row["release_m3s"] + row["withdrawal_m3s"])
            kept = k * (row["inflow_m3s"] - row["release_m3s"] - row["withdrawal_m3s"]) - row["evaporation_hm3"]
            yield "storage", where, row["storage_hm3"] - before - kept, passed
            lost, back = _evaporation(run, lake, start, days, 0.5 * (before + row["storage_hm3"]))
            yield "evaporation", where, row["evaporation_hm3"] - lost + back, lost
            released = row["turbine_m3s"] + row["bypass_m3s"] + row["spill_m3s"]
            yield "release", where, row["release_m3s"] - released, released
            yield "elevation", where, row["elevation_m"] - level(curve, row["storage_hm3"]), row["elevation_m"]
            yield "storage limits", where, _beyond(
                given["minimum_storage_hm3"], row["storage_hm3"], most), row["storage_hm3"]
            yield "release limits", where, _beyond(given["minimum_release_m3s"], row["release_m3s"], ""), released
            yield "bypass limits", where, _beyond(0.0, row["bypass_m3s"], given["bypass_capacity_m3s"]), 1.0
            yield "spill limits", where, _beyond(0.0, row["spill_m3s"], given["spill_capacity_m3s"]), 1.0
            before = row["storage_hm3"]
    yield from _lakes_and_plants(run, rows)
    yield from _lakes_and_nodes(run, rows)


def _lakes_and_plants(run, rows):
    plants, energy, turbine = run.assets("powerhouse"), defaultdict(float), defaultdict(float)
    for row in run.tables["plants"]:
        lake = plants[row["plant"]]["reservoir"], row["start"]
        energy[lake] += row["energy_gwh"]
        turbine[lake] += HOUR * run.hours[row["block"]] * row["days"] * row["turbine_m3s"]
    for where, row in rows.items():
        yield "energy of its plants", where, row["energy_gwh"] - energy[where], energy[where]
        through = DAY * row["days"] * row["turbine_m3s"]
        yield "turbine flow by block", where, through - turbine[where], through


def _lakes_and_nodes(run, rows):
    """What enters a lake and what is taken from it are the ledger's lines of its node."""
    lakes, plants = run.assets("reservoir"), run.assets("powerhouse")
    enters, taken = defaultdict(float), defaultdict(float)
    for row in run.tables["nodes"]:
        for lake in (r for r in lakes if lakes[r]["node"] == row["node"]):
            own = row["item"] == lake if row["term"] != "turbine" else plants[row["item"]]["reservoir"] == lake
            if row["term"] not in OWN and not (own and row["term"] in ("turbine", "bypass", "spill")):
                enters[lake, row["start"]] += max(row["volume_hm3"], 0.0)
                taken[lake, row["start"]] += max(-row["volume_hm3"], 0.0)
    for where, row in rows.items():
        k = DAY * row["days"]
        yield "inflow by the ledger", where, k * row["inflow_m3s"] - enters[where], enters[where]
        yield "withdrawal by the ledger", where, k * row["withdrawal_m3s"] - taken[where], taken[where]


def _travel(run, reach, start):
    return _by_ice(reach, start, "travel_days")


def _by_ice(reach, start, column):
    """What holds in the period: the value under ice, where there is one, in the months with ice."""
    under_ice = reach[f"ice_{column}"]
    return under_ice if under_ice != "" and _icy(reach, start) else reach[column]


def _icy(reach, start):
    first, last, month = reach["ice_first_month"], reach["ice_last_month"], int(start[5:7])
    if "" in (first, last):
        return False
    return first <= month <= last if first <= last else month >= first or month <= last


def _before(run, name, reach):
    """What was under way at the start: (day it entered, m3/s, travel time)."""
    first = date.fromisoformat(run.periods[0][0])
    travel = _travel(run, reach, run.periods[0][0])
    for back in range(int(-(-travel // 1)), 0, -1):
        day = first - timedelta(days=back)
        yield -back, DAY * run.on("reach_observed", "entered_m3s", day, reach=name), travel


def _reaches(run):
    rows, first = run.rows("reaches", "reach", "start"), date.fromisoformat(run.periods[0][0])
    begin = {start: (date.fromisoformat(start) - first).days for start, _ in run.periods}
    for name, reach in run.assets("reach").items():
        waves = [(day, 1.0, volume, travel) for day, volume, travel in _before(run, name, reach)]
        under_way = sum(volume * _overlap(day + travel, 1.0, 0.0, 1e9) for day, _, volume, travel in waves)
        for start, days in run.periods:
            row, where = rows[name, start], (name, start)
            waves.append((begin[start], days, row["entered_hm3"], _travel(run, reach, start)))
            reaching = sum(volume / length * _overlap(day + travel, length, begin[start], days)
                           for day, length, volume, travel in waves)
            passed = row["entered_hm3"] + row["arrived_hm3"]
            yield "arrival by travel time", where, row["arrived_hm3"] + row["loss_hm3"] - reaching, passed
            yield "loss", where, row["loss_hm3"] - reach["loss"] * reaching, passed
            under_way += row["entered_hm3"] - reaching
            yield "in transit", where, row["in_transit_hm3"] - under_way, passed
            most = _by_ice(reach, start, "capacity_m3s")
            most = most if most == "" else DAY * days * most
            yield "channel capacity", where, _beyond(0.0, row["entered_hm3"], most), passed


def _overlap(begin, length, start, days):
    return max(min(begin + length, start + days) - max(begin, start), 0.0)


def _nodes(run):
    total, passed = defaultdict(float), defaultdict(float)
    for row in run.tables["nodes"]:
        total[row["node"], row["start"]] += row["volume_hm3"]
        passed[row["node"], row["start"]] += abs(row["volume_hm3"])
    for where, residual in total.items():
        yield "sum of terms", where, residual, passed[where]


def _terms(run):
    """Each line of the ledger is what the other tables and the inputs say."""
    ledger = {(row["node"], row["term"], row["item"], row["start"]): row["volume_hm3"] for row in run.tables["nodes"]}
    expected = dict(_expected(run))
    free = {key for key in ledger if key[1] in ("pass_by", "canal", "sea_inflow")}
    passed = defaultdict(float)
    for (node, _, _, start), volume in ledger.items():
        passed[node, start] += abs(volume)
    for key in (set(ledger) | set(expected)) - free:
        missing, throughput = float("inf"), expected.get(key, 0.0)
        if key[1] == "storage_change":  # a small difference of two storages of ten digits
            throughput = passed[key[0], key[3]]
        yield key[1], key, ledger.get(key, missing) - expected.get(key, missing), throughput
    for node, term, item, start in free:
        volume = ledger[node, term, item, start]
        if term == "sea_inflow":
            yield term, (item, start), max(volume, 0.0), 1.0
            continue
        asset = run.assets("canal" if term == "canal" else "powerhouse")[item]
        ends = ("origin", "destination") if term == "canal" else ("intake", "outfall")
        if node == asset[ends[0]]:
            arrives, days = ledger[asset[ends[1]], term, item, start], dict(run.periods)[start]
            loss = asset.get("loss", 0.0)
            lost, most = -loss * volume, ""
            if term == "canal":
                most = DAY * days * (asset["capacity_m3s"] + run.may_grow("canal", item))
                lined = DAY * days * loss * asset["capacity_m3s"] * run.may_grow("lining", item)
            saved = min(lined, lost) if term == "canal" else 0.0  # by lining, at most
            yield term, (item, start), _beyond(-volume - lost, arrives, -volume - lost + saved), volume
            yield f"{term} limits", (item, start), _beyond(0.0, -volume, most), volume


def _expected(run):
    yield from _expected_at_lakes(run)
    yield from _expected_inputs(run)
    yield from _returned(run)
    plants, turbine = run.assets("powerhouse"), defaultdict(float)
    for row in run.tables["plants"]:
        turbine[row["plant"], row["start"]] += HOUR * run.hours[row["block"]] * row["days"] * row["turbine_m3s"]
    for (plant, start), volume in turbine.items():
        yield (plants[plant]["intake"], "turbine", plant, start), -volume
        yield (plants[plant]["outfall"], "turbine", plant, start), volume
    reaches = run.assets("reach")
    for row in run.tables["reaches"]:
        reach = reaches[row["reach"]]
        yield (reach["origin"], "reach", row["reach"], row["start"]), -row["entered_hm3"]
        yield (reach["destination"], "reach", row["reach"], row["start"]), row["arrived_hm3"]
    for row in run.tables["deliveries"]:
        name, term = ("demand", "delivery") if row["kind"] == "site" else ("gain", "claim")
        yield (run.assets(name)[row["site"]]["node"], term, row["site"], row["start"]), -row["delivery_hm3"]


def _expected_at_lakes(run):
    lakes = run.assets("reservoir")
    before = {lake: opening_storage(run, lake) for lake in lakes}
    for row in sorted(run.tables["release_schedule"], key=lambda row: row["start"]):
        lake, start, days = row["reservoir"], row["start"], row["days"]
        node, outlet = lakes[lake]["node"], lakes[lake]["outlet"]
        yield (node, "storage_change", lake, start), before[lake] - row["storage_hm3"]
        lost, _ = _evaporation(run, lake, start, days, 0.5 * (before[lake] + row["storage_hm3"]))
        yield (node, "evaporation", lake, start), -lost
        for term in ("bypass", "spill"):
            yield (node, term, lake, start), -DAY * days * row[f"{term}_m3s"]
            yield (outlet, term, lake, start), DAY * days * row[f"{term}_m3s"]
        before[lake] = row["storage_hm3"]


def _expected_inputs(run):
    for start, days in run.periods:
        for key, inflow in run.assets("inflow").items():
            yield (inflow["node"], "inflow", key, start), DAY * days * _own_flow(run, key, start, days)
            if inflow["evaporation"] == "included":
                back = run.rate("inflow_flow", "evaporation_included_m3s", start, days, inflow=key)
                yield (inflow["node"], "evaporation_included", key, start), DAY * days * back
        for key, gain in run.assets("gain").items():
            flow = run.rate("gain_flow", "flow_m3s", start, days, gain=key)
            signs = {_sign(run, key, *period) for period in run.periods}
            if 1 in signs:
                yield (gain["node"], "net_gain", key, start), DAY * days * max(flow, 0.0)
            if -1 in signs and flow >= 0:
                yield (gain["node"], "claim", key, start), 0.0


def _own_flow(run, key, start, days):
    """What enters of an inflow at its own node: a part of the measured one, or what its parts leave of it."""
    inflows = run.assets("inflow")
    whole = inflows[key].get("share_of") or key
    parts = {k: row["share"] for k, row in inflows.items() if row.get("share_of") == whole}
    return parts.get(key, 1 - sum(parts.values())) * run.rate("inflow_flow", "flow_m3s", start, days, inflow=whole)


def _returned(run):
    """What comes back of deliveries: a share of each, some days later; before the start all was delivered in full."""
    first = date.fromisoformat(run.periods[0][0])
    delivered = run.rows("deliveries", "site", "start")
    for site, demand in run.assets("demand").items():
        share, later = demand.get("return_share") or 0.0, demand.get("return_days") or 0.0
        if not share:
            continue
        waves = [(-back, 1.0, DAY * run.on("demand_requirement", "requirement_m3s", first - timedelta(days=back),
                                           demand=site)) for back in range(1, int(later) + 2)]
        for start, days in run.periods:
            begin = (date.fromisoformat(start) - first).days
            waves.append((begin, days, delivered[site, start]["delivery_hm3"]))
            yield (demand["outfall"], "return_flow", site, start), share * sum(
                volume / length * _overlap(day + later, length, begin, days) for day, length, volume in waves)


def _sign(run, gain, start, days):
    return 1 if run.rate("gain_flow", "flow_m3s", start, days, gain=gain) >= 0 else -1


def _deliveries(run):
    rows = run.rows("deliveries", "site", "start")
    for start, days in run.periods:
        for site in run.assets("demand"):
            asked = DAY * days * run.rate("demand_requirement", "requirement_m3s", start, days, demand=site)
            yield "requirement", (site, start), rows[site, start]["requirement_hm3"] - asked, asked
        for gain in run.assets("gain"):
            claim = -DAY * days * run.rate("gain_flow", "flow_m3s", start, days, gain=gain)
            if claim > 0:
                yield "claim", (gain, start), rows[gain, start]["requirement_hm3"] - claim, claim
    for where, row in rows.items():
        missing = row["requirement_hm3"] - row["delivery_hm3"] - row["shortage_hm3"]
        yield "delivery and shortage", where, missing, row["requirement_hm3"]


# ---- energy -----------------------------------------------------------------------------------------


def _plants(run):
    plants, off, made = run.assets("powerhouse"), defaultdict(float), defaultdict(float)
    volumes, heads = defaultdict(dict), _heads(run)
    for row in run.tables["plants"]:
        plant, where = plants[row["plant"]], (row["plant"], row["start"], row["block"])
        hours = run.hours[row["block"]] * row["days"]
        volume = HOUR * hours * row["turbine_m3s"]
        by_head = 0.002725 * plant["efficiency"] * row["head_m"] * volume
        most = plant["capacity_mw"] + run.may_grow("powerhouse", row["plant"])
        yield "capacity", where, _beyond(plant["capacity_mw"], row["capacity_mw"], most), most
        yield "energy limits", where, _beyond(0.0, row["energy_gwh"], 1e-3 * row["capacity_mw"] * hours), by_head
        yield "flow limits", where, _beyond(0.0, row["turbine_m3s"], plant["design_flow_m3s"]), row["turbine_m3s"]
        if plant["reservoir"]:
            off[row["plant"]] += abs(row["energy_gwh"] - by_head)
            made[row["plant"]] += by_head
            head = heads[plant["reservoir"], row["start"]] - plant["tailwater_m"]
            yield "head", where, row["head_m"] - head, head
        else:
            yield "energy", where, row["energy_gwh"] - by_head, by_head
            yield "head", where, row["head_m"] - plant["head_m"], plant["head_m"]
            volumes[row["plant"], row["start"], row["days"]][row["block"]] = volume
    for plant, energy in made.items():
        yield "energy within the head gap", (plant,), max(off[plant] - 1.01 * run.head_gap * energy, 0.0), energy
    for (plant, start, days), by_block in volumes.items():
        for block, volume in by_block.items():
            shifted = volume - sum(by_block.values()) * run.hours[block] / 24
            pond = plants[plant]["pondage_hm3"] * days
            yield "pondage", (plant, start, block), _beyond(-pond, shifted, pond), volume


def _heads(run):
    """Elevation at the mean of opening and closing storage."""
    found, before = {}, {}
    for row in sorted(run.tables["release_schedule"], key=lambda row: row["start"]):
        lake = row["reservoir"]
        mean = 0.5 * (before.get(lake, opening_storage(run, lake)) + row["storage_hm3"])
        found[lake, row["start"]] = level(_curve(run, lake), mean)
        before[lake] = row["storage_hm3"]
    return found


def _grids(run):
    hydro, sent, got = defaultdict(float), defaultdict(float), defaultdict(float)
    plants, loaded = run.assets("powerhouse"), {row["grid"] for row in run.basin.get("grid_load", ())}
    for row in run.tables["plants"]:
        hydro[plants[row["plant"]]["grid"], row["start"], row["block"]] += row["energy_gwh"]
    for row in run.tables["links"]:
        sent[row["from"], row["start"], row["block"]] += row["sent_gwh"]
        got[row["to"], row["start"], row["block"]] += row["sent_gwh"] - row["lost_gwh"]
    for row in run.tables["energy"]:
        where = row["grid"], row["start"], row["block"]
        hours = 1e-3 * run.hours[row["block"]] * row["days"]
        load = hours * run.rate("grid_load", "load_mw", row["start"], row["days"], grid=row["grid"],
                                block=row["block"]) if row["grid"] in loaded else 0.0
        gives = sum(row[f"{name}_gwh"] for name in ("hydro", "other_hydro", "thermal", "import", "exchange",
                                                    "unserved"))
        passed = load + row["export_gwh"] + row["import_gwh"]
        yield "sum of columns", where, gives - row["load_gwh"] - row["export_gwh"], passed
        yield "load", where, row["load_gwh"] - load, load
        yield "hydro", where, row["hydro_gwh"] - hydro[where], hydro[where]
        yield "export", where, row["export_gwh"] - sent[where], sent[where]
        yield "import", where, row["import_gwh"] - got[where], got[where]
        for kind, column in (("thermal", "thermal_gwh"), ("hydro", "other_hydro_gwh")):
            low, high = (hours * power for power in _units(run, row, kind))
            yield f"{kind} units", where, _beyond(low, row[column], high), high


def _units(run, row, kind):
    units = [key for key, unit in run.assets("unit").items() if (unit["grid"], unit["kind"]) == (row["grid"], kind)]
    built = {row["asset"]: row["maximum"] for row in run.basin.get("project", ()) if row["kind"] == "unit"}
    least, most = (sum(factor.get(key, 1.0) * run.rate("unit_output", column, row["start"], row["days"], unit=key)
                       for key in units) for column, factor in (("must_run_mw", {}), ("available_mw", built)))
    return least, most


def _links(run):
    links = run.assets("link")
    for row in run.tables["links"]:
        link, where = links[row["link"]], (row["link"], row["from"], row["start"], row["block"])
        limit = link["capacity_mw" if row["from"] == link["origin"] else "reverse_capacity_mw"]
        most = 1e-3 * limit * run.hours[row["block"]] * row["days"]
        yield "loss", where, row["lost_gwh"] - link["loss"] * row["sent_gwh"], row["sent_gwh"]
        yield "limit", where, row["limit_mw"] - limit, limit
        yield "energy sent", where, _beyond(0.0, row["sent_gwh"], most), row["sent_gwh"]
