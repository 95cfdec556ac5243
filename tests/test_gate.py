"""The gate: what moved is noticed and owed to the right input, and a baseline cannot change unseen."""

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import wateropt
from small import everything
from wateropt.cli import main
from wateropt.errors import DataError, DriftError
from wateropt.scenario import find_scenario, shipped_scenarios
from wateropt.shipped import shipped
from wateropt.studies.gate import causes, tasks
from wateropt.studies.gate import check as checking
from wateropt.studies.gate.baseline import read_baseline
from wateropt.studies.gate.changelog import HEADER, HEADING, RULE, check_baseline, read_changelog, seal_row
from wateropt.studies.gate.inputs import InputChange, Place, changed_back, inputs_of
from wateropt.studies.gate.suite import read_suite

CHANGELOG = f"# Changelog\n\n{HEADING}\n\nWords.\n\n{HEADER}\n{RULE}\n| 0.0 | `a` | b | – | 1 | c |\n\n## 0.0\n\n- x\n"
SUITE = {
    "title": "small",
    "runs": [{"scenario": "small.yaml"}, {"scenario": "small.yaml", "fixed_head": True}],
    "quantities": [
        {"quantity": kind, "absolute": 1e-3} for kind in
        ("objective", "account", "release", "shortage", "unserved", "shortfall", "shadow_price")] + [
        {"quantity": "marginal_value", "which": "inflow/*", "absolute": 1e-4}],
}
CI = shipped("scenarios") / "suites" / "ci.yaml"


