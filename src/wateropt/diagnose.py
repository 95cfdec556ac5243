"""Why a case has no schedule: the least by which hard requirements would have to give way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from wateropt.calendar import Floats
from wateropt.errors import InfeasibleError
from wateropt.highs import OPTIMAL, Highs
from wateropt.horizon import Horizon, Lp

MISSED = {"season_missed": "season_volume", "storage_missed": "storage_target"}
SMALL = 1e-6  # hm³


@dataclass(frozen=True)
class Wish:
    """A hard requirement that may be relaxed: its words, its LP column, and its least value (None: a clause's slack)."""

    words: str
    column: int
    least: float | None
    volume: float = 1.0  # hm³ per unit of the column


def explain_infeasible(horizon: Horizon, lp: Lp) -> InfeasibleError:
    """Return the error that names the hard requirements that clash, and by how much.

    First only the clauses give way, then also closing storages, then also minimum releases.
    """
    for wishes in (list(_clauses(horizon, lp)), [*_clauses(horizon, lp), *_closings(horizon, lp)],
                   [*_clauses(horizon, lp), *_closings(horizon, lp), *_releases(horizon, lp)]):
        missed = _least_misses(lp, wishes)
        if missed is not None:
            lines = [f"  {wish.words}: {amount:,.1f} hm³ are missing" for wish, amount in missed]
            return InfeasibleError("\n".join(["no schedule satisfies every hard requirement; the least that must give "
                                              "way:", *lines, "  hint: lower the quantity, or give the clause a penalty"]))
    return InfeasibleError("no schedule satisfies every hard requirement, even without clauses, closing storages and "
                           "minimum releases; check capacities and held values")


def _least_misses(lp: Lp, wishes: list[Wish]) -> list[tuple[Wish, float]] | None:
    lower, upper = lp.lower.copy(), lp.upper.copy()
    cost = np.zeros(len(lp.cost))
    for wish in wishes:
        if wish.least is None:
            upper[wish.column], cost[wish.column] = np.inf, 1.0
        else:
            lower[wish.column] = 0.0
    highs = Highs(replace(lp, cost=cost, lower=lower, upper=upper))
    slack = [wish.column if wish.least is None else highs.add_slack(wish.column, wish.least, wish.volume)
             for wish in wishes]
    solution = highs.solve()
    if solution.status != OPTIMAL:
        return None
    amounts = [solution.x[column] * wish.volume for column, wish in zip(slack, wishes, strict=True)]
    return [(wish, float(amount)) for wish, amount in zip(wishes, amounts, strict=True) if amount > SMALL]


def _clauses(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    days = horizon.case.calendar.starts
    for name, kind in MISSED.items():
        for key in horizon.stage.groups[name].index if name in horizon.stage.groups else ():
            for t, column in enumerate(horizon.columns_of(name, key)):
                if column >= 0 and lp.upper[column] == 0.0:
                    yield Wish(f"clause `{key}` ({kind}, due in the period from {days[t]})", int(column), None)


def _closings(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    for r, least in horizon.case.book.closing["storage"].items():
        if least is not None:
            column = int(horizon.columns_of("storage", r)[-1])
            yield Wish(f"closing storage of `{r}` ({least:,.1f} hm³ at the end)", column, float(lp.lower[column]))


def _releases(horizon: Horizon, lp: Lp) -> Iterator[Wish]:
    volume: Floats = np.asarray(horizon.stage.slots["hm3_per_m3s"][""])
    days = horizon.case.calendar.starts
    for r in horizon.case.book.tables["reservoir"]:
        for t, column in enumerate(horizon.columns_of("release", r)):
            if lp.lower[column] > 0:
                yield Wish(f"minimum release of `{r}` in the period from {days[t]}", int(column),
                           float(lp.lower[column]), float(volume[t]))
