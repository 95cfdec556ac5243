"""Bad input: one clear error with file, place, what was found and the mend; nothing is half-written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from wateropt.basin import find_basin, load_basin
from wateropt.cli import main
from wateropt.errors import DataError
from wateropt.scenario import load_cases

LATER = re.compile(r",(2022-(0[7-9]|1[0-2])|202[34])-\d\d,\d+,")  # a period that begins after June 2022
YEAR = {"title": "a year", "basin": "naryn-syrdarya", "start": "2022-10-01", "end": "2023-09-30", "step": "month"}
PLEDGE = {"kind": "season_volume", "clause": "pledge", "reservoir": "toktogul", "sense": ">=", "first_month": 4,
          "last_month": 9, "quantity_hm3": 30000}


@pytest.fixture
def basin(tmp_path, monkeypatch):
    """A copy of the shipped basin, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(find_basin("naryn-syrdarya"), tmp_path / "basin"))


@pytest.fixture(scope="module")
def shipped_basin():
    """The shipped basin, read once for what goes wrong later."""
    return load_basin(find_basin("naryn-syrdarya"))


@pytest.fixture(scope="module")
def short_series(tmp_path_factory):
    """A copy of the shipped basin whose dated rows end in June 2022: it is quickly read again and again."""
    folder = Path(shutil.copytree(find_basin("naryn-syrdarya"), tmp_path_factory.mktemp("short") / "basin"))
    for path in folder.glob("*.csv"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not LATER.search(line)), encoding="utf-8")
    return folder


@pytest.fixture
def short_basin(short_series, tmp_path, monkeypatch):
    """A short copy to spoil, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(short_series, tmp_path / "basin"))


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


def edit(path, old, new):
    """Replace the first place of a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def drop(path, start):
    """Leave out the lines that begin with a text."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(start)), encoding="utf-8")


def cut(path):
    """Break a file off in the middle of a line."""
    path.write_bytes(path.read_bytes()[:1000])


def repeat(path, line):
    """Write a line of a file twice."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, lines[line - 1]]), encoding="utf-8")


