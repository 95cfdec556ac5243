"""Check: solve a suite, compare with its baseline, and find which input moved what.

What moved a run is found by solving it again with one changed input as it was in the baseline and all others as they
are now; where that would take long, by the marginal values of the inputs that are data, to first order.
"""

from __future__ import annotations

import difflib
import multiprocessing
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from wateropt import __version__
from wateropt.errors import DataError, Problem, SolverError, WateroptError, nearest
from wateropt.hold import held
from wateropt.report.files import SOLVED_WITH, scenario_hash
from wateropt.result import Result
from wateropt.scenario import Case
from wateropt.solving import Hold, solve
from wateropt.studies.gate.baseline import Baseline, Recorded
from wateropt.studies.gate.inputs import (
    SCENARIO,
    InputChange,
    Place,
    changed,
    changed_back,
    file_of,
    inputs_of,
    source_of,
    words_of,
)
from wateropt.studies.gate.quantities import Quantity, fits, measure
from wateropt.studies.gate.suite import Asked, Suite, asked_rows, hold_source, load_runs
from wateropt.units import GWH_PER_MWH

MOST = 10  # groups of inputs that are changed back, one after another
LONG = 20_000  # periods times assets above which a case is not solved again for each input
MINOR = 0.02  # share of the largest cause below which another is not named
SOLVED, FIRST_ORDER = "solved again without it", "to first order, by its marginal values"
UNKNOWN = "its share is not known"
DATA = {("inflow_flow", "flow_m3s"): "inflow", ("demand_requirement", "requirement_m3s"): "requirement",
        ("sea_target", "target_m3s"): "sea_target", ("instream_target", "target_m3s"): "instream_target",
        ("unit_output", "available_mw"): "available_capacity", ("unit_output", "must_run_mw"): "must_run",
        ("exchange_step", "limit_mw"): "exchange_limit"}  # the series whose values are data of the LP


# ---- solving ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """A case to solve and measure; `asked` says which of its quantities are kept."""

    run: str
    case: Case
    fixed_head: bool
    hold: Hold
    asked: tuple[Asked, ...]

    @property
    def size(self) -> int:
        """Periods times assets."""
        return len(self.case.calendar) * sum(map(len, self.case.book.tables.values()))


@dataclass(frozen=True)
class Measured:
    """What a task gave.

    Attributes:
        values: name -> quantity.
        misses: row of the suite -> hint, where no quantity has such an id.
        slopes: marginal values of the inputs that are data [MUSD per unit], by period.
        code, reason: exit code and message where there is no schedule.
    """

    values: Mapping[str, Quantity] = field(default_factory=dict)
    misses: Mapping[Asked, str] = field(default_factory=dict)
    slopes: Mapping[Place, Any] = field(default_factory=dict)
    code: int = 0
    reason: str = ""


def solve_task(task: Task) -> Measured:
    """Solve and measure a case; a case without a schedule is an answer too."""
    try:
        result = solve(task.case, fixed_head=task.fixed_head, hold=task.hold)
    except WateroptError as error:
        return Measured(code=error.code, reason=str(error))
    if result.status != "optimal":
        return Measured(code=SolverError.code, reason=result.status)
    every = measure(result, [asked.quantity for asked in task.asked])
    kept = {name: quantity for name, quantity in every.items() if any(fits(name, asked) for asked in task.asked)}
    misses = {asked: _hint(asked, every) for asked in task.asked if not any(fits(name, asked) for name in every)}
    return Measured(kept, misses, _slopes(result))


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


def solve_all(tasks: Sequence[Task], workers: int, tell: Callable[[str], None]) -> list[Measured]:
    """Solve tasks, in worker processes if there are several of both; the answers are in the order of the tasks."""
    found: list[Measured] = []
    for task, measured in zip(tasks, _answers(tasks, workers), strict=True):
        tell(f"[{len(found) + 1}/{len(tasks)}] {task.run}" + (f": {measured.reason}" if measured.reason else ""))
        found.append(measured)
    return found


