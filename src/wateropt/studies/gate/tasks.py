"""Tasks: what a gate solves, in worker processes; a run of one case here, a sweep in `sweeps`."""

from __future__ import annotations

import difflib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from wateropt.errors import SolverError, WateroptError, nearest
from wateropt.report.files import scenario_hash
from wateropt.result import Result
from wateropt.scenario import Case
from wateropt.solving import Hold, solve
from wateropt.studies.gate.inputs import (
    SCENARIO,
    InputChange,
    Place,
    Value,
    changed_back,
    file_of,
    inputs_of,
    source_of,
    words_of,
)
from wateropt.studies.gate.quantities import Quantity, fits, measure
from wateropt.studies.gate.suite import Asked
from wateropt.units import GWH_PER_MWH

LONG = 20_000  # periods times assets above which a case is not solved again for each input
DATA = {("inflow_flow", "flow_m3s"): "inflow", ("demand_requirement", "requirement_m3s"): "requirement",
        ("sea_target", "target_m3s"): "sea_target", ("instream_target", "target_m3s"): "instream_target",
        ("unit_output", "available_mw"): "available_capacity", ("unit_output", "must_run_mw"): "must_run",
        ("exchange_step", "limit_mw"): "exchange_limit"}  # the series whose values are data of the LP


@dataclass(frozen=True)
class Measured:
    """What a task gave.

    Attributes:
        values: name -> quantity.
        misses: row of the suite -> hint, where no quantity has such an id.
        slopes: marginal values of the inputs that are data [MUSD per unit], by period.
        effects: of a sweep, the rows of its `effects.csv` for the first output that the suite watches, with their
            quantities' `names`.
        code, reason: exit code and message where there is no schedule.
    """

    values: Mapping[str, Quantity] = field(default_factory=dict)
    misses: Mapping[Asked, str] = field(default_factory=dict)
    slopes: Mapping[Place, Any] = field(default_factory=dict)
    effects: Sequence[Mapping[str, Any]] = ()
    code: int = 0
    reason: str = ""


class Task(Protocol):
    """What a gate solves: a run, or a sweep."""

    @property
    def run(self) -> str:
        """Its name in the suite."""

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Which of its quantities are kept."""

    @property
    def size(self) -> int:
        """Periods times assets, times runs: what tells long tasks from short ones."""

    def solve(self) -> Measured:
        """Solve and measure it; that there is no schedule is an answer too."""

    def inputs(self) -> dict[Place, Value]:
        """Return everything that it is built from."""

    def files(self) -> dict[str, str]:
        """Return file -> SHA-256 of what it was read from."""

    def source(self, place: Place, suite: str) -> tuple[str, Place]:
        """Return the file that an input is edited in, and where it stands there."""

    def without(self, group: Sequence[InputChange]) -> Task | None:
        """Return it with some inputs as they were in the baseline; None where that cannot be, or takes too long."""


@dataclass(frozen=True)
class CaseTask:
    """A case to solve and measure."""

    run: str
    case: Case
    fixed_head: bool
    hold: Hold
    asked: tuple[Asked, ...]

    @property
    def size(self) -> int:
        """Periods times assets."""
        return size_of(self.case)

    def solve(self) -> Measured:
        """Solve and measure the case."""
        try:
            result = solve(self.case, fixed_head=self.fixed_head, hold=self.hold)
        except WateroptError as error:
            return Measured(code=error.code, reason=str(error))
        if result.status != "optimal":
            return Measured(code=SolverError.code, reason=result.status)
        kept, misses = keep(measure(result, [asked.quantity for asked in self.asked]), self.asked)
        return Measured(kept, misses, _slopes(result))

    def inputs(self) -> dict[Place, Value]:
        """Return everything that the case is built from."""
        return inputs_of(self.case, fixed_head=self.fixed_head, hold=self.hold)

    def files(self) -> dict[str, str]:
        """Return the files of the basin, and the scenario."""
        return files_of(self.case)

    def source(self, place: Place, suite: str) -> tuple[str, Place]:
        """Return the file that an input is edited in, and where it stands there."""
        return file_of(place, self.case, suite), source_of(place, self.case)

    def without(self, group: Sequence[InputChange]) -> CaseTask | None:
        """Return the case with some inputs as they were; None for a long one."""
        case = None if self.size > LONG else changed_back(self.case, group)
        return replace(self, case=case) if case else None


def size_of(case: Case) -> int:
    """Return periods times assets."""
    return len(case.calendar) * sum(map(len, case.book.tables.values()))


def files_of(case: Case) -> dict[str, str]:
    """Return the files of a case's basin, and its scenario, with their hashes."""
    own = case.basin.folders[-1].name
    found = {file if "/" in file else f"{own}/{file}": digest for file, digest in case.basin.hashes.items()}
    return {**found, f"{case.name}.yaml": scenario_hash(case)}


