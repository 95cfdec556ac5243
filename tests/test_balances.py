"""Water and energy neither appear nor vanish: the written tables close every balance with the inputs alone."""

import copy
import csv
import json
import random
import shutil
from pathlib import Path

import pytest

import wateropt
from balances import Run, gaps, residuals
from wateropt.basin import find_basin
from wateropt.report.files import write_result

PHYSICAL = {
    "release_schedule": ("inflow_m3s", "turbine_m3s", "bypass_m3s", "spill_m3s", "release_m3s", "withdrawal_m3s",
                         "evaporation_hm3", "storage_hm3", "elevation_m", "energy_gwh"),
    "plants": ("turbine_m3s", "head_m", "energy_gwh", "capacity_mw"),
    "reaches": ("entered_hm3", "arrived_hm3", "loss_hm3", "in_transit_hm3"),
    "nodes": ("volume_hm3",),
    "deliveries": ("requirement_hm3", "delivery_hm3", "shortage_hm3"),
    "energy": ("load_gwh", "hydro_gwh", "other_hydro_gwh", "thermal_gwh", "import_gwh", "export_gwh", "exchange_gwh",
               "unserved_gwh"),
    "links": ("sent_gwh", "lost_gwh", "limit_mw"),
}
BASIN = "naryn-syrdarya"


@pytest.mark.parametrize("name", ["dry", pytest.param("normal", marks=pytest.mark.slow),
                                  pytest.param("monthly", marks=pytest.mark.slow)])
def test_every_balance_closes(name, request, tmp_path):
    """Lakes, plants, reaches, nodes, demands, grids and links close in every shipped year."""
    write_result(request.getfixturevalue(f"{name}_result"), tmp_path / "out")
    assert residuals(tmp_path / "out", find_basin(BASIN)) == []


OTHERS = {"chu-talas": "dry-2023-chu-talas", "naryn-syrdarya-kambarata-1": "dry-2023-kambarata-1",
          "naryn-syrdarya-projects": "dry-2023-projects", "chu-talas-projects": "dry-2023-regulation-pools",
          "kyrgyz-kazakh": "dry-2023-joined"}


@pytest.mark.slow
@pytest.mark.parametrize("basin", OTHERS)
def test_every_balance_closes_in_the_other_basins(basin, tmp_path):
    """Return flows, parts of inflows, what is laid over a basin or joined, and what is built close as well."""
    case = wateropt.load(OTHERS[basin])
    assert case.basin.name == basin
    write_result(wateropt.solve(case), tmp_path / "out")
    assert residuals(tmp_path / "out", find_basin(basin)) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A year in which fields and towns ask for twice the water and Kyrgyzstan for twice the energy."""
    folder = tmp_path_factory.mktemp("balances")
    basin = Path(shutil.copytree(find_basin(BASIN), folder / "basin"))
    multiply(basin / "demand_requirement.csv", "requirement_m3s", 2.0)
    multiply(basin / "grid_load.csv", "load_mw", 2.0)
    scenario = {"title": "short", "basin": str(basin), "start": "2022-10-01", "end": "2023-09-30", "step": "month"}
    (folder / "short.yaml").write_text(json.dumps(scenario))
    write_result(wateropt.solve(wateropt.load(str(folder / "short.yaml"))), folder / "out")
    return Run(folder / "out", basin)


def multiply(path, column, factor):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, column: factor * float(row[column])} for row in rows)


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, columns in PHYSICAL.items() for c in columns])
def test_no_number_can_be_wrong_unseen(run, table, column):
    """A thousandth more in any cell of any physical column breaks some balance."""
    changed = copy.copy(run)
    changed.tables = {**run.tables, table: [dict(row) for row in run.tables[table]]}
    rows = changed.tables[table]
    largest = max(abs(row[column]) for row in rows)
    row = random.Random(f"{table} {column}").choice([r for r in rows if abs(r[column]) >= 0.01 * largest])
    row[column] = 1.001 * row[column] or 0.001
    assert gaps(changed)


def test_the_year_is_short(run):
    """The changed year lacks water and energy, so no column of shortages is empty."""
    assert gaps(run) == []
    for table, column in (("deliveries", "shortage_hm3"), ("energy", "unserved_gwh")):
        assert any(row[column] > 1 for row in run.tables[table])


def test_every_number_is_looked_at(run):
    """The columns that are not changed above are prices, dates and limits of no balance."""
    others = {"days", "water_value_usd_per_m3", "marginal_value_usd_per_m3", "price_usd_per_mwh"}
    for table, columns in PHYSICAL.items():
        numbers = {name for row in run.tables[table] for name, cell in row.items() if isinstance(cell, float)}
        assert numbers - others == set(columns)
