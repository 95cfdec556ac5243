"""Marginals: what one unit more of a datum or of a table's number costs, whose cost it is, and how far that holds.

All of it is read off the optimal basis of the cost LP, at the head and at the opening states of the solution:

    data       the reduced cost of the column that is fixed to the datum
    countries  the same with the costs of one country's accounts only: one solve with the transposed basis each
    numbers    what multiplies a variable or limits it: Σ limits - Σ y·∂A·x, from the coefficients' own expressions
    ranging    how far a datum moves before the basis changes, and the derivative on either side
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from wateropt.calendar import Floats
from wateropt.highs import OPTIMAL, Highs, Solution
from wateropt.horizon import Horizon, Ints, Lp, label
from wateropt.stage import evaluate
from wateropt.units import energy_per_hm3

TINY = 1e-30  # imaginary step of a derivative: exact, as nothing is subtracted
RATE = 1e-9  # below which a basic variable stands still
ZERO_LENGTH = 1e-7  # of an interval, relative to the datum (at least to 1)
STEP = 1e-5  # the step beside a kink, relative to the datum (at least to 1)
SAME = 1e-6  # relative difference of derivatives (at least 1e-9) below which they are one
NO_COUNTRY = "none"
PROPORTIONAL = ("head_energy", "head_slope")  # slots of a storage plant that its efficiency multiplies
KINK, ON, NO_END, NO_SCHEDULE = "kink", "at least", "none", "no schedule beyond"


class Number(NamedTuple):
    """A number of a table and what one unit more of it costs.

    Attributes:
        input: table and column, as a scenario's `changes` name them.
        where: id, with the further key of a series.
        period: None if the number is the same in all periods.
        value, unit: of the number.
        musd: cost of one unit more by country [MUSD per unit], shape (country,).
    """

    input: str
    where: str
    period: int | None
    value: float
    unit: str
    musd: Floats


@dataclass(frozen=True)
class Marginals:
    """What one unit more of each input costs, and whom.

    Attributes:
        countries: those that have accounts, and "none".
        data: (group, id) -> d cost of each country / d column [MUSD per unit], shape (country, period).
        numbers: of the tables.
    """

    countries: tuple[str, ...]
    data: Mapping[tuple[str, Any], Floats]
    numbers: tuple[Number, ...]


class Side(NamedTuple):
    """The derivative of the cost on one side of a datum's value.

    Attributes:
        rate: [MUSD per unit]; NaN if there is no schedule on this side.
        until: value of the datum up to which it holds, infinite if for ever.
        end: "kink": it changes there; "at least": it goes on beyond, but another basis is optimal there; "none": no
            end; "no schedule beyond".
        stop: LP column or row that reaches its limit there, or "".
    """

    rate: float
    until: float
    end: str
    stop: str


class Ranging(NamedTuple):
    """Left and right derivative of the cost for a datum; `again`: LPs that were solved to find them."""

    value: float
    left: Side
    right: Side
    again: int

    @property
    def kink(self) -> bool:
        """Tell whether the value itself is a kink."""
        return not _same(self.left.rate, self.right.rate)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= max(SAME * max(abs(one), abs(other)), 1e-9)


# ---- accounts and table numbers -------------------------------------------------------------------------


def find_marginals(horizon: Horizon, lp: Lp, highs: Highs, solution: Solution) -> Marginals:
    """Return what one unit more of each datum and number costs, and whom.

    Args:
        horizon: the case laid along time.
        lp: what was solved.
        highs: standing at the optimal basis of the cost LP.
        solution: of the cost LP.
    """
    countries = _countries(horizon)
    matrix = Matrix(lp)
    costs = [_account_costs(horizon, country) for country in countries]
    basic = highs.basic()
    own = basic >= 0
    dual, reduced = np.empty((len(costs), lp.shape[0])), np.empty((len(costs), lp.shape[1]))
    for k, cost in enumerate(costs):
        dual[k] = highs.prices(np.where(own, cost[np.where(own, basic, 0)], 0.0))
        reduced[k] = cost - matrix.transposed(dual[k])
    reduced[:, basic[own]] = 0.0
    return Marginals(countries, _by_group(horizon, reduced),
                     tuple(_Numbers(horizon, lp, solution, dual, reduced).rows()))


def _countries(horizon: Horizon) -> tuple[str, ...]:
    found = {place[0] for place in horizon.stage.groups["account"].index} | set(horizon.case.basin.countries)
    return (*sorted(found - {NO_COUNTRY}), NO_COUNTRY)


def _account_costs(horizon: Horizon, country: str) -> Floats:
    cost = np.zeros(horizon.columns)
    for place in horizon.stage.groups["account"].index:
        columns = horizon.columns_of("account", place)
        if place[0] == country:
            cost[columns[columns >= 0]] = 1.0
    return cost


def _by_group(horizon: Horizon, reduced: Floats) -> dict[tuple[str, Any], Floats]:
    """Return the derivatives of data, openings and of states that have a closing value, by name."""
    found = {}
    for k, (name, key) in enumerate(horizon.keys):
        kind = horizon.stage.groups[name].kind
        if kind in ("datum", "opening") or (kind == "state" and key in horizon.case.book.closing.get(name, {})):
            place = horizon.position[:1 if kind == "opening" else None, k]
            found[name, key] = np.where(place >= 0, reduced[:, place], 0.0)
    return found


class Matrix:
    """The matrix of an LP, ready to be multiplied and read by columns."""

    def __init__(self, lp: Lp) -> None:
        self.lp, (self.rows, self.columns) = lp, lp.shape
        self._row = np.repeat(np.arange(self.rows), np.diff(lp.row_start))

    def transposed(self, y: Floats) -> Floats:
        """Return Aᵀy, shape (column,)."""
        return np.bincount(self.lp.column, self.lp.value * y[self._row], minlength=self.columns).astype(float)

    @cached_property
    def _by_column(self) -> tuple[Ints, Ints]:
        start = np.concatenate([[0], np.cumsum(np.bincount(self.lp.column, minlength=self.columns))])
        return np.argsort(self.lp.column, kind="stable"), start

    def entries(self, column: int) -> Floats:
        """Return a column, shape (row,)."""
        order, start = self._by_column
        chosen = order[start[column]:start[column + 1]]
        out = np.zeros(self.rows)
        out[self._row[chosen]] = self.lp.value[chosen]
        return out


class _Numbers:
    """Sums d cost / d slot over everything that a slot stands in, by country and period."""

    def __init__(self, horizon: Horizon, lp: Lp, solution: Solution, dual: Floats, reduced: Floats) -> None:
        self.horizon, self.lp, self.solution, self.dual, self.reduced = horizon, lp, solution, dual, reduced
        stage = horizon.stage
        self.slots = stage.slot_values()
        self.named = {id(param): (name, key) for name in stage.slots
                      for key, param in getattr(stage.block, name).items()}
        self.inputs = _inputs(horizon)
        self.sums: dict[tuple[str, Any], Floats] = {}

    def rows(self) -> Iterator[Number]:
        """Yield every number of a table that stands in the LP, by input and id; then values of closing storages."""
        self._matrix()
        self._constants()
        self._limits()
        self._plants()
        for (name, key), musd in sorted(self.sums.items(), key=lambda item: (item[0][0], label(item[0][1]))):
            value = self.horizon.stage.slots[name][key] if name in self.horizon.stage.slots else self._tailwater(key)
            if name == "closing_value":  # a slot that is zero before the end
                yield Number(name, label(key), None, float(value[-1]), self.inputs[name][1], musd[:, -1])
            elif name in self.inputs:
                yield from self._number(*self.inputs[name], label(key), value, musd)

    def _tailwater(self, plant: str) -> Any:
        return self.horizon.case.book.tables["powerhouse"].tailwater[plant]

    def _number(self, name: str, unit: str, where: str, value: Any, musd: Floats) -> Iterator[Number]:
        along = np.broadcast_to(value, self.horizon.periods)
        if (along == along[0]).all():
            yield Number(name, where, None, float(along[0]), unit, musd.sum(axis=1))
            return
        for t in np.flatnonzero(~np.isnan(along)):
            yield Number(name, where, int(t), float(along[t]), unit, musd[:, t])

    def _slopes(self, expression: Any) -> Iterator[tuple[tuple[str, Any], Any]]:
        """Yield slot and derivative of an expression for each slot of a table in it."""
        for param in sorted(_params(expression), key=lambda param: self.named[param]):
            name, key = self.named[param]
            if name in self.inputs or name in PROPORTIONAL:
                present = self.slots[param]
                self.slots[param] = present + TINY * 1j
                slope = np.imag(evaluate(expression, self.slots)) / TINY
                self.slots[param] = present
                yield (name, key), slope

    def _add(self, slot: tuple[str, Any], amount: Floats) -> None:
        if slot not in self.sums:
            self.sums[slot] = np.zeros((len(self.dual), self.horizon.periods))
        self.sums[slot] += amount

    def _matrix(self) -> None:
        rows = self.horizon.rows
        for row, column, expression in zip(rows.row, rows.column, rows.expressions, strict=True):
            for slot, slope in self._slopes(expression):
                r, c = self.horizon.row_position[:, row], self.horizon.position[:, column]
                weight = np.where((r >= 0) & (c >= 0), -self.dual[:, r] * self.solution.x[c], 0.0)
                self._add(slot, weight * slope)

    def _constants(self) -> None:
        """Add what stands alone in a row; limits of rows are numbers."""
        for row, expression in enumerate(self.horizon.rows.constants):
            for slot, slope in self._slopes(expression):
                place = self.horizon.row_position[:, row]
                self._add(slot, np.where(place >= 0, -self.dual[:, place], 0.0) * slope)

    def _limits(self) -> None:
        """Add limits of columns: those that stand at the limit move with it, unless another takes its place.

        The closing storage takes the place of the least one, a value that is held that of any limit.
        """
        low, high, x, rate = self.lp.lower, self.lp.upper, self.solution.x, self.solution.reduced
        at_high = np.where(low == high, rate < 0, np.abs(x - high) < np.abs(x - low))
        for k, (name, key) in enumerate(self.horizon.keys):
            group, place = self.horizon.stage.groups[name], self.horizon.position[:, k]
            for side in ("lower", "upper"):
                for slot, slope in self._slopes(group.slotted.get((side, key), 0.0)):
                    limits, own = (low, group.lower) if side == "lower" else (high, group.upper)
                    moves = (place >= 0) & (at_high[place] == (side == "upper")) & (limits[place] == own[key])
                    if group.kind == "opening":
                        moves &= np.arange(self.horizon.periods) == 0
                    self._add(slot, np.where(moves, self.reduced[:, place], 0.0) * slope)

    def _plants(self) -> None:
        """Turn the slots of the first-order form of energy into efficiency and tailwater of storage plants."""
        plants, zero = self.horizon.case.book.tables["powerhouse"], np.zeros((len(self.dual), self.horizon.periods))
        energy = self.horizon.stage.slots.get("head_energy", {})
        for p in energy:
            by_energy = self.sums.pop(("head_energy", p), zero)
            self._add(("powerhouse_efficiency", p), by_energy * energy[p] / plants.efficiency[p])
            self._add(("powerhouse_tailwater", p), -by_energy * energy_per_hm3(1.0, plants.efficiency[p]))
            for block in self.horizon.case.book.blocks:
                slope = self.horizon.stage.slots["head_slope"][p, block]
                self._add(("powerhouse_efficiency", p),
                          self.sums.pop(("head_slope", (p, block)), zero) * slope / plants.efficiency[p])


def _inputs(horizon: Horizon) -> dict[str, tuple[str, str]]:
    """Return slot -> input and unit, for the slots that are numbers of tables."""
    found = {"closing_value": ("closing_value", "USD/m3")}
    for part in horizon.case.parts:
        for column in part.COLUMNS:
            found[f"{part.NAME}_{column.name}"] = (f"{part.NAME}.{column.name}", column.unit)
        for series in part.SERIES:
            for column in series.columns:
                found[f"{part.NAME}_{column.name}"] = (f"{part.NAME}_{series.name}.{column.name}", column.unit)
    return found


def _params(expression: Any) -> set[int]:
    """Return the identities of the Params of an expression."""
    if isinstance(expression, int | float | np.number):
        return set()
    if expression.is_parameter_type():
        return {id(expression)}
    return set().union(*map(_params, expression.args)) if expression.is_expression_type() else set()


# ---- ranging ---------------------------------------------------------------------------------------------


class Vertex:
    """The vertex of an LP where HiGHS stands: how it moves with a column that is fixed, and where that ends."""

    def __init__(self, highs: Highs, lp: Lp, matrix: Matrix, solution: Solution) -> None:
        self.highs, self.lp, self.matrix, self.solution = highs, lp, matrix, solution
        self.basic = highs.basic()
        own = self.basic >= 0
        column, row = np.where(own, self.basic, 0), np.where(own, 0, -1 - self.basic)
        self._sign = np.where(own, -1.0, 1.0)  # a row's activity enters the basis matrix with the other sign
        self._value = np.where(own, solution.x[column], solution.row[row])
        self._low = np.where(own, lp.lower[column], lp.row_lower[row])
        self._high = np.where(own, lp.upper[column], lp.row_upper[row])
        self._changes: dict[tuple[int, bool], tuple[float, Floats]] = {}
        self._settle_states()

    def _settle_states(self) -> None:
        """Say of every nonbasic column and row which way its reduced cost may move."""
        lp, found = self.lp, self.solution
        columns, rows = np.ones(lp.shape[1], dtype=bool), np.ones(lp.shape[0], dtype=bool)
        columns[self.basic[self.basic >= 0]] = False
        rows[-1 - self.basic[self.basic < 0]] = False
        free = np.concatenate([columns & (lp.lower != lp.upper), rows & (lp.row_lower != lp.row_upper)])
        value, low = np.concatenate([found.x, found.row]), np.concatenate([lp.lower, lp.row_lower])
        high = np.concatenate([lp.upper, lp.row_upper])
        near_high = np.abs(value - high) < np.abs(value - low)
        self._rises = free & ~near_high | free & np.isinf(low) & np.isinf(high)  # reduced cost has to stay >= 0
        self._falls = free & near_high | free & np.isinf(low) & np.isinf(high)
        self._reduced = np.concatenate([found.reduced, found.row_dual])

    def rates(self, column: int) -> Floats:
        """Return how basic variables and rows move with each unit of a column, shape (row,)."""
        return self._sign * self.highs.rates(self.matrix.entries(column))

    def room(self, rate: Floats, sign: int) -> tuple[float, int]:
        """Return how far a fixed column can move up (1) or down (-1) at this basis, and the position that stops it."""
        rate, room = sign * rate, np.full(len(rate), np.inf)
        up, down = rate > RATE, rate < -RATE
        room[up] = (self._high[up] - self._value[up]) / rate[up]
        room[down] = (self._low[down] - self._value[down]) / rate[down]
        stop = int(np.argmin(room))
        self._stops_high = bool(up[stop])
        return max(float(room[stop]), 0.0), stop

    def rate_beyond(self, column: int, stop: int) -> float:
        """Return the derivative beyond the end that `room` found last, one pivot on; NaN if no schedule is there."""
        key = (stop, self._stops_high)
        if key not in self._changes:
            self._changes[key] = self._pivot(*key)
        most, alpha = self._changes[key]
        return float(self.solution.reduced[column] + most * alpha[column]) if np.isfinite(most) else float("nan")

    def _pivot(self, stop: int, high: bool) -> tuple[float, Floats]:
        """Return the reduced cost of what leaves the basis, and the tableau's row, shape (column,)."""
        alpha, inverse = self._row(stop)
        every = np.concatenate([alpha, -inverse]) * (-1.0 if high else 1.0)
        limits = self._rises & (every < -RATE) | self._falls & (every > RATE)
        most = float(np.min(np.abs(self._reduced[limits] / every[limits]), initial=np.inf))
        return -most if high else most, alpha

    def _row(self, position: int) -> tuple[Floats, Floats]:
        """Return how far a basic variable falls with each unit of a column, and with each of a row: minus it."""
        inverse = self.highs.inverse_row(position) * -self._sign[position]
        return self.matrix.transposed(inverse), inverse

    def tableau_row(self, position: int) -> tuple[Floats, Floats]:
        """Return how a basic variable moves with columns and rows that stand at limits, shapes (column,), (row,)."""
        columns, rows = self._row(position)
        free = self._rises | self._falls
        count = self.lp.shape[1]
        return np.where(free[:count], -columns, 0.0), np.where(free[count:], rows, 0.0)

    def name(self, stop: int) -> str:
        """Return the LP name of a basic variable or row."""
        place = int(self.basic[stop])
        return self.lp.column_names[place] if place >= 0 else self.lp.row_names[-1 - place]


