"""The engine: solves runs on LPs that stay loaded.

A run takes the numbers of its case (`NumberStage`), overwrites those of the base's LP that differ, and begins at the
base's basis and along its head path. Nothing is left of the runs before: a run gives the same row in any order, in any
process. Where other columns or rows exist (a gain turns into a claim) its LP is laid out anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from wateropt.calendar import Floats
from wateropt.condensed import CondensedHighs
from wateropt.errors import DataError, InfeasibleError, SolverError
from wateropt.head import SLOTS
from wateropt.highs import OPTIMAL, unpack_basis
from wateropt.horizon import Horizon, Lp, Patch, differing
from wateropt.revalue import NumberStage
from wateropt.scenario import Case
from wateropt.solving import LiveCase, Start
from wateropt.studies.sensitivity.outputs import Outputs
from wateropt.studies.sensitivity.plan import Base, Place, Plan

SOLVED, UNSETTLED, NO_SCHEDULE, WRONG, STOPPED = ("optimal", "head not settled", "no schedule", "wrong data",
                                                  "solver stopped")


class Answer(NamedTuple):
    """What became of a run: outputs by name, none if it failed, and why."""

    status: str
    reason: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class _Kept:
    """What the base's LP holds, to return to."""

    lp: Lp
    slots: Mapping[str, Mapping[Any, Any]]
    x: Floats


class Engine:
    """Solves cases near to one base.

    Args:
        base: case and where to begin.
        fixed_head: solve one LP with the head of a straight storage path.
    """

    def __init__(self, base: Base, fixed_head: bool) -> None:
        self.fixed_head, self.base = fixed_head, base
        self.start = base.start and replace(base.start, basis=unpack_basis(base.start.basis))
        self.rebuilt = 0  # runs whose LP was laid out anew
        if self.start is not None:
            self._load(self.start)

    def _load(self, start: Start) -> None:
        self.live = LiveCase(self.base.case)
        if not self.fixed_head:
            self.live.path.step = start.step
            self.live.relinearise(start.x)
        lp = replace(self.live.horizon.lp(zeros=True), lower=self.live.lp.lower, upper=self.live.lp.upper)
        slots = {name: dict(values) for name, values in self.live.horizon.stage.slots.items()}
        self._kept = _Kept(lp, slots, start.x)
        self.live.highs = self.highs = CondensedHighs(lp, self.live.horizon.fixed())
        self._outputs = Outputs.of(self.live.horizon)

    def solve(self, case: Case) -> Answer:
        """Solve a case."""
        try:
            x, objective, settled = self._solve(case)
        except InfeasibleError as error:
            return Answer(NO_SCHEDULE, " ".join(str(error).split()), {})
        except SolverError as error:
            return Answer(STOPPED, str(error), {})
        return Answer(SOLVED if settled else UNSETTLED, "", {"objective_musd": objective, **x})

    def _solve(self, case: Case) -> tuple[dict[str, float], float, bool]:
        patch = self.patch(case)
        if patch is not None and self.start is not None:
            self._apply(patch)
            found = self._solve_loaded()
            if found is not None:
                return self._outputs.read(found[0]), found[1], found[2]
        self.rebuilt += 1
        return self._solve_anew(case)

    def patch(self, case: Case) -> Patch | None:
        """Return to the base's LP; return what differs in a case, or None if other columns and rows exist in it."""
        if self.start is None:
            return None
        horizon, kept = self.live.horizon, self._kept
        horizon.stage.slots.update({name: dict(values) for name, values in kept.slots.items()})
        self.live.lp = replace(kept.lp, lower=kept.lp.lower.copy(), upper=kept.lp.upper.copy(),
                               row_lower=kept.lp.row_lower.copy(), row_upper=kept.lp.row_upper.copy())
        numbers = NumberStage(case)
        slots = numbers.slots_like([name for name in kept.slots if name not in SLOTS])
        if not alike(horizon, numbers, slots, kept.slots):
            return None
        self._lay_path(case)
        head = {n: horizon.stage.slots[n] for n in SLOTS if n in kept.slots}
        return horizon.revalue(numbers.groups, {**slots, **head}, case.book.closing, kept.slots)

    def _lay_path(self, case: Case) -> None:
        """Lay the base's head path, with the plants of the case."""
        path = self.live.path
        path.case = case
        if not path.storage:
            return
        if self.fixed_head:
            path.lay_straight()
        else:
            assert self.start is not None
            path.step = self.start.step
            path.follow(self.start.x)

    def _apply(self, patch: Patch) -> None:
        lp, highs = self.live.lp, self.highs
        highs.reload()
        lp.lower[patch.columns], lp.upper[patch.columns] = patch.lower, patch.upper
        highs.change_bounds(patch.columns, patch.lower, patch.upper)
        lp.row_lower[patch.rows], lp.row_upper[patch.rows] = patch.row_lower, patch.row_upper
        highs.change_row_bounds(patch.rows, patch.row_lower, patch.row_upper)
        highs.change_entries(patch.entry_rows, patch.entry_columns, patch.entries)
        columns, lower, upper = self.live.path.limits()
        if not self.fixed_head and len(columns):
            lp.lower[columns], lp.upper[columns] = lower, upper
            highs.change_bounds(columns, lower, upper)

    def _solve_loaded(self) -> tuple[Floats, float, bool] | None:
        """Solve the LP as it is patched; None if it is to be laid out anew to be sure, or to be explained."""
        assert self.start is not None
        first = self.live.highs.solve()
        if self.fixed_head:
            return (first.x, first.objective, True) if first.status == OPTIMAL else None
        try:
            solution, settled = self.live.settle_near(first, self.start)
        except (InfeasibleError, SolverError):
            return None
        return solution.x, solution.objective, settled

    def _solve_anew(self, case: Case) -> tuple[dict[str, float], float, bool]:
        live = LiveCase(case)
        if self.fixed_head:
            solution, settled = (live.solve_from(self.start) if self.start else live.solve_cost(far=True)), True
        else:
            solution, settled = live.solve_near(self.start) if self.start else live.solve_head()
        return Outputs.of(live.horizon).read(solution.x), solution.objective, settled


def alike(horizon: Horizon, numbers: NumberStage, slots: Mapping[str, Mapping[Any, Any]],
          base: Mapping[str, Mapping[Any, Any]]) -> bool:
    """Tell whether a case has the columns, rows, terms and slots of a horizon, in the same periods."""
    stage = horizon.stage
    return (list(stage.groups) == list(numbers.groups)
            and all(g.index == numbers.groups[n].index and _same_when(g.when, numbers.groups[n].when)
                    for n, g in stage.groups.items())
            and list(stage.rows) == list(numbers.rows)
            and all(list(r) == list(numbers.rows[n]) and _same_when(r, numbers.rows[n]) for n, r in stage.rows.items())
            and all(a[:4] == b[:4] for a, b in zip(stage.terms, numbers.terms, strict=True))
            and all(values.keys() == base[name].keys() for name, values in slots.items()))


def _same_when(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return one.keys() == other.keys() and not differing(one, other)


class Runner:
    """Solves the runs of a plan, with an engine for each base that is asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._engines: dict[Place, Engine] = {}

    def solve(self, run: int) -> Answer:
        """Solve a run; whatever goes wrong is its answer."""
        try:
            case = self.plan.vary(run)
        except DataError as error:
            return Answer(WRONG, "; ".join(problem.message for problem in error.problems), {})
        place = self.plan.place(run)
        if place not in self._engines:
            self._engines[place] = Engine(self.plan.bases[place], self.plan.design.fixed_head)
        return self._engines[place].solve(case)
