"""Scenario: a YAML file that says which basin, dates, step and water year, and what differs from the basin.

`load_case` turns it into a `Case`: everything the optimizer needs, checked, along the scenario's calendar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wateropt.basin import Basin, find_basin, load_basin, read_yaml
from wateropt.calendar import Calendar, Floats
from wateropt.components import COMPONENTS
from wateropt.ends import Ends, hydrology_shift
from wateropt.errors import DataError, Problem, UsageError, nearest
from wateropt.policies import POLICIES
from wateropt.shipped import shipped
from wateropt.stage import Book
from wateropt.tables import Column, RawSeries, Table, along_calendar, missing_periods
from wateropt.units import UNITS


class Strict(BaseModel):
    """A part of a scenario file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Change(Strict):
    """What a scenario changes in a table or series of its basin.

    Attributes:
        table: file without its ending, e.g. `demand_requirement` or `powerhouse`.
        column: column, with or without the unit's suffix.
        where: column -> values; rows that match all of them are changed. `month` selects calendar months.
        multiply, add, set: what is done, in this order.
    """

    table: str
    column: str
    where: dict[str, str | int | list[str | int]] = Field(default_factory=dict)
    multiply: float | None = None
    add: float | None = None
    set: float | None = None


class Scenario(Strict):
    """A scenario file. Dates are the first and the last day; both belong to whole periods."""

    title: str
    meaning: str = ""
    basin: str
    start: date
    end: date
    step: Literal["dekad", "month"] = "dekad"
    hydrology: int | None = Field(default=None, description="hydrological year whose dated series are used")
    opening: dict[str, dict[str, float]] = Field(default_factory=dict)
    closing: dict[str, Literal["observed", "opening", "free"] | dict[str, float]] = Field(default_factory=dict)
    closing_value: dict[str, float] = Field(default_factory=dict, description="reservoir -> USD/m3 of what is left")
    changes: list[Change] = Field(default_factory=list)
    policies: list[dict[str, str | float | list[str]]] = Field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """A scenario ready to solve.

    Attributes:
        name: of the scenario.
        scenario: the file's content.
        basin: the basin, with the scenario's changes.
        book: what the stage is built from.
    """

    name: str
    scenario: Scenario
    basin: Basin
    book: Book

    @property
    def calendar(self) -> Calendar:
        """Periods of the scenario."""
        return self.book.calendar

    @property
    def parts(self) -> tuple[Any, ...]:
        """Components and policies in building order."""
        return (*COMPONENTS, *POLICIES)

    @property
    def column_units(self) -> dict[tuple[str, str], str]:
        """Unit of every number column, as Pyomo reads it."""
        return {(part.NAME, column.name): UNITS[column.unit][1] for part in self.parts
                for column in (*part.COLUMNS, *(c for s in part.SERIES for c in s.columns)) if column.is_number}


# ---- finding and reading ----------------------------------------------------------------------------


def shipped_scenarios() -> list[str]:
    """Return the names of the shipped scenarios."""
    return sorted(path.stem for path in shipped("scenarios").glob("*.yaml"))


