"""River reaches: water takes time, some is lost, and a channel (more so under ice) carries only so much."""

import numpy as np

from wateropt.calendar import in_months, travel_shares, water_in_transit
from wateropt.tables import Column, Series
from wateropt.units import HM3_PER_M3S_DAY

NAME = "reach"
COLUMNS = (
    Column("origin", "text", "node above", refers="node"),
    Column("destination", "text", "node below", refers="node"),
    Column("travel", "day", "travel time in open water", low=0.0, high=120.0),
    Column("ice_travel", "day", "travel time in the ice months", low=0.0, high=120.0, default=None),
    Column("loss", "1", "share of the water that is lost on the way", low=0.0, high=0.99),
    Column("capacity", "m3/s", "flow above which the river leaves its bed", low=0.0, default=None),
    Column("ice_capacity", "m3/s", "flow that passes under ice", low=0.0, default=None),
    Column("ice_first_month", "month", "first month with ice", low=1, high=12, default=None),
    Column("ice_last_month", "month", "last month with ice", low=1, high=12, default=None),
)
SERIES = (
    Series("observed", (Column("entered", "m3/s", "observed flow that entered", low=0.0, default=None),),
           "observed flow (gives the water in transit at the start and the end)", required=False, optional_file=True),
)
RULES = ()


def ice_along(table, reach, open_column, ice_column, months):
    """Return a property that changes in the ice months, shape (period,), or None if it has no limit."""
    free, ice = table.columns[open_column][reach], table.columns[ice_column][reach]
    first, last = table.ice_first_month[reach], table.ice_last_month[reach]
    if ice is None or first is None or last is None:
        return free
    return np.where(in_months(months, int(first), int(last)), ice, np.inf if free is None else free)


def _travel(table, reach, calendar):
    days = ice_along(table, reach, "travel", "ice_travel", calendar.months)
    return np.broadcast_to(np.asarray(days, dtype=float), (len(calendar),))


def openings(ends, reaches):
    """Return the water in transit at the start, and the least total in transit at the end [hm³]."""
    opening, total = {}, {}  # type: ignore[var-annotated]
    entered = (NAME, "observed", "entered")
    for r in reaches:
        travel = _travel(reaches, r, ends.calendar)
        before = ends.flow_before(r, entered, travel[0])
        shares = travel_shares(ends.calendar, travel)
        under_way = water_in_transit(ends.calendar, before, travel[0]) * HM3_PER_M3S_DAY
        opening |= {(r, j): under_way[j - 1] for j in range(1, shares.shape[1])}
        total[r] = ends.transit_left(r, entered, travel[-1], before)
    return {"in_transit": opening}, {"transit_total": total}


def build(stage, reaches):
    """Add flow through reaches, late arrival and loss."""
    calendar, table = stage.book.calendar, stage.book.tables[NAME]
    capacity = {r: ice_along(table, r, "capacity", "ice_capacity", calendar.months) for r in reaches}
    entered = stage.variable("entered", reaches, "m^3/s", upper=capacity)

    # (C1) what enters is spread over the later periods that it reaches
    shares = {r: travel_shares(calendar, _travel(table, r, calendar)) for r in reaches}
    arriving = stage.delay("in_transit", reaches, lambda r: stage.hm3 * entered[r], shares)
    # (C2) it leaves the node above at once and arrives below less the loss
    stage.send("reach", reaches, reaches.origin, reaches.destination, lambda r: entered[r],
               lambda r: (1 - reaches.loss[r]) * arriving[r])
    _keep_transit(stage, reaches, shares)


def _keep_transit(stage, reaches, shares):
    least = stage.book.closing.get("transit_total", {})
    at_end = np.arange(len(stage.book.calendar)) == len(stage.book.calendar) - 1
    bound = reaches.where(lambda r: least.get(r) is not None and shares[r].shape[1] > 1)
    when = dict.fromkeys(bound, at_end)
    due = stage.datum("transit_due", bound, {r: np.full(len(at_end), least[r]) for r in bound}, "hm^3", when=when)
    under_way = stage.states["in_transit"].closing
    # (C3) the river is not left emptier than it has to be
    stage.constrain("transit_kept", bound, lambda r: sum(under_way[r, j] for j in range(1, shares[r].shape[1]))
                    >= due[r], "hm^3", when=when)
