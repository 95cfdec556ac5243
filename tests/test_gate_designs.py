"""Sweeps in a suite: what a factor moves is a quantity like any other, and the design is an input."""

import json
import pickle
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import wateropt
from small import STEPS, SmallBasin
from test_gate import CHANGELOG, CI, content, drier, report, scale, thirstier
from wateropt.changes import Change
from wateropt.cli import main
from wateropt.errors import DataError, Problem
from wateropt.scenario import find_scenario
from wateropt.shipped import shipped
from wateropt.studies.gate import causes, sweeps
from wateropt.studies.gate import check as checking
from wateropt.studies.gate.baseline import read_baseline
from wateropt.studies.gate.inputs import InputChange, Place
from wateropt.studies.gate.suite import file_of, load_runs, read_suite
from wateropt.studies.gate.tornado import BASE, HIGH, LOW, WIDE, tornado

FACTORS = [
    {"name": "river", "table": "inflow_flow", "column": "flow_m3s", "where": {"inflow": "river"}, "range": [0.8, 1.2]},
    {"name": "field", "table": "demand_requirement", "column": "requirement_m3s", "range": [1.0, 1.3]},
    {"name": "water", "opening": {"storage": "lake"}, "by": "add", "range": [-100, 100]},
]
WARM = {"name": "load", "scenario": ["small.yaml", "warm.yaml"]}
OAT = {"scenario": "small.yaml", "method": "one_at_a_time", "fixed_head": True, "factors": [*FACTORS, WARM]}
MORRIS = {"scenario": "small.yaml", "method": "morris", "runs": 16, "fixed_head": True, "factors": FACTORS}
SUITE = {
    "title": "sweeps", "runs": [{"scenario": "small.yaml"}],
    "designs": [{"design": "oat.yaml"}, {"design": "morris.yaml", "name": "screen"}],
    "quantities": [{"quantity": "objective", "absolute": 1e-3}, {"quantity": "effect", "absolute": 1e-3},
                   {"quantity": "index", "which": "*/objective_musd/mu_star", "absolute": 1e-3}],
}
BARE = {**SUITE, "runs": [], "designs": SUITE["designs"][:1], "quantities": [
    {"quantity": "effect", "which": "*/objective_musd/*", "absolute": 1e-3}]}  # what most tests need


def simple(folder):
    """A river, a lake above a field that it cannot always water, and a grid that buys what the lake does not make."""
    (SmallBasin(shortage_steps=STEPS, blocks={"all": 24}).inflow("river", "lake", 80).lake("lake", "below")
     .plant("high", "lake", "below", reservoir="lake", tailwater_m=50, capacity_mw=80)
     .demand("field", "below", 100, 0.05).sink("end", "below").grid(load=300)
     .exchange("seller", "supply", 50).load(folder, opening={"storage": {"lake": 100}, "release": {"lake": 80}}))