@pytest.fixture(scope="module")
def accepted(tmp_path_factory):
    """A suite of a small basin with its baseline, as `--update` wrote them."""
    folder = tmp_path_factory.mktemp("accepted")
    everything(folder)
    (folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    (folder / "suite.yaml").write_text(yaml.safe_dump(SUITE), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["wateropt", "gate", str(folder / "suite.yaml"), "--update", "--workers", "1"])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == 0
    return folder


@pytest.fixture
def place(accepted, tmp_path):
    """A copy of them to spoil."""
    return Path(shutil.copytree(accepted, tmp_path / "place"))


@pytest.fixture
def run(monkeypatch, capsys):
    """`wateropt gate` in this process: exit code, stdout, stderr."""
    def command(folder, *arguments):
        monkeypatch.setattr(sys, "argv", ["wateropt", "gate", str(folder / "suite.yaml"), "--workers", "1",
                                          *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return command


def scale(path, column, factor, **where):
    """Multiply a column of a table in the rows that match."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if all(row[key] == value for key, value in where.items()):
            row[column] = f"{float(row[column]) * factor:.10g}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def drier(folder, factor=0.95):
    scale(folder / "basin" / "inflow_flow.csv", "flow_m3s", factor, inflow="river")


def thirstier(folder, factor=1.1):
    scale(folder / "basin" / "demand_requirement.csv", "requirement_m3s", factor, demand="field")


def report(folder):
    """What the gate finds, in Python."""
    path = folder / "suite.yaml"
    return checking.check(read_suite(path), path, read_baseline(folder / "suite.baseline.json"))


def content(folder):
    """The bytes of every file."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ---- what moved, and why --------------------------------------------------------------------------------


def test_what_has_not_changed_passes(run, place):
    """And accepting it again writes nothing."""
    before = content(place)
    code, out, err = run(place, "--update")
    assert (code, len(out.splitlines())) == (0, 1)
    assert "nothing moved" in err
    assert content(place) == before


def test_five_percent_of_an_inflow_is_noticed_and_named(run, place, monkeypatch):
    """File, id, column and by how much, on stdout, in the XML and in the summary of the CI; the code is 6."""
    drier(place)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place / "summary.md"))
    code, out, err = run(place, "--junit", place / "gate.xml")
    assert code == DriftError.code == 6
    named = "basin/inflow_flow.csv, river, flow_m3s: 100 -> 95 (-5 %)"
    assert out.count(named) == 2  # once in each run
    assert "--update" in err
    root = ElementTree.parse(place / "gate.xml").getroot()
    failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert len(list(root.iter("testcase"))) == int(root.get("tests")) == len(report(place).compared)
    assert len(failed) == int(root.get("failures")) > 0
    assert all(named in case.find("failure").text for case in failed)
    summary = (place / "summary.md").read_text(encoding="utf-8")
    assert summary.count(named) == 2
    assert all(f"`{case.get('name')}`" in summary for case in failed)


def test_each_input_is_owed_what_it_moved(place):
    """The movement less that of the other change alone, solved here without the gate."""
    drier(place)
    alone = wateropt.solve(wateropt.load(str(place / "small.yaml"))).objective
    thirstier(place)
    found = report(place)
    both = next(one for one in found.compared if (one.run, one.name) == ("small", "objective"))
    shares = {cause.words.split(",")[0]: cause.shares["objective"] for cause in found.causes["small"]}
    assert set(shares) == {"basin/inflow_flow.csv", "basin/demand_requirement.csv"}
    assert shares["basin/demand_requirement.csv"] == pytest.approx(both.new - alone, abs=1e-6)
    assert shares["basin/demand_requirement.csv"] > 0.1


def test_of_long_cases_the_marginal_values_tell(place, monkeypatch):
    """To first order the same as solving again, and told as such; it is known of data and of the objective only."""
    drier(place, 0.9999)
    thirstier(place, 1.0001)
    scale(place / "basin" / "powerhouse.csv", "efficiency", 0.999, powerhouse="low")
    exact = report(place).causes
    assert set(exact) == {"small", "small-fixed-head"}
    monkeypatch.setattr(tasks, "LONG", 0)
    for run_name, told in report(place).causes.items():
        known = {cause.words: cause.shares for cause in told}
        for cause in exact[run_name]:
            shares = known[cause.words]
            if "powerhouse" in cause.words:
                assert not shares
            else:
                assert set(shares) == {"objective"}
                assert shares["objective"] == pytest.approx(cause.shares["objective"], rel=0.05, abs=1e-5)


def test_every_input_can_be_put_back(accepted):
    """Put back to another value, it has that value and nothing else has changed."""
    case = wateropt.load(str(accepted / "small.yaml"))
    now = inputs_of(case)
    tried = 0
    for place, value in now.items():
        if place in (Place("scenario", "horizon", word) for word in ("start", "end", "step")) or place.table == "suite":
            continue
        other = other_value(value)
        back = changed_back(case, [InputChange(place, other, value)])
        then = inputs_of(back)
        assert {key: then[key] for key in now if then[key] != now[key]} == {place: other}
        tried += 1
    assert tried > 200


def other_value(value):
    """A value unlike another one, of its kind."""
    if isinstance(value, list):
        return [None if v is None else float(f"{2 * v + 1:.10g}") for v in value]
    return "another" if isinstance(value, str) else 1.5 if value is None else float(f"{2 * value + 1:.10g}")


def test_many_changes_are_told_by_file(place, monkeypatch):
    """More inputs than are solved again one by one stand together."""
    monkeypatch.setattr(causes, "MOST", 1)
    scale(place / "basin" / "grid_load.csv", "load_mw", 1.1)
    (cause,) = report(place).causes["small"]
    assert cause.words.startswith("basin/grid_load.csv, load_mw: 2 numbers changed")


def test_changes_that_move_nothing_are_told(run, place):
    """Outside of the horizon, or within the tolerance."""
    scale(place / "basin" / "sea_target.csv", "target_m3s", 2, month="7")
    code, _, err = run(place)
    assert code == 0
    assert "basin/sea_target.csv: changed, but nothing in it that a run uses" in err


# ---- accepting ------------------------------------------------------------------------------------------


def test_update_writes_a_row_for_each_quantity_that_moved(run, place):
    """Old, new and which input; the table goes on where it ended; then the gate is content."""
    drier(place)
    moved = report(place).moved
    assert run(place, "--update")[0] == 0
    rows = read_changelog(place / "suite.yaml").rows
    count = read_baseline(place / "suite.baseline.json").count
    assert [row.what for row in rows[-3:]] == [f"seal of {count} values"] * 2 + ["b"]  # the newest first
    new = {(row.scenario, row.what): row for row in rows[:-3]}
    assert set(new) == {(f"`{one.run}`", f"`{one.name}`, {one.unit}") for one in moved}
    cost = new["`small`", "`objective`, MUSD"]
    assert float(cost.new) > float(cost.old)
    assert "basin/inflow_flow.csv, river, flow_m3s: 100 -> 95 (-5 %)" in cost.why
    text = (place / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith(CHANGELOG.split("| 0.0", maxsplit=1)[0])
    assert text.endswith("\n\n## 0.0\n\n- x\n")
    assert run(place)[0] == 0


def test_what_stays_within_its_tolerance_is_not_accepted(run, place):
    """Small movements add up against the value that was accepted last."""
    before = content(place)
    thirstier(place, 1.0000001)
    assert run(place, "--update")[0] == 0
    after = content(place)
    assert {path for path in before if before[path] != after[path]} == {place / "basin" / "demand_requirement.csv"}


def test_a_baseline_that_was_edited_is_refused(run, place):
    """Whether or not the quantity has a row of its own."""
    drier(place)
    run(place, "--update")
    file = place / "suite.baseline.json"
    text = file.read_text()
    line = next(line for line in text.splitlines() if '"objective"' in line)
    number, name, value, unit = json.loads(line.rstrip(","))
    file.write_text(text.replace(line, json.dumps([number, name, value + 1, unit]) + ","))
    code, out, err = run(place, "--update")
    assert (code, out) == (3, "")
    assert "was changed without a row in CHANGELOG.md" in err
    assert f"small, objective: is {value + 1:.6g}, but {value:.6g}" in err


def test_a_movement_without_a_changed_input_is_the_programs(place, run):
    """A baseline of another version, accepted with it."""
    file = place / "suite.baseline.json"
    known = read_baseline(file)
    recorded = known.runs["small"]
    cost = recorded.values["objective"]
    recorded = replace(recorded, values={**recorded.values, "objective": cost._replace(value=cost.value - 1)})
    known = replace(known, versions={**known.versions, "highspy": "0.1"}, runs={**known.runs, "small": recorded})
    changelog = read_changelog(place / "suite.yaml")
    file.write_text(known.text())
    changelog.path.write_text(changelog.text_with([seal_row(None, known, "made")]))
    code, out, _ = run(place)
    assert code == 6
    assert "no input changed: highspy 0.1 -> " in out


def test_releases_that_are_held_are_inputs_too(place, run):
    """A run with a schedule from a file beside the suite; of another schedule it is told by how much it differs."""
    suite = {**SUITE, "runs": [{"scenario": "small.yaml", "hold": "releases.csv"}]}
    (place / "suite.yaml").write_text(yaml.safe_dump(suite))
    schedule = "reservoir,start,days,release_m3s\nlake,2023-01-01,31,100\nlake,2023-02-01,28,%d\n"
    (place / "releases.csv").write_text(schedule % 100)
    assert run(place, "--update")[0] == 0
    assert list(read_baseline(place / "suite.baseline.json").runs) == ["small-held"]
    assert run(place)[0] == 0
    (place / "releases.csv").write_text(schedule % 90)
    code, out, _ = run(place)
    assert code == 6
    assert "suite.yaml, lake, held release: mean 100 -> 95 (-5 %) in 1 of 2 periods" in out


def test_a_suite_that_asks_otherwise_is_a_movement_too(place, run):
    """A quantity more, a run less: accepted with a row for each quantity."""
    suite = {**SUITE, "runs": [{"scenario": "small.yaml"}],
             "quantities": [*SUITE["quantities"], {"quantity": "water_value", "absolute": 1e-3}]}
    (place / "suite.yaml").write_text(yaml.safe_dump(suite))
    gone = read_baseline(place / "suite.baseline.json").runs["small-fixed-head"].values
    code, out, _ = run(place)
    assert code == 6
    assert "water_value:lake/2023-non-growing: – -> " in out
    assert out.count("is gone") == len(gone)
    assert run(place, "--update")[0] == 0
    rows = read_changelog(place / "suite.yaml").rows[:-2]
    assert [row.why for row in rows[:-1]] == ["the suite asks otherwise than before"] * (len(gone) + 1)
    assert [row.old for row in rows].count("–") == 1
    assert run(place)[0] == 0


@pytest.mark.parametrize("text", [None, "# Changelog\n", f"{HEADING}\n\n| a | b |\n|---|---|\n"])
def test_without_a_table_nothing_is_accepted(run, place, text):
    """The error says what to add."""
    drier(place)
    (place / "CHANGELOG.md").unlink()
    if text:
        (place / "CHANGELOG.md").write_text(text)
    (place / ".git").mkdir()  # the repository ends here
    before = content(place)
    code, out, err = run(place, "--update")
    assert (code, out) == (3, "")
    assert HEADER in err
    assert content(place) == before


def test_both_files_are_written_or_none(run, place, monkeypatch):
    """The second cannot be replaced: the first is as it was, and nothing temporary is left."""
    drier(place)
    before = content(place)
    move = Path.replace

    def refuse(path, target):
        if Path(target).name == "CHANGELOG.md":
            raise PermissionError(13, "denied", str(target))
        return move(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    code, _, err = run(place, "--update")
    assert code == 8
    assert "nothing was changed" in err
    assert content(place) == before


# ---- what is wrong --------------------------------------------------------------------------------------


def test_everything_that_is_wrong_with_a_suite_is_told(place, run):
    """In one error, before anything is solved."""
    suite = {**SUITE, "runs": [{"scenario": "smal.yaml"}, {"scenario": "small.yaml"}, {"scenario": "small.yaml"}],
             "quantities": [{"quantity": "objectiv", "absolute": 1}]}
    (place / "suite.yaml").write_text(yaml.safe_dump(suite))
    code, _, err = run(place, "--junit", place / "gate.xml")
    assert code == 3
    for words in ("runs.0.scenario: no scenario `smal.yaml`", "runs.1.name: two runs are called `small`",
                  "quantities.0.quantity: no quantity `objectiv`; did you mean `objective`?"):
        assert words in err
    assert not (place / "gate.xml").exists()


@pytest.mark.parametrize(("row", "words"), [
    ({"quantity": "account", "which": "A/unserved_enrgy"}, "quantity, account `A/unserved_enrgy`; did you mean"),
    ({"quantity": "release", "which": "lake", "absolut": 1}, "did you mean `absolute`?"),
    ({"quantity": "release", "absolute": -1}, "quantities.0.absolute: is `-1`"),
])
def test_a_row_that_fits_nothing_is_told(place, run, row, words):
    """With the nearest id or key, and nothing is written."""
    (place / "suite.yaml").write_text(yaml.safe_dump({**SUITE, "quantities": [row]}))
    before = content(place)
    code, out, err = run(place, "--update")
    assert (code, out) == (3, "")
    assert words in err
    assert content(place) == before


@pytest.mark.parametrize(("text", "words"), [
    ('{"schema": 7}', "schema: is 7; this wateropt reads 1"), ("[]", "is no baseline"), ('{"schema": 1}', "suite: is"),
    ('{"schema": 1, "suite": "s", "versions": {}, "files": {}, "runs": ["a"], "values": [[1, "x"]], "inputs": []}',
     "is no baseline"), (None, "is missing in"),
])
def test_a_baseline_that_cannot_be_read_is_told(place, run, text, words):
    """Of another schema, cut off, or not there."""
    file = place / "suite.baseline.json"
    file.unlink()
    if text:
        file.write_text(text)
    code, out, err = run(place)
    assert (code, out) == (3, "")
    assert words in err


def test_a_run_without_a_schedule_is_an_error_and_is_not_accepted(place, run):
    """Its code is that of the run; the others are compared."""
    scenario = place / "small.yaml"
    thirst = json.loads(scenario.read_text())
    thirst["policies"] = [{"kind": "storage_target", "clause": "date", "reservoir": "lake", "sense": "<=", "month": 1,
                           "quantity_hm3": 0}]
    scenario.with_name("none.yaml").write_text(json.dumps({**thirst, "changes": [
        {"table": "reservoir", "column": "minimum_storage", "set": 300}]}))
    (place / "suite.yaml").write_text(yaml.safe_dump(
        {**SUITE, "runs": [*SUITE["runs"], {"scenario": "none.yaml"}]}))
    before = content(place)
    code, out, err = run(place, "--update")
    assert code == 4
    assert "none: no schedule" in out
    assert "no schedule for none" in err
    assert content(place) == before


# ---- what is shipped ------------------------------------------------------------------------------------


def test_the_shipped_suite_is_no_scenario_and_its_baseline_is_in_the_changelog():
    """Every run is there, and the table of changed results seals its values."""
    suite = read_suite(CI)
    assert "ci" not in shipped_scenarios()
    baseline = read_baseline(CI.with_name("ci.baseline.json"))
    assert set(baseline.runs) == {row.name for _, row in suite.rows}
    changelog = Path(__file__).parents[1] / "CHANGELOG.md"
    check_baseline(baseline, read_changelog(changelog.with_name("suite.yaml")), "ci.baseline.json")
    with pytest.raises(DataError, match="without a row"):
        check_baseline(replace(baseline, runs={}), read_changelog(changelog), "ci.baseline.json")


@pytest.mark.slow
def test_the_shipped_suite_notices_five_percent_of_each_inflow(tmp_path, run):
    """Of a copy of the basin; and it passes without, with one worker as with two."""
    shutil.copytree(shipped("basins") / "naryn-syrdarya", tmp_path / "copied")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    base = find_scenario("dry-2023").read_text().replace("basin: naryn-syrdarya", "basin: copied")
    (tmp_path / "dry-2023.yaml").write_text(base)
    shutil.copy(find_scenario("dry-2023-monthly"), tmp_path)
    whole = yaml.safe_load(CI.read_text())
    runs = [{**one, "scenario": f"{one['scenario']}.yaml"} for one in whole["runs"]
            if one["scenario"] in ("dry-2023", "dry-2023-monthly")]
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump({**whole, "runs": runs}))
    assert run(tmp_path, "--update")[0] == 0
    assert run(tmp_path)[0] == 0
    table = tmp_path / "copied" / "inflow_flow.csv"
    before = table.read_bytes()
    for inflow in ("naryn", "andijan", "charvak", "keles", "ugam"):
        scale(table, "flow_m3s", 0.95, inflow=inflow)
        code, out, _ = run(tmp_path)
        assert code == 6, inflow
        assert out.count(f"[1] copied/inflow_flow.csv, {inflow}, flow_m3s: mean") == len(runs)
        table.write_bytes(before)


@pytest.mark.slow
def test_workers_change_nothing(place, run):
    """The same words and the same files."""
    drier(place)
    said = [run(place, "--workers", number, "--junit", place / f"{number}.xml")[1] for number in (1, 2)]
    assert said[0] == said[1]
    assert (place / "1.xml").read_bytes() == (place / "2.xml").read_bytes()
