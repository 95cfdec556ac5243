"""The Python face: the names that `import wateropt` gives, and what they return."""

import subprocess
import sys

import numpy as np
import pytest

import wateropt

NAMES = {"load", "check", "solve", "compare", "pyomo_model", "Result"}


def python(code):
    """What a Python program of its own prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_package_gives_its_public_names_and_no_others():
    """Each public name is there, and a misspelt one is an AttributeError."""
    assert set(wateropt.__all__) == NAMES
    assert all(callable(getattr(wateropt, name)) for name in NAMES)
    with pytest.raises(AttributeError, match="module `wateropt` has no attribute `optimise`"):
        _ = wateropt.optimise


def test_a_bare_import_loads_no_solver():
    """What is heavy is loaded by the first name that needs it."""
    heavy = {"numpy", "pandas", "xarray", "pyomo", "highspy"}
    assert python(f"import sys, wateropt; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_no_module_hides_a_public_name():
    """Public names mean the same whatever was imported before: no module of the package bears one of them."""
    code = ("import importlib, pkgutil, wateropt\n"
            "for m in pkgutil.walk_packages(wateropt.__path__, 'wateropt.'):\n"
            "    if '__main__' not in m.name: importlib.import_module(m.name)\n"
            "print(all(callable(getattr(wateropt, name)) for name in wateropt.__all__))")
    assert python(code) == "True"


def test_a_solve_loads_neither_pandas_nor_xarray():
    """Each takes as long to load as a year takes to solve."""
    code = ("import sys, tempfile, pathlib, wateropt\n"
            "from wateropt.report.files import write_result\n"
            "result = wateropt.solve(wateropt.load('dry-2023-monthly'), fixed_head=True)\n"
            "write_result(result, pathlib.Path(tempfile.mkdtemp()) / 'result')\n"
            "print(sorted({'pandas', 'xarray', 'matplotlib'} & set(sys.modules)))")
    assert python(code) == "[]"


def test_load_gives_a_case_and_solve_a_frozen_result(monthly, monthly_result):
    """A result knows its case, its status and its cost, and cannot be changed."""
    assert monthly.name == "dry-2023-monthly"
    assert isinstance(monthly_result, wateropt.Result)
    assert monthly_result.case is monthly
    assert monthly_result.status == "optimal"
    with pytest.raises(AttributeError):
        monthly_result.objective = 0.0


def test_the_accounts_of_a_result_sum_to_its_cost(monthly_result):
    """Countries, items and kinds are shares of one sum."""
    total = monthly_result.account()
    assert total == pytest.approx(monthly_result.objective, rel=1e-6)
    countries = {line.place[0] for line in monthly_result.ledger("account")}
    assert sum(monthly_result.account(country) for country in countries) == pytest.approx(total)
    assert sum(monthly_result.account(kind=kind) for kind in ("money", "transfer", "penalty")) == pytest.approx(total)


def test_a_result_answers_by_name(monthly_result):
    """Storages, water values and prices are series along the calendar; what is not there is zero."""
    periods = len(monthly_result.case.calendar)
    for series in (monthly_result.values.get("storage", "toktogul"), monthly_result.water_value("toktogul"),
                   monthly_result.price("kg", "peak")):
        assert series.shape == (periods,)
    assert monthly_result.values.with_opening("storage", "toktogul").shape == (periods + 1,)
    assert not np.any(monthly_result.values.get("storage", "atlantis"))


def test_check_gives_the_budget_that_a_scenario_has(monthly):
    """Each season once for water and once for each grid with a load; a gap is what is asked and not given."""
    lines = wateropt.check("dry-2023-monthly")
    grids = {grid for grid, _ in monthly.book.series["grid"]["load"]}
    assert [(line.season, line.unit) for line in lines] == [
        (season, unit) for season in ("2023 non-growing", "2023 growing") for unit in ("hm3", *["GWh"] * len(grids))]
    assert all(line.gap == line.required - line.available for line in lines)
    assert wateropt.check("naryn-syrdarya") == []


def test_progress_is_told_to_whoever_asks(monthly):
    """`tell` is called with lines for people; without it, nothing is printed."""
    said = []
    wateropt.solve(monthly, fixed_head=True, tell=said.append)
    assert "columns" in said[0]


def test_solving_twice_gives_the_same_numbers(monthly, monthly_result):
    """One thread, one seed, sorted tables: not one bit differs."""
    again = wateropt.solve(monthly)
    assert again.objective == monthly_result.objective
    assert all(np.array_equal(values, again.values.amounts[key])
               for key, values in monthly_result.values.amounts.items())


def test_the_full_model_is_a_pyomo_model(monthly):
    """One block for each period."""
    model = wateropt.pyomo_model(monthly)
    assert len(model.period) == len(monthly.calendar)