def gate(folder, *arguments):
    """The exit code of `wateropt gate`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["wateropt", "gate", str(folder / "suite.yaml"), "--workers", "1",
                                    *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    return end.value.code


@pytest.fixture(scope="module")
def accepted(tmp_path_factory):
    """A suite with two sweeps of a small basin and its baseline, as `--update` wrote them."""
    folder = tmp_path_factory.mktemp("accepted") / "place"
    folder.mkdir()
    simple(folder)
    warm = {"extends": "small", "title": "warm", "changes": [
        {"table": "grid_load", "column": "load_mw", "multiply": 0.9}]}
    for name, text in (("warm", warm), ("oat", OAT), ("morris", MORRIS), ("suite", SUITE)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    assert gate(folder, "--update") == 0
    return folder


@pytest.fixture
def place(accepted, tmp_path):
    """A copy of them to spoil."""
    return Path(shutil.copytree(accepted, tmp_path / "place"))


@pytest.fixture(scope="module")
def accepted_bare(accepted, tmp_path_factory):
    folder = Path(shutil.copytree(accepted, tmp_path_factory.mktemp("bare") / "place"))
    (folder / "suite.yaml").write_text(yaml.safe_dump(BARE))
    assert gate(folder, "--update") == 0
    return folder


@pytest.fixture
def bare(accepted_bare, tmp_path):
    """A copy of one sweep and nothing else, accepted."""
    return Path(shutil.copytree(accepted_bare, tmp_path / "place"))


def rewrite(folder, name, **keys):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}), encoding="utf-8")


def value(found, run, name):
    return next(one.new for one in found.compared if (one.run, one.name) == (run, name))


# ---- what is measured ---------------------------------------------------------------------------------------


def test_an_effect_is_what_a_scenario_with_that_change_costs_more(accepted):
    """Each end of a bar, solved here without sweep and gate; an end that is the base run is no quantity."""
    case = wateropt.load(str(accepted / "small.yaml"))
    base = wateropt.solve(case, fixed_head=True).objective
    values = read_baseline(accepted / "suite.baseline.json").runs["oat"].values
    assert "effect:field/objective_musd/low" not in values
    for name, end, table, column, where, factor in (
            ("river", "low", "inflow_flow", "flow_m3s", {"inflow": "river"}, 0.8),
            ("river", "high", "inflow_flow", "flow_m3s", {"inflow": "river"}, 1.2),
            ("field", "high", "demand_requirement", "requirement_m3s", {}, 1.3)):
        change = Change(table=table, column=column, where=where, multiply=factor)
        alone = wateropt.solve(case.with_change(change), fixed_head=True).objective
        effect = values[f"effect:{name}/objective_musd/{end}"]
        assert effect.unit == "MUSD"
        assert effect.value == pytest.approx(alone - base, abs=1e-6)
        assert abs(effect.value) > 0.01
    warm = wateropt.solve(wateropt.load(str(accepted / "warm.yaml")), fixed_head=True).objective
    assert values["effect:load/objective_musd/high"].value == pytest.approx(warm - base, abs=1e-6)


def test_a_baseline_keeps_the_inputs_of_the_design_and_of_each_of_its_scenarios(accepted):
    """Read back from the file; a number that both scenarios share stands there once."""
    recorded = read_baseline(accepted / "suite.baseline.json").runs["oat"].inputs
    assert recorded[Place("design", "river", "range")] == "[0.8, 1.2]"
    assert {place.base for place in recorded} == {"", "small.yaml", "warm.yaml"}
    loads = {base: recorded[Place("grid_load", "grid/all", "load_mw", base)] for base in ("small.yaml", "warm.yaml")}
    assert loads == {"small.yaml": 300, "warm.yaml": 270}
    lines = json.loads((accepted / "suite.baseline.json").read_text())["inputs"]
    assert len([line for line in lines if line[1:4] == ["reservoir", "lake", "full_storage_hm3"]]) == 1


def test_what_has_not_changed_passes(place, capsys):
    """And accepting it again writes nothing."""
    before = content(place)
    assert gate(place, "--update") == 0
    assert "nothing moved" in capsys.readouterr().err
    assert content(place) == before


# ---- what moved, and why ------------------------------------------------------------------------------------


def test_five_percent_of_an_inflow_moves_sweeps_too(place, monkeypatch, capsys):
    """The input is named once, though both scenarios of the design have it; the tornado stands in the summary."""
    drier(place)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place / "summary.md"))
    assert gate(place, "--junit", place / "gate.xml") == 6
    out = capsys.readouterr().out
    named = "basin/inflow_flow.csv, river, flow_m3s: 80 -> 76 (-5 %) (solved again without it)"
    assert out.count(named) == 3  # in each run once
    failed = {(suite.get("name"), case.get("name")) for suite in ElementTree.parse(place / "gate.xml").iter("testsuite")
              for case in suite if case.find("failure") is not None}
    assert ("oat", "effect:river/objective_musd/low") in failed
    assert ("screen", "index:river/objective_musd/mu_star") in failed
    (bar,) = [line for line in (place / "summary.md").read_text(encoding="utf-8").splitlines()
              if line.startswith("| river | 0.8 | 1.2 |")]
    assert BASE in bar
    assert LOW in bar
    assert HIGH in bar
    assert re.search(r"low [+-]\d", bar.split("|")[-2])


def test_each_input_is_owed_what_it_moved_in_a_sweep(bare):
    """The movement less that of the other change alone."""
    name = "effect:river/objective_musd/low"
    drier(bare)
    alone = value(report(bare), "oat", name)
    thirstier(bare)
    found = report(bare)
    shares = {cause.where.split(",")[0]: cause.shares[name] for cause in found.causes["oat"]}
    assert set(shares) == {"basin/inflow_flow.csv", "basin/demand_requirement.csv"}
    assert shares["basin/demand_requirement.csv"] == pytest.approx(value(found, "oat", name) - alone, abs=1e-6)
    assert abs(shares["basin/demand_requirement.csv"]) > 0.01


def test_a_changed_design_is_a_changed_input(bare):
    """With old and new range, and what it moved, which is everything; other factors have not moved."""
    rewrite(bare, "oat", factors=[{**FACTORS[0], "range": [0.7, 1.2]}, *FACTORS[1:], WARM])
    found = report(bare)
    (moved,) = found.moved
    assert moved.name == "effect:river/objective_musd/low"
    (cause,) = found.causes["oat"]
    assert (cause.words, cause.how) == ("place/oat.yaml, river, range: `[0.8, 1.2]` -> `[0.7, 1.2]`", causes.SOLVED)
    assert cause.shares[moved.name] == pytest.approx(moved.new - moved.old, abs=1e-6)


def test_a_new_factor_is_a_changed_design(bare, capsys):
    """Without it there is nothing to compare, so no share is told; accepted, the gate is content."""
    more = {"name": "power", "table": "grid_load", "column": "load_mw", "range": [0.9, 1.1]}
    rewrite(bare, "oat", factors=[*FACTORS, WARM, more])
    assert gate(bare) == 6
    out = capsys.readouterr().out
    assert "place/oat.yaml, all, factors: `river, field, water, load` -> `river, field, water, load, power`" in out
    assert "effect:power/objective_musd/low: – -> " in out
    assert gate(bare, "--update") == 0
    assert gate(bare) == 0


def test_another_scenario_is_a_changed_design_and_not_a_thousand_new_inputs(bare):
    """The numbers of a scenario that only one of both knows are not told one by one."""
    shutil.copy(bare / "warm.yaml", bare / "mild.yaml")
    rewrite(bare, "mild", changes=[{"table": "grid_load", "column": "load_mw", "multiply": 0.95}])
    rewrite(bare, "oat", factors=[*FACTORS, {**WARM, "scenario": ["small.yaml", "mild.yaml"]}])
    (cause,) = report(bare).causes["oat"]
    before, after = (f'`["small.yaml", "{name}.yaml"]`' for name in ("warm", "mild"))
    assert cause.words == f"place/oat.yaml, load, scenario: {before} -> {after}"
    assert cause.shares["effect:load/objective_musd/high"] > 0.01


def test_a_long_sweep_is_not_solved_again(bare, monkeypatch):
    """That its share is not known is told."""
    drier(bare)
    monkeypatch.setattr(sweeps, "LONG", 0)
    (cause,) = report(bare).causes["oat"]
    assert (cause.how, cause.shares) == ("its share is not known", {})


def test_a_state_that_was_put_back_stays_so_in_the_runs(place):
    """Where it does; a state that follows anew from a table that a factor varies cannot be put back."""
    path = place / "suite.yaml"
    back = [InputChange(Place("scenario", "lake", "opening storage", base), 90.0, 100.0)
            for base in ("small.yaml", "warm.yaml")]
    lake = {"name": "lake", "table": "reservoir", "column": "full_storage", "range": [0.9, 1.0]}
    for factors, known in ((FACTORS, True), ([*FACTORS, lake], False)):
        rewrite(place, "oat", factors=[*factors, WARM])
        suite = read_suite(path)
        row = suite.designs[0]
        task = sweeps.SweepTask(row.name, load_runs(suite, path)[1][row.name], file_of(row, path), suite.asked(row))
        again = task.without(back)
        assert (again is not None) == known
        if again:
            assert {case.book.opening["storage"]["lake"] for case in again.cases.values()} == {90}


def test_every_key_of_a_design_can_be_put_back(place):
    """Put back to another value, the design has that value and nothing else has changed."""
    path = place / "suite.yaml"
    suite = read_suite(path)
    row = suite.designs[0]
    task = sweeps.SweepTask(row.name, load_runs(suite, path)[1][row.name], file_of(row, path), suite.asked(row))
    now = task.inputs()
    others = {"range": "[0.9, 1.1]", "seed": "9", "by": '"add"', "points": "3", "confidence": "0.9", "column": None}
    tried = set()
    for where, old in now.items():
        other = others.get(where.column)
        if where.table == "design" and other and other != old:
            then = task.without([InputChange(where, other, old)]).inputs()
            assert {key: then[key] for key in now if then[key] != now[key]} == {where: other}
            tried.add(where.column)
    assert tried == {"range", "seed", "by", "confidence"}
    assert task.without([InputChange(Place("design", "river", "table"), '"inflw"', '"inflow_flow"')]) is None


# ---- what is wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "words"), [
    ({"designs": [{"design": "oatt.yaml"}]}, "designs.0.design: no design `oatt.yaml`"),
    ({"designs": [{"design": "oat.yaml", "nam": "x"}]}, "designs.0.nam: unknown key; did you mean `name`?"),
    ({"designs": [{"design": "oat.yaml", "name": "small"}]}, "two runs are called `small`"),
    ({"designs": [{"design": "oat.yaml", "quantities": [{"quantity": "objective"}]}]},
     "designs.0.quantities.0.quantity: no quantity `objective`"),
    ({"runs": [{"scenario": "small.yaml", "quantities": [{"quantity": "efect"}]}]},
     "runs.0.quantities.0.quantity: no quantity `efect`"),
    ({"quantities": [{"quantity": "objective"}]}, "designs.0: compares nothing"),
    ({"runs": [], "designs": []}, "names nothing to run"),
    ({"designs": [], "quantities": [{"quantity": "objective"}, {"quantity": "effect"}]}, "no run has such a quantity"),
    ({"designs": [{"design": "oat.yaml"}], "quantities": [
        {"quantity": "objective"}, {"quantity": "effect", "which": "rivr/objective_musd/low"}]},
     "did you mean `river/objective_musd/low`?"),
])
def test_what_is_wrong_with_the_sweeps_of_a_suite_is_told(place, change, words, capsys):
    """With the nearest name, and nothing is written."""
    rewrite(place, "suite", **change)
    before = content(place)
    assert gate(place, "--update") == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert content(place) == before


@pytest.mark.parametrize(("keys", "words"), [
    ({"factors": [{**FACTORS[0], "where": {"inflow": "rivr"}}]}, "no row of inflow_flow matches"),
    ({"factors": [{**FACTORS[0], "range": [1.2, 0.8]}]}, "range 1.2 to 0.8 is reversed"),
    ({"outputs": ["objektive_musd"]}, "outputs.0: no output `objektive_musd`; did you mean `objective_musd`?"),
])
def test_what_is_wrong_with_a_design_is_told_with_what_is_wrong_elsewhere(place, keys, words, capsys):
    """One error with all of it, also what is found while solving; nothing is written."""
    rewrite(place, "oat", **keys)
    if "factors" in keys:
        rewrite(place, "morris", factors=[{**FACTORS[0], "column": "flw"}])
    before = content(place)
    assert gate(place, "--update") == 3
    err = capsys.readouterr().err
    assert words in err
    assert ("no column `flw` in inflow_flow" in err) == ("factors" in keys)
    assert content(place) == before


def test_an_error_passes_from_a_worker_process():
    """With its problems."""
    error = pickle.loads(pickle.dumps(DataError("the design", [Problem("a.yaml", "b", "c")])))
    assert (str(error), error.problems) == ("1 problem in the design\n  a.yaml, b: c", (Problem("a.yaml", "b", "c"),))


def test_a_sweep_without_a_schedule_is_an_error_and_is_not_accepted(bare, capsys):
    """Its code is that of a case without one."""
    rewrite(bare, "small", policies=[{"kind": "storage_target", "clause": "date", "reservoir": "lake", "sense": "<=",
                                      "month": 1, "quantity_hm3": 0}],
            changes=[{"table": "reservoir", "column": "minimum_storage", "set": 50}])
    rewrite(bare, "oat", factors=FACTORS[:2])
    before = content(bare)
    assert gate(bare, "--update") == 4
    assert "no schedule for oat" in capsys.readouterr().err
    assert content(bare) == before


# ---- bars ---------------------------------------------------------------------------------------------------


def test_bars_are_as_long_as_what_they_show():
    """On one scale; an end without a run has no bar, and what moved stands beside."""
    def row(factor, low, high):
        return {"scenario": "s", "factor": factor, "output": "objective_musd", "output_base": 100.0, "low": 0.5,
                "high": None, "output_low": low, "output_high": high, "swing": 1.0,
                "names": [f"{factor}/low", f"{factor}/high"]}

    lines = list(tornado([row("wide", 50.0, 150.0), row("half", 125.0, 100.0), row("cut", float("nan"), 150.0)],
                         {"half/low": 3.25}))[-3:]
    bars = [line.split("`")[1] for line in lines]
    assert {len(bar) for bar in bars} == {WIDE + len(BASE)}
    assert [(bar.count(LOW), bar.count(HIGH)) for bar in bars] == [(WIDE // 2, WIDE // 2), (WIDE // 4, 0),
                                                                  (0, WIDE // 2)]
    assert [bar.index(BASE) for bar in bars] == [WIDE // 2] * 3
    assert [line.split("|")[-2].strip() for line in lines] == ["", "low +3.25", ""]
    assert "| as it is |" in lines[0]


# ---- what is shipped ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_shipped_sweeps_notice_five_percent_of_an_inflow(tmp_path, capsys):
    """In a copy of the basin, with two workers; they pass without."""
    shutil.copytree(shipped("basins") / "naryn-syrdarya", tmp_path / "copied")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    for name in ("dry-2023", "dry-2023-monthly"):
        text = find_scenario(name).read_text().replace("basin: naryn-syrdarya", "basin: copied")
        (tmp_path / f"{name}.yaml").write_text(text)
    design = yaml.safe_load((shipped("scenarios") / "sensitivity" / "dry-2023-morris.yaml").read_text())
    (tmp_path / "dry-2023-morris.yaml").write_text(yaml.safe_dump({**design, "scenario": "dry-2023-monthly.yaml"}))
    whole = yaml.safe_load(CI.read_text())
    rows = [row for row in whole["quantities"] if row["quantity"] == "index"]
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump({**whole, "runs": [], "quantities": rows,
                                                         "designs": [{"design": "dry-2023-morris.yaml"}]}))
    assert gate(tmp_path, "--update") == 0
    assert gate(tmp_path) == 0
    scale(tmp_path / "copied" / "inflow_flow.csv", "flow_m3s", 0.95, inflow="naryn")
    capsys.readouterr()
    assert gate(tmp_path) == 6
    assert "[1] copied/inflow_flow.csv, naryn, flow_m3s: mean" in capsys.readouterr().out


@pytest.mark.slow
def test_workers_change_nothing(place):
    """The same report from one process and from two."""
    drier(place)
    path = place / "suite.yaml"
    one, two = (checking.check(read_suite(path), path, read_baseline(place / "suite.baseline.json"), workers=workers)
                for workers in (1, 2))
    assert one.compared == two.compared
    assert one.causes == two.causes
