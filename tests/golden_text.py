"""The LP text of every equation on a tiny basin of two months: rows, terms of balances and accounts, limits of columns.

tests/golden/ID.lp holds what the equation (ID) of docs/equations.md has become in the LP, with the names of an exported
model: each row with its entries and limits; each term of a node's, a grid's or an account's balance with its entries;
each column with its limits, and its cost if it has one.

    python tests/golden_text.py    write all files again (and look at what has changed)
"""

import tempfile
from pathlib import Path

import numpy as np

import small
from wateropt.head import head_slots, straight_path
from wateropt.horizon import Horizon, label

FOLDER = Path(__file__).parent / "golden"
TURBINED = 50.0  # hm³ in each block: with none, the head would not respond and (P5) would lack an entry

# What an equation is in the LP: names of rows, `gain`, `feed` and `account` terms, `column` groups. After a colon the
# id of the asset or clause, where several equations share a name.
SHOWN = {
    "I1": "gain inflow, column inflow",
    "I2": "gain evaporation_included, column evaporation_included",
    "G1": "gain net_gain, column net_gain",
    "G2": "claim_met, gain claim, column claim, column claim_taken, column claim_unmet",
    "G3": "account claim_unmet",
    "R1": "gain storage_change, column storage, column storage_opening",
    "R2": "gain evaporation",
    "R3": "release_total, gain bypass, gain spill, column release, column release_opening, column bypass, column spill",
    "R4": "release_change, column release_rise, column release_fall",
    "R5": "change_limit, account steep_change, column steep_change",
    "R6": "zone_edge, account storage_zone, column zone_below, column zone_above",
    "R7": "account storage_value",
    "R8": "storage_built",
    "C1": "in_transit_balance, column entered, column in_transit, column in_transit_opening",
    "C2": "gain reach",
    "C3": "transit_kept, column transit_due",
    "K1": "gain canal, column canal_flow",
    "K2": "canal_built",
    "K3": "canal_saved_flow, canal_saved_built, column canal_saved",
    "D1": "requirement_met, column requirement, column delivery",
    "D2": "shortage_step, column shortage",
    "D3": "gain delivery",
    "D4": "account shortage",
    "D5": "return_under_way_balance, gain return_flow, column return_under_way, column return_under_way_opening",
    "F1": "instream_met, column instream_target, column instream_shortfall",
    "F2": "account instream_shortfall",
    "E1": "gain sea_inflow, column sea_inflow",
    "E2": "sea_met, column sea_target, column sea_shortfall",
    "E3": "account sea_shortfall",
    "P1": "turbine_blocks, gain turbine, column turbine, column block_turbine",
    "P2": "river_energy, feed hydro, gain pass_by, column energy, column pass_by",
    "P3": "block_flow, column pond_shift",
    "P4": "mean_storage_total, column mean_storage",
    "P5": "storage_energy",
    "P6": "energy_built",
    "N1": "feed load, feed unserved, column grid_load, column unserved",
    "N2": "account unserved_energy",
    "T1": "output_available, output_must_run, feed thermal, feed other_hydro, column available_capacity, "
          "column must_run, column output",
    "T2": "account generation",
    "T3": "output_built",
    "L1": "feed export, feed import, column sent_forward, column sent_back",
    "L2": "account electricity_trade",
    "X1": "exchange_width, column exchange_limit, column exchanged",
    "X2": "feed exchange",
    "X3": "account exchange",
    "J1": "entitlement_total, entitlement_settled, column entitlement_open, column entitlement_open_opening, "
          "column owner_sold_back",
    "J2": "flow_allotted:grid, column owner_export",
    "J3": "account owner_export, account owner_sold_back",
    "Z1": "built_stays, column built, column built_opening",
    "Z2": "account investment",
    "S1": "season_volume_total, column season_volume, column season_volume_opening",
    "S2": "season_kept, account clause_missed:season, column season_quantity, column season_missed",
    "S3": "storage_kept, account clause_missed:date, column storage_quantity, column storage_missed",
    "S4": "share_resource_total, share_credit_total, column share_resource, column share_resource_opening, "
          "column share_credit, column share_credit_opening",
    "S5": "share_kept, account clause_missed:river, column share_missed",
    "S6": "flow_allotted, column swap_taken, column swap_repaid",
    "S7": "swap_debt_total, column swap_debt, column swap_debt_opening",
    "S8": "swap_taken_total, swap_repaid_total, swap_taken_months, swap_repaid_months, swap_take_limit, "
          "column swap_taken_so_far, column swap_taken_so_far_opening, column swap_repaid_so_far, "
          "column swap_repaid_so_far_opening",
    "S9": "swap_kept, account clause_missed:swap, column swap_quantity, column swap_missed",
    "S10": "account energy_swap",
    "S11": "flow_kept, account clause_missed:passing, column flow_quantity, column flow_missed",
    "S12": "plant_energy_total, energy_received_total, column plant_energy, column plant_energy_opening, "
           "column energy_received, column energy_received_opening",
    "S13": "energy_kept, account clause_missed:part, column energy_missed",
    "B1": "water_balance",
    "B2": "energy_balance",
    "B3": "account_total, column account",
    "B4": "in_transit_balance, return_under_way_balance",
    "B5": "release_total, instream_met",
    "B6": "flow_allotted",
}
MORE = {  # what the small basin has none of, or a zero or a one of, which would not be seen in a coefficient
    "inflow_flow": {"evaporation_included_m3s": 2.0}, "reach_observed": {"entered_m3s": 60.0},
    "demand_sensitivity": {"weight": 1.5}, "reservoir_zone": {"price_above_usd_per_m3": 0.02},
    "grid": {"unserved_cost_usd_per_mwh": 800}, "reservoir": {
        "minimum_storage_hm3": 100, "minimum_release_m3s": 20, "bypass_capacity_m3s": 300, "spill_capacity_m3s": 400},
}
BOOKS = {"gain": "node", "feed": "grid", "account": "account"}


