"""Changes: what a scenario changes in the tables and series of its basin, checked before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wateropt.calendar import Calendar, Floats
from wateropt.components import COMPONENTS
from wateropt.errors import DataError, Problem, nearest
from wateropt.policies import POLICIES
from wateropt.tables import Column, Table


class Strict(BaseModel):
    """A part of a scenario file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Content = TypeVar("Content", bound=Strict)
NOTHING = {"missing": "is missing; add it", "too_short": "is empty; name one or more"}


def strictly(model: type[Content], content: Mapping[str, Any], subject: str, file: str) -> Content:
    """Return the content of a file as a model.

    Raises:
        DataError: with every key that is wrong, missing or unknown.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DataError(subject, [_explain(model, file, part) for part in error.errors()]) from None


def _explain(model: type[Strict], file: str, error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    owner, last = _owner(model, error["loc"][:-1]), str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        return Problem(file, place, f"unknown key; {nearest(last, owner.model_fields)}")
    if error["type"] in NOTHING:
        return Problem(file, place, NOTHING[error["type"]])
    if error["type"] == "literal_error":
        words = _parts(owner.model_fields[last].annotation)
        return Problem(file, place, f"is `{error['input']}`; {nearest(str(error['input']), words)}")
    return Problem(file, place, f"is `{error['input']}`; {error['msg'].lower()}")


def _owner(model: type[Strict], place: tuple[Any, ...]) -> type[Strict]:
    """Return the model of the part of a file that a place names."""
    for key in place:
        field = model.model_fields.get(str(key))
        inner = [part for part in _parts(field and field.annotation) if isinstance(part, type)]
        model = next((part for part in inner if issubclass(part, Strict)), model)
    return model


def _parts(annotation: Any) -> list[Any]:
    """Return what an annotation is made of: classes, and the words of a Literal."""
    if get_origin(annotation) is Literal or not get_args(annotation):
        return list(get_args(annotation)) or [annotation]
    return [part for inner in get_args(annotation) for part in _parts(inner)]


class Change(Strict):
    """What a scenario changes in a table or series of its basin.

    Attributes:
        table: file without its ending, e.g. `demand_requirement` or `powerhouse`.
        column: column, with or without the unit's suffix.
        where: column -> values; rows that match all of them are changed. `month` selects calendar months.
        set, multiply, add: what is done, in this order.
    """

    table: str
    column: str
    where: dict[str, str | int | list[str | int]] = Field(default_factory=dict)
    multiply: float | None = None
    add: float | None = None
    set: float | None = None


class Target(NamedTuple):
    """What a scenario may change: the file of a component, its columns, and the columns that select its rows."""

    component: str
    columns: tuple[Column, ...]
    selects: tuple[str, ...]
    is_series: bool


@cache
def change_targets() -> dict[str, Target]:
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


def apply_change(change: Change, place: str, file: str, tables: dict[str, Table],
                 series: dict[str, dict[str, dict[Any, Floats]]], calendar: Calendar, problems: list[Problem]) -> None:
    """Make a change in the tables or series, which are replaced; what is wrong goes to `problems`."""
    targets = change_targets()
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