def _answers(tasks: Sequence[Task], workers: int) -> Iterator[Measured]:
    if min(workers, len(tasks)) <= 1:
        yield from map(solve_task, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a forked process would share the solver's state
    with ProcessPoolExecutor(min(workers, len(tasks)), context) as pool:
        longest = sorted(range(len(tasks)), key=lambda k: -tasks[k].size)
        futures = {k: pool.submit(solve_task, tasks[k]) for k in longest}
        try:
            yield from (futures[k].result() for k in range(len(tasks)))
        except BrokenProcessPool:
            what = "a process that solves has ended; is there too little memory? try `--workers 1`"
            raise WateroptError(what) from None


# ---- comparing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cause:
    """A changed input, or several of one column or file, and what it moved.

    Attributes:
        words: file, id, column and by how much it changed.
        how: how its share was found.
        shares: quantity -> movement that is owed to it [its unit].
    """

    words: str
    how: str
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Compared:
    """A quantity of a run beside the baseline's; None where one of them has none."""

    run: str
    name: str
    unit: str
    old: float | None
    new: float | None
    allowed: float

    @property
    def moved(self) -> bool:
        """True if it moved further than allowed, or is new or gone."""
        return self.old is None or self.new is None or abs(self.new - self.old) > self.allowed


@dataclass(frozen=True)
class Report:
    """What a gate found.

    Attributes:
        suite: name of the suite.
        compared: every quantity of every run.
        causes: run -> what moved it, the largest share of the objective first.
        changes: run -> number of inputs that differ from the baseline's.
        failures: run -> exit code and reason why it has no schedule.
        unused: changed files none of whose changes any run uses.
        before, now: what the baseline holds, and what it would hold.
        programs: versions that differ, in words.
    """

    suite: str
    compared: Sequence[Compared]
    causes: Mapping[str, Sequence[Cause]]
    changes: Mapping[str, int]
    failures: Mapping[str, tuple[int, str]]
    unused: Sequence[str]
    before: Baseline | None
    now: Baseline
    programs: str

    @property
    def moved(self) -> list[Compared]:
        """The quantities that moved."""
        return [one for one in self.compared if one.moved]

    def why(self, run: str, name: str) -> list[str]:
        """Return what moved a quantity (or with "" a run), in words, the largest share first."""
        shares = {cause.words: abs(cause.shares.get(name, 0.0)) for cause in self.causes.get(run, ())}
        if shares:
            named = [words for words, share in shares.items() if share > MINOR * max(shares.values())]
            return sorted(named, key=lambda words: -shares[words]) or list(shares)
        if self.before is None or run not in self.before.runs:
            return ["first baseline"]
        pairs = [(one.old, one.new) for one in self.moved if one.run == run and name in ("", one.name)]
        if all(None in pair for pair in pairs):
            return ["the suite asks otherwise than before"]
        return [f"no input changed: {self.programs or 'the program'}"]


def check(suite: Suite, path: Path, baseline: Baseline | None, *, workers: int = 1,
          tell: Callable[[str], None] = lambda _: None) -> Report:
    """Solve the runs of a suite and compare them with its baseline.

    Args:
        suite: from `read_suite`.
        path: its file.
        baseline: to compare with; None where there is none yet.
        workers: processes that solve; with one, none is started.
        tell: called with one line per solved case.

    Raises:
        DataError: a scenario or its basin is wrong, or a row of the suite fits no quantity.
    """
    cases = load_runs(suite, path)
    tasks = [Task(run.name, cases[run.name], run.fixed_head, _held(cases[run.name], hold_source(run, path)),
                  suite.asked(run)) for run in suite.runs]
    answers = dict(zip((task.run for task in tasks), solve_all(tasks, workers, tell), strict=True))
    _require_known(suite, path, answers)
    now = _baseline(path.stem, tasks, answers)
    before = baseline or Baseline(path.stem)
    compared = [one for task in tasks for one in _compare(task, before.runs.get(task.run), answers[task.run])]
    compared += [Compared(run, name, quantity.unit, quantity.value, None, 0.0) for run, old in before.runs.items()
                 if run not in answers for name, quantity in old.values.items()]
    changes = {task.run: changed(before.runs[task.run].inputs, now.runs[task.run].inputs) for task in tasks
               if task.run in before.runs}
    drifted = {one.run for one in compared if one.moved}
    explained = [(task, changes[task.run]) for task in tasks if task.run in drifted and changes.get(task.run)]
    causes = _explain(explained, answers, path.name, workers, tell)
    used = {file_of(change.place, task.case, path.name) for task in tasks for change in changes.get(task.run, ())}
    differ = [file for file, digest in now.files.items() if before.files.get(file, digest) != digest]
    return Report(path.stem, compared, causes, {run: len(found) for run, found in changes.items()},
                  {run: (a.code, a.reason) for run, a in answers.items() if a.code},
                  [file for file in differ if file not in used], baseline, now, _programs(before, now))


def _held(case: Case, source: str) -> Hold:
    return held(case, source) if source else {}


def _require_known(suite: Suite, path: Path, answers: Mapping[str, Measured]) -> None:
    """Refuse rows of a suite that fit no quantity of any run."""
    if any(answer.code for answer in answers.values()):
        return  # a run without a schedule has no quantities, and that is told
    problems = []
    for place, asked in asked_rows(suite):
        spoken = [answers[run.name].misses for run in suite.runs if asked in suite.asked(run)]
        if all(asked in misses for misses in spoken):
            what = f"no run has such a quantity, {asked.quantity} `{asked.which}`; {spoken[0][asked]}"
            problems.append(Problem(path.name, f"{place}.which", what))
    if problems:
        raise DataError(f"suite {path.stem}", problems)


def _baseline(name: str, tasks: Sequence[Task], answers: Mapping[str, Measured]) -> Baseline:
    files: dict[str, str] = {}
    runs = {}
    for task in tasks:
        own = task.case.basin.folders[-1].name
        files |= {file if "/" in file else f"{own}/{file}": digest for file, digest in task.case.basin.hashes.items()}
        files[f"{task.case.name}.yaml"] = scenario_hash(task.case)
        runs[task.run] = Recorded(answers[task.run].values,
                                  inputs_of(task.case, fixed_head=task.fixed_head, hold=task.hold))
    versions = {"wateropt": __version__, "python": platform.python_version(),
                **{name: version(name) for name in SOLVED_WITH}}
    return Baseline(name, versions, files, runs)


def _programs(before: Baseline, now: Baseline) -> str:
    return ", ".join(f"{name} {before.versions[name]} -> {new}" for name, new in now.versions.items()
                     if before.versions.get(name, new) != new)


def _compare(task: Task, old: Recorded | None, new: Measured) -> Iterator[Compared]:
    before = old.values if old else {}
    for name in dict.fromkeys([*new.values, *before]) if not new.code else ():
        a, b = before.get(name), new.values.get(name)
        row = next((asked for asked in reversed(task.asked) if fits(name, asked)), None)
        allowed = row.allowed(a.value) if row and a else 0.0
        quantity = b or a
        assert quantity is not None
        yield Compared(task.run, name, quantity.unit, a and a.value, b and b.value, allowed)


# ---- what moved it ------------------------------------------------------------------------------------


def _explain(moved: Sequence[tuple[Task, Sequence[InputChange]]], answers: Mapping[str, Measured], suite: str,
             workers: int, tell: Callable[[str], None]) -> dict[str, list[Cause]]:
    """Return what moved each run: its changed inputs, one at a time or in groups."""
    groups = [(task, words, group) for task, changes in moved for words, group in _groups(changes, task.case, suite)]
    again = {k: back for k, (task, _, group) in enumerate(groups) if (back := _changed_back(task, group))}
    if again:
        tell(f"solving again with each of {len(again)} changed inputs as it was")
    without = dict(zip(again, solve_all([*again.values()], workers, tell), strict=True))
    causes: dict[str, list[Cause]] = {}
    for k, (task, words, group) in enumerate(groups):
        cause = _cause(words, group, answers[task.run], without.get(k))
        causes.setdefault(task.run, []).append(cause)
    return {run: sorted(found, key=lambda cause: (-abs(cause.shares.get("objective", 0.0)), cause.words))
            for run, found in causes.items()}


def _groups(changes: Sequence[InputChange], case: Case, suite: str) -> list[tuple[str, list[InputChange]]]:
    """Return the changes one by one, or where these are too many together by column, or by file."""
    files = {change.place: (file_of(change.place, case, suite), source_of(change.place, case)) for change in changes}
    levels: tuple[Callable[[str, Place], tuple[str, ...]], ...] = (
        lambda file, place: (file, place.id, place.column), lambda file, place: (file, place.column),
        lambda file, _: (file,))
    for level in levels:
        grouped: dict[tuple[str, ...], list[InputChange]] = {}
        for change in changes:
            grouped.setdefault(level(*files[change.place]), []).append(change)
        if len(grouped) <= MOST:
            break
    return [(_describe(place, group, case), group) for place, group in grouped.items()]


def _describe(place: tuple[str, ...], group: Sequence[InputChange], case: Case) -> str:
    """Return file, id, column and by how much they changed; what only follows from them needs no words."""
    own = [change for change in group if source_of(change.place, case) == change.place] or group
    words = own[0].words if len(own) == 1 else f"{len(own)} numbers changed, {own[0].place.id} {own[0].words}"
    return f"{', '.join(place)}: {words}"


def _changed_back(task: Task, group: Sequence[InputChange]) -> Task | None:
    case = None if task.size > LONG else changed_back(task.case, group)
    return replace(task, case=case) if case else None


def _cause(words: str, group: Sequence[InputChange], now: Measured, without: Measured | None) -> Cause:
    if without and not without.code:
        shares = {name: quantity.value - without.values[name].value for name, quantity in now.values.items()
                  if name in without.values}
        return Cause(words, SOLVED, shares)
    if without:
        return Cause(words, f"{UNKNOWN}: without it there is no schedule", {})
    if all(change.place in now.slopes for change in group):
        return Cause(words, FIRST_ORDER, {"objective": sum(_first_order(change, now.slopes) for change in group)})
    return Cause(words, UNKNOWN, {})


def _first_order(change: InputChange, slopes: Mapping[Place, Any]) -> float:
    """Return Σ d cost / d value · change of the value [MUSD]."""
    slope = slopes[change.place]
    old, new = (np.broadcast_to(np.asarray(value, dtype=float), slope.shape) for value in (change.old, change.new))
    return float(slope @ np.nan_to_num(new - old))
