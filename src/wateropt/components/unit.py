"""Generating units outside the river: thermal plants, and hydropower on rivers that are not modelled."""

from wateropt.errors import Problem
from wateropt.tables import Column, Series
from wateropt.units import MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "unit"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("grid", "text", "grid that is fed", refers="grid"),
    Column("country", "text", "country that pays its fuel", refers="country"),
    Column("kind", "text", "what drives it", choices=("thermal", "hydro")),
    Column("cost", "USD/MWh", "fuel and variable cost", low=0.0),
)
SERIES = (
    Series("output", (Column("available", "MW", "most it gives", low=0.0),
                      Column("must_run", "MW", "least it gives (heat, inflow)", low=0.0)), "availability and must-run"),
)
TERMS = {"thermal": "thermal", "hydro": "other_hydro"}


def fuel_costs(tables):
    """Find thermal units whose output costs nothing."""
    units = tables[NAME]
    for u in units:
        if units.kind[u] == "thermal" and units.cost[u] <= 0:
            yield Problem("unit.csv", units.places[u], "a thermal unit needs a fuel cost above zero")


RULES = (fuel_costs,)


def build(stage, units):
    """Add units."""
    there = units.where(lambda u: not stage.expansion(NAME, u))
    available = stage.datum("available_capacity", there, units.raw("available"), "MW")
    must_run = stage.datum("must_run", units, units.raw("must_run"), "MW")
    both = [(u, b) for u in units for b in stage.blocks]
    output = stage.variable("output", both, "GWh")

    grows = {u: stage.expansion(NAME, u) for u in units}
    standing = [(u, b) for u, b in both if not grows[u]]
    # (T1) must-run <= output <= what is available
    stage.constrain("output_available", standing, lambda u, b: output[u, b]
                    <= stage.gwh_per_mw[b] * available[u], "GWh")
    # (T3) of a unit that may be built, `available` is what each MW built gives
    stage.constrain("output_built", [key for key in both if key not in standing], lambda u, b: output[u, b]
                    <= stage.gwh_per_mw[b] * units.available[u] * grows[u][0], "GWh")
    stage.constrain("output_must_run", both, lambda u, b: output[u, b] >= stage.gwh_per_mw[b] * must_run[u], "GWh")
    for kind, term in TERMS.items():
        stage.feed(term, units.where(lambda u, kind=kind: units.kind[u] == kind), units.grid, lambda u, b: output[u, b])
    # (T2) output costs fuel
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    stage.account("generation", both, units.country, lambda u, b: to_musd * units.cost[u] * output[u, b])
