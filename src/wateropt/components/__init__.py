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

    Optional: `openings(ends, table)`, which returns opening values and least closing values of its states;
    `derive(values, table, curves)`.
    """

    @property
    def NAME(self) -> str:  # noqa: N802
        """Name of its table and file."""

    @property
    def COLUMNS(self) -> tuple[Column, ...]:  # noqa: N802
        """Columns of its table."""

    @property
    def SERIES(self) -> tuple[Series, ...]:  # noqa: N802
        """Its files with values along time."""

    @property
    def RULES(self) -> tuple[Callable[..., Iterable[Any]], ...]:  # noqa: N802
        """Checks across tables; each yields problems."""

    @property
    def build(self) -> Callable[..., Any]:
        """Write its equations into a stage: `build(stage, fields)`."""


COMPONENTS: tuple[Component, ...] = (
    project, inflow, gain, reservoir, reach, canal, demand, powerhouse, instream, sea, grid, unit, link, exchange,
    joint,
)
