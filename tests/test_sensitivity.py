"""`wateropt sensitivity`: designs, runs on a loaded LP, files that go on where they stopped, indices that are right."""

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import wateropt
from small import SmallBasin
from wateropt.changes import Change, change_targets
from wateropt.cli import commands
from wateropt.condensed import Condensed, CondensedHighs
from wateropt.errors import DataError, OutputError, UsageError
from wateropt.horizon import Horizon
from wateropt.scenario import build_case, load_case, shipped_scenarios, vary_case
from wateropt.solving import LiveCase, solve
from wateropt.studies.sensitivity import sweep
from wateropt.studies.sensitivity.design import Design, Factor, find_design, read_design, shipped_designs
from wateropt.studies.sensitivity.engine import Answer, Engine, Runner
from wateropt.studies.sensitivity.plan import Base, make_plan, start, vary
from wateropt.studies.sensitivity.sampling import sample

LOAD = Factor(name="load", table="grid_load", column="load_mw", range=(0.5, 1.5))
PRICE = Factor(name="price", table="exchange_step", column="price", by="add", range=(-10, 10))


def bought(folder, **grid):
    """A grid of 100 MW that buys all it needs at 50 USD/MWh, 59 days: 7.08 MUSD."""
    basin = SmallBasin().inflow("river", "end_of_river", 1).sink("sea", "end_of_river")
    basin.grid(load=100).exchange("seller", "supply", 50, **grid)
    basin.load(folder)
    return folder / "small.yaml"


def design(folder, *factors, method="one_at_a_time", **more):
    """A plan of the small basin and the folder for its sweep."""
    bought(folder)
    made = Design(scenario="small.yaml", method=method, factors=list(factors or (LOAD, PRICE)), **more)
    return make_plan(made, folder / "design.yaml")


def swept(plan, folder, **options):
    """The rows of a sweep."""
    state = sweep.open_folder(folder, plan)
    sweep.run_sweep(plan, folder, state, **options)
    return sweep.read_runs(folder)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- the LP ------------------------------------------------------------------------------------------------


def overwritten(engine, case):
    """The numbers of the base's LP with the patch of a case: bounds, limits, and the entries by row and column."""
    patch, lp = engine.patch(case), engine._kept.lp
    arrays = [getattr(lp, name).copy() for name in ("lower", "upper", "row_lower", "row_upper")]
    arrays[0][patch.columns], arrays[1][patch.columns] = patch.lower, patch.upper
    arrays[2][patch.rows], arrays[3][patch.rows] = patch.row_lower, patch.row_upper
    found = entries(lp)
    found |= {(r, c): v for r, c, v in zip(patch.entry_rows.tolist(), patch.entry_columns.tolist(),
                                           patch.entries.tolist(), strict=True)}
    return arrays, {place: value for place, value in found.items() if value}


def entries(lp):
    rows = np.repeat(np.arange(len(lp.row_lower)), np.diff(lp.row_start))
    return dict(zip(zip(rows.tolist(), lp.column.tolist(), strict=True), lp.value.tolist(), strict=True))


def same_lp(engine, case):
    arrays, found = overwritten(engine, case)
    lp = LiveCase(case).lp
    others = [getattr(lp, name) for name in ("lower", "upper", "row_lower", "row_upper")]
    return all(map(np.array_equal, arrays, others)) and found == entries(lp)


def engine_of(case):
    return Engine(Base(case, start(LiveCase(case), True)), True)


def test_a_patched_lp_is_the_lp_of_the_changed_scenario(monthly):
    """Bounds, slots, openings and head: laid out anew from the scenario the numbers are the same."""
    engine = engine_of(monthly)
    changes = [Change(table="inflow_flow", column="flow", where={"inflow": "naryn", "month": [5, 6]}, multiply=0.9),
               Change(table="powerhouse", column="efficiency", where={"powerhouse": "toktogul"}, multiply=0.95),
               Change(table="reach", column="loss", multiply=1.2),
               Change(table="demand", column="value", where={"country": "KZ"}, multiply=1.1)]
    factor = Factor(name="x", opening={"storage": "toktogul"}, by="add", range=(-100, 100))
    made = Design(scenario="s", method="grid", factors=[factor])
    varied = vary_case(vary(monthly, made, (100.0,), {}), changes)
    opening = monthly.book.opening["storage"]["toktogul"] + 100
    scenario = monthly.scenario.model_copy(update={"opening": {"storage": {"toktogul": opening}}, "changes": changes})
    anew = build_case("x", scenario, monthly.unchanged)
    assert same_lp(engine, anew)
    assert Horizon(varied).lp().is_like(Horizon(anew).lp())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dry-2023-joined-kambarata-1", "dry-2023-projects", "dry-2023-swap-2021"])
