"""Minimum flow: what has to pass from one node to another in every period of a season."""

import numpy as np

from wateropt.calendar import spans, windows
from wateropt.entries import arcs, no_way
from wateropt.errors import Problem
from wateropt.tables import Column
from wateropt.units import HM3_PER_M3S_DAY

NAME = "minimum_flow"
COLUMNS = (
    Column("origin", "text", "node that the flow leaves", refers="node"),
    Column("destination", "text", "node that it is sent to", refers="node"),
    Column("first_month", "month", "first month", low=1, high=12),
    Column("last_month", "month", "last month", low=1, high=12),
    Column("quantity", "m3/s", "flow", low=0.0),
    Column("penalty", "USD/m3", "price of each volume missed; empty for a hard clause", default=None, low=0.0),
)
SERIES = ()


def water_is_sent(tables):
    """Find clauses between nodes of which none sends water to the other."""
    clauses, ways = tables[NAME], arcs(tables)
    for c in clauses:
        way = (clauses.origin[c], clauses.destination[c])
        if way not in ways:
            yield Problem("scenario", c, no_way(*way, ways))


RULES = (water_is_sent,)
UNIT = "hm3"


def build(stage, clauses):
    """Add the flow in each period of the season."""
    calendar, table = stage.book.calendar, stage.book.tables[NAME]
    when = {c: windows(calendar, table.first_month[c], table.last_month[c])[0] for c in clauses}
    bound = clauses.where(lambda c: when[c].any())
    amount = {c: np.full(len(calendar), table.quantity[c]) for c in clauses}
    quantity = stage.datum("flow_quantity", bound, amount, "m^3/s", when=when)
    hard = {c: 0.0 if table.penalty[c] is None else None for c in clauses}
    missed = stage.variable("flow_missed", bound, "m^3/s", upper=hard, when=when)
    # (S11) what passes, with what is missed, is the flow
    stage.constrain("flow_kept", bound, lambda c: stage.flow_between(table.origin[c], table.destination[c])
                    + missed[c] >= quantity[c], "m^3/s", when=when)
    soft = [c for c in missed if table.penalty[c] is not None]
    stage.account("clause_missed", soft, "none", lambda c: clauses.penalty[c] * stage.hm3 * missed[c], kind="penalty")


def report(values, table, calendar):
    """Yield one row per clause and season, as volumes."""
    kappa = calendar.days * HM3_PER_M3S_DAY
    for c in table:
        for first, t, window in spans(calendar, table.first_month[c], table.last_month[c]):
            season = slice(first, t + 1)
            required = (kappa * values.get("flow_quantity", c))[season].sum()
            missed = (kappa * values.get("flow_missed", c))[season].sum()
            worst = float(np.max(values.reduced_cost("flow_quantity", c)[season] / kappa[season]))
            yield {
                "clause": c, "kind": NAME, "sense": ">=", "hard": table.penalty[c] is None,
                "window": window, "required": required,
                "achieved": required - missed, "unit": UNIT, "shortfall": missed, "shadow_price_musd_per_unit": worst,
            }
