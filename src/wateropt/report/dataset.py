"""The result as one described set of arrays: an xarray dataset, or a CF-convention NetCDF file.

The file is written with h5netcdf itself: loading xarray and pandas takes as long as solving a year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wateropt.result import Result
from wateropt.stage import Columns

if TYPE_CHECKING:
    import xarray as xr

EPOCH = date(1900, 1, 1)


@dataclass(frozen=True)
class Described:
    """An array with its dimensions and attributes."""

    dims: tuple[str, ...]
    values: Any
    attributes: dict[str, Any]


def describe(result: Result) -> tuple[dict[str, Described], dict[str, Described], dict[str, Any]]:
    """Return coordinates, arrays and attributes of everything in a result."""
    labels: dict[str, list[str]] = {}
    arrays: dict[str, Described] = {}
    for name, group in result.groups.items():
        if group.index:
            arrays[name] = _array(result, name, group, labels)
    for name, unit, by_id in _derived(result):
        labels[f"{name}_id"] = list(by_id)
        arrays[name] = Described((f"{name}_id", "time"), np.array(list(by_id.values())),
                                 {"units": unit, "long_name": name.replace("_", " ")})
    calendar = result.case.calendar
    since = np.array([(day - EPOCH).days for day in calendar.starts], dtype="int64")
    coordinates = {
        "time": Described(("time",), since, {"units": f"days since {EPOCH}", "calendar": "proleptic_gregorian",
                                             "long_name": "first day of the period"}),
        "days": Described(("time",), calendar.days, {"units": "day", "long_name": "length of the period"}),
        **{dim: Described((dim,), names, {}) for dim, names in labels.items()},
    }
    attributes = {"Conventions": "CF-1.10", "title": result.case.scenario.title, "source": "wateropt",
                  "objective_musd": result.objective, "scenario": result.case.name}
    return coordinates, arrays, attributes


def dataset(result: Result) -> xr.Dataset:
    """Return every quantity of a result along time, with units, long names and coordinates."""
    import xarray as xr

    coordinates, arrays, attributes = describe(result)
    return xr.decode_cf(xr.Dataset({name: (a.dims, a.values, a.attributes) for name, a in arrays.items()},
                                   {name: (c.dims, c.values, c.attributes) for name, c in coordinates.items()},
                                   attributes), decode_timedelta=False)


def write_netcdf(result: Result, path: Path) -> None:
    """Write the result as a NetCDF-4 file."""
    import h5netcdf

    coordinates, arrays, attributes = describe(result)
    with h5netcdf.File(path, "w", track_order=True) as file:
        file.attrs.update({name: np.float64(v) if isinstance(v, float) else v for name, v in attributes.items()})
        for name, coordinate in coordinates.items():
            if coordinate.dims == (name,):
                file.dimensions[name] = len(coordinate.values)
        for name, item in {**coordinates, **arrays}.items():
            values = item.values
            data = np.array(values, dtype=object) if isinstance(values, list) else np.ascontiguousarray(values)
            text = {"dtype": h5netcdf_text()} if isinstance(values, list) else {}
            variable = file.create_variable(name, item.dims, data=data, **text)
            variable.attrs.update(item.attributes)
            if name in arrays and "time" in item.dims:
                variable.attrs["coordinates"] = "days"


def h5netcdf_text() -> Any:
    """Return the type of a text variable of variable length."""
    import h5py

    return h5py.string_dtype("utf-8")


def _array(result: Result, name: str, group: Columns, labels: dict[str, list[str]]) -> Described:
    parts = list(zip(*(key if isinstance(key, tuple) else (key,) for key in group.index), strict=True))
    levels = [[str(v) for v in dict.fromkeys(part)] for part in parts]
    values = np.array([result.values.amounts[name, key] for key in group.index])
    attributes = {"units": group.unit, "long_name": name.replace("_", " "), "kind": group.kind}
    along = () if group.kind == "opening" else ("time",)
    values = values if along else values[:, 0]
    if np.prod([len(level) for level in levels]) != len(group.index):
        levels = [["/".join(map(str, key)) for key in group.index]]
    dims = tuple(_dimension(level, name, k, labels) for k, level in enumerate(levels))
    return Described((*dims, *along), values.reshape([*map(len, levels), *values.shape[1:]]), attributes)


def _dimension(level: list[str], name: str, number: int, labels: dict[str, list[str]]) -> str:
    """Return the dimension whose labels are `level`: one that is there already, or a new one."""
    for dim, known in labels.items():
        if known == level:
            return dim
    new = f"{name}_id" if number == 0 else f"{name}_level{number}"
    labels[new] = level
    return new


def _derived(result: Result) -> list[tuple[str, str, dict[str, np.ndarray]]]:
    nodes = [key for name, key in result.values.duals if name == "water_balance"]
    grids = [key for name, key in result.values.duals if name == "energy_balance"]
    return [
        ("water_value", "USD/m^3", {node: result.water_value(node) for node in nodes}),
        ("energy_price", "USD/MWh", {"/".join(key): result.price(*key) for key in grids}),
        *((name, "m", dict(by_id)) for name, by_id in result.derived.items()),
    ]
