"""Inflows: natural, incremental water that enters the river at a node."""

from wateropt.errors import Problem
from wateropt.tables import Column, Series

NAME = "inflow"
COLUMNS = (
    Column("node", "text", "node where the water enters", refers="node"),
    Column("country", "text", "country where it forms", refers="country"),
    Column("evaporation", "text", "whether the series is already net of a reservoir's evaporation",
           choices=("included", "excluded")),
    Column("reservoir", "text", "that reservoir; empty if excluded", default="", refers="reservoir"),
)
SERIES = (
    Series("flow", (
        Column("flow", "m3/s", "measured inflow", low=0.0),
        Column("evaporation_included", "m3/s", "evaporation of the observed storage path that the series is net of",
               default=0.0, low=0.0),
    ), "measured or reconstructed inflow"),
)


def says_what_it_includes(tables):
    """Find series that are net of evaporation and name no reservoir, and the other way round."""
    inflows = tables[NAME]
    for key in inflows:
        if (inflows.evaporation[key] == "included") != bool(inflows.reservoir[key]):
            yield Problem("inflow.csv", inflows.places[key],
                          "`reservoir` must be given exactly if evaporation is included")


RULES = (says_what_it_includes,)


def build(stage, inflows):
    """Add what flows in.

    >>> from wateropt.components import inflow
    >>> [column.header for column in inflow.COLUMNS][:2]
    ['node', 'country']
    """
    flow = stage.datum("inflow", inflows, inflows.raw("flow"), "m^3/s")

    # (I1) inflow enters at its node
    stage.gain("inflow", inflows, inflows.node, lambda i: stage.hm3 * flow[i])
    # (I2) evaporation that the series is net of is given back: the reservoir subtracts its own
    net = inflows.where(lambda i: inflows.evaporation[i] == "included")
    given_back = stage.datum("evaporation_included", net, inflows.raw("evaporation_included"), "m^3/s")
    stage.gain("evaporation_included", net, inflows.node, lambda i: stage.hm3 * given_back[i])
