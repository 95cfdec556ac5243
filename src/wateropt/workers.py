"""Worker processes that run one task at a time and may die: the next task starts another process.

Each worker has a pipe to the process that started it: when that process ends, however it does, so do the workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

Work = Callable[..., None]  # of a process: its pipe, and what every process is given


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def take_one_thread() -> None:
    """Let this process and those that it starts use one thread each; call it before numpy is loaded.

    Threads of linear algebra gain nothing here, but wait for work so busily that a second process finds no CPU, and
    the last digit of a long sum depends on their number.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


class WorkerDiedError(Exception):
    """A process ended while it had a task; the message holds its exit code. Another one is there already."""


class Worker:
    """A process that runs one task at a time.

    Args:
        work: what the process does: it takes tasks from its pipe until there are no more, and sends what it finds.
        given: handed to `work` after the pipe.
    """

    def __init__(self, work: Work, *given: Any) -> None:
        self.task: Any = None
        self._work, self._given = work, given
        self._start()

    def _start(self) -> None:
        take_one_thread()
        context = multiprocessing.get_context("spawn")  # a forked process would share the solver's state
        self.pipe, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=self._work, args=(other, *self._given), daemon=True)
        if hasattr(signal, "pthread_sigmask"):  # starting the tracker would let the signal through again
            resource_tracker.ensure_running()
        with blocked(signal.SIGINT):  # Ctrl-C is for the process that starts it
            self.process.start()
        other.close()

    def give(self, task: Any) -> None:
        """Let the process run a task."""
        self.task = task
        try:
            self.pipe.send(task)
        except OSError:  # it died while it was idle
            self._again()
            self.pipe.send(task)

    def hear(self) -> Any:
        """Return what the process has sent.

        Raises:
            WorkerDiedError: the process has ended.
        """
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            code = self._again()
        raise WorkerDiedError(f"its process ended with code {code}; is there too little memory?")

    def _again(self) -> int | None:
        self.process.join()
        code = self.process.exitcode
        self.pipe.close()
        self._start()
        return code

    def stop(self) -> None:
        """End the process, at once unless it is writing."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


@contextmanager
def pool(count: int, work: Work, *given: Any) -> Iterator[list[Worker]]:
    """Give some workers and end them, also when Ctrl-C is pressed."""
    workers: list[Worker] = []
    try:
        for _ in range(count):
            workers.append(Worker(work, *given))
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def ready(workers: Sequence[Worker]) -> list[Worker]:
    """Wait until busy workers have something to say; return them."""
    busy: dict[Any, Worker] = {worker.pipe: worker for worker in workers if worker.task is not None}
    return [busy[pipe] for pipe in wait(list(busy))]


def tasks(pipe: Connection) -> Iterator[Any]:
    """Yield the tasks that come through a pipe until the process that sends them ends."""
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return


@contextmanager
def blocked(*signals: signal.Signals) -> Iterator[None]:
    """Hold back signals until the body is done; a process that is started meanwhile never hears them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
