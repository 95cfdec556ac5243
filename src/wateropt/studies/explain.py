"""Explain: which limits hold a value of a schedule where it is, and what the next-best use of that water was.

The case is solved again as it was; then the value is forced up and down a little with everything else free, at the
same head. Of the schedules that cost as little as the forced optimum, the one nearest to the written schedule is
compared with it: what moves is the alternative, and the difference in cost is its price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from wateropt.calendar import Floats
from wateropt.errors import UsageError, nearest
from wateropt.highs import OPTIMAL, Highs, Solution
from wateropt.horizon import Horizon, Ints, Lp, label
from wateropt.marginals import Matrix, Vertex
from wateropt.scenario import Case
from wateropt.solving import PRICED, LiveCase, choose_face
from wateropt.units import HM3_PER_M3S_DAY

WATER = ("release", "bypass", "spill", "delivery", "claim_taken", "canal_flow", "sea_inflow")  # where water goes
ENERGY = ("output", "exchanged", "unserved")  # what replaces energy, or takes it
TAKES = {"delivery": (("demand", "node"),), "claim_taken": (("gain", "node"),),
         "canal_flow": (("canal", "origin"), ("canal", "destination"))}
TRACKED = (*WATER, *ENERGY)
SMALL_MOVE = 0.02  # of the forced amount: smaller moves are not told
MOST_TOLD = 6
MOST_HOLDERS = 5
MOVES = 1e-9  # least movement of the value with a unit of a limit
AT_LIMIT = 1e-7  # relative distance at which a value stands at a limit
SLACKS = (1e-9, 1e-8, 1e-7)  # relative slack of what is kept in place while the nearest schedule is sought
GIVEN_UP = 1e-7  # relative cost that the nearest schedule may give up


class Holder(NamedTuple):
    """A limit that holds a value: words, and what it costs [MUSD] to move the value by one unit through it."""

    words: str
    price: float


class Move(NamedTuple):
    """A value that moves when another is forced.

    Attributes:
        cell: LP column; value: what it becomes.
        amount: by how much [hm³ or GWh]; unit: hm³ or GWh.
    """

    cell: str
    value: float
    amount: float
    unit: str


@dataclass(frozen=True)
class Alternative:
    """What happens when a value is forced elsewhere.

    Attributes:
        value: what the cell is forced to; amount: by how much [hm³, GWh, or the cell's own unit]; unit: of the amount.
        cost: what it costs [MUSD]; None if there is no schedule.
        moves: what moves then: water before energy, the same asset first (where its water comes back before what
            goes with it), then the largest.
        by_country: cost of each country [MUSD].
    """

    value: float
    amount: float
    unit: str
    cost: float | None
    moves: tuple[Move, ...]
    by_country: dict[str, float]


@dataclass(frozen=True)
class Explanation:
    """Why a value is what it is.

    Attributes:
        cell, value, unit: of the schedule.
        limits: of the value.
        equals: least and greatest value that cost the same.
        reduced: d cost / d value [MUSD per unit] where a limit holds it.
        holders: limits of others that hold it.
        worth: lines on what water and energy are worth there.
        alternatives: it is forced down, and up; fewer where a limit is in the way.
    """

    cell: str
    value: float
    unit: str
    limits: tuple[float, float]
    equals: tuple[float, float]
    reduced: float
    holders: tuple[Holder, ...]
    worth: tuple[str, ...]
    alternatives: tuple[Alternative, ...]

    @property
    def next_best(self) -> Alternative | None:
        """The alternative that costs least for what it moves."""
        known = [one for one in self.alternatives if one.cost is not None]
        return min(known, key=lambda one: (one.cost or 0.0) / abs(one.amount), default=None)


def find_cell(horizon: Horizon, name: str) -> tuple[str, Any, int]:
    """Return group, id and period of a cell.

    Raises:
        UsageError: there is no such cell; with the nearest name of the part that is wrong.
    """
    group, _, rest = name.partition(":")
    where, _, start = rest.partition("@")
    groups = {g for g, _ in horizon.keys}
    if group not in groups:
        raise UsageError(f"no cell `{name}`: no variable `{group}`; {nearest(group, groups)}")
    ids = {label(key): key for g, key in horizon.keys if g == group}
    if where not in ids:
        raise UsageError(f"no cell `{name}`: no `{where}` among the ids of `{group}`; {nearest(where, ids)}")
    days = [day.isoformat() for day in horizon.case.calendar.starts]
    columns = horizon.columns_of(group, ids[where])
    there = [day for day, column in zip(days, columns, strict=True) if column >= 0]
    if horizon.stage.groups[group].kind == "opening":
        there = there[:1]
    if start not in there:
        raise UsageError(f"no cell `{name}`: no period of `{group}:{where}` starts on `{start}`; "
                         f"{nearest(start, there)}")
    return group, ids[where], days.index(start)


def explain_cell(case: Case, name: str, *, fixed_head: bool = False, step: float = 0.01) -> Explanation:
    """Return why a value of the schedule of a case is what it is.

    Args:
        case: the case.
        name: of the cell, `group:id@start`.
        fixed_head: solve with the head of a straight storage path, as the result was.
        step: share of the value by which it is forced.

    Raises:
        UsageError: there is no such cell.
    """
    return Explainer(case, fixed_head).explain(name, step)


class Explainer:
    """A solved case whose values can be explained."""

    def __init__(self, case: Case, fixed_head: bool = False) -> None:
        self.live = LiveCase(case)
        self.solution, self.chosen, _ = self.live.find(fixed_head)
        self.horizon, self.lp, self.basis = self.live.horizon, self.live.present_lp(), self.live.highs.basis()
        self._nearest = _Nearest(self.horizon, self.lp, self.chosen.x)

    def explain(self, name: str, step: float = 0.01) -> Explanation:
        """Return why a value is what it is (see `explain_cell`)."""
        group, key, t = find_cell(self.horizon, name)
        column = int(self.horizon.columns_of(group, key)[t])
        low, high, value = self.lp.lower[column], self.lp.upper[column], float(self.chosen.x[column])
        equals = self._equals(column, value)
        width = max(abs(value) * step, step)
        forced = [] if low == high else [min(max(value + sign * width, low), high) for sign in (-1, 1)]
        forced = [there for there in forced if abs(there - value) > AT_LIMIT * width]
        others = [self._force(column, group, key, t, there) for there in forced]
        single = equals[1] - equals[0] <= AT_LIMIT * max(abs(value), 1.0)
        return Explanation(name, value, self.horizon.stage.groups[group].unit, (float(low), float(high)), equals,
                           float(self.solution.reduced[column]), tuple(self._holders(column)) if single else (),
                           tuple(self._worth(group, key, t)), tuple(others))

    def _return(self) -> None:
        self.live.highs.start_from(self.basis)
        self.live.highs.solve()

    def _equals(self, column: int, value: float) -> tuple[float, float]:
        """Return the least and the greatest value of a column at the same cost."""
        ends = []
        for sign in (1.0, -1.0):
            cost = np.zeros(len(self.lp.cost))
            cost[column] = sign
            found = self.live.solve_on_face(self.solution, cost)
            ends.append(float(found.x[column]) if found.status == OPTIMAL else value)
            self._return()
        return min(ends[0], value), max(ends[1], value)

    # ---- what holds it ---------------------------------------------------------------------------------

    def _holders(self, column: int) -> Iterator[Holder]:
        """Yield the limits of other values that determine this one, first those through which it moves cheapest."""
        vertex = Vertex(self.live.highs, self.lp, Matrix(self.lp), self.solution)
        position = np.flatnonzero(vertex.basic == column)
        if not len(position):
            return
        columns, rows = vertex.tableau_row(int(position[0]))
        moves = np.abs(np.concatenate([columns, rows]))
        each = np.abs(np.concatenate([self.solution.reduced, self.solution.row_dual]))
        price = np.divide(each, moves, out=np.full(len(each), np.inf), where=(moves > MOVES) & (each > PRICED))
        for place in np.argsort(price, kind="stable")[:MOST_HOLDERS]:
            if np.isfinite(price[place]):
                yield self._holder(int(place), float(price[place]))

    def _holder(self, place: int, price: float) -> Holder:
        lp, columns = self.lp, self.lp.shape[1]
        if place < columns:
            value, low, high = self.solution.x[place], lp.lower[place], lp.upper[place]
            name = lp.column_names[place]
        else:
            row = place - columns
            value, low, high = self.solution.row[row], lp.row_lower[row], lp.row_upper[row]
            name = f"the limit {lp.row_names[row]}"
        side = "least" if abs(value - low) <= abs(value - high) else "greatest"
        return Holder(f"{name} is at its {side} value {value:,.4g}", price)

    # ---- what it is worth -------------------------------------------------------------------------------

    def _worth(self, group: str, key: Any, t: int) -> Iterator[str]:
        """Yield what water and energy are worth where the value is: of dams and plants."""
        tables = self.horizon.case.book.tables
        lakes, plants = tables["reservoir"], tables["powerhouse"]
        lake = key if group in ("release", "bypass", "spill", "storage") and key in lakes else None
        own = [p for p in plants if plants.reservoir[p] == lake] if lake else []
        if group == "turbine":
            own, lake = [key], plants.reservoir[key] or None
        if lake:
            kept, below = (self._water_value(node, t) for node in (lakes.node[lake], lakes.outlet[lake]))
            yield f"kept in `{lake}` for later, 1 m3 is worth {kept:.4f} USD (its water value)"
            yield f"below the dam it is worth {below:.4f} USD"
        for table, column in TAKES.get(group, ()):
            node = tables[table].columns[column][key]
            yield f"at `{node}` 1 m3 is worth {self._water_value(node, t):.4f} USD (its water value)"
        for p in own:
            per_hm3 = self.horizon.stage.slots.get("head_energy", {}).get(p)
            for block in self.horizon.case.book.blocks:
                price = round(1e3 * self._dual("energy_balance", (plants.grid[p], block), t), 6) + 0.0
                energy = "" if per_hm3 is None else (f"; 1 m3 makes {per_hm3[t]:.4f} kWh, worth "
                                                     f"{per_hm3[t] * price / 1e3:.4f} USD more")
                yield f"energy at `{p}` is worth {price:.2f} USD/MWh in block `{block}`{energy}"

    def _water_value(self, node: str, t: int) -> float:
        return round(self._dual("water_balance", node, t), 6) + 0.0

    def _dual(self, row: str, key: Any, t: int) -> float:
        place = self.horizon.rows_of(row, key)[t]
        return float(self.solution.row_dual[place]) if place >= 0 else 0.0

    # ---- what else ---------------------------------------------------------------------------------------

    def _force(self, column: int, group: str, key: Any, t: int, there: float) -> Alternative:
        """Force a column to a value, solve, and compare the nearest schedule of that cost with the written one."""
        place, value = np.array([column]), np.array([there])
        self.live.highs.change_bounds(place, value, value)
        found = self.live.highs.solve()
        self.live.highs.change_bounds(place, self.lp.lower[place], self.lp.upper[place])
        self._return()
        size, unit = _volume(self.horizon, group, t)
        amount = (there - float(self.chosen.x[column])) * size
        if found.status != OPTIMAL:
            return Alternative(there, amount, unit, None, (), {})
        x = self._nearest.find(found, column)
        if x is None:
            return Alternative(there, amount, unit, found.objective - self.solution.objective, (), {})
        least = abs(amount) * SMALL_MOVE
        moves = [m for m in self._moves(x, column, key) if abs(m.amount) > (least if m.unit == "hm3" else 1e-2 * least)]
        return Alternative(there, amount, unit, found.objective - self.solution.objective, tuple(moves),
                           self._country_costs(x))

    def _moves(self, x: Floats, forced: int, key: Any) -> Iterator[Move]:
        own, down = f":{label(key)}@", x[forced] < self.chosen.x[forced]
        for names in (WATER, ENERGY):
            yield from sorted(self._moved(x, forced, names), key=lambda move: (
                own not in move.cell, own in move.cell and (move.amount < 0) == down, -abs(move.amount), move.cell))

    def _moved(self, x: Floats, forced: int, names: tuple[str, ...]) -> Iterator[Move]:
        for name, key in self.horizon.keys:
            columns = self.horizon.columns_of(name, key)
            told = range(len(columns)) if name in names else (
                [len(columns) - 1] if name == "storage" and names is WATER else [])
            for t in told:
                if columns[t] >= 0 and columns[t] != forced:
                    size, unit = _volume(self.horizon, name, t)
                    amount = float(x[columns[t]] - self.chosen.x[columns[t]]) * size
                    yield Move(self.lp.column_names[columns[t]], float(x[columns[t]]), amount, unit)

    def _country_costs(self, x: Floats) -> dict[str, float]:
        found: dict[str, float] = {}
        for place in self.horizon.stage.groups["account"].index:
            columns = self.horizon.columns_of("account", place)
            columns = columns[columns >= 0]
            found[place[0]] = found.get(place[0], 0.0) + float((x - self.chosen.x)[columns].sum())
        return found


def _volume(horizon: Horizon, name: str, t: int) -> tuple[float, str]:
    """Return what one unit of a column is in what is told, and its unit: a flow is told as its volume."""
    unit = horizon.stage.groups[name].unit
    if unit == "m^3/s":
        return float(horizon.case.calendar.days[t]) * HM3_PER_M3S_DAY, "hm3"
    return 1.0, unit.replace("^", "")


class _Nearest:
    """Finds, among the schedules of equal cost, the one nearest to a given one: least Σ|change| of what is tracked.

    The LP has a column more for each rise and each fall, and a row for each value that is tracked.
    """

    def __init__(self, horizon: Horizon, lp: Lp, x: Floats) -> None:
        self.lp, self.x = lp, x
        places: list[tuple[int, float]] = []
        for name, key in horizon.keys:
            if name in TRACKED:
                places += [(int(column), _volume(horizon, name, t)[0])
                           for t, column in enumerate(horizon.columns_of(name, key)) if column >= 0]
        self.tracked, self.size = np.array([p for p, _ in places]), np.array([s for _, s in places])
        self.large = self._with_changes()

    def _with_changes(self) -> Lp:
        lp, count = self.lp, len(self.tracked)
        rises = lp.shape[1] + np.arange(count)
        entries = np.stack([self.tracked, rises, rises + count], axis=1).ravel()
        zero, none = np.zeros(2 * count), np.full(2 * count, np.inf)
        target = self.x[self.tracked]
        return replace(
            lp, cost=np.concatenate([0 * lp.cost, self.size, self.size]), lower=np.concatenate([lp.lower, zero]),
            upper=np.concatenate([lp.upper, none]), row_lower=np.concatenate([lp.row_lower, target]),
            row_upper=np.concatenate([lp.row_upper, target]),
            row_start=np.concatenate([lp.row_start, lp.row_start[-1] + 3 * np.arange(1, count + 1)]),
            column=np.concatenate([lp.column, entries]),
            value=np.concatenate([lp.value, np.tile([1.0, -1.0, 1.0], count)]))

    def find(self, solution: Solution, forced: int) -> Floats | None:
        """Return the columns of the schedule nearest to the given one that costs what a solution costs, if found."""
        found = (self._within(solution, forced, slack) for slack in SLACKS)
        return next((x for x in found if x is not None), None)

    def _within(self, solution: Solution, forced: int, slack: float) -> Floats | None:
        columns, rows = choose_face(solution)
        lower, upper = self.large.lower.copy(), self.large.upper.copy()
        row_lower, row_upper = self.large.row_lower.copy(), self.large.row_upper.copy()
        _keep(lower, upper, columns, solution.x[columns], slack)
        _keep(row_lower, row_upper, rows, solution.row[rows], slack)
        lower[forced] = upper[forced] = solution.x[forced]
        found = Highs(replace(self.large, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper)).solve()
        if found.status != OPTIMAL:
            return None
        x = found.x[:self.lp.shape[1]]
        apart = abs(float(self.lp.cost @ x) - solution.objective)
        return x if apart <= GIVEN_UP * max(abs(solution.objective), 1.0) else None


def _keep(lower: Floats, upper: Floats, places: Ints, values: Floats, share: float) -> None:
    """Keep values in place, but for a slack in which rounding has room."""
    slack = share * np.maximum(np.abs(values), 1.0)
    lower[places], upper[places] = values - slack, values + slack


# ---- words ------------------------------------------------------------------------------------------------


def in_words(found: Explanation) -> Iterator[str]:
    """Yield the lines that say why a value is what it is."""
    unit = found.unit.replace("^", "")
    yield f"{found.cell} is {found.value:,.4g} {unit}"
    yield from (f"  {line}" for line in _held(found, unit))
    if found.worth:
        yield "What water and energy are worth there:"
        yield from (f"  {line}" for line in found.worth)
    yield "If it is forced, everything else free, at the same head:"
    for one in found.alternatives:
        yield from _alternative(one, unit, one is found.next_best)
    if not found.alternatives:
        yield "  it is given, not chosen"


def _held(found: Explanation, unit: str) -> Iterator[str]:
    low, high = found.limits
    near = AT_LIMIT * max(abs(found.value), 1.0)
    if low == high:
        yield f"it is given; one {unit} more costs {found.reduced:.4g} MUSD"
        return
    least, most = found.equals
    for limit, word in ((low, "least"), (high, "greatest")):
        if abs(found.value - limit) <= near:
            yield f"it is at its {word} allowed value; one {unit} more would cost {found.reduced:.4g} MUSD"
            return
    if most - least > near:
        yield (f"any value from {least:,.4g} to {most:,.4g} {unit} costs the same; this one makes releases change "
               "least")
    elif found.holders:
        yield "it is between its limits, and follows from those of others:"
        yield from (f"  {one.words} (to move it thereby costs {one.price:.4g} MUSD a unit)" for one in found.holders)
    else:
        yield "it is between its limits, and follows from the balances"


def _alternative(one: Alternative, unit: str, best: bool) -> Iterator[str]:
    head = f"  to {one.value:,.4g} {unit} ({one.amount:+,.3g} {one.unit}): "
    if one.cost is None:
        yield head + "there is no schedule"
        return
    each = f", {one.cost / abs(one.amount):.4g} USD/m3" if one.unit == "hm3" else ""
    yield head + f"costs {one.cost:.4g} MUSD{each}" + ("; the next-best use" if best else "")
    for move in one.moves[:MOST_TOLD]:
        yield f"    {move.cell} {move.amount:+,.3g} {move.unit}"
    if len(one.moves) > MOST_TOLD:
        yield f"    ... and {len(one.moves) - MOST_TOLD} smaller ones"
    shares = [f"{country} {cost:+.4g}" for country, cost in sorted(one.by_country.items()) if abs(cost) > 1e-6]
    if shares:
        yield f"    by country [MUSD]: {', '.join(shares)}"