# what is spoilt -> (how, the whole error after its first line)
SPOILT = {
    "missing node": (lambda b: edit(b / "demand.csv", ",kyzylkum,", ",kyzylkun,"),
                     "demand.csv, line 4, kyzylkum_cotton: no node `kyzylkun`; did you mean `kyzylkum`?"),
    "negative capacity": (lambda b: edit(b / "canal.csv", ",110,", ",-110,"),
                          "canal.csv, line 2, dostyk: `capacity_m3s` is -110; it must be at least 0"),
    "share above one": (lambda b: edit(b / "canal.csv", ",110,0.08,", ",110,1.08,"),
                        "canal.csv, line 2, dostyk: `loss` is 1.08; it must be between 0 and 0.99"),
    "minimum above full": (lambda b: edit(b / "reservoir.csv", ",5500,19500,", ",20100,19500,"),
                           "reservoir.csv, line 2, toktogul: minimum storage 20100 hm3 is above full storage 19500 "
                           "hm3; lower one or raise the other"),
    "empty file": (lambda b: (b / "node.csv").write_bytes(b""),
                   "node.csv: holds no rows; write a header and at least one row"),
    "truncated table": (lambda b: cut(b / "reservoir.csv"),
                        "reservoir.csv, line 5: not a CSV file (unexpected end of data); is a quote missing, or the "
                        "file cut off?"),
    "truncated series": (lambda b: cut(b / "inflow_flow.csv"),
                         "inflow_flow.csv, line 18: 2 cells where the header has 8; is the file cut off?"),
    "binary table": (lambda b: (b / "reach.csv").write_bytes(b"\x7fELF\0\0"),
                     "reach.csv: is a binary file; a CSV text file is needed"),
    "not UTF-8": (lambda b: (b / "canal.csv").write_bytes(b"canal,name\nx,\xd4\n"),
                  "canal.csv, byte 13: is not UTF-8; save the file as UTF-8"),
    "duplicate id": (lambda b: repeat(b / "reservoir.csv", 2),
                     "reservoir.csv, line 8: `toktogul` stands twice; each row needs an id of its own"),
    "unknown column": (lambda b: edit(b / "demand.csv", "return_days", "return_dys"),
                       "demand.csv, line 1: unknown column `return_dys`; did you mean `return_days`?"),
    "repeated column": (lambda b: edit(b / "canal.csv", "loss", "name"),
                        "canal.csv, line 1: header ['canal', 'name', 'origin', 'destination', 'country', "
                        "'capacity_m3s', 'name', 'source', 'confidence', 'note'] has an empty or repeated name"),
    "decimal comma": (lambda b: edit(b / "inflow_flow.csv", ",265.300,", ',"265,3",'),
                      "inflow_flow.csv, line 2, naryn: `flow_m3s` is `265,3`; a number is needed (use a decimal "
                      "point)"),
    "NaN": (lambda b: edit(b / "inflow_flow.csv", ",265.300,", ",nan,"),
            "inflow_flow.csv, line 2, naryn: `flow_m3s` is nan; a finite number is needed"),
    "infinity": (lambda b: edit(b / "inflow_flow.csv", ",265.300,", ",inf,"),
                 "inflow_flow.csv, line 2, naryn: `flow_m3s` is inf; a finite number is needed"),
    "empty number": (lambda b: edit(b / "inflow_flow.csv", ",265.300,", ",,"),
                     "inflow_flow.csv, line 2, naryn: `flow_m3s` is empty; fill it in"),
    "overlapping periods": (lambda b: edit(b / "inflow_flow.csv", "2022-04-01,10,", "2022-04-01,12,"),
                            "inflow_flow.csv, naryn: the period from 2022-04-01 overlaps the next one; correct `days`"),
    "no such day": (lambda b: edit(b / "inflow_flow.csv", "2022-04-11,10,", "2022-04-31,10,"),
                    "inflow_flow.csv, line 3, naryn: period is `2022-04-31`, `10` days; a date as 2023-04-11 and a "
                    "whole number of days are needed"),
    "unknown confidence": (lambda b: edit(b / "canal.csv", ",measured,", ",mesured,"),
                           "canal.csv, line 3, kyzylkum: confidence is `mesured`; did you mean `measured`?"),
    "unknown source": (lambda b: edit(b / "gain.csv", ",values,", ",valeus,"),
                       "gain.csv, line 2: source `valeus` is not in references.csv; did you mean `values`?"),
    "unknown reservoir of a series": (lambda b: edit(b / "reservoir_observed.csv", "toktogul,", "toktogol,"),
                                      "reservoir_observed.csv, line 2: no reservoir `toktogol`; did you mean "
                                      "`toktogul`?"),
    "missing series": (lambda b: (b / "inflow_flow.csv").unlink(), "inflow_flow.csv: is missing in basin"),
    "missing table": (lambda b: (b / "demand.csv").unlink(),
                      "demand.csv: is missing in basin but demand_requirement.csv is there; add it"),
    "missing curves": (lambda b: (b / "reservoir_level.csv").unlink(), "reservoir_level.csv: is missing in basin"),
    "falling curve": (lambda b: edit(b / "reservoir_level.csv", "6500,842.55", "6500,832.55"),
                      "reservoir_level.csv, toktogul: needs three points or more, both columns increasing"),
    "missing key": (lambda b: drop(b / "basin.yaml", "price_year"), "basin.yaml, price_year: is missing; add it"),
    "unknown key": (lambda b: edit(b / "basin.yaml", "title:", "tittle: x\ntitle:"),
                    "basin.yaml, tittle: unknown key; did you mean `title`?"),
    "hours of a day": (lambda b: edit(b / "basin.yaml", "peak: 6", "peak: 7"),
                       "basin.yaml, blocks: hours sum to 25; 24 are needed"),
    "shortage grows cheaper": (lambda b: edit(b / "basin.yaml", "factor: 1.5", "factor: 0.5"),
                               "basin.yaml, shortage_steps: `up_to` must rise to 1.0 and `factor` must not fall"),
    "no settings": (lambda b: (b / "basin.yaml").write_text(""),
                    "basin.yaml: is empty or no mapping; write `key: value` lines"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_basin_gives_one_error_that_says_where_and_what(short_basin, run, what):
    """Each mistake gives one message, that of its place, and nothing that only follows from it."""
    spoil, message = SPOILT[what]
    spoil(short_basin)
    code, out, err = run("check", "basin")
    assert (code, out, err) == (3, "", f"error: 1 problem in basin basin\n  {message}\n")


def test_yaml_that_cannot_be_read_is_told_with_its_line(basin, run):
    """A bracket that is never closed is noticed where the next key begins."""
    edit(basin / "basin.yaml", "price_year: 2023", "price_year: [2023")
    code, _, err = run("check", "basin")
    assert code == 3
    assert "basin.yaml, line 12: is not YAML: " in err


def test_a_wrong_month_is_named_with_the_month_that_is_missing(basin, run):
    """A month that does not exist also leaves a gap in the profile."""
    edit(basin / "demand_requirement.csv", "dostyk_cotton,1,", "dostyk_cotton,13,")
    code, _, err = run("check", "basin")
    assert code == 3
    assert "demand_requirement.csv, line 2, dostyk_cotton: month is `13`; 1 to 12 is needed" in err
    assert "demand_requirement.csv, dostyk_cotton: months [1] missing" in err


def test_a_river_that_runs_in_a_circle_is_shown_as_a_circle(basin, run):
    """A reach back upstream closes a circle of arcs, named along the water."""
    with (basin / "reach.csv").open("a") as file:
        file.write("back,kyzylorda,kal,1,1,0,100,100,,,ksmake_tables,reported,\n")
    code, _, err = run("check", "basin")
    assert code == 3
    assert err.count("\n") == 2
    assert "reach.csv: the river runs in a circle: " in err
    assert "kyzylorda -> kal -> akjar" in err


def test_problems_of_all_files_are_told_at_once(basin, run):
    """A user mends everything in one round: numbers, names, sources, settings; line 2 stands before line 10."""
    edit(basin / "canal.csv", ",110,", ",-110,")
    edit(basin / "demand.csv", ",kyzylkum,", ",kyzylkun,")
    edit(basin / "gain.csv", ",values,", ",valeus,")
    edit(basin / "inflow_flow.csv", "2022-06-21,10,", "2022-06-21,ten,")
    edit(basin / "inflow_flow.csv", ",265.300,", ",-1,")
    drop(basin / "basin.yaml", "title")
    code, _, err = run("check", "basin")
    first, *lines = err.splitlines()
    assert code == 3
    assert first == "error: 6 problems in basin basin"
    assert [line.split(":")[0].strip() for line in lines] == [
        "basin.yaml, title", "canal.csv, line 2, dostyk", "demand.csv, line 4, kyzylkum_cotton", "gain.csv, line 2",
        "inflow_flow.csv, line 2, naryn", "inflow_flow.csv, line 10, naryn"]


def test_a_file_that_is_nearly_a_table_is_not_left_out_silently(basin, run):
    """A misspelt file name would drop a whole table from the model."""
    (basin / "demand_requirement.csv").rename(basin / "demand_requirments.csv")
    code, _, err = run("check", "basin")
    assert code == 3
    assert "demand_requirments.csv: is no table of a basin; did you mean `demand_requirement.csv`?" in err


# ---- scenarios --------------------------------------------------------------------------------------

CHANGE = {"table": "demand_requirement", "column": "requirement", "multiply": 2}
WRONG = {
    "unknown key": ({"stp": "month"}, "year.yaml, stp: unknown key; did you mean `step`?"),
    "unknown key of a change": ({"changes": [{**CHANGE, "multipli": 2}]},
                                "year.yaml, changes.0.multipli: unknown key; did you mean `multiply`?"),
    "missing key": ({"title": None}, "year.yaml, title: is missing; add it"),
    "no date": ({"start": "yesterday"}, "year.yaml, start: is `yesterday`; a date as 2022-10-01 is needed"),
    "part of a month": ({"start": "2022-10-02"}, "year.yaml, start, end: 2022-10-02 is not the first day of a month; "
                        "2022-11-01 is the next one"),
    "end before start": ({"start": "2023-10-01"}, "year.yaml, start, end: 2023-10-01 to 2023-09-30 runs backwards; "
                         "exchange the two"),
    "a year of long ago": ({"hydrology": 23}, "year.yaml, hydrology: is `23`; input should be greater than or equal "
                           "to 1800"),
    "a date far away": ({"end": "9999-12-31"}, "year.yaml, end: is `9999-12-31`; input should be less than or equal to "
                        "2200-12-31"),
    "unknown step": ({"step": "week"}, "year.yaml, step: is `week`; input should be 'dekad' or 'month'"),
    "unknown basin": ({"basin": "naryn-syrdaria"},
                      "year.yaml, basin: no basin `naryn-syrdaria`; did you mean `naryn-syrdarya`?"),
    "extends nothing": ({"extends": "nowhere"}, "year.yaml, extends: `nowhere` is not beside this file; name another "
                        "scenario"),
    "extends itself": ({"extends": "year"}, "year.yaml, extends: `year` extends this file in turn; name another "
                       "scenario"),
    "unknown clause kind": ({"policies": [{"kind": "season_volum", "clause": "x"}]},
                            "year.yaml, policies.0: kind is `season_volum`; did you mean `season_volume`?"),
    "clause without a name": ({"policies": [{**PLEDGE, "clause": ""}]},
                              "year.yaml, policies.0: clause `` needs a name of its own"),
    "clause of no reservoir": ({"policies": [{**PLEDGE, "reservoir": "toktogol"}]},
                               "year.yaml, pledge: no reservoir `toktogol`; did you mean `toktogul`?"),
    "clause with an unknown key": ({"policies": [{**PLEDGE, "penalty_usd": 1}]},
                                   "year.yaml, pledge: unknown key `penalty_usd`; did you mean `penalty_usd_per_m3`?"),
    "change of no table": ({"changes": [{**CHANGE, "table": "demand_requirment"}]},
                           "year.yaml, changes.0: no table `demand_requirment` that can be changed; did you mean "
                           "`demand_requirement`?"),
    "change of no column": ({"changes": [{**CHANGE, "column": "requirment"}]},
                            "year.yaml, changes.0: no column `requirment` in demand_requirement; did you mean "
                            "`requirement`?"),
    "change of words": ({"changes": [{**CHANGE, "table": "demand", "column": "country"}]},
                        "year.yaml, changes.0: `country` holds words; only numbers can be changed"),
    "change of no row": ({"changes": [{**CHANGE, "where": {"demand": "moon"}}]},
                         "year.yaml, changes.0: no row of demand_requirement matches {'demand': 'moon'}; mend `where`"),
    "change where nothing": ({"changes": [{**CHANGE, "where": {"contry": "KZ"}}]},
                             "year.yaml, changes.0: `where` names `contry`; did you mean `country`?"),
    "change in month 13": ({"changes": [{**CHANGE, "where": {"month": [6, 13]}}]},
                           "year.yaml, changes.0: month is `13`; 1 to 12 is needed"),
    "change below zero": ({"changes": [{"table": "powerhouse", "column": "capacity_mw", "set": -5,
                                        "where": {"powerhouse": "toktogul"}}]},
                          "year.yaml, changes.0: `capacity_mw` of toktogul becomes -5; it must be at least 0"),
    "opening of no state": ({"opening": {"storge": {"toktogul": 9000}}},
                            "year.yaml, opening.storge: no state `storge`; did you mean `storage`?"),
    "opening of no reservoir": ({"opening": {"storage": {"toktogol": 9000}}},
                                "year.yaml, opening.storage: no `toktogol` has this state; did you mean `toktogul`?"),
    "opening below the minimum": ({"opening": {"storage": {"toktogul": 1}}},
                                  "year.yaml, opening.storage.toktogul: 1 hm3 is outside 5500 to 19500 hm3 of "
                                  "reservoir.csv; correct one of them"),
    "unknown closing rule": ({"closing": {"storage": "obsrved"}},
                             "year.yaml, closing.storage: must be `observed`, `opening`, `free` or `{id: number}`; "
                             "correct it"),
}


def write_year(**changes):
    """Write a scenario of a year by months; None leaves a key out."""
    content = {key: value for key, value in {**YEAR, **changes}.items() if value is not None}
    Path("year.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_scenario_gives_one_error_and_no_output(shipped_basin, run, what, tmp_path, monkeypatch):
    """Each mistake in a scenario is one message; nothing is solved or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wateropt.scenario.load_basin", lambda _: shipped_basin)
    changes, message = WRONG[what]
    write_year(**changes)
    code, out, err = run("solve", "year.yaml", "--out", "out")
    assert (code, out, err) == (3, "", f"error: 1 problem in scenario year\n  {message}\n")
    assert not Path("out").exists()


def test_a_number_that_is_none_is_refused_in_a_scenario(basin, run):
    """NaN and infinity are no quantities."""
    write_year(changes=[{**CHANGE, "multiply": float("nan")}], opening={"storage": {"toktogul": float("inf")}})
    code, _, err = run("check", "year.yaml")
    assert code == 3
    assert "year.yaml, changes.0.multiply: is `nan`; input should be a finite number" in err
    assert "year.yaml, opening.storage.toktogul: is `inf`" in err


def test_a_day_that_does_not_exist_is_an_error_of_the_file(basin, run):
    """29 February 2023 is caught where the file is read."""
    Path("year.yaml").write_text("title: x\nstart: 2023-02-29\n")
    code, _, err = run("check", "year.yaml")
    assert code == 3
    assert "year.yaml: holds a date that does not exist" in err


def test_a_gap_in_a_series_is_named_by_its_days(basin, run):
    """A missing dekad shows up as the period of the horizon that it spoils."""
    drop(basin / "inflow_flow.csv", "naryn,2023-03-11")
    write_year(step="dekad", basin="basin")
    code, _, err = run("check", "year.yaml")
    assert code == 3
    assert err == ("error: 1 problem in scenario year\n  inflow_flow.csv, naryn: no value for 2023-03-11 to "
                   "2023-03-20; every dekad of the horizon needs one; all series have the hydrological years 2024: "
                   "choose dates there, or add rows\n")


EVERY_SERIES = ("inflow_flow.csv (andijan, charvak, keles and 2 more), gain_flow.csv (andijan_closure, arys, cascade "
                "and 9 more), sea_target.csv (aral, arnasay), grid_load.csv (kg/peak, kg/rest, kz/peak and 5 more), "
                "unit_output.csv (at_bashy, bishkek_chp, small_hydro)")


@pytest.mark.parametrize(("changes", "place", "days"), [
    ({"end": "2024-12-31"}, "start, end", "2024-10-01 to 2024-12-31"),
    ({"start": "2007-10-01", "end": "2008-09-30"}, "start, end", "2007-10-01 to 2008-09-30"),
    ({"hydrology": 2030}, "hydrology", "2029-10-01 to 2030-09-30"),
], ids=["end", "both", "hydrology"])
def test_a_year_without_data_is_one_error_with_the_years_that_are_there(shipped_basin, run, tmp_path, monkeypatch,
                                                                        changes, place, days):
    """However many series lack it; the dates are those of the files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wateropt.scenario.load_basin", lambda _: shipped_basin)
    write_year(**changes)
    code, _, err = run("check", "year.yaml")
    assert code == 3
    assert err == (f"error: 1 problem in scenario year\n  year.yaml, {place}: no value for {days} in {EVERY_SERIES}; "
                   "every month of the horizon needs one; all series have the hydrological years 2023, 2024: choose "
                   "dates there, or add rows\n")


def test_a_load_that_ends_before_the_horizon_is_an_error(basin, run):
    """A grid without rows has no load; one whose rows do not reach so far is not taken for it."""
    drop(basin / "grid_load.csv", "kg,rest,2023-03")
    write_year(basin="basin")
    code, _, err = run("check", "year.yaml")
    assert code == 3
    assert "grid_load.csv, kg/rest: no value for 2023-03-01 to 2023-03-31" in err


def test_two_scenarios_that_extend_each_other_are_a_loop(basin, run):
    """The loop is told where it closes."""
    write_year(extends="other")
    Path("other.yaml").write_text("extends: year\n")
    code, _, err = run("check", "year.yaml")
    assert code == 3
    assert "other.yaml, extends: `year` extends this file in turn; name another scenario" in err


def test_check_goes_on_after_a_bad_file_and_ends_with_its_code(basin, run):
    """One bad scenario among good ones decides the exit code, not what is shown of the others."""
    write_year(stp="month")
    code, out, err = run("check", "year.yaml", "basin")
    assert code == 3
    assert out == "basin: no problems\n"
    assert "unknown key" in err


def test_an_unknown_scenario_is_a_wrong_command_line(run):
    """The nearest name is offered."""
    code, out, err = run("solve", "dry-2023-montly")
    assert (code, out) == (2, "")
    assert err == "error: no scenario `dry-2023-montly`; did you mean `dry-2023-monthly`?\n"
    code, _, err = run("check", "naryn-syrdaria")
    assert code == 2
    assert "no basin `naryn-syrdaria`; did you mean `naryn-syrdarya`?" in err


# ---- clauses that cannot hold, held schedules -------------------------------------------------------


def test_a_hard_clause_that_cannot_hold_is_named_with_what_is_missing(basin, run):
    """30 km³ are more than Toktogul has: 12.5 km³ at the most, so at least 17.5 km³ are missing."""
    write_year(policies=[PLEDGE])
    code, out, err = run("solve", "year.yaml", "--out", "out")
    assert (code, out) == (4, "")
    line = next(line for line in err.splitlines() if "`pledge`" in line)
    missing = float(line.split(": ")[1].split()[0].replace(",", ""))
    assert 10_000 < missing < 20_000
    assert "Traceback" not in err
    assert not Path("out").exists()


def test_a_soft_clause_that_cannot_hold_is_paid_for(basin, run):
    """The same clause with a penalty is missed by as much and stays feasible."""
    write_year(policies=[{**PLEDGE, "penalty_usd_per_m3": 0.2}])
    code, out, _ = run("solve", "year.yaml", "--out", "out", "--fixed-head")
    assert code == 0
    assert "optimal" in out


HELD = "reservoir,start,days,release_m3s\n"
HOLDS = {
    "missing": (None, "held.csv: is missing in ."),
    "empty": ("", "held.csv: holds no rows; write a header and at least one row"),
    "no column": ("reservoir,start,days,flow\ntoktogul,2022-10-01,31,200\n",
                  "held.csv, line 1: no column `release_m3s`; add it"),
    "no reservoir": (HELD + "toktogol,2022-10-01,31,200\n",
                     "held.csv, line 2: no reservoir `toktogol`; did you mean `toktogul`?"),
    "negative": (HELD + "toktogul,2022-10-01,31,-2\n",
                 "held.csv, line 2, toktogul: `release_m3s` is -2; it must be at least 0"),
    "another year": (HELD + "toktogul,2002-10-01,31,200\n",
                     "held.csv: has no release between 2022-10-01 and 2023-09-30"),
}


@pytest.mark.parametrize("what", HOLDS)
def test_a_wrong_hold_file_is_explained(basin, run, what):
    """A schedule to be held is read like any other file."""
    content, message = HOLDS[what]
    if content is not None:
        Path("held.csv").write_text(content)
    code, _, err = run("solve", "dry-2023-monthly", "--hold", "held.csv", "--out", "out")
    assert code == 3
    assert err.endswith(f"held.csv\n  {message}\n")
    assert not Path("out").exists()


# ---- where results go -------------------------------------------------------------------------------


def test_a_place_below_a_file_is_refused_before_anything_is_solved(basin, run):
    """A path below a regular file can never be written, and the user need not wait to hear it."""
    Path("file").write_text("mine")
    code, _, err = run("solve", "dry-2023-monthly", "--out", "file/results")
    assert code == 8
    assert "cannot be written" in err
    assert "building" not in err
    assert Path("file").read_text() == "mine"
    code, _, err = run("export", "dry-2023-monthly", "--to", "mps", "--out", "file/model.mps", "--fixed-head")
    assert code == 8
    assert "cannot be written" in err


def test_a_folder_of_somebody_else_is_refused_and_left_alone(basin, run):
    """A folder that holds anything but an earlier result stays as it is."""
    Path("out/dry-2023-monthly").mkdir(parents=True)
    Path("out/dry-2023-monthly/thesis.txt").write_text("mine")
    code, _, err = run("solve", "dry-2023-monthly", "--out", "out")
    assert code == 8
    assert "is no result of wateropt; move it or choose another --out" in err
    assert [path.name for path in Path("out").rglob("*")] == ["dry-2023-monthly", "thesis.txt"]


# ---- in a process of its own ------------------------------------------------------------------------


def wateropt(*arguments):
    """Run the command line as a user does."""
    return subprocess.run([sys.executable, "-m", "wateropt", *arguments], capture_output=True, text=True, check=False)


def test_no_traceback_reaches_the_user(basin):
    """A real run with bad data ends with its code and a message; a good check ends with 0."""
    assert wateropt("check", "basin").returncode == 0
    edit(basin / "canal.csv", ",110,", ",-110,")
    done = wateropt("check", "basin")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: 1 problem in basin basin\n  canal.csv, line 2, dostyk: ")
    done = wateropt("solve", "--nonsense")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_problems_of_several_scenarios_appear_together(tmp_path):
    """Two bad scenarios are one error that names what is wrong in both."""
    for name, step in (("first", "week"), ("second", "year")):
        text = f"{{title: t, basin: naryn-syrdarya, start: 2022-10-01, end: 2023-09-30, step: {step}}}"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        load_cases([str(tmp_path / "first.yaml"), str(tmp_path / "second.yaml")])
    assert {problem.file for problem in error.value.problems} == {"first.yaml", "second.yaml"}
