"""Solve many cases, one after another or in worker processes, and write each as soon as it is solved.

Each worker has one case at a time, and a pipe to the process that started it: when that process ends, however it
does, so do the workers. A case gives the same files in whichever process it is solved.
"""

from __future__ import annotations

import math
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from wateropt.errors import InfeasibleError, OutputError, SolverError, WateroptError
from wateropt.report.files import summary, totals, write_result
from wateropt.scenario import Case
from wateropt.solving import Clock, Hold, solve
from wateropt.workers import Worker, WorkerDiedError, blocked, pool, ready, tasks

GROWS = 1.3  # seconds grow with columns to about this power
FAILED = {InfeasibleError.code: "no schedule", SolverError.code: "solver stopped", OutputError.code: "not written"}
SEVERITY = (InfeasibleError.code, SolverError.code, OutputError.code, WateroptError.code)  # the worst last


@dataclass(frozen=True)
class Job:
    """A case to solve and the folder to write.

    Attributes:
        number: place in the order in which jobs were given.
        hold: values that are held (see `solve`).
        spent: seconds by phase that were spent before.
        ranging: whether `ranging.csv` is written too.
    """

    number: int
    case: Case
    folder: Path
    fixed_head: bool = False
    hold: Hold | None = None
    spent: Mapping[str, float] = field(default_factory=dict)
    ranging: bool = False

    @property
    def size(self) -> float:
        """Periods times assets, to the power by which seconds grow: what tells long jobs from short ones."""
        return math.pow(len(self.case.calendar) * sum(map(len, self.case.book.tables.values())), GROWS)


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        name: of the scenario.
        seconds: that it took.
        facts: content of its `summary.json`, empty if it failed.
        totals: sums for the table of all scenarios.
        code: exit code.
        reason: why it failed; "" if it did not.
    """

    name: str
    folder: Path
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    totals: Mapping[str, float] = field(default_factory=dict)
    code: int = 0
    reason: str = ""

    @property
    def status(self) -> str:
        """Status of the schedule, or in two words why there is none."""
        return self.facts["status"] if self.facts else FAILED.get(self.code, "error")


class Watch:
    """What is told while jobs run; by itself it says nothing."""

    def start(self, job: Job) -> None:
        """Tell that a job begins."""

    def step(self, job: Job, line: str) -> None:
        """Tell what a job is doing."""

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Tell that a job has ended."""


def worst(codes: Sequence[int]) -> int:
    """Return the exit code of the worst outcome.

    >>> worst([0, 5, 4]), worst([0, 0]), worst([8, 1])
    (5, 0, 1)
    """
    return max(codes, key=lambda code: (code != 0, SEVERITY.index(code) if code in SEVERITY else len(SEVERITY)))


def run(jobs: Sequence[Job], workers: int, watch: Watch) -> list[Outcome]:
    """Run jobs, the longest first if there are several workers; return their outcomes in the order given.

    A job that fails does not stop the others. Of a result only its summary is kept.
    """
    if min(workers, len(jobs)) <= 1:
        return [_run_here(job, watch) for job in jobs]
    found: dict[int, Outcome] = {}
    with pool(min(workers, len(jobs)), _work) as processes:
        waiting = sorted(jobs, key=lambda job: (job.size, -job.number))
        begun: dict[int, float] = {}
        while waiting or any(worker.task for worker in processes):
            for worker in processes:
                if waiting and not worker.task:
                    job = waiting.pop()
                    begun[job.number] = time.perf_counter()
                    watch.start(job)
                    worker.give(job)
            for worker in ready(processes):
                outcome = _hear(worker, watch, begun)
                if outcome:
                    found[worker.task.number] = outcome
                    watch.finish(worker.task, outcome)
                    worker.task = None
    return [found[job.number] for job in jobs]


def _hear(worker: Worker, watch: Watch, begun: Mapping[int, float]) -> Outcome | None:
    """Return the outcome of a worker's job if it has sent it, and tell the steps that it sends."""
    job = worker.task
    try:
        said = worker.hear()
    except WorkerDiedError as error:
        seconds = time.perf_counter() - begun[job.number]
        return Outcome(job.case.name, job.folder, seconds, code=WateroptError.code, reason=str(error))
    if isinstance(said, Outcome):
        return said
    watch.step(job, said)
    return None


def _run_here(job: Job, watch: Watch) -> Outcome:
    watch.start(job)
    outcome = attempt(job, lambda line: watch.step(job, line))
    watch.finish(job, outcome)
    return outcome


def attempt(job: Job, tell: Callable[[str], None]) -> Outcome:
    """Solve and write a job; whatever goes wrong becomes its outcome."""
    begin = time.perf_counter()

    def failed(code: int, reason: str) -> Outcome:
        return Outcome(job.case.name, job.folder, time.perf_counter() - begin, code=code, reason=reason)

    try:
        clock = Clock(dict(job.spent))
        result = solve(job.case, fixed_head=job.fixed_head, hold=job.hold, ranging=job.ranging, clock=clock,
                       tell=tell)
        with blocked(signal.SIGTERM, signal.SIGINT):  # nothing is left half-written
            write_result(result, job.folder)
    except WateroptError as error:
        return failed(error.code, str(error))
    except Exception:  # the other jobs go on, and the traceback is told
        return failed(WateroptError.code, traceback.format_exc().rstrip())
    facts = summary(result)
    settled = result.status == "optimal"
    reason = "" if settled else "the schedule is written but not settled; see `status` in its summary.json"
    return Outcome(job.case.name, job.folder, time.perf_counter() - begin, facts, totals(result),
                   0 if settled else SolverError.code, reason)


def _work(pipe: Connection) -> None:
    """Run jobs until there are no more."""
    for job in tasks(pipe):
        try:
            pipe.send(attempt(job, pipe.send))
        except BrokenPipeError:
            return
