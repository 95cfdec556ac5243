"""Causes: which changed input moved what.

What moved a run is found by solving it again with one changed input as it was in the baseline and all others as they
are now; where that would take long, by the marginal values of the inputs that are data, to first order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wateropt.studies.gate.inputs import InputChange, Place
from wateropt.studies.gate.tasks import Measured, Task, solve_all

MOST = 10  # groups of inputs that are changed back, one after another
SOLVED, FIRST_ORDER = "solved again without it", "to first order, by its marginal values"
UNKNOWN = "its share is not known"


@dataclass(frozen=True)
class Cause:
    """A changed input, or several of one column or file, and what it moved.

    Attributes:
        where: file, id and column.
        change: by how much it changed.
        how: how its share was found.
        shares: quantity -> movement that is owed to it [its unit].
    """

    where: str
    change: str
    how: str
    shares: Mapping[str, float]

    @property
    def words(self) -> str:
        """What changed where."""
        return f"{self.where}: {self.change}"

    @property
    def weight(self) -> float:
        """What causes are ordered by: how far it moved the objective, or of a sweep what it moved most."""
        return abs(self.shares["objective"]) if "objective" in self.shares else max(
            map(abs, self.shares.values()), default=0.0)


def explain(moved: Sequence[tuple[Task, Sequence[InputChange]]], answers: Mapping[str, Measured], suite: str,
            workers: int, tell: Callable[[str], None]) -> dict[str, list[Cause]]:
    """Return what moved each task: its changed inputs, one at a time or in groups.

    Args:
        moved: the tasks, and what changed in each.
        answers: run -> what it gives now.
        suite: file of the suite.
        workers: processes that solve.
        tell: called with one line per solved task.
    """
    groups = [(task, words, group) for task, changes in moved for words, group in _groups(changes, task, suite)]
    again = {k: back for k, (task, _, group) in enumerate(groups) if (back := task.without(group))}
    if again:
        tell(f"solving again with each of {len(again)} changed inputs as it was")
    without = dict(zip(again, solve_all([*again.values()], workers, tell), strict=True))
    causes: dict[str, list[Cause]] = {}
    for k, (task, words, group) in enumerate(groups):
        cause = Cause(*words, *_shares(group, answers[task.run], without.get(k)))
        causes.setdefault(task.run, []).append(cause)
    return {run: sorted(found, key=lambda cause: (-cause.weight, cause.words)) for run, found in causes.items()}


def _groups(changes: Sequence[InputChange], task: Task,
            suite: str) -> list[tuple[tuple[str, str], list[InputChange]]]:
    """Return the changes one by one, or where these are too many together by column, or by file.

    An input that several scenarios of a sweep share is one. Beside each stands where it is, and by how much it changed.
    """
    sources = {change.place: task.source(change.place, suite) for change in changes}
    levels: tuple[Callable[[str, Place], tuple[str, ...]], ...] = (
        lambda file, place: (file, place.id, place.column), lambda file, place: (file, place.column),
        lambda file, _: (file,))
    for level in levels:
        grouped: dict[tuple[str, ...], list[InputChange]] = {}
        for change in changes:
            grouped.setdefault(level(*sources[change.place]), []).append(change)
        if len(grouped) <= MOST:
            break
    own = {change.place for change in changes if sources[change.place][1] == change.place}
    return [((", ".join(place), _by_how_much(group, own)), group) for place, group in grouped.items()]


def _by_how_much(group: Sequence[InputChange], own: Collection[Place]) -> str:
    """Return in words by how much inputs changed; what only follows from them needs none."""
    told = [change for change in group if change.place in own] or group
    count, words = len({change.place[:3] for change in told}), told[0].words
    return words if count == 1 else f"{count} numbers changed, {told[0].place.id} {words}"


def _shares(group: Sequence[InputChange], now: Measured, without: Measured | None) -> tuple[str, dict[str, float]]:
    """Return how the shares of changed inputs were found, and what they are."""
    if without and not without.code:
        return SOLVED, {name: quantity.value - without.values[name].value for name, quantity in now.values.items()
                        if name in without.values}
    if without:
        return f"{UNKNOWN}: without it there is no schedule", {}
    if all(change.place in now.slopes for change in group):
        return FIRST_ORDER, {"objective": sum(_first_order(change, now.slopes) for change in group)}
    return UNKNOWN, {}


def _first_order(change: InputChange, slopes: Mapping[Place, Any]) -> float:
    """Return Σ d cost / d value · change of the value [MUSD]."""
    slope = slopes[change.place]
    old, new = (np.broadcast_to(np.asarray(value, dtype=float), slope.shape) for value in (change.old, change.new))
    return float(slope @ np.nan_to_num(new - old))
