"""Check: solve a suite, compare with its baseline, and find which input moved what."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wateropt import __version__
from wateropt.errors import DataError, Problem
from wateropt.hold import held
from wateropt.report.files import SOLVED_WITH
from wateropt.scenario import Case
from wateropt.solving import Hold
from wateropt.studies.gate.baseline import Baseline, Recorded
from wateropt.studies.gate.causes import Cause, explain
from wateropt.studies.gate.inputs import changed
from wateropt.studies.gate.quantities import SWEPT, fits
from wateropt.studies.gate.suite import Run, Suite, asked_rows, file_of, hold_source, load_runs
from wateropt.studies.gate.sweeps import SweepTask
from wateropt.studies.gate.tasks import CaseTask, Measured, Task, solve_all

MINOR = 0.02  # share of the largest cause below which another is not named


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
        effects: sweep -> rows of its `effects.csv` for the first output that is watched.
        unused: changed files none of whose changes any run uses.
        before, now: what the baseline holds, and what it would hold.
        programs: versions that differ, in words.
    """

    suite: str
    compared: Sequence[Compared]
    causes: Mapping[str, Sequence[Cause]]
    changes: Mapping[str, int]
    failures: Mapping[str, tuple[int, str]]
    effects: Mapping[str, Sequence[Mapping[str, Any]]]
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
    tasks = _tasks(suite, path)
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
    causes = explain(explained, answers, path.name, workers, tell)
    used = {task.source(change.place, path.name)[0] for task in tasks for change in changes.get(task.run, ())}
    differ = [file for file, digest in now.files.items() if before.files.get(file, digest) != digest]
    return Report(path.stem, compared, causes, {run: len(found) for run, found in changes.items()},
                  {run: (a.code, a.reason) for run, a in answers.items() if a.code},
                  {run: a.effects for run, a in answers.items() if a.effects},
                  [file for file in differ if file not in used], baseline, now, _programs(before, now))


def _tasks(suite: Suite, path: Path) -> list[Task]:
    cases, plans = load_runs(suite, path)
    tasks: list[Task] = [CaseTask(run.name, cases[run.name], run.fixed_head, _held(cases[run.name], run, path),
                                  suite.asked(run)) for run in suite.runs]
    return tasks + [SweepTask(sweep.name, plans[sweep.name], file_of(sweep, path), suite.asked(sweep))
                    for sweep in suite.designs]


def _held(case: Case, run: Run, path: Path) -> Hold:
    return held(case, hold_source(run, path)) if run.hold else {}


def _require_known(suite: Suite, path: Path, answers: Mapping[str, Measured]) -> None:
    """Refuse rows of a suite that fit no quantity of any run."""
    if any(answer.code for answer in answers.values()):
        return  # a run without a schedule has no quantities, and that is told
    problems = []
    for place, asked, _ in asked_rows(suite):
        spoken = [answers[row.name].misses for _, row in suite.rows if asked in suite.asked(row)]
        if all(asked in misses for misses in spoken):
            hint = spoken[0][asked] if spoken else f"add {'designs' if asked.quantity in SWEPT else 'runs'} that have"
            what = f"no run has such a quantity, {asked.quantity} `{asked.which}`; {hint}"
            problems.append(Problem(path.name, f"{place}.which", what))
    if problems:
        raise DataError(f"suite {path.stem}", problems)


def _baseline(name: str, tasks: Sequence[Task], answers: Mapping[str, Measured]) -> Baseline:
    files: dict[str, str] = {}
    runs = {}
    for task in tasks:
        files |= task.files()
        runs[task.run] = Recorded(answers[task.run].values, task.inputs())
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
