"""Many scenarios at once: the same files from any number of workers, and one that fails stops no other."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from small import SCENARIO, SmallBasin
from wateropt.cli.progress import Progress, show_summary
from wateropt.running import Job, Outcome, Watch, attempt, run, worst

IMPOSSIBLE = {"kind": "season_volume", "clause": "pledge", "reservoir": "lake", "sense": ">=", "first_month": 1,
              "last_month": 2, "quantity_hm3": 5000}  # no penalty: it must hold


class Deadly:
    """What ends the process that receives it."""

    def __reduce__(self):
        return os._exit, (9,)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    basin = (SmallBasin().inflow("river", "lake", 30).lake("lake", "below").sink("end", "below")
             .demand("field", "below", 60, 0.05))
    return basin.load(tmp_path_factory.mktemp("case"), opening={"storage": {"lake": 300}, "release": {"lake": 40}})


@pytest.fixture
def jobs(case, tmp_path):
    """Three jobs of growing requirement."""
    return [Job(number, thirsty(case, name, number + 1.0), tmp_path / name) for number, name in enumerate("abc")]


def thirsty(case, name, factor):
    """The case with its requirement times a factor."""
    demand = case.book.series["demand"]
    requirement = {"field": factor * demand["requirement"]["field"]}
    series = {**case.book.series, "demand": {**demand, "requirement": requirement}}
    return replace(case, name=name, book=replace(case.book, series=series))


def contents(folder):
    """Every file that was written, less what says how long it took."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "summary.json"}


def test_any_number_of_workers_writes_the_same_in_the_order_given(jobs, tmp_path):
    """The files are the same byte by byte."""
    found = {}
    for workers in (1, 2):
        out = tmp_path / str(workers)
        outcomes = run([replace(job, folder=out / job.case.name) for job in jobs], workers, Watch())
        assert [outcome.name for outcome in outcomes] == ["a", "b", "c"]
        assert [outcome.code for outcome in outcomes] == [0, 0, 0]
        found[workers] = contents(out)
    assert len(found[1]) == 3 * 12
    assert found[1] == found[2]


@pytest.mark.slow
def test_the_longest_begins_first(jobs):
    """Two years before one; of equals the first given."""
    calendar = jobs[1].case.calendar
    long = replace(jobs[1], case=replace(jobs[1].case, book=replace(jobs[1].case.book, calendar=calendar.extended(9))))
    assert long.size > jobs[0].size
    begun = []
    watch = Watch()
    watch.start = lambda job: begun.append(job.number)
    run([jobs[0], long, jobs[2]], 2, watch)
    assert begun[0] == 1
    assert sorted(begun) == [0, 1, 2]


@pytest.mark.slow
def test_a_worker_that_dies_costs_only_its_scenario(jobs):
    """The others are solved, by a new process; the reason is told."""
    outcomes = run([jobs[0], replace(jobs[1], hold=Deadly()), jobs[2]], 2, Watch())
    assert [outcome.code for outcome in outcomes] == [0, 1, 0]
    assert "its process ended with code 9" in outcomes[1].reason
    assert jobs[0].folder.is_dir()
    assert jobs[2].folder.is_dir()


def test_what_goes_wrong_becomes_the_outcome(jobs, monkeypatch, tmp_path):
    """No schedule, a place that cannot be written, a bug: the reason and its code."""
    (tmp_path / "file").write_text("mine")
    assert attempt(replace(jobs[0], folder=tmp_path / "file" / "out"), lambda _: None).code == 8
    monkeypatch.setattr("wateropt.running.solve", lambda *_, **__: 1 / 0)
    outcome = attempt(jobs[0], lambda _: None)
    assert (outcome.code, outcome.status) == (1, "error")
    assert "ZeroDivisionError" in outcome.reason


def test_the_worst_code_is_that_of_the_whole():
    """A bug is worse than what cannot be written, than a solver that stopped, than no schedule."""
    assert [worst(codes) for codes in ([0, 0], [4, 0], [4, 5, 4], [5, 8], [8, 1, 0], [0, 7])] == [0, 4, 5, 8, 1, 7]


def test_progress_says_how_many_are_done_and_what_is_left(jobs, capsys):
    """One line when a scenario begins and one when it ends."""
    progress = Progress(jobs, 1)
    for job in jobs:
        progress.start(job)
        progress.step(job, "a step that would be one line too many")
        progress.finish(job, Outcome(job.case.name, job.folder, 2.0, {"status": "optimal"}))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["[1/3] a: begins", "[1/3] a: written after 2.0 s; 1 of 3 done, about 4 s left"]
    assert lines[-1].endswith("3 of 3 done, 0 s in all")


def test_the_table_shows_what_failed_with_the_reason(tmp_path, capsys):
    """One line of it; the rest is told on stderr."""
    totals = {"shortage_hm3": 1.0, "unserved_gwh": 0.0, "unmet_claims_hm3": 0.0}
    good = Outcome("good", tmp_path, 1.0, {"status": "optimal", "objective_musd": 3.0, "head_gap": 0.0}, totals)
    show_summary([good, Outcome("bad", tmp_path, 1.0, code=4, reason="no schedule at all\nbecause")])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["good", "optimal", "3.00", "1.0", "0.0", "0.0", "0.000%", str(tmp_path)]
    assert second.split() == ["bad", "no", "schedule", "no", "schedule", "at", "all"]


# ---- the real program ---------------------------------------------------------------------------------


@pytest.fixture
def scenarios(case, tmp_path, monkeypatch):
    """Files of three small scenarios, of which the second has no schedule, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (SmallBasin().inflow("river", "lake", 30).lake("lake", "below").sink("end", "below")
     .demand("field", "below", 60, 0.05)).write(tmp_path / "basin")
    content = {**SCENARIO, "opening": {"storage": {"lake": 300}, "release": {"lake": 40}}}
    names = []
    for name, policies in (("first", []), ("second", [IMPOSSIBLE]), ("third", [])):
        (tmp_path / f"{name}.yaml").write_text(json.dumps({**content, "policies": policies}))
        names.append(f"{name}.yaml")
    return names


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_scenario_without_a_schedule_does_not_stop_the_others(scenarios, tmp_path, workers):
    """All are tried, the finished are written, the table shows all; the code is that of no schedule."""
    done = subprocess.run([sys.executable, "-m", "wateropt", "solve", *scenarios, "--out", "out", "--workers",
                           str(workers)], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["first", "second", "third"]
    assert rows[1][1:3] == ["no", "schedule"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first", "third"]
    assert "error: second: no schedule satisfies every hard requirement" in done.stderr
    assert "pledge" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_ctrl_c_leaves_no_process_and_nothing_half_written(tmp_path):
    """Whole results or none, whenever it is pressed."""
    names = ["dry-2023", "normal-2024", "dry-2023-joined"]
    command = [sys.executable, "-m", "wateropt", "solve", *names, "--workers", "2"]
    for seconds in (0.0, 0.8):
        program = subprocess.Popen([*command, "--out", "out"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                                   stdout=subprocess.DEVNULL, start_new_session=True)
        assert "begins" in program.stderr.readline()
        time.sleep(seconds)
        os.killpg(program.pid, signal.SIGINT)
        _, said = program.communicate(timeout=20)
        assert program.returncode == 130
        assert "Traceback" not in said
        assert _ends(program.pid)
        for folder in (tmp_path / "out").iterdir() if (tmp_path / "out").exists() else ():
            assert not folder.name.startswith(".")
            assert (folder / "summary.json").exists()


def _ends(group):
    """Whether every process of a group is gone within seconds."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
