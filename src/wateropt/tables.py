"""Tables: what a CSV file must hold, how it is read, and how a series is laid on a calendar.

A *table* has one row per asset; a *series* one row per asset and period (`start`, `days`) or calendar month
(`month`). Every row ends with `source`, `confidence` and, optionally, `note`. Columns carry their unit as a
suffix of the header. All problems of a file are collected; none stops the reading of the rest.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wateropt.calendar import Calendar, Floats, same_day
from wateropt.errors import Problem, nearest
from wateropt.units import suffix

CONFIDENCES = ("measured", "reported", "reconstructed", "assumed")
PROVENANCE = ("source", "confidence", "note")
REQUIRED = object()  # default of a column that has none
MAX_BYTES = 200_000_000

Key = str | tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, unit and limits.

    Attributes:
        name: name in code; the header is the name plus the unit's suffix.
        unit: a key of `units.UNITS`; "text" for words, "node" or another table's name for a reference.
        text: one line for the documentation.
        default: value of an empty cell; without one, the cell must be filled. None means "no limit".
        low, high: limits of a number, both allowed themselves.
        choices: the words that are allowed.
    """

    name: str
    unit: str
    text: str
    default: Any = REQUIRED
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    refers: str = ""

    @property
    def header(self) -> str:
        """Name of the column in a file."""
        return self.name if self.unit == "text" else self.name + suffix(self.unit)

    @property
    def is_number(self) -> bool:
        """True if the cells are numbers."""
        return self.unit != "text"

    @property
    def limits(self) -> str:
        """The limits of a number in words."""
        return f"between {self.low:g} and {self.high:g}" if self.high < math.inf else f"at least {self.low:g}"

    def allows(self, value: float) -> bool:
        """Tell whether a number keeps the limits (one that is not known breaks none)."""
        return not (value < self.low or value > self.high)

    def read(self, cell: str) -> Any:
        """Return the value of a cell.

        Raises:
            ValueError: with what was found, what is needed and the mend.
        """
        if cell == "":
            if self.default is REQUIRED:
                raise ValueError(f"`{self.header}` is empty; fill it in")
            return self.default
        return self._number(cell) if self.is_number else self._word(cell)

    def _number(self, cell: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            hint = " (use a decimal point)" if "," in cell else ""
            raise ValueError(f"`{self.header}` is `{cell}`; a number is needed{hint}") from None
        if not math.isfinite(value):
            raise ValueError(f"`{self.header}` is {cell}; a finite number is needed")
        if not self.allows(value):
            raise ValueError(f"`{self.header}` is {value:g}; it must be {self.limits}")
        return value

    def _word(self, cell: str) -> str:
        if self.choices and cell not in self.choices:
            raise ValueError(f"`{self.header}` is `{cell}`; {nearest(cell, self.choices)}")
        return cell


@dataclass(frozen=True)
class Series:
    """A file with values along time for the assets of a table.

    Attributes:
        name: last part of the file name: `<table>_<name>.csv`.
        columns: the values; all rates, so that months and dekads can be made from each other.
        text: one line for the documentation.
        keys: further key columns besides the asset (e.g. the load block).
        required: whether each asset needs values for the whole horizon.
        optional_file: whether the file may be missing.
        unless: column of the table that, where it is filled in, makes values unnecessary.
    """

    name: str
    columns: tuple[Column, ...]
    text: str
    keys: tuple[str, ...] = ()
    required: bool = True
    optional_file: bool = False
    unless: str = ""


@dataclass(frozen=True)
class Table:
    """A checked table: ids in alphabetical order and columns as mappings from id to value."""

    name: str
    ids: tuple[str, ...] = ()
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def over(self, other: Table) -> Table:
        """Return the rows of both; where both have an id, that of this one."""
        ids = tuple(sorted({*self.ids, *other.ids}))
        both = {name: {**other.columns[name], **self.columns[name]} for name in self.columns}
        columns = {name: {key: values[key] for key in ids} for name, values in both.items()}
        return Table(self.name, ids, columns, {**other.places, **self.places})

    def __contains__(self, key: str) -> bool:
        return key in self.places

    def __getattr__(self, name: str) -> Mapping[str, Any]:
        try:
            column: Mapping[str, Any] = self.__dict__["columns"][name]
            return column
        except KeyError:
            raise AttributeError(f"table has no column `{name}`") from None


@dataclass(frozen=True)
class RawSeries:
    """Rows of a series as read.

    Attributes:
        rows: key -> list of (first day as ordinal, days, values) for dated keys,
            or of (month, 0, values) for calendar profiles.
        monthly: keys that are calendar profiles.
        folders: key -> folder of its rows and a slash, where that is not the basin's own.
    """

    file: str
    columns: tuple[Column, ...] = ()
    rows: Mapping[Key, list[tuple[int, int, tuple[float, ...]]]] = field(default_factory=dict)
    monthly: frozenset[Key] = frozenset()
    folders: Mapping[Key, str] = field(default_factory=dict)

    def within(self, folder: str) -> RawSeries:
        """Return the series with the name of its folder and a slash, or "" for the basin's own."""
        return replace(self, folders=dict.fromkeys(self.rows, folder))

    def over(self, other: RawSeries) -> RawSeries:
        """Return the rows of both; where both have a key, those of this one."""
        kept = {key for key in other.monthly if key not in self.rows}
        return RawSeries(self.file, self.columns, {**other.rows, **self.rows}, frozenset(kept | self.monthly),
                         {**other.folders, **self.folders})


def read_rows(path: Path, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV file with their line numbers; what is wrong goes to `problems`."""
    text = _read_text(path, problems)
    if text is None:
        return []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(set(header)) != len(header) or not all(header):
            problems.append(Problem(path.name, "line 1", f"header {header} has an empty or repeated name"))
            return []
        rows = []
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(row) != len(header):
                found = f"{len(row)} cells where the header has {len(header)}; is the file cut off?"
                problems.append(Problem(path.name, f"line {reader.line_num}", found))
                continue
            rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        found = f"not a CSV file ({error}); is a quote missing, or the file cut off?"
        problems.append(Problem(path.name, f"line {reader.line_num}", found))
        return []
    if not rows:
        problems.append(Problem(path.name, "", "holds no rows; write a header and at least one row"))
    return rows


def _read_text(path: Path, problems: list[Problem]) -> str | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            problems.append(Problem(path.name, "", f"is larger than {MAX_BYTES // 1_000_000} MB"))
            return None
        raw = path.read_bytes()
    except FileNotFoundError:
        problems.append(Problem(path.name, "", f"is missing in {path.parent}"))
        return None
    except OSError as error:
        problems.append(Problem(path.name, "", f"cannot be read: {error.strerror}"))
        return None
    if b"\0" in raw:
        problems.append(Problem(path.name, "", "is a binary file; a CSV text file is needed"))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(Problem(path.name, f"byte {error.start}", "is not UTF-8; save the file as UTF-8"))
        return None


def _check_header(file: str, rows: list[tuple[int, dict[str, str]]], needed: list[str], known: list[str],
                  problems: list[Problem]) -> bool:
    found = list(rows[0][1]) if rows else []
    for name in needed:
        if rows and name not in found:
            problems.append(Problem(file, "line 1", f"no column `{name}`; add it"))
    for name in found:
        if name not in known:
            problems.append(Problem(file, "line 1", f"unknown column `{name}`; {nearest(name, known)}"))
    return all(name in found for name in needed)


def read_table(folder: Path, name: str, columns: tuple[Column, ...], problems: list[Problem]) -> Table:
    """Read `<name>.csv`, whose first column `<name>` is the id."""
    file = f"{name}.csv"
    rows = read_rows(folder / file, problems)
    headers = [column.header for column in columns]
    if not _check_header(file, rows, [name, *_needed(columns), "source", "confidence"],
                         [name, *headers, *PROVENANCE], problems) or not rows:
        return Table(name, columns={column.name: {} for column in columns})
    values: dict[str, dict[str, Any]] = {column.name: {} for column in columns}
    places: dict[str, str] = {}
    for line, row in rows:
        key = row[name]
        if not key or key in places:
            found = f"`{key}` stands twice" if key else "the id is empty"
            problems.append(Problem(file, f"line {line}", f"{found}; each row needs an id of its own"))
            continue
        places[key] = f"line {line}, {key}"
        _read_cells(file, places[key], row, columns, {c.name: values[c.name] for c in columns}, key, problems)
    ids = tuple(sorted(places))
    ordered = {name: {key: column.get(key) for key in ids} for name, column in values.items()}
    return Table(name, ids, ordered, places)


def _needed(columns: Iterable[Column]) -> list[str]:
    return [column.header for column in columns if column.default is REQUIRED]


def _read_cells(file: str, place: str, row: dict[str, str], columns: Iterable[Column],
                into: dict[str, dict[str, Any]], key: str, problems: list[Problem]) -> None:
    for column in columns:
        try:
            into[column.name][key] = column.read(row.get(column.header, ""))
        except ValueError as error:
            problems.append(Problem(file, place, str(error)))
            into[column.name][key] = math.nan if column.is_number else ""
    _check_provenance(file, place, row, problems)


def _check_provenance(file: str, place: str, row: dict[str, str], problems: list[Problem]) -> None:
    if not row.get("source"):
        problems.append(Problem(file, place, "no source; name a key of references.csv"))
    if row.get("confidence") not in CONFIDENCES:
        found = f"confidence is `{row.get('confidence', '')}`; {nearest(row.get('confidence', ''), CONFIDENCES)}"
        problems.append(Problem(file, place, found))


def read_series(folder: Path, table: Table, series: Series, problems: list[Problem],
                given: tuple[str, list[tuple[int, dict[str, str]]]] | None = None) -> RawSeries:
    """Read `<table>_<series>.csv`, or the `given` file's rows: dated, or a calendar profile, for ids of `table`."""
    file = given[0] if given else f"{table.name}_{series.name}.csv"
    unread = not table.ids  # the table's own problem has been reported: its series' rows would only repeat it
    if unread or (series.optional_file and not (folder / file).exists()):
        return RawSeries(file, series.columns)
    rows = given[1] if given else read_rows(folder / file, problems)
    if not rows:
        return RawSeries(file, series.columns)
    monthly = "month" in rows[0][1]
    when = ["month"] if monthly else ["start", "days"]
    keys = [table.name, *series.keys]
    headers = [column.header for column in series.columns]
    if not _check_header(file, rows, [*keys, *when, *_needed(series.columns), "source", "confidence"],
                         [*keys, *when, *headers, *PROVENANCE], problems):
        return RawSeries(file, series.columns)
    result: dict[Key, list[tuple[int, int, tuple[float, ...]]]] = {}
    for line, row in rows:
        place = f"line {line}, {row[table.name]}"
        if row[table.name] not in table:
            problems.append(Problem(file, f"line {line}", f"no {table.name} `{row[table.name]}`; "
                                    f"{nearest(row[table.name], table.ids)}"))
            continue
        time = _read_time(file, place, row, monthly, problems)
        cells: dict[str, dict[str, Any]] = {column.name: {} for column in series.columns}
        _read_cells(file, place, row, series.columns, cells, "", problems)
        if time:
            key: Key = tuple(row[k] for k in keys) if series.keys else row[table.name]
            result.setdefault(key, []).append((*time, tuple(cells[c.name][""] for c in series.columns)))
    for key in sorted(result, key=str):
        result[key].sort()
        _check_times(file, key, result[key], monthly, problems)
    rows_by_key = {key: result[key] for key in sorted(result, key=str)}
    return RawSeries(file, series.columns, rows_by_key, frozenset(result if monthly else ()))


def _read_time(file: str, place: str, row: dict[str, str], monthly: bool,
               problems: list[Problem]) -> tuple[int, int] | None:
    try:
        if monthly:
            month = int(row["month"])
            if not 1 <= month <= 12:
                raise ValueError
            return month, 0
        start, days = date.fromisoformat(row["start"]), int(row["days"])
        if not 1 <= days <= 366:
            raise ValueError
        return start.toordinal(), days
    except ValueError:
        found = f"month is `{row.get('month')}`; 1 to 12 is needed" if monthly else (
            f"period is `{row.get('start')}`, `{row.get('days')}` days; "
            "a date as 2023-04-11 and a whole number of days are needed")
        problems.append(Problem(file, place, found))
        return None


def _check_times(file: str, key: Key, rows: list[tuple[int, int, tuple[float, ...]]], monthly: bool,
                 problems: list[Problem]) -> None:
    name = key if isinstance(key, str) else ", ".join(key)
    if monthly:
        months = [row[0] for row in rows]
        if months != list(range(1, 13)):
            missing = sorted(set(range(1, 13)) - set(months)) or "one stands twice in"
            problems.append(Problem(file, name, f"months {missing} missing; each of the twelve is needed once"))
        return
    for (first, days, _), (second, _, _) in pairwise(rows):
        if first + days > second:
            problems.append(Problem(file, name, f"the period from {date.fromordinal(first)} overlaps the next one; "
                                    "correct `days`"))


def daily(raw: RawSeries, key: Key, column: int, first: int, last: int, years_back: int = 0) -> Floats:
    """Return the value of each day from ordinal `first` to before `last`; NaN where the file has none.

    Args:
        raw: the series.
        key: asset, or asset and further keys.
        column: number of the value column.
        first: first day, as a proleptic ordinal.
        last: day after the last, as a proleptic ordinal.
        years_back: use the values of the same days this many years before (another year's hydrology).
    """
    values = np.full(last - first, math.nan)
    rows = raw.rows.get(key, [])
    if key in raw.monthly:
        table = np.array([row[2][column] for row in rows])
        return np.asarray(table[_months(first, last) - 1]) if len(table) == 12 else values
    if years_back:
        days = _same_days(first, last, years_back)
        there = daily(raw, key, column, int(days[0]), int(days[-1]) + 1)
        return np.asarray(there[days - days[0]])
    for start, length, cells in rows:
        values[max(start - first, 0) : max(start + length - first, 0)] = cells[column]
    return values


@lru_cache(maxsize=64)
def _months(first: int, last: int) -> npt.NDArray[np.int64]:
    """Return the calendar month of each day from ordinal `first` to before `last`."""
    return np.array([date.fromordinal(day).month for day in range(first, last)])


@lru_cache(maxsize=64)
def _same_days(first: int, last: int, years_back: int) -> npt.NDArray[np.int64]:
    """Return the ordinals of the same days some years before; they never fall."""
    return np.array([same_day(date.fromordinal(day), years_back).toordinal() for day in range(first, last)])


def along_calendar(raw: RawSeries, key: Key, column: int, calendar: Calendar, years_back: int = 0) -> Floats:
    """Return the day-weighted mean of a series in each period, shape (period,); NaN where a day is missing."""
    first = calendar.starts[0].toordinal()
    values = daily(raw, key, column, first, calendar.end.toordinal(), years_back)
    edges = calendar.edges().astype(int)
    return np.add.reduceat(values, edges[:-1]) / calendar.days


def missing_run(values: Floats, calendar: Calendar) -> tuple[date, date, int] | None:
    """Return first and last day of the first run of missing periods, and how many more are missing; None if none is."""
    gaps = np.flatnonzero(np.isnan(values))
    if not len(gaps):
        return None
    run = gaps[: int(np.argmax(np.append(np.diff(gaps) > 1, True))) + 1]
    edges = [*calendar.starts, calendar.end]
    return edges[run[0]], edges[run[-1] + 1] - timedelta(days=1), len(gaps) - len(run)


Rule = Callable[[Mapping[str, Table]], Iterable[Problem]]