def find_scenario(name: str) -> Path:
    """Return the file of a scenario: a path, or the name of a shipped one.

    Raises:
        UsageError: there is no such scenario.
    """
    for path in (Path(name), shipped("scenarios") / f"{name}.yaml"):
        if path.is_file():
            return path
    raise UsageError(f"no scenario `{name}`; {nearest(name, shipped_scenarios())}")


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file and those it extends.

    Raises:
        DataError: with every problem of the file.
    """
    problems: list[Problem] = []
    content = _extended(path, (), problems)
    if problems:
        raise DataError(f"scenario {path.stem}", problems)
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise DataError(f"scenario {path.stem}", [_explain(path.name, part) for part in error.errors()]) from None


def _extended(path: Path, seen: tuple[Path, ...], problems: list[Problem]) -> dict[str, Any]:
    content = read_yaml(path, problems)
    parent = content.pop("extends", None)
    if parent is None:
        return content
    base = next((p for p in (path.parent / f"{parent}.yaml", path.parent / str(parent)) if p.is_file()), None)
    if base is None or base.resolve() in seen:
        found = f"`{parent}` is not beside this file" if base is None else f"`{parent}` extends this file in turn"
        problems.append(Problem(path.name, "extends", f"{found}; name another scenario"))
        return content
    return _merge(_extended(base, (*seen, path.resolve()), problems), content)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged


def _explain(file: str, error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = Change.model_fields if error["loc"][0] == "changes" else Scenario.model_fields
        return Problem(file, place, f"unknown key; {nearest(str(error['loc'][-1]), known)}")
    if error["type"] == "missing":
        return Problem(file, place, "is missing; add it")
    if error["loc"][0] == "closing":  # several forms are allowed, and each of them complains
        place = ".".join(str(part) for part in error["loc"][:2])
        return Problem(file, place, "must be `observed`, `opening`, `free` or `{id: number}`; correct it")
    if error["type"].startswith("date"):
        return Problem(file, place, f"is `{error['input']}`; a date as 2022-10-01 is needed")
    return Problem(file, place, f"is `{error['input']}`; {error['msg'].lower()}")


# ---- from scenario to case --------------------------------------------------------------------------


def load_case(name: str) -> Case:
    """Return the case of a scenario file or a shipped scenario.

    Raises:
        UsageError: there is no such scenario.
        DataError: with every problem of the scenario, or of its basin.

    >>> case = load_case("dry-2023-monthly")
    >>> len(case.calendar), case.basin.name
    (12, 'naryn-syrdarya')
    """
    path = find_scenario(name)
    scenario = read_scenario(path)
    try:
        folder = find_basin(scenario.basin, path.parent)
    except UsageError as error:
        raise DataError(f"scenario {path.stem}", [Problem(path.name, "basin", str(error))]) from None
    return build_case(path.stem, scenario, load_basin(folder))


def build_case(name: str, scenario: Scenario, basin: Basin) -> Case:
    """Lay a basin along a scenario's calendar.

    Raises:
        DataError: dates, changes, openings or policies do not fit the basin.
    """
    problems: list[Problem] = []
    file = f"{name}.yaml"
    try:
        calendar = Calendar.between(scenario.start, scenario.end, scenario.step)
    except ValueError as error:
        raise DataError(f"scenario {name}", [Problem(file, "start, end", f"{error}; use the first and last day of "
                                                     "periods, e.g. 2022-10-01 and 2023-09-30")]) from None
    tables = {**basin.tables, **_policy_tables(file, scenario.policies, basin.tables, problems)}
    shift = hydrology_shift(scenario.start, scenario.hydrology)
    ends = Ends(calendar, basin, scenario.opening, dict(scenario.closing), shift, file, problems)
    series = {part.NAME: _along(part, tables[part.NAME], basin, calendar, shift, problems) for part in COMPONENTS}
    for number, change in enumerate(scenario.changes):
        _apply(change, f"changes.{number}", file, tables, series, calendar, problems)
    problems += [Problem(file, "closing_value", f"no reservoir `{r}`; {nearest(r, tables['reservoir'].ids)}")
                 for r in scenario.closing_value if r not in tables["reservoir"]]
    opening, closing = _states(tables, ends) if not problems else ({}, {})
    if not problems:
        problems += ends.unasked()
        rules = [rule for part in (*COMPONENTS, *POLICIES) for rule in part.RULES]
        problems += [problem for rule in rules for problem in rule(tables)]
        problems += _check_openings(tables, opening, closing, file)
        problems += _check_prices(tables, series)
    if problems:
        raise DataError(f"scenario {name}", problems)
    settings = {"shortage_steps": basin.shortage_steps, "closing_value": scenario.closing_value}
    book = Book(calendar, basin.blocks, tables, series, opening, closing, settings)
    return Case(name, scenario, replace(basin, tables=tables), book)


def _policy_tables(file: str, rows: Sequence[Mapping[str, Any]], tables: Mapping[str, Table],
                   problems: list[Problem]) -> dict[str, Table]:
    by_kind: dict[str, dict[str, Mapping[str, Any]]] = {part.NAME: {} for part in POLICIES}
    for number, row in enumerate(rows):
        place, kind, clause = f"policies.{number}", str(row.get("kind", "")), str(row.get("clause", ""))
        if kind not in by_kind:
            problems.append(Problem(file, place, f"kind is `{kind}`; {nearest(kind, by_kind)}"))
        elif not clause or any(clause in rows_of for rows_of in by_kind.values()):
            problems.append(Problem(file, place, f"clause `{clause}` needs a name of its own"))
        else:
            by_kind[kind][clause] = {k: v for k, v in row.items() if k not in ("kind", "clause")}
    return {part.NAME: _policy_table(part, by_kind[part.NAME], file, tables, problems) for part in POLICIES}


def _policy_table(part: Any, rows: Mapping[str, Mapping[str, Any]], file: str, tables: Mapping[str, Table],
                  problems: list[Problem]) -> Table:
    headers = [column.header for column in part.COLUMNS]
    values: dict[str, dict[str, Any]] = {column.name: {} for column in part.COLUMNS}
    for clause in sorted(rows):
        row = rows[clause]
        unknown = [key for key in row if key not in headers]
        problems += [Problem(file, clause, f"unknown key `{key}`; {nearest(key, headers)}") for key in unknown]
        for column in part.COLUMNS:
            try:
                values[column.name][clause] = column.read(_as_cell(row.get(column.header, "")))
            except ValueError as error:
                problems.append(Problem(file, clause, str(error)))
                continue
            if column.refers and values[column.name][clause] not in tables[column.refers]:
                hint = nearest(values[column.name][clause], tables[column.refers].ids)
                problems.append(Problem(file, clause, f"no {column.refers} `{values[column.name][clause]}`; {hint}"))
    return Table(part.NAME, tuple(sorted(rows)), values, {clause: clause for clause in rows})


def _as_cell(value: Any) -> str:
    """Return a value of a YAML file as a cell of a table: a list as entries between semicolons."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _along(part: Any, table: Table, basin: Basin, calendar: Calendar, shift: int,
           problems: list[Problem]) -> dict[str, dict[Any, Floats]]:
    laid: dict[str, dict[Any, Floats]] = {}
    for series in part.SERIES:
        raw = basin.series[part.NAME][series.name]
        for number, column in enumerate(raw.columns):
            laid[column.name] = {key: along_calendar(raw, key, number, calendar, shift) for key in raw.rows}
        if series.required:
            asked = [key for key in table if not (series.unless and table.columns[series.unless][key])]
            problems += _gaps(raw, laid[raw.columns[0].name], asked, calendar, shift)
    return laid