class Ranger:
    """Finds left and right derivatives of fixed columns from the optimal basis of the cost LP.

    Args:
        lp: what was solved.
        highs: standing at its optimal basis.
        solution: of it.
    """

    def __init__(self, lp: Lp, highs: Highs, solution: Solution) -> None:
        self.lp, self.highs, self.basis, self.matrix = lp, highs, highs.basis(), Matrix(lp)
        self.vertex = Vertex(highs, lp, self.matrix, solution)

    def range(self, column: int) -> Ranging:
        """Return the derivatives of a datum: of a column that is fixed, or that stands at a limit and is held there."""
        value, rates = float(self.vertex.solution.x[column]), self.vertex.rates(column)
        sides = [self._side(column, value, rates, sign) for sign in (-1, 1)]
        return Ranging(value, sides[0][0], sides[1][0], sides[0][1] + sides[1][1])

    def _side(self, column: int, value: float, rates: Floats, sign: int) -> tuple[Side, int]:
        room, stop = self.vertex.room(rates, sign)
        if room > ZERO_LENGTH * max(abs(value), 1.0):
            return self._end(self.vertex, column, value, sign * room, stop), 0
        return self._beside(column, value, sign), 1

    def _end(self, vertex: Vertex, column: int, value: float, room: float, stop: int) -> Side:
        rate = float(vertex.solution.reduced[column])
        if not np.isfinite(room):
            return Side(rate, room, NO_END, "")
        beyond = vertex.rate_beyond(column, stop)
        end = NO_SCHEDULE if np.isnan(beyond) else ON if _same(rate, beyond) else KINK
        return Side(rate, value + room, end, vertex.name(stop))

    def _beside(self, column: int, value: float, sign: int) -> Side:
        """Return the derivative on a side where the basis does not hold: that of the basis a small step further."""
        step = sign * STEP * max(abs(value), 1.0)
        place, there = np.array([column]), np.array([value + step])
        limits = self.lp.lower[place], self.lp.upper[place]
        self.highs.change_bounds(place, there, there)
        solution = self.highs.solve()
        side = Side(float("nan"), value, NO_SCHEDULE, "")
        if solution.status == OPTIMAL:
            vertex = Vertex(self.highs, self.lp, self.matrix, solution)
            room, stop = vertex.room(vertex.rates(column), sign)
            side = self._end(vertex, column, value + step, sign * room, stop)
        self.highs.change_bounds(place, *limits)
        self.highs.start_from(self.basis)
        self.highs.solve()
        return side


def data_columns(horizon: Horizon) -> Iterator[tuple[str, Any, int, int]]:
    """Yield group, id, period and LP column of every datum and given opening value."""
    for name, group in sorted(horizon.stage.groups.items()):
        if group.kind not in ("datum", "opening"):
            continue
        for key in (key for key in group.index if key in group.values):
            columns: Ints = horizon.columns_of(name, key)[:1 if group.kind == "opening" else None]
            for t in np.flatnonzero(columns >= 0):
                yield name, key, int(t), int(columns[t])


def range_data(horizon: Horizon, lp: Lp, highs: Highs, solution: Solution,
               tell: Callable[[int], None] = lambda _: None) -> dict[tuple[str, Any, int], Ranging]:
    """Return (group, id, period) -> left and right derivative of every datum and opening value.

    Args:
        horizon: the case laid along time.
        lp: what was solved.
        highs: standing at the optimal basis of the cost LP.
        solution: of the cost LP.
        tell: called with the number of data done.
    """
    ranger, found = Ranger(lp, highs, solution), {}
    for name, key, t, column in data_columns(horizon):
        found[name, key, t] = ranger.range(column)
        tell(len(found))
    return found