def test_every_number_that_can_be_changed_is_patched_rightly(name):
    """Each number column of each table in turn, a few percent off: no equation holds a number that a patch misses."""
    case = load_case(name)
    engine = engine_of(case)
    checked = 0
    for table, target in change_targets().items():
        for column in (c for c in target.columns if c.is_number):
            for factor in (1.03, 0.97):
                try:
                    varied = case.with_change(Change(table=table, column=column.name, multiply=factor))
                except DataError:
                    continue
                assert engine.patch(varied) is None or same_lp(engine, varied), (table, column.name)
                checked += 1
                break
    assert checked > 30


def test_the_condensed_lp_has_the_optimum_of_the_whole_one(monthly):
    """Half of the rows are left out, and what is computed for them obeys them."""
    live = LiveCase(monthly)
    lp = live.horizon.lp(zeros=True)
    highs = CondensedHighs(lp, live.horizon.fixed())
    found = highs.solve()
    assert found.objective == pytest.approx(live.solve_cost().objective, rel=1e-9)
    row = np.bincount(np.repeat(np.arange(len(lp.row_lower)), np.diff(lp.row_start)), lp.value * found.x[lp.column])
    room = 1e-7 * np.maximum(np.abs(row), 1.0)
    assert ((row >= lp.row_lower - room) & (row <= lp.row_upper + room)).all()
    assert ((found.x >= lp.lower - 1e-7) & (found.x <= lp.upper + 1e-7)).all()
    assert len(Condensed.of(lp, live.horizon.fixed()).rows) < 0.6 * len(lp.row_lower)


def test_a_condensed_lp_that_no_longer_fits_says_so(monthly):
    """A datum that is let go cannot be moved to the right-hand side; a bound that is too low is no schedule."""
    live = LiveCase(monthly)
    highs = CondensedHighs(live.horizon.lp(zeros=True), live.horizon.fixed())
    column = live.horizon.columns_of("inflow", "naryn")[:1]
    highs.change_bounds(column, np.array([0.0]), np.array([1e3]))
    assert highs.solve().status == "not alike"
    highs.reload()
    full = live.horizon.columns_of("storage", "toktogul")[-1:]
    highs.change_bounds(full, np.array([1e6]), np.array([1e6]))
    assert highs.solve().status == "infeasible"
    highs.reload()
    assert highs.solve().status == "optimal"


def test_a_gain_that_turns_into_a_claim_is_laid_out_anew(tmp_path):
    basin = SmallBasin().inflow("river", "town", 10).gain("seep", "town", 2, 1.0).sink("sea", "town")
    basin.load(tmp_path)
    case = wateropt.load(str(tmp_path / "small.yaml"))
    engine = engine_of(case)
    assert engine.patch(case.with_change(Change(table="gain_flow", column="flow", multiply=1.1))) is not None
    claim = case.with_change(Change(table="gain_flow", column="flow", add=-14))
    assert engine.patch(claim) is None
    assert engine.solve(claim).values["objective_musd"] == pytest.approx(solve(claim).objective)
    assert engine.rebuilt == 1


# ---- runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixed_head", [True, False])
def test_one_at_a_time_is_the_scenario_solved_again(monthly, fixed_head):
    factors = [Factor(name="naryn", table="inflow_flow", column="flow", where={"inflow": "naryn"}, range=(0.97, 1.03)),
               Factor(name="canal", table="reach", column="loss", range=(0.9, 1.1))]
    plan = make_plan(Design(scenario="dry-2023-monthly", method="one_at_a_time", factors=factors,
                            fixed_head=fixed_head), Path("x.yaml"))
    runner = Runner(plan)
    for run in range(len(plan)):
        case = monthly
        for factor, value in zip(factors, plan.row(run), strict=True):
            case = case.with_change(Change(table=factor.table, column=factor.column, where=factor.where,
                                           multiply=value))
        true = solve(case, fixed_head=fixed_head, choose=False)
        answer = runner.solve(run)
        assert answer.values["objective_musd"] == pytest.approx(true.objective, rel=1e-9 if fixed_head else 2e-5)
        assert answer.values["account_KG_musd"] == pytest.approx(true.account("KG"), rel=1e-2)
    assert [engine.rebuilt for engine in runner._engines.values()] == [0]


