"""Horizon: one stage, compiled once, laid along all periods as one LP.

Pyomo reads each equation of the stage into linear terms whose coefficients stay expressions of the stage's
slots. numpy evaluates every coefficient along time and lays it out; there is no loop over periods and assets.
A closing state of period t and the opening state of t + 1 are one column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pyomo.core import ConcreteModel
from pyomo.core.expr.numvalue import native_numeric_types
from pyomo.repn import generate_standard_repn

from wateropt.calendar import Floats
from wateropt.scenario import Case
from wateropt.stage import Columns, EveryStage, evaluate

Ints = npt.NDArray[np.int64]
INFINITY = float("inf")
NUMBERS = ("cost", "lower", "upper", "row_lower", "row_upper", "row_start", "column", "value")


@dataclass(frozen=True)
class Lp:
    """minimise c·x + offset, row_lower <= A x <= row_upper, lower <= x <= upper; A by rows (CSR)."""

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    row_start: Ints
    column: Ints
    value: Floats
    column_names: tuple[str, ...]
    row_names: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.row_lower), len(self.cost)

    def is_like(self, other: Lp) -> bool:
        """Tell whether two LPs hold the same numbers."""
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in NUMBERS)


@dataclass(frozen=True)
class Patch:
    """What of an LP is to be overwritten, its shape and which columns and rows exist staying as they are.

    Attributes:
        columns, lower, upper: bounds of columns.
        rows, row_lower, row_upper: limits of rows.
        entry_rows, entry_columns, entries: coefficients.
    """

    columns: Ints
    lower: Floats
    upper: Floats
    rows: Ints
    row_lower: Floats
    row_upper: Floats
    entry_rows: Ints
    entry_columns: Ints
    entries: Floats


@dataclass(frozen=True)
class Linear:
    """Linear expressions of stage columns, along time.

    Attributes:
        row, column: of each entry, in stage numbering, shape (entry,).
        expressions: coefficient of each entry as a Pyomo expression or number.
        constants: constant of each row as an expression or number, shape (row,).
    """

    row: Ints
    column: Ints
    expressions: tuple[Any, ...]
    constants: tuple[Any, ...]

    def coefficients(self, slots: Mapping[int, Any], periods: int) -> Floats:
        """Return the coefficients along time, shape (period, entry)."""
        return _along(self.expressions, slots, periods)

    def offsets(self, slots: Mapping[int, Any], periods: int) -> Floats:
        """Return the constants along time, shape (period, row)."""
        return _along(self.constants, slots, periods)


def _along(expressions: tuple[Any, ...], slots: Mapping[int, Any], periods: int) -> Floats:
    out = np.empty((periods, len(expressions)))
    for k, expression in enumerate(expressions):
        out[:, k] = evaluate(expression, slots)
    return out


class Horizon:
    """A case laid along time.

    Attributes:
        case, stage: what was laid out.
        position: LP column of each stage column in each period, -1 where it does not exist, shape (period, column).
        row_position: the same for rows.
        index: (group, id) -> stage column; row_index: (constraint, id) -> stage row.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.periods = len(case.calendar)
        self.stage = EveryStage(case.book, ConcreteModel(), column_units=case.column_units)
        self.stage.fill(case.parts)
        self._number_columns()
        self.rows, self.row_keys, self._senses = self._read_rows()
        self.row_index = {key: k for k, key in enumerate(self.row_keys)}
        self._mask()
        self._place_columns()
        numbered = np.cumsum(self._row_exists).reshape(self._row_exists.shape) - 1
        self.row_position = np.where(self._row_exists, numbered, -1)
        self._slotted: dict[tuple[str, ...], tuple[tuple[Any, ...], Ints, Ints, npt.NDArray[np.bool_]]] = {}
        self._mentions: tuple[dict[int, list[int]], dict[int, list[int]]] | None = None
        self.ledger = self._read([term.expression for term in self.stage.terms])

    # ---- columns ---------------------------------------------------------------------------------

    def _number_columns(self) -> None:
        self.keys = [(name, key) for name, group in self.stage.groups.items() for key in group.index]
        self.index = {key: k for k, key in enumerate(self.keys)}
        self._by_var = {id(getattr(self.stage.block, name)[key]): k for k, (name, key) in enumerate(self.keys)}

    def _exists(self, when: Mapping[Any, Any] | None, key: Any) -> npt.NDArray[np.bool_]:
        mask = (when or {}).get(key)
        return np.ones(self.periods, dtype=bool) if mask is None else np.asarray(mask)

    def _mask(self) -> None:
        """Mark which columns and rows exist in which period."""
        groups = self.stage.groups
        self._column_exists = np.array([self._exists(groups[n].when, k) for n, k in self.keys]).T
        self._row_exists = np.array([self._exists(self.stage.rows[n], k) for n, k in self.row_keys]).T
        others = np.zeros(self._row_exists.shape, dtype=np.int64)
        for row, column in zip(self.rows.row, self.rows.column, strict=True):
            others[:, row] += self._column_exists[:, column]
        for (name, key), row in self.row_index.items():
            if name == "account_total":  # an account that nothing is booked on in this period
                booked = others[:, row] > 1
                self._row_exists[:, row] &= booked
                self._column_exists[:, self.index["account", key]] &= booked

    def _place_columns(self) -> None:
        opening = np.array([self.stage.groups[name].kind == "opening" for name, _ in self.keys])
        own = self._column_exists & ~opening
        position = np.where(own, opening.sum() + np.cumsum(own).reshape(own.shape) - 1, -1)
        position[0, opening] = np.arange(opening.sum())
        closing = [self.index[name.removesuffix("_opening"), key] for name, key in marked(self.keys, opening)]
        position[1:, opening] = position[:-1, closing]
        self.position = position
        self.columns = int(position.max()) + 1

    # ---- rows ---------------------------------------------------------------------------------------

    def _read_rows(self) -> tuple[Linear, list[tuple[str, Any]], list[tuple[Any, Any]]]:
        bodies, keys, senses = [], [], []
        for name in self.stage.rows:
            for key, row in getattr(self.stage.block, name).items():
                bodies.append(row.body)
                keys.append((name, key))
                senses.append((row.lower, row.upper))
        return self._read(bodies), keys, senses

    def _read(self, bodies: Iterable[Any]) -> Linear:
        rows, columns, expressions, constants = [], [], [], []
        for number, body in enumerate(bodies):
            linear = generate_standard_repn(body, compute_values=False, quadratic=False)
            if linear.nonlinear_expr is not None:
                raise TypeError(f"not linear: {body}")
            rows += [number] * len(linear.linear_vars)
            columns += [self._by_var[id(var)] for var in linear.linear_vars]
            expressions += linear.linear_coefs
            constants.append(linear.constant)
        return Linear(np.array(rows), np.array(columns), tuple(expressions), tuple(constants))

    # ---- the LP ----------------------------------------------------------------------------------------

    def lp(self, zeros: bool = False) -> Lp:
        """Lay the stage along time with the present values of its slots.

        Args:
            zeros: keep entries that are zero at present: other values of the slots then fit in their places.
        """
        lower, upper = self._bounds()
        row_lower, row_upper = self._row_limits(self._slot_values())
        return Lp(self._costs(), lower, upper, row_lower, row_upper, *self.matrix(zeros),
                  tuple(self._names(self.keys, self.position, self.columns)),
                  tuple(self._names(self.row_keys, self.row_position, len(row_lower))))

    def matrix(self, zeros: bool = False) -> tuple[Ints, Ints, Floats]:
        """Return the matrix by rows with the present values of the slots: row starts, columns, values."""
        row, column, value = self._entries(self._slot_values(), zeros)
        order = np.lexsort((column, row))
        starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=int(self._row_exists.sum())))])
        return starts, column[order], value[order]

    @cached_property
    def _params(self) -> dict[tuple[str, Any], int]:
        """Return the identity of the Param of each slot."""
        return {(name, key): id(param) for name in self.stage.slots
                for key, param in getattr(self.stage.block, name).items()}

    def _slot_values(self) -> dict[int, Any]:
        """Return the present value along time of every slot, by the identity of its Param."""
        slots = self.stage.slots
        return {param: slots[name][key] for (name, key), param in self._params.items()}

    def _entries(self, slots: Mapping[int, Any], zeros: bool) -> tuple[Ints, Ints, Floats]:
        row = self.row_position[:, self.rows.row]
        column = self.position[:, self.rows.column]
        value = self.rows.coefficients(slots, self.periods)
        kept = (row >= 0) & (column >= 0) & (zeros | (value != 0))
        return row[kept], column[kept], value[kept]

    def changed_entries(self, names: tuple[str, ...]) -> tuple[Ints, Ints, Floats]:
        """Return row, column and present value of the entries that depend on some slots (zeros too)."""
        if names not in self._slotted:
            self._slotted[names] = self._entries_of(names)
        chosen, row, column, kept = self._slotted[names]
        value = _along(chosen, self._slot_values(), self.periods)
        return row, column, value[kept]

    def _entries_of(self, names: tuple[str, ...]) -> tuple[tuple[Any, ...], Ints, Ints, npt.NDArray[np.bool_]]:
        """Return the coefficients that depend on some slots, and the row and column of those that exist."""
        wanted = {id(param) for name in names for param in getattr(self.stage.block, name).values()}
        chosen = [k for k, e in enumerate(self.rows.expressions) if _mentions(e, wanted)]
        row = self.row_position[:, self.rows.row[chosen]]
        column = self.position[:, self.rows.column[chosen]]
        kept = (row >= 0) & (column >= 0)
        return tuple(self.rows.expressions[k] for k in chosen), row[kept], column[kept], kept

    def row_limits_of(self, name: str) -> tuple[Ints, Floats, Floats]:
        """Return the rows of a constraint and their present limits."""
        chosen = [k for k, (n, _) in enumerate(self.row_keys) if n == name]
        lower, upper = self._limits_along(chosen, self._slot_values())
        place = self.row_position[:, chosen]
        kept = place >= 0
        return place.T[kept.T], lower.T[kept.T], upper.T[kept.T]

    def fixed(self) -> npt.NDArray[np.bool_]:
        """Return which LP columns are fixed to what is given: data, and opening values that are known."""
        fixed = np.zeros(self.columns, dtype=bool)
        for k, (name, key) in enumerate(self.keys):
            if key in self.stage.groups[name].values:
                fixed[self._bounds_of(k, self.stage.groups, {})[0]] = True
        return fixed

    def _bounds(self) -> tuple[Floats, Floats]:
        lower, upper = np.full(self.columns, -INFINITY), np.full(self.columns, INFINITY)
        for k in range(len(self.keys)):
            place, low, high = self._bounds_of(k, self.stage.groups, self.case.book.closing)
            lower[place], upper[place] = low, high
        return lower, upper

    def _bounds_of(self, k: int, groups: Mapping[str, Columns],
                   closing: Mapping[str, Mapping[Any, Any]]) -> tuple[Ints, Floats, Floats]:
        """Return the LP columns of a stage column and their bounds."""
        name, key = self.keys[k]
        group, place = groups[name], self.position[:, k]
        low, high = (group.values[key],) * 2 if key in group.values else (group.lower[key], group.upper[key])
        kept = place >= 0
        if group.kind == "opening":  # its later columns are the closing ones of the periods before
            kept &= np.arange(self.periods) == 0
        lower = np.array(np.broadcast_to(-INFINITY if low is None else low, self.periods), dtype=float)
        upper = np.array(np.broadcast_to(INFINITY if high is None else high, self.periods), dtype=float)
        least = closing.get(name, {}).get(key)
        if least is not None:
            lower[-1] = max(lower[-1], least)
        return place[kept], lower[kept], upper[kept]

    def _row_limits(self, slots: Mapping[int, Any]) -> tuple[Floats, Floats]:
        count = int(self._row_exists.sum())
        lower, upper = np.empty(count), np.empty(count)
        low, high = self._limits_along(range(len(self.row_keys)), slots)
        lower[self.row_position[self._row_exists]] = low[self._row_exists]
        upper[self.row_position[self._row_exists]] = high[self._row_exists]
        return lower, upper

    def revalue(self, groups: Mapping[str, Columns], slots: Mapping[str, Mapping[Any, Any]],
                closing: Mapping[str, Mapping[Any, Any]], base: Mapping[str, Mapping[Any, Any]]) -> Patch:
        """Take over other values of slots; return what of the LP differs from that with the `base` values.

        Args:
            groups: limits and values of the columns, of the same ids and periods as the stage's.
            slots: values of some slots.
            closing: least closing values.
            base: values of all slots in the LP that is to be patched.
        """
        self.stage.slots |= {name: dict(values) for name, values in slots.items()}
        moved = {self._params[name, key] for name, values in slots.items() for key in differing(values, base[name])}
        own, here = self.stage.groups, self.case.book.closing
        others = {name: _moved(own[name], group) | {*differing(closing.get(name, {}), here.get(name, {}))}
                  for name, group in groups.items()}
        columns = sorted(self.index[name, key] for name, keys in others.items() for key in keys)
        bounds = [self._bounds_of(k, groups, closing) for k in columns]
        present = self._slot_values() if moved else {}
        entries = self._moved_entries(moved, present)
        rows = self._moved_rows(moved, present)
        none = (np.array([], dtype=np.int64), np.array([]), np.array([]))
        place, lower, upper = (np.concatenate([part[n] for part in (none, *bounds)]) for n in range(3))
        return Patch(place, lower, upper, *rows, *entries)

    def _moved_entries(self, moved: set[int], slots: Mapping[int, Any]) -> tuple[Ints, Ints, Floats]:
        chosen = sorted({k for slot in moved for k in self._mentioned()[0].get(slot, ())})
        row, column = self.row_position[:, self.rows.row[chosen]], self.position[:, self.rows.column[chosen]]
        value = _along(tuple(self.rows.expressions[k] for k in chosen), slots, self.periods)
        kept = (row >= 0) & (column >= 0)
        return row[kept], column[kept], value[kept]

    def _moved_rows(self, moved: set[int], slots: Mapping[int, Any]) -> tuple[Ints, Floats, Floats]:
        chosen = sorted({k for slot in moved for k in self._mentioned()[1].get(slot, ())})
        lower, upper = self._limits_along(chosen, slots)
        place = self.row_position[:, chosen]
        kept = place >= 0
        return place[kept], lower[kept], upper[kept]

    def _mentioned(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """Return slot -> entries, and slot -> rows whose limits depend on it."""
        if self._mentions is None:
            limits = [(constant, *senses) for constant, senses in zip(self.rows.constants, self._senses, strict=True)]
            self._mentions = (_where_mentioned([(e,) for e in self.rows.expressions]), _where_mentioned(limits))
        return self._mentions

    def _limits_along(self, chosen: Sequence[int], slots: Mapping[int, Any]) -> tuple[Floats, Floats]:
        """Return the limits of some rows along time, shapes (period, row)."""
        constant = _along(tuple(self.rows.constants[k] for k in chosen), slots, self.periods)
        limits = [_along(tuple(none if self._senses[k][side] is None else self._senses[k][side] for k in chosen),
                         slots, self.periods) for side, none in ((0, -INFINITY), (1, INFINITY))]
        return limits[0] - constant, limits[1] - constant

    def _costs(self) -> Floats:
        cost = np.zeros(self.columns)
        for key in self.stage.groups["account"].index:
            place = self.position[:, self.index["account", key]]
            cost[place[place >= 0]] = 1.0
        return cost

    def _names(self, keys: list[tuple[str, Any]], position: Ints, count: int) -> list[str]:
        names = [""] * count
        days = [day.isoformat() for day in self.case.calendar.starts]
        for k, (name, key) in enumerate(keys):
            stem = f"{name}:{label(key)}"
            for t in range(self.periods):
                if position[t, k] >= 0 and not names[position[t, k]]:
                    names[position[t, k]] = f"{stem}@{days[t]}"
        return names

    # ---- reading a solution back -----------------------------------------------------------------------

    def columns_of(self, name: str, key: Any) -> Ints:
        """Return the LP columns of a variable, state or datum by period; -1 where it does not exist."""
        return self.position[:, self.index[name, key]]

    def rows_of(self, name: str, key: Any) -> Ints:
        """Return the LP rows of a constraint by period; -1 where it does not exist."""
        return self.row_position[:, self.row_index[name, key]]

    def evaluate_ledger(self, x: Floats) -> Floats:
        """Return the value of every named term in every period, shape (period, term)."""
        slots = self._slot_values()
        position = self.position[:, self.ledger.column]
        amount = self.ledger.coefficients(slots, self.periods) * np.where(position >= 0, x[position], 0.0)
        out = self.ledger.offsets(slots, self.periods)
        np.add.at(out.T, self.ledger.row, amount.T)
        return out


def label(key: Any) -> str:
    """Return an id as it stands in names.

    >>> label("toktogul"), label(("toktogul", "peak"))
    ('toktogul', 'toktogul/peak')
    """
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def marked(keys: list[tuple[str, Any]], mask: npt.NDArray[np.bool_]) -> list[tuple[str, Any]]:
    """Return the keys that a mask marks."""
    return [key for key, chosen in zip(keys, mask, strict=True) if chosen]


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values along time are the same (NaN is NaN)."""
    if one is other:
        return True
    if one is None or other is None:
        return False
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()  # ten times as fast as numpy's comparison
    return bool(np.all(one == other))


def differing(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> list[Any]:
    """Return the keys whose values differ; the keys are the same."""
    return [key for key, value in one.items() if value is not other[key] and not equal(value, other[key])]


def _moved(one: Columns, other: Columns) -> set[Any]:
    """Return the ids whose limits or value differ between two groups."""
    pairs = (one.values, other.values), (one.lower, other.lower), (one.upper, other.upper)
    return {key for first, second in pairs for key in differing(first, second)}


def _where_mentioned(groups: Sequence[tuple[Any, ...]]) -> dict[int, list[int]]:
    """Return slot -> numbers of the groups of expressions that depend on it."""
    found: dict[int, list[int]] = {}
    for number, expressions in enumerate(groups):
        for slot in {slot for expression in expressions for slot in _slots_in(expression)}:
            found.setdefault(slot, []).append(number)
    return found


def _slots_in(expression: Any) -> Iterable[int]:
    if expression is None or type(expression) in native_numeric_types:
        return
    if expression.is_parameter_type():
        yield id(expression)
    elif expression.is_expression_type():
        for arg in expression.args:
            yield from _slots_in(arg)


def _mentions(expression: Any, wanted: set[int]) -> bool:
    if isinstance(expression, int | float):
        return False
    if id(expression) in wanted:
        return True
    return expression.is_expression_type() and any(_mentions(arg, wanted) for arg in expression.args)


