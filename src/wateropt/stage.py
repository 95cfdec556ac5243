"""The stage: the whole model of one period, and what a component may do in it.

A component writes its equations with eight verbs:

    variable   a quantity that the optimizer chooses in the period
    state      a quantity handed from period to period: an opening and a closing column
    datum      what the outside world gives (inflow, requirement, load): a column fixed to its value
    constrain  an equation
    gain       a volume that enters (+) or leaves (-) a node [hm³]
    send       a flow from one node to another [m³/s], arriving at once or later
    feed       energy given to (+) or taken from (-) a grid, by load block [GWh]
    account    a cost (+) or benefit (-) of a country [MUSD]

The stage then closes the water balance of every node, the energy balance of every grid and the accounts.
Each of their terms keeps its name: the ledger that the report prints is the equation itself.

Everything a table says that multiplies a variable is a mutable `Param` (a *slot*), so one stage serves all
periods: `horizon` compiles it once and evaluates its coefficients along time; `full_model` builds it once a
period. Verbs take *fields* (`sites.canal_capacity`), numbers, mappings, or Pyomo expressions of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from pyomo.core import Constraint, Expression, Param, Reals, Reference, Var
from pyomo.core.expr.numvalue import native_numeric_types

from wateropt.calendar import Calendar, Floats
from wateropt.tables import Table
from wateropt.units import GWH_PER_MWH, HM3_PER_M3S_DAY, HM3_PER_M3S_HOUR

Index = Any  # an id, or a tuple of ids
Values = Mapping[Index, Any]  # a number or an array (period,) for each index
Rule = Callable[..., Any]


@dataclass(frozen=True)
class Book:
    """What a stage is built from: the calendar and, for each component, its table and series along time.

    Attributes:
        calendar: the periods.
        blocks: hours a day of each load block.
        tables: checked tables by component or policy name.
        series: component -> series column -> key -> array (period,), NaN where there is no value.
        opening: state -> index -> value before the first period.
        closing: state -> index -> least value after the last period (absent: free).
        settings: what the basin says that is no table (shortage steps).
    """

    calendar: Calendar
    blocks: Mapping[str, float]
    tables: Mapping[str, Table]
    series: Mapping[str, Mapping[str, Mapping[Any, Floats]]]
    opening: Mapping[str, Mapping[Any, float]]
    closing: Mapping[str, Mapping[Any, float]]
    settings: Mapping[str, Any] = field(default_factory=dict)


class State(NamedTuple):
    """Opening and closing columns of a quantity handed from period to period."""

    opening: Any
    closing: Any


@dataclass
class Columns:
    """What is known of a group of columns.

    Attributes:
        name, kind, unit: kind is `variable`, `state`, `opening` or `datum`.
        index: the ids.
        lower, upper: limits by id, a number or an array (period,); None is no limit.
        values: of data and openings, by id.
        when: by id, in which periods the column exists (absent: always).
        slotted: ("lower" or "upper", id) -> the limit as an expression of slots, where it is one.
    """

    name: str
    kind: str
    unit: str
    index: tuple[Index, ...]
    lower: dict[Index, Any]
    upper: dict[Index, Any]
    values: dict[Index, Any]
    when: dict[Index, Any]
    slotted: dict[tuple[str, Index], Any] = field(default_factory=dict)


class Term(NamedTuple):
    """One named term of a balance or an account."""

    book: str  # node, grid or account
    place: Index  # node; (grid, block); (country, item, kind)
    term: str
    item: Index  # asset that causes it
    expression: Any


class Fields:
    """A component's table inside a stage: a number column is a mutable Param, a word column a mapping."""

    def __init__(self, stage: Stage, table: Table, series: Mapping[str, Mapping[Any, Floats]]) -> None:
        self._stage, self._table, self._series = stage, table, series

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def raw(self, column: str) -> Mapping[Any, Any]:
        """Return the plain values of a column or series (for choices made before any equation)."""
        return self._series[column] if column in self._series else self._table.columns[column]

    def where(self, test: Callable[[str], bool]) -> tuple[str, ...]:
        """Return the ids that pass a test."""
        return tuple(key for key in self._table if test(key))

    def __getattr__(self, column: str) -> Any:
        values = self.raw(column)
        if values and isinstance(next(iter(values.values())), str):
            return values
        return self._stage.slot(f"{self._table.name}_{column}", values, self._stage.unit_of(self._table.name, column))