def test_a_run_gives_the_same_row_in_any_order(tmp_path):
    plan = design(tmp_path, method="latin_hypercube", runs=12)
    forth, back = Runner(plan), Runner(plan)
    rows = [forth.solve(run) for run in range(12)]
    assert rows == [back.solve(run) for run in reversed(range(12))][::-1]


def test_energy_bought_costs_load_times_price(tmp_path):
    rows = swept(design(tmp_path), tmp_path / "out")
    hours = 59 * 24
    assert [float(row["objective_musd"]) for row in rows] == pytest.approx(
        [load * 100 * hours * price / 1e6 for load, price in ((1, 50), (0.5, 50), (1.5, 50), (1, 40), (1, 60))])
    assert [row["load"] for row in rows] == ["1", "0.5", "1.5", "1", "1"]


def test_a_run_without_a_schedule_is_a_row_with_its_reason(tmp_path):
    """A least release that there is no water for."""
    basin = SmallBasin().inflow("river", "lake", 50).lake("lake", "sea", minimum_storage_hm3=100).sink("sea", "sea")
    basin.load(tmp_path, opening={"storage": {"lake": 200}, "release": {"lake": 50}})
    made = Design(scenario="small.yaml", method="one_at_a_time", factors=[
        Factor(name="least", table="reservoir", column="minimum_release", by="set", values=[10, 500]),
        Factor(name="low", opening={"storage": "lake"}, by="set", values=[150, 300])])
    rows = swept(make_plan(made, tmp_path / "design.yaml"), tmp_path / "out")
    assert [row["status"] for row in rows] == ["optimal", "optimal", "no schedule", "optimal", "optimal"]
    assert "lake" in rows[2]["reason"]
    assert rows[2]["objective_musd"] == ""


def test_values_that_do_not_fit_together_are_a_row_with_the_reason(tmp_path):
    """Each price alone is fine, but not buying cheaper than selling."""
    basin = SmallBasin().inflow("river", "end_of_river", 1).sink("sea", "end_of_river")
    basin.grid(load=100).exchange("seller", "supply", 50).exchange("buyer", "absorb", 30)
    basin.load(tmp_path)
    made = Design(scenario="small.yaml", method="grid", points=2, factors=[
        Factor(name=name, table="exchange_step", column="price", where={"exchange": name}, by="set", range=ends)
        for name, ends in (("seller", (35, 50)), ("buyer", (20, 45)))])
    rows = swept(make_plan(made, tmp_path / "design.yaml"), tmp_path / "out")
    assert [row["status"] for row in rows] == ["optimal", "wrong data", "optimal", "optimal"]
    assert "cheaper" in rows[1]["reason"]


def test_traces_replace_inflows(tmp_path):
    import xarray as xr

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
    assert [plan.row(run) for run in range(4)] == [(1, 1.0), (1, 2.0), (2, 1.0), (2, 2.0)]
    assert plan.vary(3).book.series["inflow"]["flow"]["river"].tolist() == [120, 140]
    wrong = made.model_copy(update={"factors": [Factor(name="water", trace="flows.nc", values=[1, 3])]})
    with pytest.raises(DataError, match="no trace `3`"):
        make_plan(wrong, tmp_path / "design.yaml")


def test_hydrological_years_and_scenarios_are_alternatives():
    made = Design(scenario="dry-2023-monthly", method="grid", fixed_head=True, outputs=["objective_musd"],
                  factors=[Factor(name="year", hydrology=[2023, 2024])])
    plan = make_plan(made, Path("x.yaml"))
    found = [Runner(plan).solve(run).values["objective_musd"] for run in range(2)]
    case = load_case("dry-2023-monthly")
    wet = build_case("wet", case.scenario.model_copy(update={"hydrology": 2024}), case.unchanged)
    assert found == pytest.approx([solve(each, fixed_head=True, choose=False).objective for each in (case, wet)])


# ---- files -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_workers(tmp_path):
    plan = design(tmp_path, method="latin_hypercube", runs=25)
    for workers in (1, 2):
        swept(plan, tmp_path / f"out{workers}", workers=workers)
        sweep.write_effects(plan, tmp_path / f"out{workers}")
    assert bytes_of(tmp_path / "out1") == bytes_of(tmp_path / "out2")
    assert set(bytes_of(tmp_path / "out1")) == {"design.json", "runs.csv", "effects.csv", "effects.png", "effects.svg"}


