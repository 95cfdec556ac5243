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
    grows = {c: stage.expansion(NAME, c) for c in canals}
    lined = {c: stage.expansion("lining", c) for c in canals}
    flow = stage.variable("canal_flow", canals, "m^3/s", upper=lambda c: canals.capacity[c]
                          + (grows[c][1] if grows[c] else 0.0))
    lining = canals.where(lambda c: lined[c] is not None)
    saved = stage.variable("canal_saved", lining, "m^3/s")

    # (K1) what enters the canal arrives less the loss, but for what lining saves
    stage.send("canal", canals, canals.origin, canals.destination, lambda c: flow[c],
               lambda c: stage.hm3 * ((1 - canals.loss[c]) * flow[c] + (saved[c] if lined[c] else 0.0)), in_river=False)
    # (K2) a canal that may be built larger carries no more than is built
    stage.constrain("canal_built", canals.where(lambda c: grows[c] is not None), lambda c: flow[c]
                    <= canals.capacity[c] + stage.number(1.0, "m^3/s") * grows[c][0], "m^3/s")
    # (K3) lining saves its part of the loss: of the flow's, and of the loss at capacity times what is lined
    stage.constrain("canal_saved_flow", lining, lambda c: saved[c] <= canals.loss[c] * flow[c], "m^3/s")
    stage.constrain("canal_saved_built", lining, lambda c: saved[c]
                    <= canals.loss[c] * canals.capacity[c] * lined[c][0], "m^3/s")
