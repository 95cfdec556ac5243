"""Powerhouses: energy from water that falls, at storage dams (head follows storage) and run-of-river dams.

Energy of a storage plant is bilinear in flow and storage. The LP holds its first-order form around a storage
path (head.py says how the path is found); `head_energy` and `head_slope` are the slots of that form.
"""

import numpy as np

from wateropt.errors import Problem
from wateropt.tables import Column, Series
from wateropt.units import GRAVITY_ENERGY

NAME = "powerhouse"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("intake", "text", "node the water is taken from", refers="node"),
    Column("outfall", "text", "node the water falls to", refers="node"),
    Column("reservoir", "text", "reservoir whose level gives the head; empty for run-of-river", default="",
           refers="reservoir"),
    Column("grid", "text", "grid that is fed", refers="grid"),
    Column("country", "text", "country of the plant", refers="country"),
    Column("capacity", "MW", "installed capacity", low=0.0),
    Column("design_flow", "m3/s", "most the turbines swallow", low=0.0),
    Column("efficiency", "1", "turbine and generator", low=0.01, high=1.0),
    Column("head", "m", "mean head of a run-of-river plant", low=0.1, default=None),
    Column("tailwater", "m", "tailwater level of a storage plant", default=None),
    Column("pondage", "hm3", "live volume that is shifted within a day by a run-of-river plant", low=0.0, default=0.0),
)
SERIES = (
    Series("available", (Column("available", "1", "part of the turbines that may run", low=0.0, high=1.0),),
           "turbines out of work, or not yet there; a plant without rows has all of them", required=False,
           optional_file=True),
)


def head_is_known(tables):
    """Find storage plants without a tailwater level and run-of-river plants without a head."""
    plants = tables[NAME]
    for p in plants:
        needed = "tailwater" if plants.reservoir[p] else "head"
        if plants.columns[needed][p] is None:
            yield Problem("powerhouse.csv", plants.places[p], f"`{needed}_m` is empty; fill it in")


RULES = (head_is_known,)


def build(stage, plants):
    """Add turbines and their energy by load block."""
    runs = {p: plants.raw("design_flow")[p] * plants.raw("available").get(p, 1.0) for p in plants}
    turbine = stage.variable("turbine", plants, "m^3/s", upper=runs)
    by_block = [(p, b) for p in plants for b in stage.blocks]
    flow = stage.variable("block_turbine", by_block, "m^3/s", upper={(p, b): runs[p] for p, b in by_block})
    grows = {p: stage.expansion(NAME, p) for p in plants}
    energy = stage.variable("energy", by_block, "GWh", upper=lambda p, b: stage.gwh_per_mw[b] * (
        plants.capacity[p] + (grows[p][1] if grows[p] else 0.0)))
    river = plants.where(lambda p: not plants.reservoir[p])
    storage = plants.where(lambda p: bool(plants.reservoir[p]))

    stage.send("turbine", plants, plants.intake, plants.outfall, lambda p: turbine[p])
    # (P1) the load blocks share the turbined volume
    stage.constrain("turbine_blocks", plants, lambda p: sum(stage.block_hm3[b] * flow[p, b] for b in stage.blocks)
                    == stage.hm3 * turbine[p], "hm^3")
    # (P6) a plant that may be built larger gives no more than is built
    stage.constrain("energy_built", [(p, b) for p, b in by_block if grows[p]], lambda p, b: energy[p, b]
                    <= stage.gwh_per_mw[b] * (plants.capacity[p] + stage.number(1.0, "MW") * grows[p][0]), "GWh")
    _run_of_river(stage, plants, river, turbine, flow, energy)
    _storage_plants(stage, plants, storage, flow, energy)
    stage.feed("hydro", plants, plants.grid, lambda p, b: energy[p, b])


def _run_of_river(stage, plants, river, turbine, flow, energy):
    pass_by = stage.variable("pass_by", river, "m^3/s")
    stage.send("pass_by", river, plants.intake, plants.outfall, lambda p: pass_by[p])
    per_m = stage.number(GRAVITY_ENERGY, "GWh/(hm^3*m)")
    both = [(p, b) for p in river for b in stage.blocks]
    # (P2) energy = 0.002725 x efficiency x head x volume
    stage.constrain("river_energy", both, lambda p, b: energy[p, b] == per_m * plants.efficiency[p] * plants.head[p]
                    * stage.block_hm3[b] * flow[p, b], "GWh")
    # (P3) a load block gets its share of the day's water, but for what the pond shifts
    pond = stage.variable("pond_shift", both, "hm^3", lower=lambda p, _: -plants.pondage[p] * stage.days,
                          upper=lambda p, _: plants.pondage[p] * stage.days)
    stage.constrain("block_flow", both, lambda p, b: stage.block_hm3[b] * flow[p, b]
                    == stage.block_hm3[b] * turbine[p] + pond[p, b], "hm^3")


def _storage_plants(stage, plants, storage, flow, energy):
    level = stage.states["storage"]
    lake = plants.reservoir
    mean = stage.variable("mean_storage", storage, "hm^3", lower=None)
    # (P4) the head follows the mean of opening and closing storage
    stage.constrain("mean_storage_total", storage,
                    lambda p: mean[p] == 0.5 * (level.opening[lake[p]] + level.closing[lake[p]]), "hm^3")
    # (P5) first-order energy: k(S0) v + v0 k'(S0) (S - S0)
    both = [(p, b) for p in storage for b in stage.blocks]
    zero = np.zeros(len(stage.book.calendar))
    per_hm3 = stage.slot("head_energy", dict.fromkeys(storage, zero), "GWh/hm^3")
    slope = stage.slot("head_slope", dict.fromkeys(both, zero), "GWh/hm^3")
    around = stage.slot("head_storage", dict.fromkeys(storage, zero), "hm^3")
    stage.constrain("storage_energy", both, lambda p, b: energy[p, b] == per_hm3[p] * stage.block_hm3[b] * flow[p, b]
                    + slope[p, b] * (mean[p] - around[p]), "GWh")


def derive(values, table, curves):
    """Return head [m] and available capacity [MW] of each plant and period.

    Args:
        values: result arrays by variable, `storage` with its opening in front.
        table: the powerhouse table.
        curves: reservoir -> level curve.
    """
    head = {}
    for p in table:
        lake = table.reservoir[p]
        if lake:
            storage = values.with_opening("storage", lake)
            head[p] = curves[lake].elevation(0.5 * (storage[:-1] + storage[1:])) - table.tailwater[p]
        else:
            head[p] = np.full(values.periods, table.head[p])
    return {"head": head}