def test_an_interrupted_sweep_goes_on(tmp_path):
    plan = design(tmp_path, method="latin_hypercube", runs=35)
    swept(plan, tmp_path / "whole")

    def stop(done, failed, before):
        if done == 17:
            raise KeyboardInterrupt

    folder = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        sweep.run_sweep(plan, folder, sweep.open_folder(folder, plan), tell=stop)
    assert not (folder / "runs.csv").exists()
    with (folder / ".runs.csv.part").open("a") as file:
        file.write("10,small,0.9")  # a row that was cut off
    state = sweep.open_folder(folder, plan)
    assert state.done == 10
    told = []
    sweep.run_sweep(plan, folder, state, tell=lambda *counts: told.append(counts))
    assert (told[0], told[-1]) == ((11, 0, 10), (35, 0, 10))
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")


def test_another_design_does_not_go_on_in_the_same_folder(tmp_path):
    first = design(tmp_path)
    swept(first, tmp_path / "out")
    other = design(tmp_path, LOAD.model_copy(update={"range": (0.4, 1.5)}), PRICE)
    with pytest.raises(OutputError, match=r"another design .*design\.factors.*--anew"):
        sweep.open_folder(tmp_path / "out", other)
    assert sweep.open_folder(tmp_path / "out", other, anew=True).done == 0
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="no sweep of wateropt"):
        sweep.open_folder(tmp_path / "theirs", first, anew=True)


def test_design_json_reproduces_the_sweep(tmp_path):
    plan = design(tmp_path, method="latin_hypercube", runs=5)
    swept(plan, tmp_path / "out")
    again = read_design(tmp_path / "out" / "design.json")
    assert sample(again) == list(plan.rows)
    (tmp_path / "copy.json").write_bytes((tmp_path / "out" / "design.json").read_bytes())
    assert make_plan(again, tmp_path / "copy.json").key == plan.key


class Dying:
    """A runner whose process is killed at some runs, the first time or always."""

    def __init__(self, plan):
        self.runner, self.mark = Runner(plan), Path(os.environ["DYING_AT"])

    def solve(self, run):
        if run == 13 and not self.mark.exists():
            self.mark.write_text("once")
            os.kill(os.getpid(), signal.SIGKILL)
        if run == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.runner.solve(run)


def dying_work(pipe, plan):
    sweep.Runner = Dying
    sweep.work(pipe, plan)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_only_its_run(tmp_path, monkeypatch):
    plan = design(tmp_path, method="latin_hypercube", runs=25)
    whole = swept(plan, tmp_path / "whole")
    monkeypatch.setenv("DYING_AT", str(tmp_path / "mark"))
    real = sweep.pool
    monkeypatch.setattr(sweep, "pool", lambda count, work, given: real(count, dying_work, given))
    rows = swept(plan, tmp_path / "out", workers=2)
    assert (tmp_path / "mark").exists()
    assert [row for row in rows if row["run"] != "4"] == [row for row in whole if row["run"] != "4"]
    assert rows[4]["status"] == sweep.DIED
    assert "code -9" in rows[4]["reason"]


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    plan = design(tmp_path, method="latin_hypercube", runs=25)
    swept(plan, tmp_path / "here")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        swept(plan, tmp_path / "cluster", scheduler=cluster.scheduler_address)
    assert bytes_of(tmp_path / "here") == bytes_of(tmp_path / "cluster")


# ---- effects -----------------------------------------------------------------------------------------------


def linear(method, runs, failing=(), **more):
    """Rows of effects.csv of y = 3 a + 2 b + c with each factor from 0 to 1; some runs have failed."""
    from wateropt.studies.sensitivity.effects import effects
    from wateropt.studies.sensitivity.plan import Plan

    factors = [Factor(name=name, table="t", column="c", range=(0, 1)) for name in "abc"]
    made = Design(scenario="s", method=method, runs=runs, factors=factors, **more)
    rows = sample(made)
    plan = Plan(made, rows, {}, {}, "", {}, ("objective_musd",))
    runs = [{"objective_musd": "" if n in failing else repr(float(np.dot(row, (3, 2, 1)))),
             "reason": "no" if n in failing else ""} for n, row in enumerate(rows)]
    return effects(plan, runs)[1]


SHARES = {"a": 9 / 14, "b": 4 / 14, "c": 1 / 14}  # of the variance of 3 a + 2 b + c


