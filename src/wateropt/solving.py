"""Solve a case: head iterations, one schedule among equals, duals, status."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wateropt.calendar import Floats
from wateropt.diagnose import explain_infeasible
from wateropt.head import SHRINK, SLOTS, STEP, TOLERANCE, HeadPath
from wateropt.highs import INFEASIBLE, OPTIMAL, Highs, Solution, require_answer
from wateropt.horizon import Horizon, Ints, Lp
from wateropt.marginals import Marginals, Ranging, data_columns, find_marginals, range_data
from wateropt.result import Result
from wateropt.scenario import Case

MOST_ITERATIONS = 30
MOST_CHOICES = 20
FREE_CHOICES = 5  # after which the step of the head shrinks
GAIN = 1e-7  # relative gain below which a step limit that binds no longer matters: an optimum between limits
FALLING = 1e-5  # relative gain above which a path whose energy is the curve's is still on its way
EQUAL_COST = 1e-7  # relative cost that choosing among equal optima may give up
PRICED = 1e-9  # MUSD per unit above which a column or row has a price
IDLE = 1e-3  # weight of spill and canal flow: water goes by the bottom outlet first, and in no circles
USUAL_FLOW = 1e3  # m³/s
WRITTEN = 5e-10  # relative rounding of a number that is written with ten digits
Hold = Mapping[tuple[str, str], Floats]  # (variable, id) -> value by period, NaN where free


@dataclass
class Clock:
    """Wall time by phase [s]."""

    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the body takes to a phase."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - begin


@dataclass(frozen=True)
class Start:
    """Where a solve begins: at a solved case whose LP has the same shape.

    Attributes:
        shape: rows and columns of its LP; basis: its last basis.
        x: columns along which the head path lies; step: how far storage may leave it.
        objective: of its LP on that path [MUSD].
    """

    shape: tuple[int, int]
    basis: Any
    x: Floats
    step: float
    objective: float


class LiveCase:
    """A case laid out and loaded into HiGHS, ready to be solved and solved again.

    Args:
        case: what to solve.
        hold: values that variables are held at.
        clock: where phases are timed.
    """

    def __init__(self, case: Case, hold: Hold | None = None, clock: Clock | None = None) -> None:
        self.case, self.clock = case, clock or Clock()
        with self.clock.phase("build"):
            self.horizon = Horizon(case)
            self.path = HeadPath(self.horizon)
            self.lp = hold_values(self.horizon, self.horizon.lp(), hold or {})
        with self.clock.phase("pass"):
            self.highs = Highs(self.lp)
        self.solves = 0

    def solve_cost(self, far: bool = False) -> Solution:
        """Solve the LP as it stands, from the last basis or from `far`.

        Raises:
            InfeasibleError: no schedule satisfies the hard requirements; it names them.
            SolverError: HiGHS stopped early.
        """
        with self.clock.phase("solve"):
            solution = require_answer(self.highs.solve(far))
        self.solves += 1
        if solution.status == INFEASIBLE:
            raise explain_infeasible(self.horizon, self.lp)
        return solution

    def relinearise(self, x: Floats) -> None:
        """Lay the head path along a solution and patch the loaded LP in place."""
        if not self.path.storage:
            return
        with self.clock.phase("patch"):
            self.path.follow(x)
            self._patch()

    def _patch(self) -> None:
        """Bring the loaded LP, and `lp`, to the head path."""
        rows, row_lower, row_upper = self.horizon.row_limits_of("storage_energy")
        columns, lower, upper = self.path.limits()
        self.lp.row_lower[rows], self.lp.row_upper[rows] = row_lower, row_upper
        self.lp.lower[columns], self.lp.upper[columns] = lower, upper
        self.highs.change_entries(*self.horizon.changed_entries(SLOTS))
        self.highs.change_row_bounds(rows, row_lower, row_upper)
        self.highs.change_bounds(columns, lower, upper)

    def present_lp(self) -> Lp:
        """Return the loaded LP with its matrix as patched: that of `lp` is the matrix of the first head path."""
        starts, column, value = self.horizon.matrix()
        return replace(self.lp, row_start=starts, column=column, value=value)

    def solve_head(self) -> tuple[Solution, bool]:
        """Solve until the LP's energy is the curve's; return the solution and whether the head settled."""
        return self._follow(self._first_path(self.solve_cost(far=True)))

    def solve_near(self, start: Start) -> tuple[Solution, bool]:
        """Solve like `solve_head`, from the basis and along the head path of a case that differs in few numbers."""
        if start.shape != self.lp.shape:
            return self.solve_head()
        return self.settle_near(self._solve_along(start), start)

    def settle_near(self, solution: Solution, start: Start) -> tuple[Solution, bool]:
        """Go on from the first solution along another case's head path until the LP's energy is the curve's."""
        if solution.status != OPTIMAL:  # the step may be too narrow for any schedule of this case
            return self._follow(self._solve_wider())
        moved = abs(solution.objective - start.objective) > GAIN * max(abs(start.objective), 1.0)
        if self.path.gap(solution.x) <= TOLERANCE and not (moved and self.path.binds(solution.x)):
            return solution, True
        return self._follow(solution)

    def _solve_wider(self) -> Solution:
        """Let storage leave the head path by the usual step, or, if that is not enough, as far as it likes."""
        for step in (STEP, float("inf")) if self.path.storage else ():
            self.path.step = step
            self._patch()
            with self.clock.phase("solve"):
                solution = self.highs.solve()
            self.solves += 1
            if solution.status == OPTIMAL:
                return solution
        return self.solve_cost()

    def _solve_along(self, start: Start) -> Solution:
        """Solve the LP once, from the basis and along the head path of another case."""
        self.path.step = start.step
        self.relinearise(start.x)
        self.highs.start_from(start.basis)
        with self.clock.phase("solve"):
            solution = self.highs.solve()
        self.solves += 1
        return solution

    def solve_from(self, start: Start) -> Solution:
        """Solve the LP as it stands, from the basis of another case if the LPs have the same shape."""
        if start.shape == self.lp.shape:
            self.highs.start_from(start.basis)
        return self.solve_cost()

    def start(self, solution: Solution) -> Start:
        """Return where cases that differ from this one in few numbers may begin, after `solve_head`.

        The LP is solved once more, on the path that they will begin on, for the objective that theirs compare with.
        """
        here = Start(self.lp.shape, self.highs.basis(), solution.x, self.path.step, solution.objective)
        if not self.path.storage:
            return here
        objective = self._solve_along(here).objective
        return replace(here, basis=self.highs.basis(), objective=objective)

    def _follow(self, solution: Solution) -> tuple[Solution, bool]:
        """Follow the solutions with the head path until the LP's energy is the curve's."""
        gap, cost, self.path.step = float("inf"), solution.objective, STEP
        for _ in range(1, MOST_ITERATIONS):
            self.relinearise(solution.x)
            solution = self.solve_cost()
            new = self.path.gap(solution.x)
            gained = (cost - solution.objective) / max(abs(cost), 1.0)
            if new <= TOLERANCE and (abs(gained) <= GAIN or not self.path.binds(solution.x)):
                return solution, True
            if new > 0.5 * gap and (new > TOLERANCE or gained < FALLING):  # else the path is on its way: let it go
                self.path.step *= SHRINK
            gap, cost = new, solution.objective
        return solution, False

    def _first_path(self, solution: Solution) -> Solution:
        """Return the solution of the straight path whose head responds to storage: where the iterations begin.

        The first path knows no response of the head and may lead towards the lower of two optima.
        """
        if not self.path.storage:
            return solution
        with self.clock.phase("patch"):
            self.path.step = float("inf")
            self.path.spread(solution.x)
            self._patch()
        with self.clock.phase("solve"):
            better = self.highs.solve(far=True)
        self.solves += 1
        return better if better.status == OPTIMAL else solution

    def choose(self, solution: Solution) -> Solution:
        """Return, among the schedules of equal cost, the one whose releases change least."""
        self._cost_basis = self.highs.basis()
        with self.clock.phase("choose"):
            chosen = self.solve_on_face(solution, calmness(self.horizon))
        given_up = float(self.lp.cost @ chosen.x) - solution.objective if chosen.status == OPTIMAL else np.inf
        return chosen if given_up <= EQUAL_COST * max(abs(solution.objective), 1.0) else solution

    def solve_on_face(self, solution: Solution, cost: Floats) -> Solution:
        """Return the solution that is best by other costs among those as good as a solution of the cost LP."""
        columns, rows = choose_face(solution)
        self.highs.change_bounds(columns, solution.x[columns], solution.x[columns])
        self.highs.change_row_bounds(rows, solution.row[rows], solution.row[rows])
        self.highs.change_costs(cost)
        found = self.highs.solve()
        self.highs.change_costs(self.lp.cost)
        self.highs.change_row_bounds(rows, self.lp.row_lower[rows], self.lp.row_upper[rows])
        self.highs.change_bounds(columns, self.lp.lower[columns], self.lp.upper[columns])
        return found

    def return_from_choice(self) -> None:
        """Stand again at the basis of the cost LP, which `choose` left."""
        with self.clock.phase("marginals"):
            self.highs.start_from(self._cost_basis)
            self.highs.solve()

    def marginals(self, solution: Solution) -> Marginals:
        """Return what inputs cost, and whom; HiGHS stands at the solution of the cost LP."""
        with self.clock.phase("marginals"):
            return find_marginals(self.horizon, self.present_lp(), self.highs, solution)

    def ranging(self, solution: Solution, tell: Callable[[str], None]) -> dict[tuple[str, Any, int], Ranging]:
        """Return left and right derivatives of all data; HiGHS stands at the solution of the cost LP."""
        count = sum(1 for _ in data_columns(self.horizon))
        with self.clock.phase("ranging"):
            return range_data(self.horizon, self.present_lp(), self.highs, solution, lambda done: tell(
                f"ranging: {done} of {count} data") if done % 500 == 0 else None)

    def find(self, fixed_head: bool = False, choose: bool = True) -> tuple[Solution, Solution, bool]:
        """Solve from nothing: return the solution of the cost LP, the chosen one, and whether the head settled.

        HiGHS stands at the optimal basis of the cost LP afterwards.
        """
        solution, settled = (self.solve_cost(far=True), True) if fixed_head else self.solve_head()
        if not choose:
            return solution, solution, settled
        chosen = self.choose(solution)
        if not fixed_head:
            solution, chosen, calm = self.settle(solution, chosen)
            settled = settled and calm
        self.return_from_choice()
        return solution, chosen, settled

    def settle(self, solution: Solution, chosen: Solution) -> tuple[Solution, Solution, bool]:
        """Follow a chosen schedule whose head left the path until its energy is the curve's too.

        After some turns the step shrinks: between two nearly equal optima it would jump for ever.
        """
        for turn in range(MOST_CHOICES):
            if self.path.gap(chosen.x) <= TOLERANCE:
                return solution, chosen, True
            if turn >= FREE_CHOICES:
                self.path.step *= SHRINK
            self.relinearise(chosen.x)
            solution = self.solve_cost()
            chosen = self.choose(solution)
        return solution, chosen, False


