"""Scenario: a YAML file that says which basin, dates, step and water year, and what differs from the basin.

`load_case` turns it into a `Case`: everything the optimizer needs, checked, along the scenario's calendar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from wateropt.along import lay_series
from wateropt.basin import Basin, find_basin, load_basin, read_yaml
from wateropt.calendar import Calendar, Floats
from wateropt.changes import Change, Strict, apply_change
from wateropt.components import COMPONENTS, demand
from wateropt.ends import Ends, years_back
from wateropt.errors import DataError, Problem, UsageError, nearest
from wateropt.policies import POLICIES
from wateropt.shipped import shipped
from wateropt.stage import Book
from wateropt.tables import Table
from wateropt.units import UNITS

EARLIEST, LATEST = date(1800, 1, 1), date(2200, 12, 31)  # a year beyond them is a slip of the pen


class Scenario(Strict):
    """A scenario file. Dates are the first and the last day; both belong to whole periods."""

    title: str
    meaning: str = ""
    basin: str | tuple[str, ...] = Field(description="a basin, or several laid over each other: later rows replace")
    start: date = Field(ge=EARLIEST, le=LATEST)
    end: date = Field(ge=EARLIEST, le=LATEST)
    step: Literal["dekad", "month"] = "dekad"
    hydrology: int | None = Field(default=None, ge=EARLIEST.year, le=LATEST.year,
                                  description="hydrological year whose dated series are used")
    opening: dict[str, dict[str, float]] = Field(default_factory=dict)
    closing: dict[str, Literal["observed", "opening", "free"] | dict[str, float]] = Field(default_factory=dict)
    closing_value: dict[str, float] = Field(default_factory=dict, description="reservoir -> USD/m3 of what is left")
    changes: list[Change] = Field(default_factory=list)
    policies: list[dict[str, str | float | list[str]]] = Field(default_factory=list)

    @property
    def basins(self) -> tuple[str, ...]:
        """The basins that are laid over each other, the lowest first."""
        return (self.basin,) if isinstance(self.basin, str) else self.basin


@dataclass(frozen=True)
class Case:
    """A scenario ready to solve.

    Attributes:
        name: of the scenario.
        scenario: the file's content.
        basin: the basin, with the scenario's changes.
        book: what the stage is built from.
        unchanged: the basin as it was read.
    """

    name: str
    scenario: Scenario
    basin: Basin
    book: Book
    unchanged: Basin

    def with_change(self, change: Change) -> Case:
        """Return the case with one more change, made after its own.

        Raises:
            DataError: the change cannot be made, or what it makes does not fit the basin.
        """
        scenario = self.scenario.model_copy(update={"changes": [*self.scenario.changes, change]})
        return build_case(self.name, scenario, self.unchanged)

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
    """Return one mapping over another: mappings are merged, lists added to (but not basins), the rest replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif key != "basin" and isinstance(old, list) and isinstance(value, list):
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
    if error["loc"][0] == "basin":  # a name or a list, and each form complains
        return Problem(file, "basin", "must be the name of a basin, or a list of names; correct it")
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
    return _load_case(name, {})


def _load_case(name: str, read: dict[tuple[Path, ...], Basin | DataError]) -> Case:
    """Return the case of a scenario; a basin that has been `read` is not read again, nor one that cannot be."""
    path = find_scenario(name)
    scenario = read_scenario(path)
    folders = find_basins(scenario, path)
    key = tuple(folder.resolve() for folder in folders)
    if key not in read:
        try:
            read[key] = load_basin(folders)
        except DataError as error:
            read[key] = error
    basin = read[key]
    if isinstance(basin, DataError):
        raise basin
    return build_case(path.stem, scenario, basin)


def find_basins(scenario: Scenario, path: Path) -> list[Path]:
    """Return the folders of a scenario's basins.

    Args:
        scenario: the scenario.
        path: its file; a basin may be given by a path from there.

    Raises:
        DataError: a basin is not there.
    """
    folders: list[Path] = []
    problems: list[Problem] = [] if scenario.basins else [Problem(path.name, "basin", "names none; name one or more")]
    for number, name in enumerate(scenario.basins):
        place = "basin" if isinstance(scenario.basin, str) else f"basin.{number}"
        try:
            folders.append(find_basin(name, path.parent))
        except UsageError as error:
            problems.append(Problem(path.name, place, str(error)))
    if problems:
        raise DataError(f"scenario {path.stem}", problems)
    return folders


