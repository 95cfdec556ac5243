"""Clauses over several assets; `POLICIES` is the one place where they are registered."""

from __future__ import annotations

from typing import Any

from wateropt.policies import energy_share, energy_swap, flow_share, minimum_flow, season_volume, storage_target

POLICIES: tuple[Any, ...] = (season_volume, storage_target, flow_share, minimum_flow, energy_share, energy_swap)
