"""Joint plants: a plant of several countries. It feeds its host grid once; owners are settled on net flow.

An owner takes its entitlement as export over the links or sells it back to the host. Both are bookkeeping on
energy that flows anyway: the transfers of all countries sum to zero.
"""

import numpy as np

from wateropt.errors import Problem
from wateropt.tables import Column
from wateropt.units import MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "joint"
COLUMNS = (
    Column("powerhouse", "text", "plant", refers="powerhouse"),
    Column("owner", "text", "country that owns a part (not the host)", refers="country"),
    Column("grid", "text", "grid where its export arrives", refers="grid"),
    Column("share", "1", "part of the generation that it is entitled to", low=0.0, high=1.0),
    Column("window", "text", "how long entitlement and use may differ", choices=("period", "season", "year")),
    Column("sell_back_price", "USD/MWh", "what the host pays for energy sold back", low=0.0),
)
SERIES = ()


def shares_leave_something_to_the_host(tables):
    """Find plants whose other owners own all of it or more, and owners that are the host."""
    joint, plants = tables[NAME], tables["powerhouse"]
    for j in joint:
        if sum(joint.share[k] for k in joint if joint.powerhouse[k] == joint.powerhouse[j]) > 1:
            yield Problem("joint.csv", joint.places[j], "the shares of this plant sum to more than 1; lower one")
        if joint.owner[j] == plants.country[joint.powerhouse[j]]:
            yield Problem("joint.csv", joint.places[j], "the host owns what the others leave; remove its row")


RULES = (shares_leave_something_to_the_host,)


def window_ends(calendar, window):
    """Return in which periods a settlement window closes, shape (period,)."""
    years, seasons = calendar.hydrological_years, calendar.seasons
    labels = {"period": np.arange(len(calendar)), "year": years,
              "season": np.array([f"{year} {season}" for year, season in zip(years, seasons, strict=True)])}
    label = labels[window]
    return np.append(label[1:] != label[:-1], True)


def openings(_, owners):
    """Start entitlement and use even."""
    return {"entitlement_open": dict.fromkeys(owners, 0.0)}, {}


def build(stage, owners):
    """Add owners' exports and sell-backs."""
    calendar, table = stage.book.calendar, stage.book.tables[NAME]
    host = {j: stage.book.tables["powerhouse"].grid[owners.powerhouse[j]] for j in owners}
    both = [(j, b) for j in owners for b in stage.blocks]
    exported = stage.variable("owner_export", both, "GWh")
    sold_back = stage.variable("owner_sold_back", owners, "GWh")
    ahead = stage.state("entitlement_open", owners, "GWh", lower=None)
    ends = {j: window_ends(calendar, table.window[j]) for j in owners}
    generation = {j: sum(line.expression for line in stage.booked("grid", "hydro", owners.powerhouse[j]))
                  for j in owners}

    # (J1) export + sell-back = entitlement, over the window
    stage.constrain("entitlement_total", owners, lambda j: ahead.closing[j] == ahead.opening[j]
                    + owners.share[j] * generation[j] - sold_back[j] - sum(exported[j, b] for b in stage.blocks), "GWh")
    stage.constrain("entitlement_settled", owners, lambda j: ahead.closing[j] == stage.number(0.0, "GWh"), "GWh",
                    when=ends)
    # (J2) no more is exported than flows to the owner's grid
    stage.constrain("owner_export_limit", both, lambda j, b: exported[j, b]
                    <= stage.transmitted(host[j], owners.grid[j], b), "GWh")
    _settle(stage, owners, host, both, exported, sold_back)


def _settle(stage, owners, host, both, exported, sold_back):
    links, country = stage.book.tables["link"], stage.book.tables["grid"].country
    paid = {j: next((k for k in links if {links.origin[k], links.destination[k]} == {host[j], owners.grid[j]}), None)
            for j in owners}
    price = stage.fields("link").price if len(links) else {}
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    direct = [(j, b) for j, b in both if paid[j]]
    # (J3) what an owner exports is its own: the price of the link is paid back; what it sells back, the host pays
    for whose, sign in (({j: country[host[j]] for j in owners}, 1), (owners.owner, -1)):
        stage.account("owner_export", direct, whose, lambda j, b, sign=sign: sign * to_musd * price[paid[j]]
                      * exported[j, b], kind="transfer")
        stage.account("owner_sold_back", owners, whose, lambda j, sign=sign: sign * to_musd * owners.sell_back_price[j]
                      * sold_back[j], kind="transfer")