def tiny(folder):
    """The horizon of a basin with every kind of asset and clause, two months, with a head that responds."""
    basin = small.everything_basin().exchange("buyer", "absorb", 20, limit=80, grid="other", country="B")
    basin.profile("powerhouse_available", {"powerhouse": "low"}, available=0.5)
    basin.tables["inflow"][0].update(evaporation="included", reservoir="lake")
    for table, cells in MORE.items():
        for row in basin.tables[table]:
            row.update(cells)
    case = basin.load(folder, opening={"storage": {"lake": 500}, "release": {"lake": 100}},
                      closing={"storage": "opening", "transit": "opening"}, closing_value={"lake": 0.01},
                      policies=small.ALL_CLAUSES)
    horizon = Horizon(case)
    turbined = {("high", block): np.full(horizon.periods, TURBINED) for block in case.book.blocks}
    horizon.stage.slots.update(head_slots(case, straight_path(case), turbined))
    return horizon


class Texts:
    """The text of each equation.

    Args:
        horizon: of the tiny basin.
    """

    def __init__(self, horizon):
        self.horizon, self.lp = horizon, horizon.lp()
        slots = horizon.stage.slot_values()
        self._coefficients = horizon.ledger.coefficients(slots, horizon.periods)
        self._constants = horizon.ledger.offsets(slots, horizon.periods)

    def of(self, equation):
        """Return the text of an equation."""
        blocks = [f"\\ ({equation}) {SHOWN[equation]}"]
        for what in SHOWN[equation].split(", "):
            kind, _, name = what.rpartition(" ")
            name, _, only = name.partition(":")
            found = {"": self._rows, "column": self._columns}.get(kind, self._terms)
            blocks += found(name, only, BOOKS.get(kind))
        return "\n".join(blocks) + "\n"

    def _rows(self, name, only, _):
        for (group, key), index in self.horizon.row_index.items():
            if group == name and _is(key, only):
                for row in self.horizon.row_position[:, index]:
                    if row >= 0:
                        entries = slice(self.lp.row_start[row], self.lp.row_start[row + 1])
                        lines = self._linear(self.lp.column[entries], self.lp.value[entries])
                        limits = _limits("", self.lp.row_lower[row], self.lp.row_upper[row])
                        yield "\n".join([f"{self.lp.row_names[row]}:", *lines, f"  {limits.strip()}"])

    def _terms(self, name, only, book):
        ledger = self.horizon.ledger
        for number, term in enumerate(self.horizon.stage.terms):
            if (term.book, term.term) == (book, name) and _is(term.item, only):
                own = np.flatnonzero(ledger.row == number)
                for t, day in enumerate(self.horizon.case.calendar.starts):
                    columns = self.horizon.position[t, ledger.column[own]]
                    lines = self._linear(columns, self._coefficients[t, own], self._constants[t, number])
                    if lines:
                        head = f"{book} {label(term.place)}, {name}:{label(term.item)}@{day}:"
                        yield "\n".join([head, *lines])

    def _columns(self, name, *_):
        for (group, _), index in self.horizon.index.items():
            if group == name:
                places = self.horizon.position[:, index]
                for column in places[:1] if self.horizon.stage.groups[name].kind == "opening" else places:
                    if column >= 0:
                        cost = f", cost {self.lp.cost[column]:.10g}" if self.lp.cost[column] else ""
                        yield _limits(self.lp.column_names[column], self.lp.lower[column], self.lp.upper[column]) + cost

    def _linear(self, columns, values, constant=0.0):
        """Return entries by name, and a constant, each in a line of its own; none where all are zero."""
        entries = sorted((self.lp.column_names[c], v) for c, v in zip(columns, values, strict=True) if c >= 0 and v)
        if not entries and not constant:
            return []
        given = [_number(constant)] if constant else []
        return [f"  {text}" for text in [*given, *(f"{_number(v)} {name}" for name, v in entries)]]


def _is(key, only):
    return not only or only == (key[0] if isinstance(key, tuple) else key)


def _number(value):
    return f"{'-' if value < 0 else '+'} {abs(value):.10g}"


def _limits(name, low, high):
    """Return limits as an LP file says them."""
    if low == high:
        return f"{name} = {low:.10g}"
    if np.isinf(low) and np.isinf(high):
        return f"{name} free"
    if np.isinf(high):
        return f"{name} >= {low:.10g}"
    return f"{name} <= {high:.10g}" if np.isinf(low) else f"{low:.10g} <= {name} <= {high:.10g}"


def write():
    """Write the text of every equation, and remove those of equations that are no more."""
    with tempfile.TemporaryDirectory() as folder:
        texts = Texts(tiny(Path(folder)))
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.lp"):
        path.unlink()
    for equation in SHOWN:
        (FOLDER / f"{equation}.lp").write_text(texts.of(equation), encoding="utf-8")


if __name__ == "__main__":
    write()
