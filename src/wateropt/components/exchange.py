"""Net exchange curves: what the rest of a neighbour's power system gives or takes, step by step.

A supply step gives energy at its price (contract, replacement fuel, scarcity); an absorb step takes energy and
saves its price in fuel.
"""

from wateropt.tables import Column, Series
from wateropt.units import MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "exchange"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("grid", "text", "grid it stands behind", refers="grid"),
    Column("country", "text", "country that bears its cost", refers="country"),
    Column("direction", "text", "gives to the grid or takes from it", choices=("supply", "absorb")),
)
SERIES = (
    Series("step", (Column("limit", "MW", "width of the step", low=0.0),
                    Column("price", "USD/MWh", "cost of supply, or cost saved by absorbing", low=0.0)),
           "width and price of each step"),
)
RULES = ()


def build(stage, steps):
    """Add the steps of all curves."""
    limit = stage.datum("exchange_limit", steps, steps.raw("limit"), "MW")
    both = [(x, b) for x in steps for b in stage.blocks]
    energy = stage.variable("exchanged", both, "GWh")
    sign = {x: 1 if steps.direction[x] == "supply" else -1 for x in steps}

    # (X1) each step is as wide as its limit
    stage.constrain("exchange_width", both, lambda x, b: energy[x, b] <= stage.gwh_per_mw[b] * limit[x], "GWh")
    # (X2) supply feeds the grid, absorption draws from it
    stage.feed("exchange", steps, steps.grid, lambda x, b: sign[x] * energy[x, b])
    # (X3) supply costs fuel, absorption saves it
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    stage.account("exchange", both, steps.country, lambda x, b: sign[x] * to_musd * steps.price[x] * energy[x, b])
