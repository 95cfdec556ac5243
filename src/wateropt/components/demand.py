"""Demand sites: irrigation, towns, wetlands. What they do not consume returns to the river."""

import numpy as np

from wateropt.calendar import travel_shares, water_in_transit
from wateropt.errors import Problem
from wateropt.tables import Column, Series
from wateropt.units import HM3_PER_M3S_DAY

NAME = "demand"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("node", "text", "node it takes water from", refers="node"),
    Column("outfall", "text", "node where its return flow comes back; empty if none", default="", refers="node"),
    Column("country", "text", "country it belongs to", refers="country"),
    Column("use", "text", "kind of use", choices=("field", "town", "wetland")),
    Column("value", "USD/m3", "loss per volume missing, first step of shortage", low=0.0),
    Column("return_share", "1", "share of the delivery that returns", default=0.0, low=0.0, high=1.0),
    Column("return", "day", "time until it returns", default=0.0, low=0.0, high=360.0),
)
SERIES = (
    Series("requirement", (Column("requirement", "m3/s", "flow the site asks for", low=0.0),), "requirement"),
    Series("sensitivity", (Column("weight", "1", "how much more a missing volume hurts in this month", low=0.0),),
           "sensitivity of the crop"),
)


def return_flow_has_a_place(tables):
    """Find return flows without a node to come back to."""
    sites = tables[NAME]
    for d in sites:
        if sites.return_share[d] > 0 and not sites.outfall[d]:
            yield Problem("demand.csv", sites.places[d], "`outfall` is empty but water returns; name its node")


RULES = (return_flow_has_a_place,)


def towns_come_before_fields(sites, weights, steps):
    """Find towns whose first step of shortage is cheaper than the last one of a field at the same node.

    Args:
        sites: the demand table.
        weights: sensitivity of each site by period, shape (period,).
        steps: steps of shortage.
    """
    for town in (d for d in sites if sites.use[d] == "town"):
        least = sites.value[town] * weights[town].min() * steps[0].factor
        for field in (d for d in sites if sites.use[d] == "field" and sites.node[d] == sites.node[town]):
            most = sites.value[field] * weights[field].max() * steps[-1].factor
            if least <= most:
                found = f"its first shortage costs {least:g} USD/m3, the last of `{field}` {most:g}; value it higher"
                yield Problem("demand.csv", sites.places[town], found)


def _returning(table):
    return [d for d in table if table.return_share[d] > 0]


def openings(ends, sites):
    """Return the return flow under way at the start: that of deliveries in full before it [hm³]."""
    opening = {}  # type: ignore[var-annotated]
    asked = (NAME, "requirement", "requirement")
    for d in _returning(sites):
        days = sites.columns["return"][d]
        before = ends.flow_before(d, asked, days)
        under_way = water_in_transit(ends.calendar, before, days) * HM3_PER_M3S_DAY * sites.return_share[d]
        delay = travel_shares(ends.calendar, np.full(len(ends.calendar), days)).shape[1]
        opening |= {(d, j): under_way[j - 1] for j in range(1, delay)}
    return {"return_under_way": opening}, {}


def build(stage, sites):
    """Add deliveries, shortages by step, and return flows."""
    requirement = stage.datum("requirement", sites, sites.raw("requirement"), "m^3/s")
    delivery = stage.variable("delivery", sites, "m^3/s")
    steps = stage.book.settings["shortage_steps"]
    levels = range(len(steps))
    both = [(d, s) for d in sites for s in levels]
    shortage = stage.variable("shortage", both, "m^3/s")

    # (D1) what is required is delivered or short
    stage.constrain("requirement_met", sites, lambda d: delivery[d] + sum(shortage[d, s] for s in levels)
                    == requirement[d], "m^3/s")
    # (D2) each step of shortage is a share of the period's requirement
    stage.constrain("shortage_step", both, lambda d, s: shortage[d, s] <= steps[s].width * requirement[d], "m^3/s")
    # (D3) what is delivered leaves the river
    stage.gain("delivery", sites, sites.node, lambda d: -stage.hm3 * delivery[d])
    # (D4) missing water costs its country, more in sensitive months and the more is missing
    stage.account("shortage", both, sites.country, lambda d, s: sites.value[d] * sites.weight[d] * steps[s].factor
                  * stage.hm3 * shortage[d, s])
    _return_flow(stage, sites, delivery)


def _return_flow(stage, sites, delivery):
    table, calendar = stage.book.tables[NAME], stage.book.calendar
    returning = _returning(table)
    shares = {d: travel_shares(calendar, np.full(len(calendar), table.columns["return"][d])) for d in returning}
    # (D5) the rest comes back at the node below, later
    back = stage.delay("return_under_way", returning, lambda d: stage.hm3 * sites.return_share[d] * delivery[d], shares)
    stage.gain("return_flow", returning, sites.outfall, lambda d: back[d])
