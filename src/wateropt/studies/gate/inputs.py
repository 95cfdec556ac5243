"""Inputs: every number and word that a case is built from, by file, id and column; what changed; changing it back.

They are read off the case's book, after the scenario's own changes: what no period of the horizon uses is no input.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from wateropt.basin import ShortageStep
from wateropt.components import COMPONENTS
from wateropt.curves import LevelCurve
from wateropt.policies import POLICIES
from wateropt.scenario import Case
from wateropt.solving import Hold
from wateropt.tables import read_rows

Value = float | str | None | list[float | None]
SCENARIO, SUITE, SETTINGS = "scenario", "suite", "basin.yaml"  # what stands in no table
CURVE = ("reservoir_level", "storage_hm3, elevation_m")
ENDS = ("opening", "closing")
NAMES = "name"  # column of names in print, which enter no equation
# state -> file and column that say what it holds at an end, where the scenario does not; "" is the state itself
FOLLOWS = {"storage": ("reservoir_observed", ""), "release": ("reservoir_observed", ""),
           "in_transit": ("reach_observed", "entered_m3s"), "transit_total": ("reach_observed", "entered_m3s"),
           "return_under_way": ("demand_requirement", "requirement_m3s")}


class Place(NamedTuple):
    """Where an input stands.

    Attributes:
        table: file without its ending, or SCENARIO, SUITE or SETTINGS.
        id: asset, or asset and further keys with a slash between them.
        column: header of the column.
        base: of the scenarios that the runs of a sweep are near to, the one that it belongs to; else "".
    """

    table: str
    id: str
    column: str
    base: str = ""


Inputs = Mapping[Place, Value]


class InputChange(NamedTuple):
    """An input that differs from the baseline's; None where it does not exist."""

    place: Place
    old: Value
    new: Value
    added: bool = False
    removed: bool = False

    @property
    def words(self) -> str:
        """By how much it changed, in words."""
        if self.added or self.removed:
            return "is new" if self.added else "is gone"
        old, new = _numbers(self.old), _numbers(self.new)
        if old is None or new is None or len({1, len(old), len(new)}) > 2:  # words, or another number of values
            return f"{_shown(self.old)} -> {_shown(self.new)}"
        old, new = np.broadcast_arrays(old, new)  # a constant series is one number
        before, after = float(np.nanmean(old)), float(np.nanmean(new))
        share = f" ({100 * (after - before) / abs(before):+.3g} %)" if before else ""
        moved = int((~np.isclose(old, new, rtol=1e-9, atol=0, equal_nan=True)).sum())
        if len(old) == 1:
            return f"{before:.6g} -> {after:.6g}{share}"
        where = "all periods" if moved == len(old) else f"{moved} of {len(old)} periods"
        return f"mean {before:.6g} -> {after:.6g}{share} in {where}"


def _numbers(value: Value) -> Any:
    if isinstance(value, str) or value is None:
        return None
    return np.array([math.nan if v is None else v for v in (value if isinstance(value, list) else [value])])


def _shown(value: Value) -> str:
    if isinstance(value, list):
        return f"{len(value)} values"
    return "none" if value is None else f"`{value}`" if isinstance(value, str) else f"{value:.6g}"


# ---- reading ------------------------------------------------------------------------------------------


def inputs_of(case: Case, *, fixed_head: bool = False, hold: Hold | None = None) -> dict[Place, Value]:
    """Return everything that a run is built from.

    >>> from wateropt.scenario import load_case
    >>> found = inputs_of(load_case("dry-2023-monthly"))
    >>> found[Place("reservoir", "toktogul", "full_storage_hm3")]
    19500.0
    """
    found: dict[Place, Value] = dict([*_tables(case), *_ends(case), *_settings(case)])
    found[Place(SUITE, "run", "fixed_head")] = str(fixed_head)
    for (name, key), values in (hold or {}).items():
        found[Place(SUITE, words_of(key), f"held {name}")] = _plain(values)
    return dict(sorted(found.items()))


def _tables(case: Case) -> Iterator[tuple[Place, Value]]:
    book = case.book
    for part in (*COMPONENTS, *POLICIES):
        for column in (column for column in part.COLUMNS if column.name != NAMES):
            for key, value in book.tables[part.NAME].columns.get(column.name, {}).items():
                yield Place(part.NAME, key, column.header), _plain(value)
        for table, column in _series(part):
            for key, value in book.series[part.NAME].get(column.name, {}).items():
                yield Place(table, words_of(key), column.header), _plain(value)
    for r, curve in case.basin.curves.items():
        yield Place(CURVE[0], r, CURVE[1]), _plain(np.column_stack([curve.storage, curve.level]).ravel())


def _ends(case: Case) -> Iterator[tuple[Place, Value]]:
    for end, states in zip(ENDS, (case.book.opening, case.book.closing), strict=True):
        for state, values in states.items():
            for key, value in values.items():
                yield Place(SCENARIO, words_of(key), f"{end} {state}"), _plain(value)
    for r, value in case.book.settings["closing_value"].items():
        yield Place(SCENARIO, r, "closing_value"), _plain(value)
    for word in ("start", "end", "step"):
        yield Place(SCENARIO, "horizon", word), str(getattr(case.scenario, word))


def _settings(case: Case) -> Iterator[tuple[Place, Value]]:
    for block, hours in case.book.blocks.items():
        yield Place(SETTINGS, block, "blocks"), _plain(hours)
    yield Place(SETTINGS, "all", "shortage_steps"), _plain(np.ravel(case.book.settings["shortage_steps"]))


