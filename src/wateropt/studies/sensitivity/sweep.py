"""Sweeps: solve the runs of a plan in this process, in worker processes or on a cluster, and write them in order.

Rows are added to a hidden file, a chunk at a time, in the order of the runs; when the last is there it is renamed to
`runs.csv`. What is interrupted goes on after the last whole chunk. Chunks follow from the design alone.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from wateropt.errors import OutputError, UsageError
from wateropt.studies.sensitivity.design import Value
from wateropt.studies.sensitivity.engine import SOLVED, Answer, Runner
from wateropt.studies.sensitivity.plan import Plan
from wateropt.workers import WorkerDiedError, pool, ready, tasks

CHUNK = 10  # runs that are handed out and written together
STRIKES = 2  # times that the process of a run may die before the run counts as failed
PATIENCE = 5.0  # seconds that a scheduler has to answer
DIED = "process ended"
DESIGN, RUNS, PART = "design.json", "runs.csv", ".runs.csv.part"
OURS = (DESIGN, RUNS, PART, ".effects.csv", "effects.csv", "effects.png", "effects.svg")
TINY = 1e-9  # what is written as 0
Told = Callable[[int, int, int], None]  # runs done, failed, and those done before


# ---- the folder ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """What a folder holds of a plan already: runs written, and how many of them failed."""

    done: int
    failed: int


def open_folder(folder: Path, plan: Plan, anew: bool = False) -> State:
    """Make or find the folder of a sweep.

    Args:
        folder: new, empty, or of the same plan, which then goes on.
        plan: the plan.
        anew: replace the sweep of another design.

    Raises:
        OutputError: the folder is somebody else's, holds another design's sweep, or cannot be written.
    """
    found = _facts_in(folder)
    if found and not anew and found.get("key") != plan.key:
        raise OutputError(f"{folder}: holds a sweep of another design or of other data ({_difference(found, plan)}); "
                          "choose another --out, or replace it with --anew")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if anew:
            for name in OURS:
                (folder / name).unlink(missing_ok=True)
        (folder / DESIGN).write_text(json.dumps({"sweep": 1, **plan.facts, "runs": len(plan), "key": plan.key},
                                                indent=1) + "\n", encoding="utf-8")
        return _state(folder, plan)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None


def _facts_in(folder: Path) -> Mapping[str, Any]:
    """Return what the design.json of a folder says, nothing if the folder is free."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return {}
    try:
        facts = json.loads((folder / DESIGN).read_text(encoding="utf-8"))
        if "sweep" in facts:
            return dict(facts)
    except (OSError, TypeError, ValueError):
        pass
    raise OutputError(f"{folder}: is there and is no sweep of wateropt; move it or choose another --out")


def _difference(found: Mapping[str, Any], plan: Plan) -> str:
    """Return in words what differs between two plans."""
    now = json.loads(json.dumps(plan.facts))
    parts = [f"{name}.{key}" for name in now if isinstance(now[name], dict)
             for key in sorted({*now[name], *found.get(name, {})})
             if now[name].get(key) != found.get(name, {}).get(key)]
    parts += [name for name in now if not isinstance(now[name], dict) and now[name] != found.get(name)]
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")


def _state(folder: Path, plan: Plan) -> State:
    """Return what is written; a row that was cut off is removed, and a header is there."""
    if (folder / RUNS).exists():
        rows = read_runs(folder)
        return State(len(rows), sum(row["status"] != SOLVED for row in rows))
    part = folder / PART
    text = part.read_bytes().decode("utf-8", "ignore") if part.exists() else ""
    lines = text[:text.rfind("\n") + 1].splitlines(keepends=True)
    if not lines or lines[0] != _line(header(plan)):
        lines = [_line(header(plan))]
    whole = 1 + (len(lines) - 1) // CHUNK * CHUNK
    part.write_bytes("".join(lines[:whole]).encode())
    place = header(plan).index("status")
    return State(whole - 1, sum(row[place] != SOLVED for row in csv.reader(lines[1:whole])))


def header(plan: Plan) -> list[str]:
    """Return the columns of runs.csv."""
    factors = [factor.name for factor in plan.design.factors if factor.kind != "scenario"]
    return ["run", "scenario", *factors, "status", "reason", *plan.outputs]


def read_runs(folder: Path) -> list[dict[str, str]]:
    """Return the rows of runs.csv."""
    with (folder / RUNS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def row_of(plan: Plan, run: int, answer: Answer) -> list[str]:
    """Return a row of runs.csv."""
    factors = [_cell(value) for factor, value in zip(plan.design.factors, plan.row(run), strict=True)
               if factor.kind != "scenario"]
    values = [_cell(answer.values.get(name)) for name in plan.outputs]
    return [str(run), plan.place(run)[0], *factors, answer.status, answer.reason, *values]


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}" if abs(value) > TINY else "0"
    return str(value)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([" ".join(cell.split("\n")) for cell in cells])
    return text.getvalue()


# ---- running -----------------------------------------------------------------------------------------------------