def _gaps(raw: RawSeries, values: Mapping[Any, Floats], asked: Sequence[str], calendar: Calendar,
          shift: int) -> list[Problem]:
    moved = f" (in the file: {abs(shift)} days {'earlier' if shift > 0 else 'later'})" if shift else ""
    whole = np.full(len(calendar), math.nan)
    gaps = {key: missing_periods(values.get(key, whole), calendar) for key in asked}
    return [Problem(raw.file, key, f"no value for {gap}{moved}; every {calendar.step} of the horizon needs one")
            for key, gap in gaps.items() if gap]


class Target(NamedTuple):
    """What a scenario may change: the file of a component, its columns, and the columns that select its rows."""

    component: str
    columns: tuple[Column, ...]
    selects: tuple[str, ...]
    is_series: bool


def _targets() -> dict[str, Target]:
    """Return every file that may be changed; what was observed is no input of the optimization."""
    targets = {}
    for part in (*COMPONENTS, *POLICIES):
        words = tuple(column.name for column in part.COLUMNS if not column.is_number)
        targets[part.NAME] = Target(part.NAME, part.COLUMNS, (part.NAME, *words), False)
        for series in part.SERIES:
            if series.name != "observed":
                selects = (part.NAME, *words, *series.keys, "month")
                targets[f"{part.NAME}_{series.name}"] = Target(part.NAME, series.columns, selects, True)
    return targets


def _refusal(change: Change, targets: Mapping[str, Target]) -> str:
    """Return why a change cannot be made, or ""."""
    if change.table not in targets:
        return f"no table `{change.table}` that can be changed; {nearest(change.table, targets)}"
    target = targets[change.table]
    words = {name: column.is_number for column in target.columns for name in (column.name, column.header)}
    if change.column not in words:
        return f"no column `{change.column}` in {change.table}; {nearest(change.column, words)}"
    if not words[change.column]:
        return f"`{change.column}` holds words; only numbers can be changed"
    unknown = [key for key in change.where if key not in target.selects]
    if unknown:
        return f"`where` names `{unknown[0]}`; {nearest(unknown[0], target.selects)}"
    months = [month for month in _as_list(change.where.get("month", 1)) if month not in range(1, 13)]
    return f"month is `{months[0]}`; 1 to 12 is needed" if months else ""


