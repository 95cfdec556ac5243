"""The horizon LP, the full Pyomo model and the exported file are one and the same LP."""

import subprocess

import numpy as np
import pytest
from pyomo.core import Constraint, Var
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

import small
import wateropt
from wateropt.horizon import Horizon, label
from wateropt.report.model_file import write_model
from wateropt.scenario import build_case

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulp")


def laid_out(case, head):
    """Columns, rows and entries of the horizon LP by name."""
    horizon = Horizon(case)
    horizon.stage.slots.update(head)
    lp = horizon.lp()
    columns = {name: (low, high, cost) for name, low, high, cost
               in zip(lp.column_names, lp.lower, lp.upper, lp.cost, strict=True)}
    rows = dict(zip(lp.row_names, zip(lp.row_lower, lp.row_upper, strict=True), strict=True))
    owner = np.repeat(np.arange(len(lp.row_lower)), np.diff(lp.row_start))
    entries = {(lp.row_names[row], lp.column_names[column]): value
               for row, column, value in zip(owner, lp.column, lp.value, strict=True)}
    return columns, rows, entries


def compiled(case, head):
    """The same of the full Pyomo model, as Pyomo's own compiler reads it."""
    model = wateropt.pyomo_model(case, head)
    variables = list(named(case, model, Var))
    names = {id(var): name for var, name in variables}
    labels = {id(row): name for row, name in named(case, model, Constraint)}
    form = LinearStandardFormCompiler().write(model, mixed_form=True)
    cost = dict(zip(map(id, form.columns), form.c.toarray().ravel(), strict=True))
    columns = {name: (_limit(var.lb, -np.inf), _limit(var.ub, np.inf), cost.get(id(var), 0.0))
               for var, name in variables}  # those too that no row holds: the opening of a sum that begins anew
    rows, entries = {}, {}
    matrix = form.A.tocoo()
    for (row, bound), limit in zip(form.rows, form.rhs, strict=True):
        low, high = {0: (limit, limit), 1: (-np.inf, limit), -1: (limit, np.inf)}[bound]
        rows[labels[id(row)]] = (low, high)
    for row, column, value in zip(matrix.row, matrix.col, matrix.data, strict=True):
        entries[labels[id(form.rows[row].constraint)], names[id(form.columns[column])]] = value
    return columns, rows, entries


def named(case, model, kind):
    """Components of every period, named as in the horizon LP; an opening state is the closing one before."""
    days = [day.isoformat() for day in case.calendar.starts]
    for t in model.period:
        for group in model.period[t].component_objects(kind):
            if not group.is_reference():
                for key in group:
                    yield group[key], f"{group.local_name}:{label(key)}@{days[t]}"


def _limit(value, other):
    return other if value is None else value


def assert_same(first, second, what):
    assert sorted(first) == sorted(second), what
    keys = sorted(first)
    np.testing.assert_allclose(np.array([first[k] for k in keys]), np.array([second[k] for k in keys]), rtol=1e-12,
                               atol=1e-13, err_msg=what)


CLAUSES = [
    {"kind": "season_volume", "clause": "soft", "reservoir": "toktogul", "sense": ">=", "first_month": 4,
     "last_month": 9, "quantity_hm3": 6500, "penalty_usd_per_m3": 0.05},
    {"kind": "season_volume", "clause": "hard", "reservoir": "shardara", "sense": "<=", "first_month": 11,
     "last_month": 2, "quantity_hm3": 7000},
    {"kind": "storage_target", "clause": "full", "reservoir": "kairakkum", "sense": ">=", "month": 3,
     "quantity_hm3": 3400, "penalty_usd_per_m3": 0.02},
]


@pytest.fixture(scope="module")
def agreed(monthly):
    return build_case("agreed", monthly.scenario.model_copy(update={"policies": CLAUSES}), monthly.basin)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A small basin with every kind of asset, project and clause, from one dry January to the second March."""
    return small.everything(tmp_path_factory.mktemp("everything"), end="2024-03-31")


@pytest.mark.parametrize("name", ["agreed", pytest.param("dry", marks=pytest.mark.slow), "everything"])
def test_the_full_pyomo_model_is_the_horizon_lp(name, request):
    """Bounds, costs and entries of both are the same, name by name, by months with clauses, by dekads, and of every
    kind of asset and clause."""
    case = request.getfixturevalue(name)
    head = (request.getfixturevalue("dry_result") if name == "dry" else wateropt.solve(case)).run["head"]
    for first, second, what in zip(laid_out(case, head), compiled(case, head), ("columns", "rows", "entries"),
                                   strict=True):
        assert_same(first, second, what)


def cbc():
    """The CBC that comes in PuLP's wheel, or nothing."""
    pulp = pytest.importorskip("pulp")
    solver = pulp.PULP_CBC_CMD(msg=False)
    return solver.path if solver.available() else None


def cost_by_another_solver(path, form):
    """Optimum of a model file by CBC, or by GLPK where there is no CBC."""
    if cbc():
        answer = path.with_suffix(".sol")
        subprocess.run([cbc(), path, "-solve", "-solution", answer], check=True, capture_output=True)
        return float(answer.read_text().splitlines()[0].removeprefix("Optimal - objective value"))
    glpk = pytest.importorskip("swiglpk")
    problem = glpk.glp_create_prob()
    read = {"mps": lambda: glpk.glp_read_mps(problem, glpk.GLP_MPS_FILE, None, str(path)),
            "lp": lambda: glpk.glp_read_lp(problem, None, str(path))}[form]
    assert read() == 0
    assert glpk.glp_simplex(problem, None) == 0
    return glpk.glp_get_obj_val(problem)


@pytest.mark.parametrize("form", ["mps", "lp"])
def test_another_solver_finds_the_same_cost_in_the_exported_file(monthly, tmp_path, form):
    """CBC (or GLPK) solves the exported file to the same cost."""
    path = tmp_path / f"model.{form}"
    cost = write_model(monthly, form, path)
    assert cost_by_another_solver(path, form) == pytest.approx(cost, rel=1e-7)


@pytest.mark.slow
def test_another_solver_finds_the_same_cost_in_the_full_model(monthly):
    """Pyomo hands the full model to CBC, which finds the cost of one LP at fixed head."""
    from pyomo.environ import SolverFactory

    model = wateropt.pyomo_model(monthly)
    SolverFactory("cbc", executable=cbc()).solve(model)
    assert model.cost() == pytest.approx(wateropt.solve(monthly, fixed_head=True).objective, rel=1e-7)
