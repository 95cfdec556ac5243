"""Sweeps: every run is what a scenario with the same change is, whatever is kept loaded and whoever solves it."""

import csv
import shutil

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner

import wateropt
from small import SmallBasin
from wateropt.changes import Change
from wateropt.cli import commands
from wateropt.errors import DataError
from wateropt.shipped import shipped
from wateropt.studies.sensitivity import sweep
from wateropt.studies.sensitivity.design import Design, Factor, find_design, read_design
from wateropt.studies.sensitivity.plan import make_plan

FACTORS = [
    ("inflow_flow", "flow_m3s", {"inflow": "naryn"}, 0.9),
    ("demand_requirement", "requirement_m3s", {"country": "KZ"}, 1.3),
    ("grid_load", "load_mw", {"grid": "kg"}, 1.05),
    ("exchange_step", "price_usd_per_mwh", {"direction": "supply"}, 1.2),
    ("powerhouse", "efficiency", {"powerhouse": "toktogul"}, 0.95),
    ("powerhouse", "capacity_mw", {"powerhouse": "toktogul"}, 0.7),
    ("canal", "capacity_m3s", {"canal": "kyzylkum"}, 0.6),
    ("reach", "loss", {"reach": "arys_kyzylorda"}, 2.0),
    ("reservoir", "full_storage_hm3", {"reservoir": "shardara"}, 0.8),
]


def write_design(folder, factors=FACTORS, **more):
    path = folder / "design.yaml"
    rows = [{"name": f"f{k}", "table": t, "column": c, "where": w, "range": [min(1.0, v), max(1.0, v)]}
            for k, (t, c, w, v) in enumerate(factors)]
    content = {"title": "test", "scenario": "dry-2023-monthly", "method": "one_at_a_time", "factors": rows, **more}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def run(path, folder, workers=1):
    plan = make_plan(read_design(path), path)
    sweep.run_sweep(plan, folder, sweep.open_folder(folder, plan, False), workers=workers)
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    return run(write_design(folder), folder / "out")


@pytest.mark.parametrize("number", range(len(FACTORS)))
def test_a_run_costs_what_a_scenario_with_that_change_costs(runs, monthly, number):
    """Bounds, costs, limits and entries of the loaded LP are overwritten; a case built anew agrees."""
    table, column, where, factor = FACTORS[number]
    row = next(r for r in runs if float(r[f"f{number}"]) == factor)
    anew = wateropt.solve(monthly.with_change(Change(table=table, column=column, where=where, multiply=factor)),
                          choose=False)
    assert float(row["objective_musd"]) == pytest.approx(anew.objective, abs=2e-4 * abs(anew.objective))


def test_the_base_run_is_the_scenario(runs, monthly_result):
    """Factors of one change nothing."""
    assert float(runs[0]["objective_musd"]) == pytest.approx(monthly_result.objective, rel=1e-5)


def test_no_run_remembers_the_one_before(runs, tmp_path):
    """The same change among others, and alone."""
    alone = run(write_design(tmp_path, FACTORS[4:5]), tmp_path / "out")
    among = next(r for r in runs if float(r["f4"]) == FACTORS[4][3])
    assert alone[1]["objective_musd"] == among["objective_musd"]


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_bytes(tmp_path):
    path = write_design(tmp_path, FACTORS[:4], method="latin_hypercube", runs=24, seed=1)
    for workers in (1, 2):
        run(path, tmp_path / str(workers), workers)
    assert (tmp_path / "1" / "runs.csv").read_bytes() == (tmp_path / "2" / "runs.csv").read_bytes()


@pytest.mark.slow
def test_the_command_writes_effects_and_charts(tmp_path):
    """A tornado of the factors, worst first; the design can be run again from what was written."""
    out = tmp_path / "out"
    done = CliRunner().invoke(commands, ["sensitivity", str(write_design(tmp_path, FACTORS[:2])), "--out", str(out),
                                         "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert {p.name for p in out.iterdir()} >= {"runs.csv", "effects.csv", "effects.png", "effects.svg", "design.json"}
    first = (out / "runs.csv").read_bytes()
    shutil.move(out / "design.json", tmp_path / "again.json")
    again = CliRunner().invoke(commands, ["sensitivity", str(tmp_path / "again.json"), "--out", str(tmp_path / "b"),
                                          "--workers", "1"])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "b" / "runs.csv").read_bytes() == first


@pytest.mark.parametrize(("change", "told"), [
    ({"method": "sobl"}, "did you mean `sobol`"),
    ({"colour": 1}, "unknown key"),
])
def test_a_wrong_design_is_one_error(tmp_path, change, told):
    with pytest.raises(DataError, match=told):
        read_design(write_design(tmp_path, **change))


def test_a_factor_that_is_not_there_gets_the_nearest_name(tmp_path):
    path = write_design(tmp_path, [("inflow_flow", "flow_m3s", {"inflow": "narin"}, 0.9)])
    with pytest.raises(DataError, match="narin"):
        make_plan(read_design(path), path)


@pytest.mark.parametrize("name", sorted(p.stem for p in (shipped("scenarios") / "sensitivity").glob("*.yaml")))
def test_shipped_designs_are_read(name):
    """By name, from anywhere."""
    assert read_design(find_design(name)).factors


def test_traces_replace_inflows(tmp_path):
    """Traces of a NetCDF file take the place of the basin's inflow; changes come after."""
    basin = SmallBasin().inflow("river", "lake", 50).lake("lake", "sea", minimum_storage_hm3=100).sink("sea", "sea")
    basin.load(tmp_path, opening={"storage": {"lake": 200}, "release": {"lake": 50}})
    times = np.array(["2023-01-01", "2023-02-01"], dtype="datetime64[ns]")
    flows = xr.DataArray([[[40.0], [30.0]], [[60.0], [70.0]]], {"trace": [1, 2], "time": times, "inflow": ["river"]},
                         ("trace", "time", "inflow"), name="flow")
    flows.to_netcdf(tmp_path / "flows.nc", engine="h5netcdf")
    made = Design(scenario="small.yaml", method="grid", factors=[
        Factor(name="water", trace="flows.nc"),
        Factor(name="wetter", table="inflow_flow", column="flow", values=[1.0, 2.0])])
    plan = make_plan(made, tmp_path / "design.yaml")
    assert [plan.row(number) for number in range(4)] == [(1, 1.0), (1, 2.0), (2, 1.0), (2, 2.0)]
    assert plan.vary(3).book.series["inflow"]["flow"]["river"].tolist() == [120, 140]