def load_cases(names: Sequence[str]) -> list[Case]:
    """Return the cases of several scenarios; each basin is read once.

    Raises:
        UsageError: there is no such scenario, or two share a name.
        DataError: with the problems of all of them.
    """
    cases: list[Case] = []
    wrong: list[DataError] = []
    read: dict[tuple[Path, ...], Basin | DataError] = {}
    for name in names:
        try:
            cases.append(_load_case(name, read))
        except DataError as error:
            wrong.append(error)
    if wrong:
        subjects = list(dict.fromkeys(error.subject for error in wrong))
        raise DataError(" and ".join(subjects), [problem for error in wrong for problem in error.problems])
    for case in cases:
        if sum(other.name == case.name for other in cases) > 1:
            raise UsageError(f"two scenarios are called `{case.name}` and would share a folder; rename one")
    return cases


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
        raise DataError(f"scenario {name}", [Problem(file, "start, end", str(error))]) from None
    tables = {**basin.tables, **_policy_tables(file, scenario.policies, basin.tables, problems)}
    back = years_back(scenario.start, scenario.hydrology)
    ends = Ends(calendar, basin, scenario.opening, dict(scenario.closing), back, file, problems)
    series, missing = lay_series(tables, basin, calendar, back, file)
    problems += missing
    for number, change in enumerate(scenario.changes):
        apply_change(change, f"changes.{number}", file, tables, series, calendar, problems)
    problems += [Problem(file, "closing_value", f"no reservoir `{r}`; {nearest(r, tables['reservoir'].ids)}")
                 for r in scenario.closing_value if r not in tables["reservoir"]]
    opening, closing = _states(tables, ends) if not problems else ({}, {})
    if not problems:
        problems += ends.unasked()
    return _checked(Case(name, scenario, replace(basin, tables=tables), Book(
        calendar, basin.blocks, tables, series, opening, closing,
        {"shortage_steps": basin.shortage_steps, "closing_value": scenario.closing_value}), basin), problems)


def _checked(case: Case, problems: list[Problem]) -> Case:
    """Return a case whose tables and series fit each other.

    Raises:
        DataError: with the problems there are already, or with what the rules find.
    """
    book = case.book
    if not problems:
        rules = [rule for part in (*COMPONENTS, *POLICIES) for rule in part.RULES]
        problems += [problem for rule in rules for problem in rule(book.tables)]
        problems += _check_openings(book.tables, book.opening, book.closing, f"{case.name}.yaml")
        problems += _check_prices(book.tables, book.series)
        if len(book.tables["demand"]):
            weights, steps = book.series["demand"]["weight"], case.unchanged.shortage_steps
            problems += demand.towns_come_before_fields(  # type: ignore[no-untyped-call]
                book.tables["demand"], weights, steps)
    if problems:
        raise DataError(f"scenario {case.name}", problems)
    return case


def vary_case(case: Case, changes: Sequence[Change], opening: Mapping[str, Mapping[str, float]] | None = None,
              inflow: Mapping[str, Floats] | None = None) -> Case:
    """Return a case that differs in some numbers; like `build_case`, but the basin's series are not laid out again.

    Args:
        case: where to begin.
        changes: made after the case's own, in this order.
        opening: state -> id -> value before the first period, instead of the case's own.
        inflow: inflow -> flow by period [m³/s], shape (period,), put in the place of the basin's before the changes.

    Raises:
        DataError: a change cannot be made, or what it makes does not fit the basin.
    """
    file, given = f"{case.name}.yaml", {s: dict(v) for s, v in case.scenario.opening.items()}
    for state, values in (opening or {}).items():
        given.setdefault(state, {}).update(values)
    scenario = case.scenario.model_copy(update={"opening": given, "changes": [*case.scenario.changes, *changes]})
    tables = dict(case.book.tables)
    series = {part: {name: dict(values) for name, values in columns.items()}
              for part, columns in case.book.series.items()}
    if inflow:
        series["inflow"]["flow"].update(inflow)
    problems: list[Problem] = []
    for number, change in enumerate(changes):
        apply_change(change, f"changes.{number}", file, tables, series, case.calendar, problems)
    ends = Ends(case.calendar, case.unchanged, given, dict(scenario.closing),
                years_back(scenario.start, scenario.hydrology), file, problems)
    first, last = _moved_states(case, tables, ends, opening or {})
    book = replace(case.book, tables=tables, series=series, opening=first, closing=last)
    return _checked(replace(case, scenario=scenario, basin=replace(case.basin, tables=tables), book=book), problems)


def _moved_states(case: Case, tables: Mapping[str, Table], ends: Ends,
                  given: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return opening and least closing values of a case some of whose tables and opening values are others now."""
    first = {state: dict(values) for state, values in case.book.opening.items()}
    last = {state: dict(values) for state, values in case.book.closing.items()}
    for part in (*COMPONENTS, *POLICIES):
        if hasattr(part, "openings") and tables[part.NAME] is not case.book.tables[part.NAME] and not ends.problems:
            new = part.openings(ends, tables[part.NAME])
            first |= new[0]
            last |= new[1]
    for state, values in given.items():
        first[state] |= values
        if ends.closing.get(state) == "opening":
            last[state] |= values
    return first, last


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
    sold: dict[str, list[str]] = {}
    for y in steps:
        if steps.direction[y] == "absorb":
            sold.setdefault(steps.grid[y], []).append(y)
    return [Problem("exchange_step.csv", f"{x}, {y}", "supply is cheaper than what absorbing saves in some period; "
                    "raise the one or lower the other")
            for x in steps if steps.direction[x] == "supply" for y in sold.get(steps.grid[x], ())
            if (prices[x] < prices[y]).any()]
