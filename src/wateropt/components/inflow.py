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
    Column("share_of", "text", "measured inflow that this is a part of; empty if it has rows of its own", default="",
           refers="inflow"),
    Column("share", "1", "which part of it", default=1.0, low=0.0, high=1.0),
)
SERIES = (
    Series("flow", (
        Column("flow", "m3/s", "measured inflow", low=0.0),
        Column("evaporation_included", "m3/s", "evaporation of the observed storage path that the series is net of",
               default=0.0, low=0.0),
    ), "measured or reconstructed inflow", unless="share_of"),
)


def says_what_it_includes(tables):
    """Find series that are net of evaporation and name no reservoir, and the other way round."""
    inflows = tables[NAME]
    for key in inflows:
        if (inflows.evaporation[key] == "included") != bool(inflows.reservoir[key]):
            yield Problem("inflow.csv", inflows.places[key],
                          "`reservoir` must be given exactly if evaporation is included")


def parts_stay_within_the_whole(tables):
    """Find parts of a part, and parts that are more than the whole."""
    inflows = tables[NAME]
    for key in inflows:
        whole = inflows.share_of[key]
        if whole and inflows.share_of[whole]:
            yield Problem("inflow.csv", inflows.places[key], f"`{whole}` is a part itself; name the measured inflow")
        if sum(inflows.share[k] for k in inflows if inflows.share_of[k] == key) > 1:
            yield Problem("inflow.csv", inflows.places[key], "its parts are more than the whole; lower a `share`")


RULES = (says_what_it_includes, parts_stay_within_the_whole)


def build(stage, inflows):
    """Add what flows in.

    >>> from wateropt.components import inflow
    >>> [column.header for column in inflow.COLUMNS][:2]
    ['node', 'country']
    """
    whole = inflows.where(lambda i: not inflows.share_of[i])
    flow = stage.datum("inflow", whole, inflows.raw("flow"), "m^3/s")
    parts = {i: [k for k in inflows if inflows.share_of[k] == i] for i in whole}

    def own_flow(i):
        if inflows.share_of[i]:
            return inflows.share[i] * flow[inflows.share_of[i]]
        return (1 - sum(inflows.share[k] for k in parts[i])) * flow[i] if parts[i] else flow[i]

    # (I1) inflow enters at its node; a part of it where that part forms, split and never added
    stage.gain("inflow", inflows, inflows.node, lambda i: stage.hm3 * own_flow(i))
    # (I2) evaporation that the series is net of is given back: the reservoir subtracts its own
    net = inflows.where(lambda i: inflows.evaporation[i] == "included")
    given_back = stage.datum("evaporation_included", net, inflows.raw("evaporation_included"), "m^3/s")
    stage.gain("evaporation_included", net, inflows.node, lambda i: stage.hm3 * given_back[i])
