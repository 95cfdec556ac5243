"""Net gains between gauges: what joins (+) or leaves (-) a reach without being modelled by itself.

A positive gain is data. A negative one is a *claim*: taken as far as there is water, the rest short at a price,
so that a changed release upstream cannot make the river infeasible.
"""

import numpy as np

from wateropt.tables import Column, Series

NAME = "gain"
COLUMNS = (
    Column("node", "text", "node where the gauge below stands", refers="node"),
    Column("country", "text", "country whose withdrawals a negative gain stands for", refers="country"),
    Column("unmet_cost", "USD/m3", "price of an unmet claim: at least the dearest shortage", low=0.0),
)
SERIES = (Series("flow", (Column("flow", "m3/s", "net gain; negative is a claim"),), "net gains from gauge balances"),)
RULES = ()


def build(stage, gains):
    """Add gains and claims."""
    flow = gains.raw("flow")
    joins = {g: flow[g] >= 0 for g in gains}
    leaves = {g: flow[g] < 0 for g in gains}
    some_join = gains.where(lambda g: joins[g].any())
    some_leave = gains.where(lambda g: leaves[g].any())

    gain = stage.datum("net_gain", some_join, flow, "m^3/s", when=joins)
    claim = stage.datum("claim", some_leave, {g: np.abs(flow[g]) for g in gains}, "m^3/s", when=leaves)
    taken = stage.variable("claim_taken", some_leave, "m^3/s", when=leaves)
    unmet = stage.variable("claim_unmet", some_leave, "m^3/s", when=leaves)

    # (G1) what joins enters at the node
    stage.gain("net_gain", gain, gains.node, lambda g: stage.hm3 * gain[g])
    # (G2) a claim is taken or unmet; what is taken leaves the node
    stage.constrain("claim_met", taken, lambda g: taken[g] + unmet[g] == claim[g], "m^3/s", when=leaves)
    stage.gain("claim", taken, gains.node, lambda g: -stage.hm3 * taken[g])
    # (G3) an unmet claim is penalised
    stage.account("claim_unmet", unmet, "none", lambda g: gains.unmet_cost[g] * stage.hm3 * unmet[g], kind="penalty")
