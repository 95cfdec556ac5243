"""Why a case has no schedule: the least by which hard requirements would have to give way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from wateropt.errors import InfeasibleError
from wateropt.highs import OPTIMAL, Highs
from wateropt.horizon import Horizon, Lp
from wateropt.units import HM3_PER_M3S_DAY

MISSED = {"season_missed": "season_volume", "storage_missed": "storage_target", "share_missed": "flow_share",
          "flow_missed": "minimum_flow", "energy_missed": "energy_share", "swap_missed": "energy_swap"}
SMALL = 1e-6  # hm³ or GWh
WORDS = {"hm^3": "hm³", "GWh": "GWh", "m^3/s": "hm³"}  # unit of a column -> unit in which it is told
HINT = "  hint: lower the requirement or correct the datum behind it; a clause with a penalty is soft"


@dataclass(frozen=True)
class Wish:
    """A hard requirement that may give way.

    Attributes:
        words: what it is.
        column: its LP column.
        limit: its least (sign 1) or greatest (sign -1) value; of a clause, None: the column is what it misses.
        volume: what is told [unit] per unit of the column.
        unit: hm³ or GWh.
    """

    words: str
    column: int
    limit: float | None
    sign: int = 1
    volume: float = 1.0
    unit: str = "hm³"


def explain_infeasible(horizon: Horizon, lp: Lp) -> InfeasibleError:
    """Return the error that names the hard requirements that clash, and by how much.

    First only the clauses give way; then closing storages, releases, and the limits of storage, one after the other.
    """
    wishes: list[Wish] = []
    givers: tuple[Callable[[Horizon, Lp], Iterator[Wish]], ...] = (_clauses, _closings, _releases, _storages)
    for give_way in givers:
        wishes += give_way(horizon, lp)
        missed = _least_misses(lp, wishes)
        if missed is not None:
            lines = [f"  {wish.words}: {amount:,.1f} {wish.unit} are missing" for wish, amount in missed]
            head = "no schedule satisfies every hard requirement; the least that must give way:"
            return InfeasibleError("\n".join([head, *lines, HINT]))
    return InfeasibleError("no schedule satisfies every hard requirement, even without clauses, closing storages, "
                           "minimum releases and limits of storage; check capacities and held values")


def _least_misses(lp: Lp, wishes: list[Wish]) -> list[tuple[Wish, float]] | None:
    lower, upper = lp.lower.copy(), lp.upper.copy()
    cost = np.zeros(len(lp.cost))
    for wish in wishes:
        if wish.limit is None:
            upper[wish.column], cost[wish.column] = np.inf, wish.volume
        elif wish.sign > 0:
            lower[wish.column] = -np.inf
        else:
            upper[wish.column] = np.inf
    highs = Highs(replace(lp, cost=cost, lower=lower, upper=upper))
    slack = [wish.column if wish.limit is None else highs.add_slack(wish.column, wish.limit, wish.sign, wish.volume)
             for wish in wishes]
    solution = highs.solve()
    if solution.status != OPTIMAL:
        return None
    amounts = [float(solution.x[column] * wish.volume) for column, wish in zip(slack, wishes, strict=True)]
    return [(wish, amount) for wish, amount in zip(wishes, amounts, strict=True) if amount > SMALL]


def _clauses(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    calendar = horizon.case.calendar
    for name, kind in MISSED.items():
        if name not in horizon.stage.groups:
            continue
        group = horizon.stage.groups[name]
        for key in group.index:
            for t, column in enumerate(horizon.columns_of(name, key)):
                if column >= 0 and lp.upper[column] == 0.0:
                    kappa = float(calendar.days[t]) * HM3_PER_M3S_DAY if group.unit == "m^3/s" else 1.0
                    yield Wish(f"clause `{key}` ({kind}, due in the period from {calendar.starts[t]})", int(column),
                               None, volume=kappa, unit=WORDS[group.unit])


def _closings(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    for r, least in horizon.case.book.closing["storage"].items():
        if least is not None:
            column = int(horizon.columns_of("storage", r)[-1])
            yield Wish(f"closing storage of `{r}` ({least:,.1f} hm³ at the end)", column, float(lp.lower[column]))


def _releases(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    calendar = horizon.case.calendar
    for r in horizon.case.book.tables["reservoir"]:
        for t, column in enumerate(horizon.columns_of("release", r)):
            if lp.lower[column] > 0:
                kind = "held" if lp.lower[column] == lp.upper[column] else "minimum"
                yield Wish(f"{kind} release of `{r}` in the period from {calendar.starts[t]}", int(column),
                           float(lp.lower[column]), volume=float(calendar.days[t]) * HM3_PER_M3S_DAY)


def _storages(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    days = horizon.case.calendar.starts
    for r in horizon.case.book.tables["reservoir"]:
        for t, column in enumerate(horizon.columns_of("storage", r)[:-1]):
            for limit, sign, words in ((lp.lower[column], 1, "minimum"), (lp.upper[column], -1, "full")):
                if np.isfinite(limit):
                    what = f"{words} storage of `{r}` in the period from {days[t]}"
                    yield Wish(what, int(column), float(limit), sign)
