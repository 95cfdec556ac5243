"""Units: every conversion and constant of the model, and the spelling of units in file headers.

Inside the model: flow m³/s, volume hm³ (million m³), level m, area km², energy GWh, power MW, money
million USD (MUSD) of the basin's price year.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", float, npt.NDArray[np.float64])

SECONDS_PER_DAY = 86_400.0
HM3_PER_M3S_DAY = SECONDS_PER_DAY / 1e6  # κ of one day: hm³ that 1 m³/s brings in a day
HM3_PER_M3S_HOUR = 3_600.0 / 1e6
GWH_PER_MWH = 1e-3
HM3_PER_MM_KM2 = 1e-3  # 1 mm over 1 km² = 1 000 m³
GRAVITY_ENERGY = 0.002725  # ρ g / 3.6e6: GWh that 1 hm³ gives per metre of head, (P2) of docs/equations.md
MUSD_PER_GWH_PER_USD_PER_MWH = 1e-3  # 1 USD/MWh = 0.001 MUSD/GWh; 1 USD/m³ = 1 MUSD/hm³

# unit -> (suffix of a column's name in files, the unit as Pyomo and pint read it)
UNITS: dict[str, tuple[str, str]] = {
    "1": ("", "dimensionless"),
    "m3/s": ("_m3s", "m^3/s"),
    "m3/s/day": ("_m3s_per_day", "m^3/s/day"),
    "hm3": ("_hm3", "hm^3"),
    "m": ("_m", "m"),
    "km2": ("_km2", "km^2"),
    "km2/hm3": ("_km2_per_hm3", "km^2/hm^3"),
    "mm/day": ("_mm_per_day", "mm/day"),
    "day": ("_days", "day"),
    "month": ("", "dimensionless"),
    "MW": ("_mw", "MW"),
    "GWh": ("_gwh", "GWh"),
    "MUSD": ("_musd", "MUSD"),
    "USD/m3": ("_usd_per_m3", "MUSD/hm^3"),
    "USD/MWh": ("_usd_per_mwh", "USD/MWh"),
    "USD/(m3/s)": ("_usd_per_m3s", "USD/(m^3/s)"),
}


def suffix(unit: str) -> str:
    """Return the suffix that a column of this unit carries in files.

    >>> suffix("m3/s"), suffix("1")
    ('_m3s', '')
    """
    return UNITS[unit][0]


def energy_per_hm3(head: Number, efficiency: float) -> Number:
    """Return the energy that one hm³ gives falling through a turbine.

    Args:
        head: headwater less tailwater level [m], > 0; a number or an array.
        efficiency: turbine and generator together [1], in (0, 1]; a number or an array.

    Returns:
        Energy per volume [GWh/hm³], of the arguments' common shape.

    Source: E = ρ g V H η; equation (P2) of docs/equations.md.

    >>> round(energy_per_hm3(100.0, 0.9), 4)
    0.2453
    """
    return GRAVITY_ENERGY * efficiency * head
