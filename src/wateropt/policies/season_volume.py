"""Season volume: how much a reservoir has to release, at least or at most, over a season.

Source of the form: the 1998 framework agreement on the Naryn-Syr Darya (6.5 km³ from Toktogul in April-September).
"""


from wateropt.calendar import coverage, spans, windows
from wateropt.tables import Column

NAME = "season_volume"
COLUMNS = (
    Column("reservoir", "text", "reservoir that releases", refers="reservoir"),
    Column("sense", "text", "at least or at most", choices=(">=", "<=")),
    Column("first_month", "month", "first month of the season", low=1, high=12),
    Column("last_month", "month", "last month of the season", low=1, high=12),
    Column("quantity", "hm3", "volume over the whole season", low=0.0),
    Column("penalty", "USD/m3", "price of each volume missed; empty for a hard clause", default=None, low=0.0),
)
SERIES = ()
RULES = ()
UNIT = "hm3"


def openings(_, clauses):
    """Start a season's volume at zero: a horizon that begins inside a season scales the clause."""
    return {"season_volume": dict.fromkeys(clauses, 0.0)}, {}


def build(stage, clauses):
    """Add the season's volume as a state and the clause in the last period of each season."""
    calendar, table = stage.book.calendar, stage.book.tables[NAME]
    shape = {c: windows(calendar, table.first_month[c], table.last_month[c]) for c in clauses}
    counts = stage.slot("season_counts", {c: shape[c][0].astype(float) for c in clauses}, "dimensionless")
    keeps = stage.slot("season_keeps", {c: (~shape[c][1]).astype(float) for c in clauses}, "dimensionless")
    total = stage.state("season_volume", clauses, "hm^3", lower=None)
    release = stage.states["release"].closing
    # (S1) the season's volume so far
    stage.constrain("season_volume_total", clauses, lambda c: total.closing[c] == keeps[c] * total.opening[c]
                    + counts[c] * stage.hm3 * release[clauses.reservoir[c]], "hm^3")
    _clause(stage, clauses, table, total, {c: shape[c][2] for c in clauses})


def _clause(stage, clauses, table, total, ends):
    calendar = stage.book.calendar
    due = {c: table.quantity[c] * coverage(calendar, table.first_month[c], table.last_month[c]) for c in clauses}
    bound = clauses.where(lambda c: ends[c].any())
    quantity = stage.datum("season_quantity", bound, due, "hm^3", when=ends)
    hard = {c: 0.0 if table.penalty[c] is None else None for c in clauses}
    missed = stage.variable("season_missed", bound, "hm^3", upper=hard, when=ends)
    sign = {c: 1 if clauses.sense[c] == ">=" else -1 for c in clauses}
    # (S2) at the end of the season the volume, with what is missed, keeps the clause
    stage.constrain("season_kept", bound, lambda c: sign[c] * (total.closing[c] - quantity[c]) + missed[c]
                    >= stage.number(0.0, "hm^3"), "hm^3", when=ends)
    soft = [c for c in bound if table.penalty[c] is not None]
    stage.account("clause_missed", [c for c in soft if c in missed], "none",
                  lambda c: clauses.penalty[c] * missed[c], kind="penalty")


def report(values, table, calendar):
    """Yield one row per clause and season: window, required, achieved, shortfall, shadow price."""
    for c in table:
        for _, t, window in spans(calendar, table.first_month[c], table.last_month[c]):
            yield {
                "clause": c, "kind": NAME, "sense": table.sense[c], "hard": table.penalty[c] is None,
                "window": window,
                "required": values.get("season_quantity", c)[t], "achieved": values.get("season_volume", c)[t],
                "unit": UNIT, "shortfall": values.get("season_missed", c)[t],
                "shadow_price_musd_per_unit": values.reduced_cost("season_quantity", c)[t],
            }
