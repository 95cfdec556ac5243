"""Grids: load by block, and what it costs when it is not served."""

import numpy as np

from wateropt.tables import Column, Series
from wateropt.units import GWH_PER_MWH, MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "grid"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("country", "text", "country it serves", refers="country"),
    Column("unserved_cost", "USD/MWh", "cost of energy that is not served", low=0.0),
)
SERIES = (
    Series("load", (Column("load", "MW", "mean load within the block", low=0.0),), "load; a grid that an exchange "
           "curve stands for has none", keys=("block",), required=False,
           optional_file=True),
)
RULES = ()


def build(stage, grids):
    """Add loads and unserved energy."""
    calendar, hours = stage.book.calendar, stage.book.blocks
    power = grids.raw("load")
    given = [key for key in power if not np.isnan(power[key]).any()]
    loaded = sorted({g for g, _ in given})
    energy = {(g, b): power[g, b] * calendar.days * hours[b] * GWH_PER_MWH for g, b in given}
    load = stage.datum("grid_load", given, energy, "GWh")
    unserved = stage.variable("unserved", given, "GWh")

    # (N1) load takes energy from its grid; what is not served is made up
    stage.feed("load", loaded, _own(loaded), lambda g, b: -load[g, b])
    stage.feed("unserved", loaded, _own(loaded), lambda g, b: unserved[g, b])
    # (N2) and costs the country
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    stage.account("unserved_energy", given, grids.country,
                  lambda g, b: to_musd * grids.unserved_cost[g] * unserved[g, b])


def _own(loaded):
    return {g: g for g in loaded}
