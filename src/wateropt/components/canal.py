"""Canals: conveyance from a node to another, with a capacity and a loss."""

from wateropt.tables import Column, Series

NAME = "canal"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("origin", "text", "node of the head works", refers="node"),
    Column("destination", "text", "node where the canal ends", refers="node"),
    Column("country", "text", "country it serves", refers="country"),
    Column("capacity", "m3/s", "most it carries", low=0.0),
    Column("loss", "1", "share lost on the way", low=0.0, high=0.99, default=0.0),
)
SERIES = (
    Series("observed", (Column("flow", "m3/s", "observed flow at the head", low=0.0, default=None),),
           "what was observed (not an input of the optimization)", required=False, optional_file=True),
)
RULES = ()


def build(stage, canals):
    """Add canals."""
    flow = stage.variable("canal_flow", canals, "m^3/s", upper=canals.capacity)

    # (K1) what enters the canal arrives less the loss
    stage.send("canal", canals, canals.origin, canals.destination, lambda c: flow[c],
               lambda c: (1 - canals.loss[c]) * stage.hm3 * flow[c], in_river=False)
