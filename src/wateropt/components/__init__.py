"""One file per kind of asset; `COMPONENTS` is the one place where they are registered, in building order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from wateropt.components import (
    canal,
    demand,
    exchange,
    gain,
    grid,
    inflow,
    instream,
    joint,
    link,
    powerhouse,
    project,
    reach,
    reservoir,
    sea,
    unit,
)
from wateropt.tables import Column, Series


class Component(Protocol):
    """What a module of `components/` or `policies/` offers.

    Optional: `openings(start, table)`, which returns opening values and least closing values of its states;
    `derive(values, table, curves)` (components); `report(values, table, calendar)` (policies).
    """

    NAME: str
    COLUMNS: tuple[Column, ...]
    SERIES: tuple[Series, ...]
    RULES: tuple[Callable[..., Iterable[Any]], ...]
    build: Callable[..., None]


COMPONENTS: tuple[Any, ...] = (
    project, inflow, gain, reservoir, reach, canal, demand, powerhouse, instream, sea, grid, unit, link, exchange,
    joint,
)
