"""Seas and terminal lakes: where the river ends, and what they should receive."""

from wateropt.tables import Column, Series

NAME = "sea"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("node", "text", "last node of the river", refers="node"),
    Column("country", "text", "country of the shore", refers="country"),
    Column("penalty", "USD/m3", "price of a volume below the target", low=0.0),
)
SERIES = (Series("target", (Column("target", "m3/s", "flow the sea should receive", low=0.0),), "target flow"),)
RULES = ()


def build(stage, seas):
    """Add terminal lakes."""
    target = stage.datum("sea_target", seas, seas.raw("target"), "m^3/s")
    inflow = stage.variable("sea_inflow", seas, "m^3/s")
    shortfall = stage.variable("sea_shortfall", seas, "m^3/s")

    # (E1) what reaches the last node leaves the model
    stage.gain("sea_inflow", seas, seas.node, lambda s: -stage.hm3 * inflow[s])
    # (E2) with what is missing it reaches the target
    stage.constrain("sea_met", seas, lambda s: inflow[s] + shortfall[s] >= target[s], "m^3/s")
    # (E3) what is missing is penalised
    stage.account("sea_shortfall", seas, "none", lambda s: seas.penalty[s] * stage.hm3 * shortfall[s], kind="penalty")