def choose_face(solution: Solution) -> tuple[Ints, Ints]:
    """Return the columns and rows that stay where they are in every schedule of equal cost: those with a price."""
    return np.flatnonzero(np.abs(solution.reduced) > PRICED), np.flatnonzero(np.abs(solution.row_dual) > PRICED)


def calmness(horizon: Horizon) -> Floats:
    """Return the costs of Σ|change of release| / design flow, and a little of idle flows, shape (column,)."""
    calm = np.zeros(horizon.columns)
    plants, canals = (horizon.case.book.tables[name] for name in ("powerhouse", "canal"))
    for r, flow in {plants.reservoir[p]: plants.design_flow[p] for p in plants if plants.reservoir[p]}.items():
        for name in ("release_rise", "release_fall"):
            calm[horizon.columns_of(name, r)] = 1.0 / max(flow, 1.0)
    idle = {("spill", r): USUAL_FLOW for r in horizon.case.book.tables["reservoir"]}
    idle |= {("canal_flow", c): max(canals.capacity[c], 1.0) for c in canals}
    for j in horizon.case.book.tables["joint"]:  # an owner exports what it can before it sells back
        calm[horizon.columns_of("owner_sold_back", j)] = IDLE
    for name, key in settled_links(horizon):  # but no energy runs to and fro to be exported
        calm[horizon.columns_of(name, key)] = 0.75 * IDLE
    for key, flow in idle.items():
        calm[horizon.columns_of(*key)] = IDLE / flow
    return calm