def _apply(change: Change, place: str, file: str, tables: dict[str, Table],
           series: dict[str, dict[str, dict[Any, Floats]]], calendar: Calendar, problems: list[Problem]) -> None:
    targets = _targets()
    refusal = _refusal(change, targets)
    if refusal:
        problems.append(Problem(file, place, refusal))
        return
    component, allowed, _, is_series = targets[change.table]
    column = next(column for column in allowed if change.column in (column.name, column.header))
    columns = series[component] if is_series else tables[component].columns
    old = columns.get(column.name, {})
    chosen = [key for key in old if _matches(key, change.where, tables[component], component)]
    if not chosen:
        problems.append(Problem(file, place, f"no row of {change.table} matches {dict(change.where)}; mend `where`"))
        return
    inside = np.isin(calendar.months, _as_list(change.where.get("month", list(range(1, 13)))))
    changed = {key: _changed(old[key], change, inside) for key in chosen}
    for key in chosen:
        wrong = [value for value in np.ravel(changed[key]) if value is not None and not column.allows(value)]
        problems += [Problem(file, place, f"`{column.header}` of {key} becomes {value:g}; it must be {column.limits}")
                     for value in wrong[:1]]
    new: dict[str, Any] = {**columns, column.name: {**old, **changed}}
    if is_series:
        series[component] = new
    else:
        tables[component] = replace(tables[component], columns=new)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(key: Any, where: Mapping[str, Any], table: Table, component: str) -> bool:
    first = key if isinstance(key, str) else key[0]
    for column, values in where.items():
        if column == "month":
            continue
        found = first if column == component else (
            table.columns[column][first] if column in table.columns else key[1] if not isinstance(key, str) else None)
        if found not in [str(value) for value in _as_list(values)]:
            return False
    return True


def _changed(value: Any, change: Change, inside: Any) -> Any:
    if value is None and change.set is None:
        return None  # no limit stays no limit
    new = value if change.set is None else change.set + 0 * (value if value is not None else 0.0)
    new = new * (1.0 if change.multiply is None else change.multiply) + (change.add or 0.0)
    return np.where(inside, new, value) if isinstance(value, np.ndarray) else new


def _states(tables: Mapping[str, Table], ends: Ends) -> tuple[dict[str, Any], dict[str, Any]]:
    opening: dict[str, Any] = {}
    closing: dict[str, Any] = {}
    for part in (*COMPONENTS, *POLICIES):
        if hasattr(part, "openings"):
            first, last = part.openings(ends, tables[part.NAME])
            opening |= first
            closing |= last
    return opening, closing


def _check_openings(tables: Mapping[str, Table], opening: Mapping[str, Any], closing: Mapping[str, Any],
                    file: str) -> list[Problem]:
    reservoirs, problems = tables["reservoir"], []
    for r in reservoirs:
        low, full = reservoirs.minimum_storage[r], reservoirs.full_storage[r]
        for when, value in (("opening", opening["storage"][r]), ("closing", closing["storage"][r])):
            if value is not None and not low <= value <= full:
                found = f"{value:g} hm3 is outside {low:g} to {full:g} hm3 of reservoir.csv; correct one of them"
                problems.append(Problem(file, f"{when}.storage.{r}", found))
    return problems


def _check_prices(tables: Mapping[str, Table], series: Mapping[str, Any]) -> list[Problem]:
    """Buying is never cheaper than selling on the same grid: otherwise the LP would trade in circles."""
    steps = tables["exchange"]
    prices = series["exchange"].get("price", {})
    problems = []
    for x in steps:
        for y in steps:
            if (steps.grid[x] == steps.grid[y] and steps.direction[x] == "supply" and steps.direction[y] == "absorb"
                    and (prices[x] < prices[y]).any()):
                problems.append(Problem("exchange_step.csv", f"{x}, {y}", "supply is cheaper than what absorbing saves "
                                        "in some period; raise the one or lower the other"))
    return problems