def run_sweep(plan: Plan, folder: Path, state: State, *, workers: int = 1, scheduler: str | None = None,
              tell: Told = lambda _done, _failed, _before: None) -> State:
    """Solve the runs that are not written yet and write them.

    Args:
        plan: the plan.
        folder: from `open_folder`.
        state: what the folder holds.
        workers: processes; with one, none is started.
        scheduler: address of a Dask scheduler whose cluster is used instead.
        tell: called after each run.

    Raises:
        UsageError: the scheduler does not answer.
        OutputError: the rows cannot be written.
    """
    if (folder / RUNS).exists():
        return state
    chunks = [list(range(first, min(first + CHUNK, len(plan)))) for first in range(state.done, len(plan), CHUNK)]
    answers = _on_cluster(plan, chunks, scheduler) if scheduler else _here(plan, chunks, workers)
    failed, done = state.failed, state.done
    waiting: dict[int, Answer] = {}
    next_run = state.done
    with contextlib.closing(answers), (folder / PART).open("a", encoding="utf-8", newline="") as file:
        for run, answer in answers:
            waiting[run] = answer
            done, failed = done + 1, failed + (answer.status != SOLVED)
            tell(done, failed, state.done)
            while all(n in waiting for n in _chunk(next_run, len(plan))) and next_run < len(plan):
                runs = _chunk(next_run, len(plan))
                _write(file, "".join(_line(row_of(plan, n, waiting.pop(n))) for n in runs), folder)
                next_run = runs.stop
    (folder / PART).replace(folder / RUNS)
    return State(done, failed)


def _chunk(first: int, count: int) -> range:
    return range(first, min(first + CHUNK, count))


def _write(file: Any, text: str, folder: Path) -> None:
    try:
        file.write(text)
        file.flush()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); make room and go on with the same "
                          "command") from None


def _here(plan: Plan, chunks: Sequence[list[int]], workers: int) -> Generator[tuple[int, Answer], None, None]:
    if min(workers, len(chunks)) <= 1:
        runner = Runner(plan)
        for chunk in chunks:
            yield from ((run, runner.solve(run)) for run in chunk)
        return
    yield from _in_processes(plan, chunks, min(workers, len(chunks)))


def _in_processes(plan: Plan, chunks: Sequence[list[int]], workers: int) -> Generator[tuple[int, Answer], None, None]:
    """Yield answers from worker processes; a run whose process dies is given to another one."""
    left = [list(chunk) for chunk in reversed(chunks)]
    strikes: dict[int, int] = {}
    with pool(workers, work, plan) as processes:
        while left or any(worker.task for worker in processes):
            for worker in processes:
                if left and not worker.task:
                    worker.give(left.pop())
            for worker in ready(processes):
                try:
                    run, answer = worker.hear()
                except WorkerDiedError as error:
                    run = worker.task[0]
                    strikes[run] = strikes.get(run, 0) + 1
                    if strikes[run] < STRIKES:
                        left.append(worker.task)
                        worker.task = None
                        continue
                    answer = Answer(DIED, str(error), {})
                    if worker.task[1:]:
                        left.append(worker.task[1:])
                    worker.task = None
                    yield run, answer
                    continue
                worker.task = worker.task[1:] or None
                yield run, answer


def work(pipe: Connection, plan: Plan) -> None:
    """Solve chunks of runs until there are no more, and send each run as soon as it is solved."""
    runner = Runner(plan)
    for chunk in tasks(pipe):
        for run in chunk:
            try:
                pipe.send((run, runner.solve(run)))
            except BrokenPipeError:
                return


# ---- a cluster ----------------------------------------------------------------------------------------------------

_runners: dict[str, Runner] = {}  # of a worker of a cluster
_one_at_a_time = threading.Lock()  # its threads share them


def _on_cluster(plan: Plan, chunks: Sequence[list[int]], address: str) -> Generator[tuple[int, Answer], None, None]:
    """Yield answers from a Dask cluster, which gives the chunks of a worker that dies to others."""
    client = connect(address)
    from distributed import as_completed

    try:
        spread = client.scatter(plan, broadcast=True, hash=False)
        futures = client.map(_solve_chunk, chunks, plan=spread, pure=False, retries=1)
        numbers = {future.key: chunk for future, chunk in zip(futures, chunks, strict=True)}
        for future in as_completed(futures):
            error = future.exception()
            found = [Answer(DIED, str(error), {})] * len(numbers[future.key]) if error else future.result()
            yield from zip(numbers[future.key], found, strict=True)
            future.release()
    finally:
        client.close()


def _solve_chunk(chunk: list[int], plan: Plan) -> list[Answer]:
    with _one_at_a_time:
        if plan.key not in _runners:
            _runners.clear()
            _runners[plan.key] = Runner(plan)
        return [_runners[plan.key].solve(run) for run in chunk]


def connect(address: str) -> Any:
    """Return a client of a Dask scheduler.

    Raises:
        UsageError: Dask is not installed, or no scheduler answers at the address within a few seconds.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs Dask; install it with `pip install wateropt[dask]`") from None
    try:
        return Client(address, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"no scheduler answers at {address} ({why}); start one with `dask scheduler` and workers with "
                         "`dask worker ADDRESS --nthreads 1`, give the address that it prints (tcp://HOST:8786), or "
                         "leave --scheduler out to use processes of this computer") from None


# ---- what the runs say --------------------------------------------------------------------------------------------


def write_effects(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """Write effects.csv and the charts of a finished sweep; return the rows.

    Raises:
        OutputError: they cannot be written.
    """
    from wateropt.studies.sensitivity.chart import draw
    from wateropt.studies.sensitivity.effects import effects

    runs = read_runs(folder)
    columns, rows = effects(plan, runs)
    text = _line(columns) + "".join(_line([_filled(row.get(column)) for column in columns]) for row in rows)
    try:
        (folder / ".effects.csv").write_text(text, encoding="utf-8")
        draw(plan, runs, rows, folder / "effects")
        (folder / ".effects.csv").replace(folder / "effects.csv")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None
    return rows


def _filled(value: Any) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else _cell(value)