def keep(every: Mapping[str, Quantity], asked: Sequence[Asked]) -> tuple[dict[str, Quantity], dict[Asked, str]]:
    """Return the quantities that are asked for, and the rows of the suite that fit none, with a hint."""
    kept = {name: quantity for name, quantity in every.items() if any(fits(name, row) for row in asked)}
    return kept, {row: _hint(row, every) for row in asked if not any(fits(name, row) for name in every)}


def _hint(asked: Asked, every: Mapping[str, Quantity]) -> str:
    """Return which ids there are near a pattern that fits none."""
    ids = [key for kind, _, key in (name.partition(":") for name in every) if kind == asked.quantity and "@" not in key]
    near = difflib.get_close_matches(asked.which, ids, n=1, cutoff=0.4)
    return f"did you mean `{near[0]}`?" if near else nearest(asked.which, ids)


def _slopes(result: Result) -> dict[Place, Any]:
    """Return the marginal values of data, and of states at both ends [MUSD per unit], by period or one number."""
    values = result.values
    found: dict[Place, Any] = {}
    for (table, column), datum in DATA.items():
        found |= {Place(table, key, column): values.reduced_cost(datum, key) for key in values.keys(datum)}
    days, blocks = result.case.calendar.days, result.case.book.blocks
    for key in values.keys("grid_load"):
        found[Place("grid_load", words_of(key), "load_mw")] = (
            values.reduced_cost("grid_load", key) * days * blocks[key[1]] * GWH_PER_MWH)
    for key in result.case.book.tables["gain"]:  # a negative gain is a claim of as much
        claimed = values.reduced_cost("claim", key)
        found[Place("gain_flow", key, "flow_m3s")] = values.reduced_cost("net_gain", key) - claimed
    for name, key in values.reduced_costs:
        state = name.removesuffix("_opening")
        if state != name:
            found[Place(SCENARIO, words_of(key), f"opening {state}")] = values.reduced_cost(name, key)
        elif name in result.case.book.closing:  # a lower limit: only a reduced cost that it causes is its
            last = values.reduced_cost(name, key)[-1:]
            found[Place(SCENARIO, words_of(key), f"closing {name}")] = np.maximum(last, 0.0)
        elif name == "transit_due":
            found[Place(SCENARIO, words_of(key), "closing transit_total")] = values.reduced_cost(name, key)[-1:]
    return found


# ---- many -----------------------------------------------------------------------------------------------


def solve_all(tasks: Sequence[Task], workers: int, tell: Callable[[str], None]) -> list[Measured]:
    """Solve tasks, in worker processes if there are several of both; the answers are in the order of the tasks."""
    found: list[Measured] = []
    for task, measured in zip(tasks, _answers(tasks, workers), strict=True):
        tell(f"[{len(found) + 1}/{len(tasks)}] {task.run}" + (f": {measured.reason}" if measured.reason else ""))
        found.append(measured)
    return found


def _answers(tasks: Sequence[Task], workers: int) -> Iterator[Measured]:
    if min(workers, len(tasks)) <= 1:
        yield from (task.solve() for task in tasks)
        return
    context = multiprocessing.get_context("spawn")  # a forked process would share the solver's state
    with ProcessPoolExecutor(min(workers, len(tasks)), context) as pool:
        longest = sorted(range(len(tasks)), key=lambda k: -tasks[k].size)
        futures = {k: pool.submit(tasks[k].solve) for k in longest}
        try:
            yield from (futures[k].result() for k in range(len(tasks)))
        except BrokenProcessPool:
            what = "a process that solves has ended; is there too little memory? try `--workers 1`"
            raise WateroptError(what) from None
