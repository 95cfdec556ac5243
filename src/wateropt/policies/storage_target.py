"""Storage target: what a reservoir has to hold, at least or at most, at the end of a day of the year."""

import numpy as np

from wateropt.tables import Column

NAME = "storage_target"
COLUMNS = (
    Column("reservoir", "text", "reservoir", refers="reservoir"),
    Column("sense", "text", "at least or at most", choices=(">=", "<=")),
    Column("month", "month", "month at whose end it is due", low=1, high=12),
    Column("quantity", "hm3", "storage", low=0.0),
    Column("penalty", "USD/m3", "price of each volume missed; empty for a hard clause", default=None, low=0.0),
)
SERIES = ()
RULES = ()
UNIT = "hm3"


def due_periods(calendar, month):
    """Return the periods that end with the last day of `month`, shape (period,)."""
    following = np.append(calendar.months[1:], calendar.end.month)
    return (calendar.months == int(month)) & (following != int(month))


def build(stage, clauses):
    """Add the clause in each period that ends on its date."""
    table, calendar = stage.book.tables[NAME], stage.book.calendar
    due = {c: due_periods(calendar, table.month[c]) for c in clauses}
    bound = clauses.where(lambda c: due[c].any())
    amount = {c: np.full(len(calendar), table.quantity[c]) for c in clauses}
    quantity = stage.datum("storage_quantity", bound, amount, "hm^3", when=due)
    hard = {c: 0.0 if table.penalty[c] is None else None for c in clauses}
    missed = stage.variable("storage_missed", bound, "hm^3", upper=hard, when=due)
    sign = {c: 1 if clauses.sense[c] == ">=" else -1 for c in clauses}
    storage = stage.states["storage"].closing
    # (S3) storage on the day, with what is missed, keeps the clause
    stage.constrain("storage_kept", bound, lambda c: sign[c] * (storage[clauses.reservoir[c]] - quantity[c])
                    + missed[c] >= stage.number(0.0, "hm^3"), "hm^3", when=due)
    soft = [c for c in missed if table.penalty[c] is not None]
    stage.account("clause_missed", soft, "none", lambda c: clauses.penalty[c] * missed[c], kind="penalty")


def report(values, table, calendar):
    """Yield one row per clause and date: window, required, achieved, shortfall, shadow price."""
    for c in table:
        for t in np.flatnonzero(due_periods(calendar, table.month[c])):
            yield {
                "clause": c, "kind": NAME, "sense": table.sense[c], "hard": table.penalty[c] is None,
                "window": f"{calendar.starts[t]}", "required": table.quantity[c],
                "achieved": values.get("storage", table.reservoir[c])[t], "unit": UNIT,
                "shortfall": values.get("storage_missed", c)[t],
                "shadow_price_musd_per_unit": values.reduced_cost("storage_quantity", c)[t],
            }
