"""Flow share: a country's part of a river over a window: what it is credited with >= share x the resource.

The resource list names inflows wherever they form, gains, declared return and ground water, less declared losses;
the credit list names the country's withdrawals and what passes the border to it. Source of the form: the 1983
protocol on the Talas (half and half) and the 1983 provision on the Chu (58 and 42 %).
"""

import numpy as np

from wateropt.calendar import spans, windows
from wateropt.entries import arcs, read_entries, unknown_entries, volume
from wateropt.tables import Column

NAME = "flow_share"
COLUMNS = (
    Column("share", "1", "part of the resource", low=0.0, high=1.0),
    Column("first_month", "month", "first month of the window", low=1, high=12),
    Column("last_month", "month", "last month of the window", low=1, high=12),
    Column("resource", "text", "entries of the resource, separated by `;`"),
    Column("credit", "text", "entries that the country is credited with, separated by `;`"),
    Column("penalty", "USD/m3", "price of each volume missed; empty for a hard clause", default=None, low=0.0),
)
SERIES = ()
UNIT = "hm3"


def entries_exist(tables):
    """Find entries that point at nothing."""
    clauses = tables[NAME]
    names = {"inflow": "inflow", "net_gain": "gain", "claim": "gain", "delivery": "demand", "return_flow": "demand",
             "canal": "canal", "reach": "reach", "sea_inflow": "sea", "evaporation": "reservoir",
             "storage_change": "reservoir", "passing": "node"}
    known = {term: set(tables[name].ids) for term, name in names.items()}
    known["return_flow"] = {d for d in tables["demand"] if tables["demand"].return_share[d] > 0}
    lists = [(c, column, clauses.columns[column][c]) for c in clauses for column in ("resource", "credit")]
    yield from unknown_entries(lists, known, arcs(tables))


RULES = (entries_exist,)


def openings(_, clauses):
    """Start both sums at zero."""
    zero = dict.fromkeys(clauses, 0.0)
    return {"share_resource": zero, "share_credit": zero}, {}


def build(stage, clauses):
    """Add both sums as states and the clause in the last period of each window."""
    table = stage.book.tables[NAME]
    shape = {c: windows(stage.book.calendar, table.first_month[c], table.last_month[c]) for c in clauses}
    counts = stage.slot("share_counts", {c: shape[c][0].astype(float) for c in clauses}, "dimensionless")
    keeps = stage.slot("share_keeps", {c: (~shape[c][1]).astype(float) for c in clauses}, "dimensionless")
    sums = {name: stage.state(f"share_{name}", clauses, "hm^3", lower=None) for name in ("resource", "credit")}
    # (S4) resource and credit so far
    for name, total in sums.items():
        amount = {c: volume(stage, read_entries(table.columns[name][c])) for c in clauses}
        stage.constrain(f"share_{name}_total", clauses, lambda c, total=total, amount=amount: total.closing[c]
                        == keeps[c] * total.opening[c] + counts[c] * amount[c], "hm^3")
    ends = {c: shape[c][2] for c in clauses}
    bound = clauses.where(lambda c: ends[c].any())
    one = {c: np.full(len(stage.book.calendar), table.share[c]) for c in clauses}
    hard = {c: 0.0 if table.penalty[c] is None else None for c in clauses}
    missed = stage.variable("share_missed", bound, "hm^3", upper=hard, when=ends)
    share = stage.slot("share_due", one, "dimensionless")
    # (S5) at the end of the window the credit, with what is missed, is the share of the resource
    stage.constrain("share_kept", bound, lambda c: sums["credit"].closing[c] + missed[c]
                    - share[c] * sums["resource"].closing[c] >= stage.number(0.0, "hm^3"), "hm^3", when=ends)
    soft = [c for c in missed if table.penalty[c] is not None]
    stage.account("clause_missed", soft, "none", lambda c: clauses.penalty[c] * missed[c], kind="penalty")


def report(values, table, calendar):
    """Yield one row per clause and window; `required` is share x resource, `achieved` the credit."""
    for c in table:
        for _, t, window in spans(calendar, table.first_month[c], table.last_month[c]):
            resource = values.get("share_resource", c)[t]
            yield {
                "clause": c, "kind": NAME, "sense": ">=", "hard": table.penalty[c] is None,
                "window": window, "required": table.share[c] * resource,
                "achieved": values.get("share_credit", c)[t], "unit": UNIT,
                "shortfall": values.get("share_missed", c)[t],
                "shadow_price_musd_per_unit": values.dual("share_kept", c)[t], "resource": resource,
            }
