"""The command line: stdout is data, stderr is talk, and nothing heavy is loaded to say how to use it."""

import csv
import json
import os
import shutil
import subprocess
import sys

import highspy
import pytest

import wateropt
from wateropt.cli import commands, main
from wateropt.report.files import write_result
from wateropt.scenario import find_scenario

NAME = "dry-2023-monthly"
HEAVY = ("pyomo", "pandas", "xarray", "numpy", "highspy", "scipy", "h5netcdf", "pydantic")
SHOW_HELP = f"""
import resource, sys
from wateropt.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture
def run(monkeypatch, capsys):
    """The command line in this process: exit code, stdout, stderr."""
    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["wateropt", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return command


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A run of the real program and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("solved")
    done = subprocess.run([sys.executable, "-m", "wateropt", "solve", NAME, "--out", "out"], cwd=folder,
                          capture_output=True, text=True, check=True)
    return done, folder / "out" / NAME


@pytest.fixture(scope="module")
def thirsty_folder(tmp_path_factory, monthly):
    """A result of the same year with half as much again asked for at Dostyk."""
    folder = tmp_path_factory.mktemp("thirsty")
    content = (f"extends: {find_scenario(NAME)}\nchanges:\n  - {{table: demand_requirement, column: requirement, "
               "where: {demand: dostyk_cotton}, multiply: 1.5}\n")
    (folder / "thirsty.yaml").write_text(content)
    result = wateropt.solve(wateropt.load(str(folder / "thirsty.yaml")), fixed_head=True)
    write_result(result, folder / "thirsty")
    return folder / "thirsty"


def rows(folder, table):
    """Rows of a table that a run wrote."""
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def objective(folder):
    """Cost that a run wrote [MUSD]."""
    return json.loads((folder / "summary.json").read_text())["objective_musd"]


# ---- solve ------------------------------------------------------------------------------------------


def test_solve_prints_one_row_per_scenario_and_talks_on_stderr(solved):
    """stdout is a header and a row, free of the solver's banner; progress is on stderr."""
    done, folder = solved
    header, row = done.stdout.splitlines()
    assert header.split()[:2] == ["scenario", "status"]
    assert row.split()[:2] == [NAME, "optimal"]
    assert row.split()[-1] == f"out/{NAME}"
    assert f"{objective(folder):,.2f}" in row
    assert f"[1/1] {NAME}: building" in done.stderr
    assert "HiGHS" not in done.stdout + done.stderr


def test_a_scenario_file_is_solved_like_a_shipped_name(run, tmp_path, solved):
    """The folder is named after the file; a copy that changes nothing costs the same."""
    shutil.copy(find_scenario(NAME), tmp_path / "mine.yaml")
    shutil.copy(find_scenario("dry-2023"), tmp_path)
    code, out, _ = run("solve", tmp_path / "mine.yaml", "--out", tmp_path / "out")
    assert code == 0
    assert out.splitlines()[1].startswith("mine")
    assert objective(tmp_path / "out" / "mine") == objective(solved[1])


def test_all_scenarios_are_solved_if_none_is_named(run, tmp_path, monkeypatch):
    """The list of shipped scenarios is the default; the head of a straight storage path needs no second solve."""
    monkeypatch.setattr("wateropt.scenario.shipped_scenarios", lambda: [NAME])
    code, out, _ = run("solve", "--fixed-head", "--out", tmp_path)
    assert (code, len(out.splitlines())) == (0, 2)
    facts = json.loads((tmp_path / NAME / "summary.json").read_text())
    assert (facts["solves"], facts["fixed_head"]) == (1, True)


def test_holding_an_earlier_schedule_reproduces_it(run, tmp_path, solved):
    """The releases of a schedule, held, give its storages to rounding and its cost to the gap of the head."""
    before = solved[1]
    code, _, _ = run("solve", NAME, "--hold", before / "release_schedule.csv", "--out", tmp_path)
    assert code == 0
    assert objective(tmp_path / NAME) == pytest.approx(objective(before), rel=2e-5)
    for old, new in zip(rows(before, "release_schedule"), rows(tmp_path / NAME, "release_schedule"), strict=True):
        for column in ("release_m3s", "storage_hm3", "elevation_m"):
            assert float(new[column]) == pytest.approx(float(old[column]), rel=1e-6, abs=1e-4)


def test_holding_what_was_observed_replays_history(run, tmp_path, dry_result):
    """History is a feasible schedule in dekads, and dearer than the optimum."""
    assert run("solve", "dry-2023", "--hold", "observed", "--out", tmp_path)[0] == 0
    assert objective(tmp_path / "dry-2023") > dry_result.objective


