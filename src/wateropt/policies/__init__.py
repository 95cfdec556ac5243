"""Clauses over several assets; `POLICIES` is the one place where they are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from wateropt.components import Component
from wateropt.policies import energy_share, energy_swap, flow_share, minimum_flow, season_volume, storage_target


class Policy(Component, Protocol):
    """A component that also reports: one row of `clauses.csv` for each clause and window."""

    @property
    def report(self) -> Callable[..., Iterator[dict[str, Any]]]:
        """Yield its rows: `report(values, table, calendar)`."""


POLICIES: tuple[Policy, ...] = (season_volume, storage_target, flow_share, minimum_flow, energy_share, energy_swap)
