"""The numbers of a stage without its equations: what a case that differs in few numbers puts into a laid-out LP.

Components build on a `NumberStage` as on any stage, but its variables are nothing and no rule of an equation is called.
What remains are the values that a horizon lays out: data, limits, slots, and which columns and rows exist when. That
takes a few milliseconds where Pyomo takes tenths of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wateropt.scenario import Case
from wateropt.stage import Columns, EveryStage, Index, Rule, Term, Values


class _Nothing:
    """What stands for a quantity that the optimizer chooses, and for every expression of one."""

    __array_ufunc__ = None  # arrays leave arithmetic with it to it

    def _same(self, *_: Any) -> _Nothing:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __neg__ = __getitem__ = _same


NOTHING = _Nothing()


class _Group(_Nothing):
    """A group of columns: it knows its ids."""

    def __init__(self, index: tuple[Index, ...]) -> None:
        self.index = index

    def __iter__(self) -> Iterator[Index]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, key: Index) -> bool:
        return key in self.index

    def __getitem__(self, key: Index) -> _Nothing:
        return NOTHING


class NumberStage(EveryStage):
    """A stage for all periods of a case that holds its numbers only."""

    def __init__(self, case: Case) -> None:
        super().__init__(case.book, None, column_units={})
        self.fill(case.parts)

    def slots_like(self, names: Iterable[str]) -> dict[str, dict[Index, Any]]:
        """Return the values of slots by name; a table's column is one as soon as an equation asks for it."""
        for name in names:
            if name not in self.slots:
                self.slot(name, self._column(name), "")
        return {name: self.slots[name] for name in names}

    def _column(self, slot: str) -> Values:
        for part, table in self.book.tables.items():
            if not slot.startswith(part):
                continue
            for columns in (self.book.series.get(part, {}), table.columns):
                if slot[len(part) + 1:] in columns:
                    return columns[slot[len(part) + 1:]]
        raise KeyError(slot)

    def slot(self, name: str, values: Values, unit: str) -> Any:  # noqa: ARG002
        """Return the values over the ids that have one."""
        if name not in self.slots:
            self.slots[name] = {key: value for key, value in values.items() if value is not None}
        return self.slots[name]

    def along_time(self, expression: Any) -> Any:
        """Return an expression of slots, which is its value."""
        return expression

    def constrain(self, name: str, over: Iterable[Index], rule: Rule, unit: str,  # noqa: ARG002
                  when: Mapping[Index, Any] | None = None) -> None:
        """Note in which periods an equation exists."""
        self.rows[name] = ({key: when.get(key) for key in over if self._exists(when, key)} if when
                           else dict.fromkeys(over))

    def gain(self, term: str, over: Iterable[Index], node: Mapping[str, str], rule: Rule) -> None:  # noqa: ARG002
        """Note who gains."""
        self.terms += [Term("node", node[_first(key)], term, key, NOTHING) for key in over]

    def send(self, term: str, over: Iterable[Index], origin: Mapping[str, str],
             destination: Mapping[str, str], flow: Rule, arriving: Rule | None = None, *,  # noqa: ARG002
             in_river: bool = True) -> None:
        """Note where a flow goes."""
        for key in over:
            self._flows.append((origin[key], destination[key], NOTHING, in_river))
            self.terms += [Term("node", place[key], term, key, NOTHING) for place in (origin, destination)]

    def passing(self, name: str, over: Iterable[str], origin: Mapping[str, str],  # noqa: ARG002
                destination: Mapping[str, str] | None = None) -> Any:  # noqa: ARG002
        """Return nothing: flows are no numbers."""
        return NOTHING

    def feed(self, term: str, over: Iterable[Index], grid: Mapping[str, str], rule: Rule) -> None:  # noqa: ARG002
        """Note who feeds a grid."""
        self.terms += [Term("grid", (grid[key], block), term, key, NOTHING) for key in over for block in self.blocks]

    def account(self, item: str, over: Iterable[Index], country: Mapping[str, str] | str, rule: Rule,  # noqa: ARG002
                kind: str = "money") -> None:
        """Note whose account is booked on."""
        for key in over:
            whose = country if isinstance(country, str) else country[_first(key)]
            self.terms.append(Term("account", (whose if kind != "penalty" else "none", item, kind), item, key, NOTHING))

    def _columns(self, name: str, kind: str, over: Iterable[Index], unit: str, lower: Any, upper: Any,
                 values: Values, when: Mapping[Index, Any] | None) -> Any:
        when = dict(when or {})
        index = [key for key in over if self._exists(when, key)] if when else list(over)
        self.groups[name] = Columns(name, kind, unit, tuple(index), self._limits(index, lower),
                                    self._limits(index, upper), dict(values),
                                    {key: when[key] for key in index if key in when})
        return _Group(tuple(index))


def _first(key: Index) -> Any:
    return key[0] if isinstance(key, tuple) else key
