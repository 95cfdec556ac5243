"""The result as an xarray dataset and a CF-convention NetCDF file."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from wateropt.result import Result
from wateropt.stage import Columns, Stage

Array = tuple[tuple[str, ...], np.ndarray, dict[str, Any]]


def dataset(result: Result) -> xr.Dataset:
    """Return every quantity of a result along time, with units, long names and coordinates."""
    stage: Stage = result.run["stage"]
    coordinates: dict[str, Any] = {
        "time": np.array(result.case.calendar.starts, dtype="datetime64[ns]"),
        "days": ("time", result.case.calendar.days, {"units": "day", "long_name": "length of the period"}),
    }
    arrays: dict[str, Array] = {}
    for name, group in stage.groups.items():
        if group.index:
            arrays[name] = _array(result, name, group, coordinates)
    for name, unit, by_id in _derived(result):
        dims = (f"{name}_id", "time")
        coordinates[dims[0]] = list(by_id)
        arrays[name] = (dims, np.array(list(by_id.values())), {"units": unit, "long_name": name.replace("_", " ")})
    attributes = {"Conventions": "CF-1.10", "title": result.case.scenario.title, "source": "wateropt",
                  "objective_musd": result.objective, "scenario": result.case.name}
    return xr.Dataset(arrays, coordinates, attributes)


def _array(result: Result, name: str, group: Columns, coordinates: dict[str, Any]) -> Array:
    parts = list(zip(*(key if isinstance(key, tuple) else (key,) for key in group.index), strict=True))
    levels = [list(dict.fromkeys(part)) for part in parts]
    values = np.array([result.values.amounts[name, key] for key in group.index])
    attributes = {"units": group.unit, "long_name": name.replace("_", " "), "kind": group.kind}
    along = ("time",) if values.shape[1] == len(result.case.calendar) else ()
    values = values if along else values[:, 0]
    if np.prod([len(level) for level in levels]) != len(group.index):
        levels = [["/".join(map(str, key)) for key in group.index]]
    dims = tuple(_dimension(level, name, k, coordinates) for k, level in enumerate(levels))
    return (*dims, *along), values.reshape([*map(len, levels), *values.shape[1:]]), attributes


def _dimension(level: list[Any], name: str, number: int, coordinates: dict[str, Any]) -> str:
    """Return a dimension whose coordinate is `level`: one that is there already, or a new one."""
    for dim, known in coordinates.items():
        if dim not in ("time", "days") and known == level:
            return dim
    new = f"{name}_id" if number == 0 else f"{name}_level{number}"
    coordinates[new] = level
    return new


def _derived(result: Result) -> list[tuple[str, str, dict[str, np.ndarray]]]:
    nodes = [key for name, key in result.values.duals if name == "water_balance"]
    grids = [key for name, key in result.values.duals if name == "energy_balance"]
    return [
        ("water_value", "USD/m^3", {node: result.water_value(node) for node in nodes}),
        ("energy_price", "USD/MWh", {"/".join(key): result.price(*key) for key in grids}),
        *((name, "m", dict(by_id)) for name, by_id in result.derived.items()),
    ]