@pytest.mark.parametrize(("method", "runs"), [("sobol", 2560), ("latin_hypercube", 1500)])
def test_indices_of_a_linear_response_are_within_their_intervals(method, runs):
    for row in linear(method, runs):
        if row["index"] in ("S1", "ST"):
            assert row["interval_low"] <= SHARES[row["factor"]] <= row["interval_high"]
            assert row["interval_high"] - row["interval_low"] < 0.3
        elif row["index"] == "regression":
            assert row["value"] == pytest.approx(SHARES[row["factor"]] ** 0.5, abs=0.06)
        else:
            assert row["value"] == pytest.approx(1.0)


@pytest.mark.slow
def test_sobol_of_a_linear_case_is_right_within_its_intervals(tmp_path):
    """Two grids buy what they need at 50 and 30 USD/MWh: the cost is linear in both loads, its variance as 25 : 9."""
    basin = SmallBasin().inflow("river", "end_of_river", 1).sink("sea", "end_of_river")
    for grid, price in (("north", 50), ("south", 30)):
        basin.grid(grid, load=100).exchange(f"seller_{grid}", "supply", price, grid=grid)
    basin.load(tmp_path)
    loads = [Factor(name=grid, table="grid_load", column="load_mw", where={"grid": grid}, range=(0.5, 1.5))
             for grid in ("north", "south")]
    made = Design(scenario="small.yaml", method="sobol", runs=1024, factors=loads, outputs=["objective_musd"])
    plan = make_plan(made, tmp_path / "design.yaml")
    swept(plan, tmp_path / "out", workers=2)
    share = {"north": 25 / 34, "south": 9 / 34}
    rows = sweep.write_effects(plan, tmp_path / "out")
    assert {(row["factor"], row["index"]) for row in rows} == {(g, i) for g in share for i in ("S1", "ST")}
    for row in rows:
        assert row["interval_low"] <= share[row["factor"]] <= row["interval_high"]
        assert row["interval_high"] - row["interval_low"] < 0.3


def test_a_failed_run_takes_its_group_out_and_no_more():
    """Run 7 is in the second group of five; the other indices are as without that group."""
    rows = linear("sobol", 2560, failing=(7,))
    assert {(row["used"], row["failed"], row["runs"]) for row in rows} == {(2555, 1, 2560)}
    assert all(row["interval_low"] <= SHARES[row["factor"]] <= row["interval_high"] for row in rows)


def test_morris_finds_slopes_and_no_curvature():
    rows = {(row["factor"], row["index"]): row["value"] for row in linear("morris", 80, failing=(3,))}
    assert [rows[name, "mu_star"] for name in "abc"] == pytest.approx([3, 2, 1])
    assert [rows[name, "sigma"] for name in "abc"] == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_grid_shares_the_variance():
    rows = {(row["factor"], row["index"]): row["value"] for row in linear("grid", 27)}
    assert [rows[name, "S1"] for name in "abc"] == pytest.approx(list(SHARES.values()))
    assert rows["a", "range_of_means"] == pytest.approx(3)


def test_too_few_runs_give_no_indices_but_a_reason():
    assert {row["note"] for row in linear("latin_hypercube", 10)} == {"10 runs are too few for indices; 24 or more are "
                                                                      "needed"}


def test_a_tornado_has_the_largest_swing_first():
    rows = linear("one_at_a_time", 100)
    assert [(row["factor"], row["swing"]) for row in rows] == [("a", 3), ("b", 2), ("c", 1)]


# ---- the command, and what is wrong ------------------------------------------------------------------------


WRONG = {
    "factors.0 (Load)": ("name: Load", "cannot be its name"),
    "factors.0 (load)": ("range: [1.5, 0.5]", "1.5 to 0.5 is reversed"),
    "factors.0 (load) ": ("range: [1, 1]", "is empty"),
    "factors.0.by": ("by: multiplied", "did you mean `multiply`?"),
    "factors.0.ranges": ("ranges: [0.5, 1]", "did you mean `range`?"),
}
TEXT = {"name": "load", "table": "grid_load", "column": "load_mw", "range": "[0.5, 1.5]", "by": "multiply"}


def written(folder, **changed):
    bought(folder)
    lines = [f"{key}: {value}" for key, value in {**TEXT, **changed}.items() if value]
    path = folder / "mine.yaml"
    path.write_text("scenario: small.yaml\nmethod: one_at_a_time\nfactors:\n  - " + "\n    ".join(lines) + "\n")
    return path


