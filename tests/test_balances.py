"""Water and energy neither appear nor vanish: the written tables close every balance with the inputs alone."""

import copy
import random

import pytest

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


@pytest.mark.parametrize("name", ["dry", "normal", "monthly"])
def test_every_balance_closes(name, request, tmp_path):
    """Lakes, plants, reaches, nodes, demands, grids and links close in every shipped year."""
    write_result(request.getfixturevalue(f"{name}_result"), tmp_path / "out")
    assert residuals(tmp_path / "out", find_basin(BASIN)) == []


@pytest.fixture(scope="module")
def run(monthly_result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("balances") / "out"
    write_result(monthly_result, folder)
    return Run(folder, find_basin(BASIN))


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


def test_every_number_is_looked_at(run):
    """The columns that are not changed above are prices, dates and limits of no balance."""
    others = {"days", "water_value_usd_per_m3", "marginal_value_usd_per_m3", "price_usd_per_mwh"}
    for table, columns in PHYSICAL.items():
        numbers = {name for row in run.tables[table] for name, cell in row.items() if isinstance(cell, float)}
        assert numbers - others == set(columns)
