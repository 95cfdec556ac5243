"""Energy swap: energy taken now as a debt and given back later, over one link, without money.

Source of the form: Kazakhstan and Kyrgyzstan 2021 (900 GWh taken March to November, 300 GWh a year given back).
"""


from wateropt.calendar import coverage, spans, windows
from wateropt.errors import Problem
from wateropt.tables import Column
from wateropt.units import MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "energy_swap"
COLUMNS = (
    Column("link", "text", "link that carries it", refers="link"),
    Column("debtor", "text", "grid that takes first and gives back later", refers="grid"),
    Column("first_month", "month", "first month of taking", low=1, high=12),
    Column("last_month", "month", "last month of taking", low=1, high=12),
    Column("take", "GWh", "most that is taken in a year", low=0.0),
    Column("repay_first_month", "month", "first month of giving back", low=1, high=12),
    Column("repay_last_month", "month", "last month of giving back", low=1, high=12),
    Column("repay", "GWh", "what is given back in a year", low=0.0),
    Column("opening", "GWh", "debt at the start", low=0.0),
    Column("penalty", "USD/MWh", "price of energy not given back; empty for a hard clause", default=None, low=0.0),
)
SERIES = ()
UNIT = "GWh"


def debtor_is_an_end(tables):
    """Find debtors that are no end of their link."""
    swaps, links = tables[NAME], tables["link"]
    for c in swaps:
        if swaps.debtor[c] not in (links.origin[swaps.link[c]], links.destination[swaps.link[c]]):
            yield Problem("scenario", c, f"debtor `{swaps.debtor[c]}` is no end of link `{swaps.link[c]}`")


RULES = (debtor_is_an_end,)


def openings(_, swaps):
    """Open the debt as given; start what is taken and given back in a season at zero."""
    zero = dict.fromkeys(swaps, 0.0)
    return {"swap_debt": dict(swaps.opening), "swap_repaid_so_far": zero, "swap_taken_so_far": zero}, {}


def build(stage, swaps):
    """Add the debt, what is taken and what is given back."""
    table, links = stage.book.tables[NAME], stage.book.tables["link"]
    creditor = {c: links.destination[table.link[c]] if links.origin[table.link[c]] == table.debtor[c]
                else links.origin[table.link[c]] for c in swaps}
    both = [(c, b) for c in swaps for b in stage.blocks]
    taken, repaid = stage.variable("swap_taken", both, "GWh"), stage.variable("swap_repaid", both, "GWh")
    # (S6) what is taken or given back is settled on what flows, and on nothing twice
    for c, b in both:
        stage.allot(creditor[c], table.debtor[c], b, taken[c, b])
        stage.allot(table.debtor[c], creditor[c], b, repaid[c, b])
    debt = stage.state("swap_debt", swaps, "GWh")
    # (S7) the debt grows by what is taken and shrinks by what is given back
    stage.constrain("swap_debt_total", swaps, lambda c: debt.closing[c] == debt.opening[c]
                    + sum(taken[c, b] - repaid[c, b] for b in stage.blocks), "GWh")
    _limit_taking(stage, swaps, table, taken)
    _repay(stage, swaps, table, repaid)
    _no_money(stage, swaps, table, creditor, both, taken, repaid)


def _so_far(stage, swaps, name, shape, amount):
    keeps = stage.slot(f"{name}_keeps", {c: (~shape[c][1]).astype(float) for c in swaps}, "dimensionless")
    total = stage.state(f"{name}_so_far", swaps, "GWh")
    stage.constrain(f"{name}_total", swaps, lambda c: total.closing[c] == keeps[c] * total.opening[c]
                    + sum(amount[c, b] for b in stage.blocks), "GWh")
    # nothing is taken or given back outside its months
    outside = {c: ~shape[c][0] for c in swaps}
    stage.constrain(f"{name}_months", [c for c in swaps if outside[c].any()],
                    lambda c: sum(amount[c, b] for b in stage.blocks) <= stage.number(0.0, "GWh"), "GWh", when=outside)
    return total


def _limit_taking(stage, swaps, table, taken):
    shape = {c: windows(stage.book.calendar, table.first_month[c], table.last_month[c]) for c in swaps}
    # (S8) no more is taken in a year than agreed
    total = _so_far(stage, swaps, "swap_taken", shape, taken)
    stage.constrain("swap_take_limit", swaps, lambda c: total.closing[c] <= swaps.take[c], "GWh")


def _repay(stage, swaps, table, repaid):
    calendar = stage.book.calendar
    shape = {c: windows(calendar, table.repay_first_month[c], table.repay_last_month[c]) for c in swaps}
    total = _so_far(stage, swaps, "swap_repaid", shape, repaid)
    ends = {c: shape[c][2] for c in swaps}
    bound = swaps.where(lambda c: ends[c].any())
    due = {c: table.repay[c] * coverage(calendar, table.repay_first_month[c], table.repay_last_month[c]) for c in swaps}
    quantity = stage.datum("swap_quantity", bound, due, "GWh", when=ends)
    hard = {c: 0.0 if table.penalty[c] is None else None for c in swaps}
    missed = stage.variable("swap_missed", bound, "GWh", upper=hard, when=ends)
    # (S9) at the end of the season what was given back, with what is missed, is what was agreed
    stage.constrain("swap_kept", bound, lambda c: total.closing[c] + missed[c] >= quantity[c], "GWh", when=ends)
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    soft = [c for c in missed if table.penalty[c] is not None]
    stage.account("clause_missed", soft, "none", lambda c: to_musd * swaps.penalty[c] * missed[c], kind="penalty")


def _no_money(stage, swaps, table, creditor, both, taken, repaid):
    price, country = stage.fields("link").price, stage.book.tables["grid"].country
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    # (S10) the price of the link is paid back: a swap moves no money
    for whose, sign in (({c: country[table.debtor[c]] for c in swaps}, -1),
                        ({c: country[creditor[c]] for c in swaps}, 1)):
        stage.account("energy_swap", both, whose, lambda c, b, sign=sign: sign * to_musd * price[table.link[c]]
                      * (taken[c, b] - repaid[c, b]), kind="transfer")


def report(values, table, calendar):
    """Yield one row per swap and year of giving back."""
    for c in table:
        for _, t, window in spans(calendar, table.repay_first_month[c], table.repay_last_month[c]):
            yield {
                "clause": c, "kind": NAME, "sense": ">=", "hard": table.penalty[c] is None,
                "window": window,
                "required": values.get("swap_quantity", c)[t], "achieved": values.get("swap_repaid_so_far", c)[t],
                "unit": UNIT, "shortfall": values.get("swap_missed", c)[t],
                "shadow_price_musd_per_unit": values.reduced_cost("swap_quantity", c)[t],
            }