def test_solving_again_replaces_an_earlier_result_whole(run, tmp_path, solved):
    """Nothing of the earlier result stays behind, and nothing temporary beside it."""
    shutil.copytree(solved[1], tmp_path / NAME)
    (tmp_path / NAME / "left_over.csv").write_text("old")
    assert run("solve", NAME, "--fixed-head", "--out", tmp_path)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert not (tmp_path / NAME / "left_over.csv").exists()
    assert {path.name for path in (tmp_path / NAME).iterdir()} == {path.name for path in solved[1].iterdir()}


def test_two_scenarios_of_one_name_do_not_overwrite_each_other(run, tmp_path):
    """They would share a folder, so the second is refused before anything is solved."""
    code, _, err = run("solve", NAME, find_scenario(NAME), "--out", tmp_path)
    assert code == 2
    assert f"two scenarios are called `{NAME}`" in err
    assert not list(tmp_path.iterdir())


# ---- list, check ------------------------------------------------------------------------------------


def test_list_names_every_shipped_scenario(run):
    """Name, basin, dates, step and meaning in columns; a meaning that does not fit stands below."""
    code, out, err = run("list")
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in lines] == wateropt.scenario.shipped_scenarios()
    line = next(line for line in lines if line.split()[0] == NAME)
    assert line.split()[1:4] == ["2022-10-01/2023-09-30", "month", "naryn-syrdarya"]
    assert len({line.index("/20") for line in lines}) == 1
    assert len(out.splitlines()) <= 2 * len(lines)


def test_check_shows_the_budget_of_a_scenario_by_season(run):
    """Water and energy, what is available and what is asked, per season."""
    code, out, err = run("check", NAME)
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first == f"{NAME}: no problems"
    assert {line[2:18].strip() for line in lines} == {"2023 growing", "2023 non-growing"}
    assert all(word in line for line in lines for word in ("available", "required", "gap"))


def test_check_of_a_basin_needs_no_scenario(run):
    """A basin by its shipped name has no budget, only problems or none."""
    assert run("check", "naryn-syrdarya") == (0, "naryn-syrdarya: no problems\n", "")


# ---- compare, export --------------------------------------------------------------------------------


def test_a_result_does_not_differ_from_itself(run, solved):
    """The same folder twice gives no difference."""
    assert run("compare", solved[1], solved[1]) == (0, "no difference\n", "")


def test_compare_shows_the_biggest_difference_first(run, solved, thirsty_folder):
    """Shares fall down the list, and what was changed is in it."""
    code, out, _ = run("compare", solved[1], thirsty_folder, "--most", 1000)
    shares = [float(line.split("%")[0]) for line in out.splitlines()]
    assert code == 0
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1
    assert "dostyk_cotton" in out


def test_compare_says_how_many_smaller_ones_it_leaves_out(run, solved, thirsty_folder):
    """The rest is counted on stderr, not on stdout."""
    _, every, _ = run("compare", solved[1], thirsty_folder, "--most", 1000)
    _, out, err = run("compare", solved[1], thirsty_folder, "--most", 1)
    assert out.splitlines() == every.splitlines()[:1]
    assert err == f"... and {len(every.splitlines()) - 1} smaller ones (--most)\n"


def test_compare_needs_results(run, tmp_path):
    """Both folders that hold none are named."""
    code, _, err = run("compare", tmp_path / "a", tmp_path / "b")
    assert code == 3
    assert err.count("holds no result of wateropt") == 2


@pytest.mark.parametrize("form", ["mps", "lp"])
def test_an_exported_model_has_the_optimum_that_is_told(run, tmp_path, form):
    """Another run of a solver on the file finds the same cost."""
    file = tmp_path / f"model.{form}"
    code, out, err = run("export", NAME, "--to", form, "--fixed-head", "--out", file)
    assert (code, out) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(file))
    solver.run()
    told = float(err.split("optimum ")[1].split()[0])
    assert solver.getInfo().objective_function_value == pytest.approx(told, rel=1e-6)


# ---- help -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *sorted(commands.commands)])
def test_help_is_quick_and_loads_nothing_heavy(command):
    """Help needs neither the solver nor pandas, and at most a quarter of a second of CPU (the best of five)."""
    spent = []
    for _ in range(5):
        arguments = [sys.executable, "-c", SHOW_HELP, *([command] if command else []), "--help"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, env={**os.environ, "LANG": "C"})
        seconds, loaded = done.stderr.split(maxsplit=1)
        assert done.stdout.startswith("Usage:")
        assert loaded.strip() == "[]"
        spent.append(float(seconds))
        if spent[-1] <= 0.25:
            break
    assert min(spent) <= 0.25


def test_version_and_unknown_commands(run):
    """`--version` is data; a command that is not there is a wrong command line."""
    code, out, _ = run("--version")
    assert (code, out.split()[-1]) == (0, wateropt.__version__)
    code, out, err = run("sovle")
    assert (code, out) == (2, "")
    assert "No such command" in err