def settled_links(horizon: Horizon) -> list[tuple[str, tuple[str, str]]]:
    """Return the energy columns of the links on which owners of joint plants settle, in both directions."""
    tables = horizon.case.book.tables
    joint, links, home = tables["joint"], tables["link"], tables["powerhouse"].grid
    ways = {frozenset((home[joint.powerhouse[j]], joint.grid[j])) for j in joint}
    used = [k for k in links if frozenset((links.origin[k], links.destination[k])) in ways]
    return [(name, (k, b)) for name in ("sent_forward", "sent_back") for k in used for b in horizon.case.book.blocks]


def hold_values(horizon: Horizon, lp: Lp, hold: Hold) -> Lp:
    """Return the LP with some variables held at given values where they are not NaN.

    A value read from a table stands for every number that is written like it: to the last digit a schedule that
    was optimal might leave a reservoir a litre short of its closing storage.
    """
    lower, upper = lp.lower.copy(), lp.upper.copy()
    for key, values in hold.items():
        columns = horizon.columns_of(*key)
        given = ~np.isnan(values) & (columns >= 0)
        rounding = WRITTEN * np.abs(values[given])
        lower[columns[given]], upper[columns[given]] = values[given] - rounding, values[given] + rounding
    return replace(lp, lower=lower, upper=upper)


