"""Energy share: a grid's part of a plant's generation over a season, as net energy that reaches it by link."""


from wateropt.calendar import spans, windows
from wateropt.errors import Problem
from wateropt.tables import Column
from wateropt.units import MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "energy_share"
COLUMNS = (
    Column("powerhouse", "text", "plant", refers="powerhouse"),
    Column("grid", "text", "grid that has the share", refers="grid"),
    Column("share", "1", "part of the generation", low=0.0, high=1.0),
    Column("first_month", "month", "first month", low=1, high=12),
    Column("last_month", "month", "last month", low=1, high=12),
    Column("penalty", "USD/MWh", "price of energy missed; empty for a hard clause", default=None, low=0.0),
)
SERIES = ()


def grid_is_linked(tables):
    """Find grids that no link joins to the plant's grid: nothing of the share could reach them."""
    clauses, links, home = tables[NAME], tables["link"], tables["powerhouse"].grid
    joined = {(links.origin[k], links.destination[k]) for k in links}
    for c in clauses:
        way = (home[clauses.powerhouse[c]], clauses.grid[c])
        if way not in joined and way[::-1] not in joined:
            yield Problem("scenario", c, f"no link joins `{way[1]}` and the plant's grid `{way[0]}`; name another grid")


RULES = (grid_is_linked,)
UNIT = "GWh"


def openings(_, clauses):
    """Start both sums at zero."""
    zero = dict.fromkeys(clauses, 0.0)
    return {"plant_energy": zero, "energy_received": zero}, {}


def build(stage, clauses):
    """Add generation and net energy received as states, and the clause at the end of each season."""
    table, plants = stage.book.tables[NAME], stage.book.tables["powerhouse"]
    shape = {c: windows(stage.book.calendar, table.first_month[c], table.last_month[c]) for c in clauses}
    counts = stage.slot("energy_counts", {c: shape[c][0].astype(float) for c in clauses}, "dimensionless")
    keeps = stage.slot("energy_keeps", {c: (~shape[c][1]).astype(float) for c in clauses}, "dimensionless")
    amount = {
        "plant_energy": {c: sum(line.expression for line in stage.booked("grid", "hydro", table.powerhouse[c]))
                         for c in clauses},
        "energy_received": {c: sum(stage.transmitted(plants.grid[table.powerhouse[c]], table.grid[c], b)
                                   - stage.transmitted(table.grid[c], plants.grid[table.powerhouse[c]], b)
                                   for b in stage.blocks) for c in clauses},
    }
    sums = {name: stage.state(name, clauses, "GWh", lower=None) for name in amount}
    # (S12) generation and net energy received so far
    for name, total in sums.items():
        stage.constrain(f"{name}_total", clauses, lambda c, name=name, total=total: total.closing[c]
                        == keeps[c] * total.opening[c] + counts[c] * amount[name][c], "GWh")
    _clause(stage, clauses, table, sums, {c: shape[c][2] for c in clauses})


def _clause(stage, clauses, table, sums, ends):
    bound = clauses.where(lambda c: ends[c].any())
    hard = {c: 0.0 if table.penalty[c] is None else None for c in clauses}
    missed = stage.variable("energy_missed", bound, "GWh", upper=hard, when=ends)
    # (S13) at the end of the season what was received, with what is missed, is the share
    stage.constrain("energy_kept", bound, lambda c: sums["energy_received"].closing[c] + missed[c]
                    - clauses.share[c] * sums["plant_energy"].closing[c] >= stage.number(0.0, "GWh"), "GWh", when=ends)
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    soft = [c for c in missed if table.penalty[c] is not None]
    stage.account("clause_missed", soft, "none", lambda c: to_musd * clauses.penalty[c] * missed[c], kind="penalty")


def report(values, table, calendar):
    """Yield one row per clause and season; `resource` is the generation."""
    for c in table:
        for _, t, window in spans(calendar, table.first_month[c], table.last_month[c]):
            generation = values.get("plant_energy", c)[t]
            yield {
                "clause": c, "kind": NAME, "sense": ">=", "hard": table.penalty[c] is None,
                "window": window, "required": table.share[c] * generation,
                "achieved": values.get("energy_received", c)[t], "unit": UNIT,
                "shortfall": values.get("energy_missed", c)[t],
                "shadow_price_musd_per_unit": values.dual("energy_kept", c)[t], "resource": generation,
            }
