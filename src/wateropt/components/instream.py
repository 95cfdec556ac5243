"""Instream flows: what the river itself needs below a node."""

from wateropt.tables import Column, Series

NAME = "instream"
COLUMNS = (
    Column("node", "text", "node that the flow leaves", refers="node"),
    Column("penalty", "USD/m3", "price of a volume below the target", low=0.0),
)
SERIES = (Series("target", (Column("target", "m3/s", "flow that should leave the node", low=0.0),), "target flow"),)
RULES = ()


def build(stage, flows):
    """Add flow targets."""
    target = stage.datum("instream_target", flows, flows.raw("target"), "m^3/s")
    shortfall = stage.variable("instream_shortfall", flows, "m^3/s")
    passing = stage.passing("river_passing", flows, flows.node)

    # (F1) what passes, with what is missing, reaches the target
    stage.constrain("instream_met", flows, lambda f: passing[f] + shortfall[f] >= target[f], "m^3/s")
    # (F2) what is missing is penalised
    stage.account("instream_shortfall", flows, "none", lambda f: flows.penalty[f] * stage.hm3 * shortfall[f],
                  kind="penalty")