def solve(case: Case, *, fixed_head: bool = False, hold: Hold | None = None, choose: bool = True,
          ranging: bool = False, clock: Clock | None = None, tell: Callable[[str], None] = lambda _: None) -> Result:
    """Solve a case.

    Args:
        case: from `load`.
        fixed_head: solve one LP with the head of a straight storage path.
        hold: (variable, id) -> values by period that are held, NaN where free (see `held`).
        choose: choose the calmest schedule among those of equal cost (else: any of them).
        ranging: find left and right derivative of every datum, and how far each holds.
        clock: where the seconds of each phase are added up.
        tell: called with one line per step, for progress.

    Returns:
        The result, frozen.

    Raises:
        InfeasibleError: no schedule satisfies the hard requirements.
        SolverError: the solver stopped before it had a schedule.

    >>> import wateropt
    >>> result = wateropt.solve(wateropt.load("dry-2023-monthly"), fixed_head=True)
    >>> result.status
    'optimal'
    """
    live = LiveCase(case, hold, clock)
    tell(f"{len(live.lp.cost)} columns, {len(live.lp.row_lower)} rows")
    solution, chosen, settled = live.find(fixed_head, choose)
    status = OPTIMAL if settled else f"head not settled: gap {live.path.gap(chosen.x):.2%}"
    tell(f"{status} after {live.solves} solves")
    marginals = live.marginals(solution)
    ranged = live.ranging(solution, tell) if ranging else {}
    return Result.collect(live.horizon, live.lp, solution, chosen, live.path, status, {
        "solves": live.solves, "fixed_head": fixed_head, "held": sorted(f"{n}:{k}" for n, k in (hold or {})),
        "phases": live.clock.phases,
    }, marginals, ranged)