@pytest.mark.parametrize("place", WRONG)
def test_a_wrong_design_says_where_and_what(tmp_path, place):
    text, message = WRONG[place]
    with pytest.raises(DataError) as error:
        read_design(written(tmp_path, **dict([text.split(": ", 1)])))
    assert any(place.strip() in problem.place and message in problem.message for problem in error.value.problems)


@pytest.mark.parametrize(("changed", "message"), [
    ({"table": "grid_lode"}, "did you mean `grid_load`?"),
    ({"column": "lode_mw"}, "did you mean `load_mw`?"),
    ({"where": "{grid: mars}"}, "no row of grid_load matches"),
    ({"range": "[-2, 1]"}, "must be at least 0"),
])
def test_a_factor_outside_what_the_model_takes_is_refused(tmp_path, changed, message):
    path = written(tmp_path, **changed)
    found = CliRunner().invoke(commands, ["sensitivity", str(path), "--out", str(tmp_path / "out")])
    assert isinstance(found.exception, DataError)
    assert message in str(found.exception)
    assert "factors.0 (load)" in str(found.exception)
    assert not (tmp_path / "out").exists()


def test_all_problems_of_a_design_come_at_once(tmp_path):
    bought(tmp_path)
    made = Design(scenario=["small.yaml"], method="grid", outputs=["*"], factors=[
        LOAD.model_copy(update={"table": "nothing"}),
        Factor(name="o", opening={"storage": "sea"}, range=(1, 2)), PRICE.model_copy(update={"column": "cost"})])
    with pytest.raises(DataError) as error:
        make_plan(made, tmp_path / "x.yaml")
    assert [problem.place for problem in error.value.problems] == ["factors.0 (load)", "factors.1 (o)",
                                                                   "factors.2 (price)"]


def test_unknown_outputs_designs_and_too_few_runs(tmp_path):
    with pytest.raises(DataError, match="did you mean `objective_musd`"):
        design(tmp_path, outputs=["objective_musdd"])
    with pytest.raises(UsageError, match="did you mean `dry-2023-oat`"):
        find_design("dry-2023-oaf")
    with pytest.raises(DataError, match="needs 32 or more"):
        design(tmp_path, method="sobol", runs=20)
    with pytest.raises(DataError, match="needs a number of runs"):
        design(tmp_path, method="morris")
    with pytest.raises(DataError, match="the factors make 9"):
        design(tmp_path, method="grid", runs=8)


def test_a_scheduler_that_does_not_answer_is_told_soon(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "PATIENCE", 0.5)
    with pytest.raises(UsageError, match=r"tcp://127.0.0.1:9 .*dask scheduler"):
        sweep.connect("tcp://127.0.0.1:9")


def test_the_command_writes_prints_and_writes_one_run_again(tmp_path):
    path, out = written(tmp_path), tmp_path / "out"
    first = CliRunner().invoke(commands, ["sensitivity", str(path), "--out", str(out), "--workers", "1"])
    assert first.exit_code == 0, first.output
    assert "objective_musd, small.yaml\nfactor" in first.stdout
    assert "0 of 3 runs failed" in first.stderr
    one = CliRunner().invoke(commands, ["sensitivity", str(path), "--out", str(out), "--run", "2"])
    assert one.exit_code == 0, one.output
    with (out / "runs.csv").open() as file:
        row = list(csv.DictReader(file))[2]
    again = json.loads((out / "run-2" / "summary.json").read_text())
    assert again["objective_musd"] == pytest.approx(float(row["objective_musd"]))
    none = CliRunner().invoke(commands, ["sensitivity", str(path), "--out", str(out), "--run", "3"])
    assert isinstance(none.exception, UsageError)


def test_shipped_designs_are_right_and_no_scenarios():
    assert set(shipped_designs()) == {"dry-2023-oat", "dry-2023-lhs", "dry-2023-sobol", "dry-2023-morris"}
    assert not set(shipped_designs()) & set(shipped_scenarios())
    sizes = {name: len(make_plan(read_design(path), path, scheduled=False)) for name, path in shipped_designs().items()}
    assert sizes == {"dry-2023-oat": 16, "dry-2023-morris": 70, "dry-2023-lhs": 200, "dry-2023-sobol": 512}


def test_an_answer_is_a_row_even_with_line_ends(tmp_path):
    plan = design(tmp_path)
    row = sweep.row_of(plan, 0, Answer("no schedule", "one\ntwo", {}))
    assert sweep._line(row).count("\n") == 1