class Stage:
    """The model of one period.

    Args:
        book: calendar, tables and series.
        period: number of the period whose values the Params and bounds take.
        block: Pyomo block to build on (a concrete model or a block of one).
        previous: stage of the period before, whose closing states are this one's openings.
        units: attach Pyomo units to everything, for `assert_units_consistent` (slow; tests only).
        column_units: (component, column) -> unit.
    """

    def __init__(self, book: Book, block: Any, period: int = 0, previous: Stage | None = None,
                 units: Any = None, column_units: Mapping[tuple[str, str], str] | None = None) -> None:
        self.book, self.block, self.period, self.previous = book, block, period, previous
        self._units, self._column_units = units, column_units or {}
        self.groups: dict[str, Columns] = {}
        self.slots: dict[str, dict[Index, Any]] = {}
        self.rows: dict[str, dict[Index, Any]] = {}  # name -> index -> when
        self.row_units: dict[str, str] = {}
        self.states: dict[str, State] = {}
        self.terms: list[Term] = []
        self._flows: list[tuple[str, str, Any, bool]] = []  # origin, destination, flow, in the river: of every `send`
        self._passing: list[tuple[Any, str, str | None]] = []
        self._sent: dict[tuple[str, str, str], list[Any]] = {}  # energy of every `transmit`
        self._allotted: dict[tuple[str, str, str], list[Any]] = {}  # amounts of every `allot`
        self._expansions: dict[tuple[str, str], list[tuple[Any, float]]] = {}
        days = book.calendar.days
        self.days = self._scalar("days", days, "day")
        self.hm3 = self._scalar("hm3_per_m3s", days * HM3_PER_M3S_DAY, "hm^3/(m^3/s)")
        hours = {b: days * h for b, h in book.blocks.items()}
        self.gwh_per_mw = self.slot("gwh_per_mw", {b: h * GWH_PER_MWH for b, h in hours.items()}, "GWh/MW")
        self.block_hm3 = self.slot("block_hm3_per_m3s", {b: h * HM3_PER_M3S_HOUR for b, h in hours.items()},
                                   "hm^3/(m^3/s)")
        self.blocks = tuple(book.blocks)

    # ---- what a component reads -------------------------------------------------------------------

    def fields(self, name: str) -> Fields:
        """Return the table of a component with its number columns as slots."""
        return Fields(self, self.book.tables[name], self.book.series.get(name, {}))

    def unit_of(self, name: str, column: str) -> str:
        """Return the unit of a component's column, as Pyomo reads it."""
        return self._column_units.get((name, column), "dimensionless")

    def number(self, value: float, unit: str) -> Any:
        """Return a constant with its unit (the plain number outside unit checks)."""
        return value if self._units is None else value * self._units(unit)

    def slot(self, name: str, values: Values, unit: str) -> Any:
        """Return a mutable Param over the ids that have a value; made once, found again by name."""
        if name in self.slots:
            return getattr(self.block, name)
        kept = {key: value for key, value in values.items() if value is not None}
        now = {key: self._at(value) for key, value in kept.items()}
        param = Param(list(kept), initialize=now, mutable=True, within=Reals, units=self._pyomo_unit(unit))
        setattr(self.block, name, param)
        self.slots[name] = kept
        return param

    def _scalar(self, name: str, values: Floats, unit: str) -> Any:
        return self.slot(name, {"": values}, unit)[""]

    def _at(self, value: Any) -> float:
        return float(value[self.period]) if isinstance(value, np.ndarray) else float(value)

    def _pyomo_unit(self, unit: str) -> Any:
        return None if self._units is None else self._units(unit)

    # ---- verbs ----------------------------------------------------------------------------------------

    def variable(self, name: str, over: Iterable[Index], unit: str, lower: Any = 0.0, upper: Any = None,
                 when: Mapping[Index, Any] | None = None) -> Any:
        """Add a quantity that the optimizer chooses, between `lower` and `upper` (None: no limit)."""
        return self._columns(name, "variable", over, unit, lower, upper, {}, when)

    def state(self, name: str, over: Iterable[Index], unit: str, lower: Any = 0.0, upper: Any = None,
              free: bool = False) -> State:
        """Add a quantity handed from period to period; its opening value comes from the book, or is chosen (`free`)."""
        over = list(over)
        closing = self._columns(name, "state", over, unit, lower, upper, {}, None)
        if self.previous is None:
            values = {} if free else {key: self.book.opening[name][key] for key in over}
            low, high = (lower, upper) if free else (None, None)
            opening = self._columns(f"{name}_opening", "opening", over, unit, low, high, values, None)
        else:
            opening = Reference(self.previous.states[name].closing) if over else {}
            setattr(self.block, f"{name}_opening", opening)
        self.states[name] = State(opening, closing)
        return self.states[name]

    def datum(self, name: str, over: Iterable[Index], values: Values, unit: str,
              when: Mapping[Index, Any] | None = None) -> Any:
        """Add what the outside world gives: a column fixed to its value in each period."""
        over = list(over)
        return self._columns(name, "datum", over, unit, None, None, {key: values[key] for key in over}, when)

    def constrain(self, name: str, over: Iterable[Index], rule: Rule, unit: str,
                  when: Mapping[Index, Any] | None = None) -> None:
        """Add an equation for each id (and only in the periods `when` says)."""
        when = dict(when or {})
        index = [key for key in over if self._exists(when, key)]
        setattr(self.block, name, Constraint(index, rule=_on_index(rule)))
        self.rows[name] = {key: when.get(key) for key in index}
        self.row_units[name] = unit

    def gain(self, term: str, over: Iterable[Index], node: Mapping[str, str], rule: Rule) -> None:
        """Add a volume [hm³] that enters (+) or leaves (-) the node of each id."""
        for key in over:
            first = key if isinstance(key, str) else key[0]
            self.terms.append(Term("node", node[first], term, key, rule(*_flat(key))))

    def send(self, term: str, over: Iterable[Index], origin: Mapping[str, str], destination: Mapping[str, str],
             flow: Rule, arriving: Rule | None = None, *, in_river: bool = True) -> None:
        """Send a flow [m³/s] from node to node, in the river or out of it; `arriving` [hm³] is κ·flow unless given."""
        for key in over:
            leaving = flow(key)
            self._flows.append((origin[key], destination[key], leaving, in_river))
            arrival = arriving(key) if arriving else self.hm3 * leaving
            self.terms.append(Term("node", origin[key], term, key, -self.hm3 * leaving))
            self.terms.append(Term("node", destination[key], term, key, arrival))

    def passing(self, name: str, over: Iterable[str], origin: Mapping[str, str],
                destination: Mapping[str, str] | None = None) -> Any:
        """Return the flow [m³/s] that all components send down the river from one node (to another), by id."""
        expression = Expression(list(over), initialize=0.0)
        setattr(self.block, name, expression)
        for key in over:
            self._passing.append((expression[key], origin[key], destination[key] if destination else None))
        return expression

    def feed(self, term: str, over: Iterable[Index], grid: Mapping[str, str], rule: Rule) -> None:
        """Give energy [GWh] to (+) or take it from (-) the grid of each id, by load block."""
        for key in over:
            for block in self.blocks:
                self.terms.append(Term("grid", (grid[key], block), term, key, rule(key, block)))

    def transmit(self, over: Iterable[Index], origin: Mapping[str, str], destination: Mapping[str, str],
                 sent: Rule, arriving: Rule) -> None:
        """Send energy [GWh] from grid to grid, by load block."""
        self.feed("export", over, origin, lambda key, block: -sent(key, block))
        self.feed("import", over, destination, arriving)
        for key in over:
            for block in self.blocks:
                self._sent.setdefault((origin[key], destination[key], block), []).append(sent(key, block))

    def transmitted(self, origin: str, destination: str, block: str) -> Any:
        """Return the energy [GWh] that all links send from one grid to another in a block."""
        return sum(self._sent.get((origin, destination, block), []), start=self.number(0.0, "GWh"))

    def allot(self, origin: str, destination: str, block: str, amount: Any) -> None:
        """Settle an amount of energy [GWh] on what flows from grid to grid; no flow is settled twice."""
        self._allotted.setdefault((origin, destination, block), []).append(amount)

    def booked(self, book: str, term: str, item: str) -> list[Term]:
        """Return the terms of an asset that are on the ledger so far: of one name, in any place."""
        return [line for line in self.terms if (line.book, line.term) == (book, term) and _first(line.item) == item]

    def flow_between(self, origin: str, destination: str) -> Any:
        """Return the flow [m³/s] that has been sent from one node to another so far."""
        parts = [flow for o, d, flow, _ in self._flows if (o, d) == (origin, destination)]
        return sum(parts, start=self.number(0.0, "m^3/s"))

    def expand(self, kind: str, asset: str, built: Any, most: float) -> None:
        """Let an asset's capacity grow by what is built of a project, at most so much."""
        self._expansions.setdefault((kind, asset), []).append((built, most))

    def expansion(self, kind: str, asset: str) -> tuple[Any, float] | None:
        """Return what may be built onto an asset (expression and its most), or None."""
        parts = self._expansions.get((kind, asset))
        return (sum(built for built, _ in parts), sum(most for _, most in parts)) if parts else None

    def account(self, item: str, over: Iterable[Index], country: Mapping[str, str] | str, rule: Rule,
                kind: str = "money") -> None:
        """Book a cost (+) or benefit (-) [MUSD] of each id on its country's account."""
        for key in over:
            first = key if isinstance(key, str) else key[0]
            whose = country if isinstance(country, str) else country[first]
            place = (whose if kind != "penalty" else "none", item, kind)
            self.terms.append(Term("account", place, item, key, rule(*_flat(key))))

    def delay(self, name: str, over: Iterable[str], volume: Rule, shares: Mapping[str, Floats]) -> Any:
        """Return the volume [hm³] that arrives now of what entered now and before, by id.

        Args:
            name: of the state that holds what is under way, by the number of periods until it arrives.
            over: ids.
            volume: what enters in this period [hm³].
            shares: of what enters in period t, the part that arrives in t + j, shape (period, delay + 1).
        """
        over = list(over)
        steps = {(key, j): shares[key][:, j] for key in over for j in range(shares[key].shape[1])}
        share = self.slot(f"{name}_share", steps, "dimensionless")
        later = [(key, j) for key, j in steps if j >= 1]
        under_way = self.state(name, later, "hm^3")

        def moves_up(key: str, j: int) -> Any:
            behind = under_way.opening[key, j + 1] if (key, j + 1) in steps else 0.0
            return under_way.closing[key, j] == behind + share[key, j] * volume(key)

        # (B4) what is under way moves up by a period; what enters is shared out over the periods
        self.constrain(f"{name}_balance", later, moves_up, "hm^3")
        arriving = {}
        for key in over:
            waiting = under_way.opening[key, 1] if (key, 1) in steps else 0.0
            arriving[key] = waiting + share[key, 0] * volume(key)
        return arriving

    # ---- building and closing -------------------------------------------------------------------------------------

    def fill(self, parts: Iterable[Any]) -> None:
        """Let every component and policy that has assets write its equations, and close the balances."""
        for part in parts:
            if len(self.book.tables[part.NAME]):
                part.build(self, self.fields(part.NAME))
        self.close()

    def close(self) -> None:
        """Close every balance: nodes, grids, accounts; and fill in the flows that were asked for."""
        # (B5) flow that passes from node to node: everything that is sent
        for expression, origin, destination in self._passing:
            parts = [f for o, d, f, river in self._flows if river and o == origin and destination in (None, d)]
            expression.set_value(sum(parts) if parts else self.number(0.0, "m^3/s"))
        # (B1) what is gained at a node sums to zero
        self._balance("water_balance", "node", "hm^3")
        # (B2) what is fed to a grid in a block sums to zero
        self._balance("energy_balance", "grid", "GWh")
        # (B6) what is settled on a flow between grids is at most that flow
        self.constrain("flow_allotted", sorted(self._allotted), lambda *way: sum(self._allotted[way])
                       <= self.transmitted(*way), "GWh")
        # (B3) an account is the sum of what is booked on it
        places = sorted({term.place for term in self.terms if term.book == "account"})
        amount = self.variable("account", places, "MUSD", lower=None)
        by_place = self._by_place("account")
        self.constrain("account_total", places, lambda *p: amount[p] == sum(by_place[p]), "MUSD")

    def _by_place(self, book: str) -> dict[Index, list[Any]]:
        found: dict[Index, list[Any]] = {}
        for term in self.terms:
            if term.book == book:
                found.setdefault(term.place, []).append(term.expression)
        return found

    def _balance(self, name: str, book: str, unit: str) -> None:
        terms = self._by_place(book)
        places = sorted(terms)
        self.constrain(name, places, lambda *p: sum(terms[p if len(p) > 1 else p[0]]) == self.number(0.0, unit), unit)

    # ---- columns -------------------------------------------------------------------------------------

    def _columns(self, name: str, kind: str, over: Iterable[Index], unit: str, lower: Any, upper: Any,
                 values: Values, when: Mapping[Index, Any] | None) -> Any:
        when = dict(when or {})
        index = [key for key in over if self._exists(when, key)]
        group = Columns(name, kind, unit, tuple(index), self._limits(index, lower), self._limits(index, upper),
                        dict(values), {key: when[key] for key in index if key in when},
                        {**_slotted("lower", index, lower), **_slotted("upper", index, upper)})
        self.groups[name] = group
        var = Var(index, within=Reals, units=self._pyomo_unit(unit))
        setattr(self.block, name, var)
        for key in index:
            low, high = (self._at(v[key]) if v[key] is not None else None for v in (group.lower, group.upper))
            if key in group.values:
                low = high = self._at(values[key])
            elif kind == "state" and self.period == len(self.book.calendar) - 1:
                low = _largest(low, self.book.closing.get(name, {}).get(key))
            var[key].setlb(low)
            var[key].setub(high)
        return var

    def _exists(self, when: Mapping[Index, Any], key: Index) -> bool:
        """Tell whether something exists in this period (in any period, for a stage that serves them all)."""
        mask = when.get(key)
        return mask is None or bool(mask[self.period]) or (self.previous is None and self.serves_all and mask.any())

    serves_all = False

    def _limits(self, index: Iterable[Index], limit: Any) -> dict[Index, Any]:
        """Return limits by id as numbers or arrays: from a field, a mapping, a number, or a rule of fields."""
        if limit is None or isinstance(limit, int | float):
            return dict.fromkeys(index, limit)
        if callable(limit) and not isinstance(limit, Param):
            return {key: self.along_time(limit(*_flat(key))) for key in index}
        if isinstance(limit, Param):
            limit = self.slots[limit.local_name]
        return {key: limit.get(key) for key in index}

    def along_time(self, expression: Any) -> Any:
        """Return the value of an expression of slots: a number, or an array (period,) if it changes in time."""
        return evaluate(expression, self.slot_values())

    def slot_values(self) -> dict[int, Any]:
        """Return the value along time of every slot, by the identity of its Param."""
        return {id(param): self.slots[name][key] for name in self.slots
                for key, param in getattr(self.block, name).items()}


