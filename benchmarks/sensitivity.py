"""Print the ratios that a sweep is judged by, all measured in one run: imports and the reading of files apart.

Run as `python benchmarks/sensitivity.py [--quick]`. Targets, one-year dekadal case with a fixed head: the median
re-solve with one factor 5 % off within 0.15 of a cold solve, the rest of such a run within 5 ms, two processes 1.8
times as fast as one on 1 000 runs over 8 factors, those 15 times as fast as through Pyomo's interface to HiGHS, and
10 000 runs in 1.2 times the memory of 1 000.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
from distributed import LocalCluster

import wateropt
from wateropt.solving import LiveCase
from wateropt.studies.sensitivity import sweep
from wateropt.studies.sensitivity.design import Design, find_design, read_design
from wateropt.studies.sensitivity.engine import Runner
from wateropt.studies.sensitivity.plan import Plan, make_plan

QUICK = "--quick" in sys.argv
RUNS = 100 if QUICK else 1000
AFRESH = 2 if QUICK else 10
PATH = find_design("dry-2023-lhs")
MEMORY = """
import resource, sys
from pathlib import Path
from wateropt.studies.sensitivity import sweep
from wateropt.studies.sensitivity.design import Design, Factor
from wateropt.studies.sensitivity.plan import make_plan
factors = [Factor(name="naryn", table="inflow_flow", column="flow", where={"inflow": "naryn"}, range=(0.99, 1.01))]
design = Design(scenario="dry-2023-monthly", method="latin_hypercube", runs=int(sys.argv[1]), fixed_head=True,
                factors=factors)
plan, folder = make_plan(design, Path("x.yaml")), Path(sys.argv[2])
sweep.run_sweep(plan, folder, sweep.open_folder(folder, plan))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class Timed:
    """HiGHS, with the seconds that it takes: to solve, and in all calls."""

    def __init__(self, highs: Any) -> None:
        self._inner, self.solving, self.inside = highs, 0.0, 0.0

    def __getattr__(self, name: str) -> Any:
        """Return a method of HiGHS that is timed."""
        method = getattr(self._inner, name)

        def call(*args: Any) -> Any:
            begin = time.perf_counter()
            try:
                return method(*args)
            finally:
                took = time.perf_counter() - begin
                self.inside += took
                self.solving += took if name == "run" else 0.0

        return call


def lhs(runs: int) -> Plan:
    """Return the plan of the shipped Latin hypercube with a fixed head and another number of runs."""
    return make_plan(read_design(PATH).model_copy(update={"runs": runs, "fixed_head": True}), PATH)


def one_factor() -> None:
    """Print how a re-solve compares with a cold solve of the same LP, and what the rest of the run takes."""
    factors = [f.model_copy(update={"by": "multiply", "range": (0.95, 1.05)}) for f in read_design(PATH).factors]
    plan = make_plan(Design(scenario="dry-2023-agreement-1998", method="one_at_a_time", fixed_head=True,
                            factors=factors), PATH)
    runner = Runner(plan)
    runner.solve(0)
    engine = next(iter(runner._engines.values()))
    timed = engine.highs._highs = Timed(engine.highs._highs)
    seconds, others, cold = [], [], []
    for run in range(1, len(plan)):
        timed.solving = timed.inside = 0.0
        begin = time.perf_counter()
        runner.solve(run)
        others.append(time.perf_counter() - begin - timed.inside)
        seconds.append(timed.solving)
    for run in range(1, len(plan)):  # afterwards: so many objects of Pyomo keep the garbage collector busy
        live = LiveCase(plan.vary(run))
        begin = time.perf_counter()
        live.highs._highs.run()
        cold.append(time.perf_counter() - begin)
    ratios = [a / b for a, b in zip(seconds, cold, strict=True)]
    for run, ratio in enumerate(ratios, start=1):
        print(f"  run {run:2}: {1e3 * seconds[run - 1]:6.1f} ms, {ratio:.3f} of cold", plan.row(run))
    print(f"median re-solve: {statistics.median(ratios):.3f} of a cold solve ({1e3 * statistics.median(cold):.0f} ms); "
          "target 0.15")
    print(f"outside HiGHS: {1e3 * statistics.median(others):.1f} ms a run; target 5")


def many() -> None:
    """Print how many runs a second one and two processes do, and how many are done when each LP is built afresh."""
    plan = lhs(RUNS)
    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        for workers in (1, 2):
            folder = Path(name) / str(workers)
            state = sweep.open_folder(folder, plan)
            begin = time.perf_counter()
            sweep.run_sweep(plan, folder, state, workers=workers)
            seconds[workers] = time.perf_counter() - begin
            print(f"{workers} process(es): {RUNS} runs in {seconds[workers]:.1f} s, "
                  f"{RUNS / seconds[workers]:.1f} a second")
    print(f"two processes: {seconds[1] / seconds[2]:.2f} times as fast as one; target 1.8")
    print(f"a cluster of two workers: {seconds[1] / on_cluster(plan):.2f} times as fast as one process")
    begin = time.perf_counter()
    for run in range(AFRESH):
        model = wateropt.pyomo_model(plan.vary(run))
        pyo.SolverFactory("appsi_highs").solve(model)
    each = (time.perf_counter() - begin) / AFRESH
    print(f"built and solved afresh through Pyomo: {each:.2f} s a run; {each * RUNS / seconds[1]:.1f} times as long as "
          f"in one process, {each * RUNS / seconds[2]:.1f} times as long as in two; target 15")


def on_cluster(plan: Plan) -> float:
    """Return the seconds that a Dask cluster of two workers takes, once it runs."""
    with (LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
          tempfile.TemporaryDirectory() as folder):
        state = sweep.open_folder(Path(folder), plan)
        begin = time.perf_counter()
        sweep.run_sweep(plan, Path(folder), state, scheduler=cluster.scheduler_address)
        return time.perf_counter() - begin


def memory() -> None:
    """Print how the memory of a process grows with the number of runs."""
    most = {}
    for runs in (RUNS, 10 * RUNS):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", MEMORY, str(runs), folder], check=True, capture_output=True)
            most[runs] = int(done.stdout) / 1024
            print(f"{runs} runs: {most[runs]:.0f} MB")
    print(f"memory of ten times as many runs: {most[10 * RUNS] / most[RUNS]:.2f}; target 1.2")


if __name__ == "__main__":
    one_factor()
    many()
    memory()