def _series(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield table and column of a component's series; what was observed is no input of the optimization."""
    for series in part.SERIES:
        if series.name != "observed":
            yield from ((f"{part.NAME}_{series.name}", column) for column in series.columns)


def words_of(key: Any) -> str:
    """Return an id as one word, its parts with a slash between them."""
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def _plain(value: Any) -> Value:
    """Return a value as JSON holds it: ten digits, None for what is not known, one number for a constant series."""
    if value is None or isinstance(value, str):
        return value
    numbers = [None if math.isnan(v) else float(f"{v:.10g}") for v in np.ravel(value)]
    return numbers[0] if np.ndim(value) == 0 else numbers if len({*numbers}) > 1 else numbers[0]


def changed(old: Inputs, new: Inputs) -> list[InputChange]:
    """Return the inputs that differ, in the order of their places.

    Nothing is said of a scenario that only one of both knows: the design names it, and is an input itself.
    """
    bases = {place.base for place in old} & {place.base for place in new}
    both = sorted(place for place in {*old, *new} if place.base in bases)
    return [InputChange(place, old.get(place), new.get(place), place not in old, place not in new) for place in both
            if place not in old or place not in new or old[place] != new[place]]


def source_of(place: Place, case: Case) -> Place:
    """Return where an input is edited: a state at an end follows from a series unless the scenario gives it."""
    end, _, state = place.column.partition(" ")
    if place.table != SCENARIO or state not in FOLLOWS or _is_given(case, end, state, place.id):
        return place
    table, column = FOLLOWS[state]
    return Place(table, place.id.split("/")[0], column or place.column)


def file_of(place: Place, case: Case, suite: str) -> str:
    """Return the file that an input is edited in, with its folder, as a user looks for it."""
    place = source_of(place, case)
    words = {SCENARIO: f"{case.name}.yaml", SUITE: suite, SETTINGS: f"{case.basin.folders[-1].name}/basin.yaml"}
    if place.table in words or place.table in {part.NAME for part in POLICIES}:
        return words.get(place.table, words[SCENARIO])
    asset = place.id.split("/")[0]
    for folder in reversed(case.basin.folders):
        path = folder / f"{place.table}.csv"
        if path.exists() and any(asset in row.values() for _, row in read_rows(path, [])):
            return f"{folder.name}/{path.name}"
    return f"{place.table}.csv"


def _is_given(case: Case, end: str, state: str, key: str) -> bool:
    """Tell whether a scenario says itself what a state holds at an end, or a rule for it."""
    given = getattr(case.scenario, end).get({"transit_total": "transit"}.get(state, state), {})
    return key in given if isinstance(given, dict) else given != "observed"


# ---- changing back ------------------------------------------------------------------------------------


def changed_back(case: Case, changes: Iterable[InputChange]) -> Case | None:
    """Return the case with some inputs as they were in the baseline; None where one of them cannot be put back."""
    for change in changes:
        back = None if change.added or change.removed else _with(case, change)
        if back is None:
            return None
        case = back
    return case


def _with(case: Case, change: InputChange) -> Case | None:
    table, key, column, _ = change.place
    if table == SCENARIO:
        return _with_end(case, change)
    if table == SETTINGS:
        return _with_setting(case, change)
    if table == CURVE[0]:
        points = np.reshape(_numbers(change.old), (-1, 2))
        curves = {**case.basin.curves, key: LevelCurve(points[:, 0].copy(), points[:, 1].copy())}
        return replace(case, basin=replace(case.basin, curves=curves))
    for part in (*COMPONENTS, *POLICIES):
        if table == part.NAME:
            name = next(c.name for c in part.COLUMNS if c.header == column)
            own = case.book.tables[table]
            columns = {**own.columns, name: {**own.columns[name], key: change.old}}
            tables = {**case.book.tables, table: replace(own, columns=columns)}
            return replace(case, book=replace(case.book, tables=tables), basin=replace(case.basin, tables=tables))
        for other, c in _series(part):
            if (other, c.header) == (table, column):
                return _with_series(case, part.NAME, c.name, change)
    return None


def _with_series(case: Case, component: str, name: str, change: InputChange) -> Case:
    values = case.book.series[component][name]
    key = next(key for key in values if words_of(key) == change.place.id)
    back = np.broadcast_to(_numbers(change.old), (len(case.calendar),)).copy()
    own = {**case.book.series[component], name: {**values, key: back}}
    return replace(case, book=replace(case.book, series={**case.book.series, component: own}))


def _with_end(case: Case, change: InputChange) -> Case | None:
    """Return the case with an opening, a closing or the value of what is left as it was."""
    book, (_, key, column, _) = case.book, change.place
    if column == "closing_value":
        values = {**book.settings[column], key: change.old}
        return replace(case, book=replace(book, settings={**book.settings, column: values}))
    end, _, state = column.partition(" ")
    if end not in ENDS:
        return None  # another horizon is another case
    states = getattr(book, end)
    own = next(own for own in states[state] if words_of(own) == key)
    shape = np.shape(states[state][own]) if states[state][own] is not None else ()
    value = change.old if change.old is None or not shape else np.broadcast_to(_numbers(change.old), shape).copy()
    both: dict[str, Any] = {end: {**states, state: {**states[state], own: value}}}
    return replace(case, book=replace(book, **both))


def _with_setting(case: Case, change: InputChange) -> Case:
    book = case.book
    if change.place.column == "blocks":
        blocks = {**book.blocks, change.place.id: float(_numbers(change.old)[0])}
        return replace(case, book=replace(book, blocks=blocks))
    steps = tuple(ShortageStep(*map(float, pair)) for pair in np.reshape(_numbers(change.old), (-1, 2)))
    return replace(case, book=replace(book, settings={**book.settings, "shortage_steps": steps}))