class EveryStage(Stage):
    """A stage that stands for all periods: everything exists in it that exists in any of them."""

    serves_all = True


def _slotted(side: str, index: Iterable[Index], limit: Any) -> dict[tuple[str, Index], Any]:
    """Return the limits by side and id that are expressions of slots."""
    if isinstance(limit, Param):
        return {(side, key): limit[key] for key in index if key in limit}
    return {(side, key): limit(*_flat(key)) for key in index} if callable(limit) else {}


def _on_index(rule: Rule) -> Rule:
    return lambda _, *key: rule(*key)


def _first(key: Index) -> Any:
    return key[0] if isinstance(key, tuple) else key


def _flat(key: Index) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _largest(*values: float | None) -> float | None:
    given = [value for value in values if value is not None]
    return max(given) if given else None


def evaluate(expression: Any, values: Mapping[int, Any]) -> Any:
    """Return the value of a Pyomo expression of Params, with an array for each Param that changes in time.

    Args:
        expression: a number, a Param, or sums, products, quotients and powers of them.
        values: value of each Param by its identity: a number or an array (period,).
    """
    if type(expression) in native_numeric_types:
        return expression
    if expression.is_parameter_type():
        return values[id(expression)]
    if expression.is_constant():
        return expression()
    if not expression.is_expression_type():
        raise TypeError(f"{expression} is not data: it cannot be a coefficient")
    return expression._apply_operation([evaluate(arg, values) for arg in expression.args])
