"""Solve many cases, one after another or in worker processes, and write each as soon as it is solved.

Each worker has one case at a time, and a pipe to the process that started it: when that process ends, however it
does, so do the workers. A case gives the same files in whichever process it is solved.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from wateropt.errors import InfeasibleError, OutputError, SolverError, WateroptError
from wateropt.report.files import summary, totals, write_result
from wateropt.scenario import Case
from wateropt.solving import Clock, Hold, solve

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


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    with _pool(min(workers, len(jobs))) as pool:
        waiting = sorted(jobs, key=lambda job: (job.size, -job.number))
        while waiting or any(worker.job for worker in pool):
            for worker in pool:
                if waiting and not worker.job:
                    worker.give(waiting.pop(), watch)
            for worker in _ready(pool):
                outcome = worker.hear(watch)
                if outcome and worker.job:
                    found[worker.job.number] = outcome
                    watch.finish(worker.job, outcome)
                    worker.job = None
    return [found[job.number] for job in jobs]


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
        with _blocked(signal.SIGTERM, signal.SIGINT):  # nothing is left half-written
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


# ---- workers ------------------------------------------------------------------------------------------


class _Worker:
    """A process that runs one job at a time; if it dies, the next job starts another."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self._begin = 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a forked process would share the solver's state
        self.pipe, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(other,), daemon=True)
        if hasattr(signal, "pthread_sigmask"):  # starting the tracker would let the signal through again
            resource_tracker.ensure_running()
        with _blocked(signal.SIGINT):  # Ctrl-C is for the process that starts it
            self.process.start()
        other.close()

    def give(self, job: Job, watch: Watch) -> None:
        """Let the process run a job."""
        self.job, self._begin = job, time.perf_counter()
        watch.start(job)
        self.pipe.send(job)

    def hear(self, watch: Watch) -> Outcome | None:
        """Return the outcome of the job if the process has sent it, and tell the steps that it sends."""
        assert self.job is not None
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            reason = f"its process ended with code {self.process.exitcode}; is there too little memory?"
            self.pipe.close()
            self._start()
            seconds = time.perf_counter() - self._begin
            return Outcome(self.job.case.name, self.job.folder, seconds, code=WateroptError.code, reason=reason)
        if isinstance(said, Outcome):
            return said
        watch.step(self.job, said)
        return None

    def stop(self) -> None:
        """End the process, at once unless it is writing."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


@contextmanager
def _pool(count: int) -> Iterator[list[_Worker]]:
    """Give some workers and end them, also when Ctrl-C is pressed."""
    pool: list[_Worker] = []
    try:
        for _ in range(count):
            pool.append(_Worker())
        yield pool
    finally:
        for worker in pool:
            worker.stop()


def _ready(pool: Sequence[_Worker]) -> list[_Worker]:
    """Wait until busy workers have something to say; return them."""
    busy: dict[Any, _Worker] = {worker.pipe: worker for worker in pool if worker.job}
    return [busy[pipe] for pipe in wait(list(busy))]


def _work(pipe: Connection) -> None:
    """Run jobs until there are no more."""
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(attempt(job, pipe.send))
        except BrokenPipeError:
            return


@contextmanager
def _blocked(*signals: signal.Signals) -> Iterator[None]:
    """Hold back signals until the body is done; a process that is started meanwhile never hears them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
