"""What a run writes: whole or not at all, with the columns that are promised, and readable by others."""

import csv
import json
import math
import re
from datetime import date
from importlib.metadata import version

import netCDF4
import pytest
import xarray as xr

import wateropt
from wateropt.errors import OutputError
from wateropt.report import files
from wateropt.report.files import table, write_result

PROMISED = {
    "release_schedule": "reservoir country start days inflow_m3s turbine_m3s bypass_m3s spill_m3s release_m3s "
                        "withdrawal_m3s evaporation_hm3 storage_hm3 elevation_m energy_gwh water_value_usd_per_m3",
    "plants": "plant country start days block turbine_m3s head_m energy_gwh capacity_mw",
    "reaches": "reach start days entered_hm3 arrived_hm3 loss_hm3 in_transit_hm3",
    "nodes": "node start days term volume_hm3",
    "deliveries": "site country start days requirement_hm3 delivery_hm3 shortage_hm3 marginal_value_usd_per_m3",
    "energy": "grid country start days block load_gwh hydro_gwh thermal_gwh import_gwh export_gwh unserved_gwh "
              "price_usd_per_mwh",
    "links": "from to start days block sent_gwh lost_gwh limit_mw",
    "joint_plant": "plant owner start days energy_gwh share exported_gwh sold_back_gwh",
    "clauses": "clause kind sense window required achieved unit shortfall shadow_price_musd_per_unit",
    "accounts": "country item kind season musd",
    "marginal_values": "input where start value unit musd_per_unit",
}
WORDS = {"reservoir", "country", "plant", "block", "reach", "node", "term", "item", "site", "kind", "grid", "from",
         "to", "link", "owner", "clause", "sense", "window", "unit", "input", "where", "season", "start", "hard"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, monthly_result):
    place = tmp_path_factory.mktemp("results") / "year"
    write_result(monthly_result, place)
    return place


def read(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames, list(reader)


# ---- tables -----------------------------------------------------------------------------------------


def test_a_run_writes_its_tables_its_summary_and_its_arrays(folder):
    """No file is missing and none is left over."""
    names = {f"{name}.csv" for name in PROMISED} | {"summary.json", "results.nc"}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("name", PROMISED)
def test_a_table_has_the_columns_that_are_promised(folder, name):
    """Others read these files by the names of their columns."""
    header, rows = read(folder, name)
    assert set(PROMISED[name].split()) <= set(header)
    assert rows or name in ("joint_plant", "clauses")


@pytest.mark.parametrize("name", PROMISED)
def test_a_table_holds_plain_numbers_of_ten_digits(folder, name):
    """No NaN, no noise, never more than ten significant digits, a decimal point, one kind of line end."""
    assert b"\r" not in (folder / f"{name}.csv").read_bytes()
    header, rows = read(folder, name)
    for row in rows:
        for column in set(header) - WORDS:
            assert math.isfinite(float(row[column]))
            digits = re.sub(r"e.*|\D", "", row[column]).lstrip("0")
            assert len(digits) <= 10


@pytest.mark.parametrize("name", ["release_schedule", "reaches", "deliveries"])
def test_rows_come_by_asset_and_by_date(folder, name):
    """One row for each asset and period, in an order that does not depend on the solver."""
    header, rows = read(folder, name)
    keys = [(row.get("kind", ""), row[header[0]], row["start"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert [key[1:] for key in keys if key[0] in ("", "site")] == sorted(k[1:] for k in keys if k[0] in ("", "site"))


def test_periods_are_dates_and_whole_days(folder, monthly_result):
    """The days of a reservoir's rows are those of the year."""
    _, rows = read(folder, "release_schedule")
    own = [row for row in rows if row["reservoir"] == "toktogul"]
    assert [row["start"] for row in own] == [day.isoformat() for day in monthly_result.case.calendar.starts]
    assert sum(int(row["days"]) for row in own) == 365


def test_release_is_turbine_and_bypass_and_spill(folder):
    """In every row of the schedule."""
    for row in read(folder, "release_schedule")[1]:
        parts = sum(float(row[f"{name}_m3s"]) for name in ("turbine", "bypass", "spill"))
        assert float(row["release_m3s"]) == pytest.approx(parts, abs=1e-6)


def test_accounts_sum_to_the_objective(folder):
    """What the countries pay is what the run cost."""
    summary = json.loads((folder / "summary.json").read_text())
    total = sum(float(row["musd"]) for row in read(folder, "accounts")[1])
    assert total == pytest.approx(summary["objective_musd"], rel=1e-6)


def test_a_clause_has_its_row_and_its_hardness(monthly, tmp_path):
    """Window, quantity, what was achieved and what it costs."""
    clause = {"kind": "season_volume", "clause": "pledge", "reservoir": "toktogul", "sense": ">=", "first_month": 4,
              "last_month": 9, "quantity_hm3": 9000, "penalty_usd_per_m3": 0.2}
    scenario = monthly.scenario.model_copy(update={"policies": [clause]})
    basin = wateropt.basin.load_basin(wateropt.basin.find_basin("naryn-syrdarya"))
    result = wateropt.solve(wateropt.scenario.build_case("year", scenario, basin), fixed_head=True)
    write_result(result, tmp_path / "year")
    _, (row,) = read(tmp_path / "year", "clauses")
    assert (row["clause"], row["kind"], row["sense"], row["hard"]) == ("pledge", "season_volume", ">=", "False")
    assert row["window"] == "2023-04-01/2023-09-30"
    missed = float(row["required"]) - float(row["achieved"])
    assert float(row["shortfall"]) == pytest.approx(max(missed, 0), abs=1e-5)


def test_the_bytes_of_two_runs_are_the_same(folder, monthly, tmp_path):
    """Every table, for one set of versions."""
    write_result(wateropt.solve(monthly), tmp_path / "again")
    for name in PROMISED:
        assert (tmp_path / "again" / f"{name}.csv").read_bytes() == (folder / f"{name}.csv").read_bytes()


def test_a_data_frame_has_the_rows_of_its_file(folder, monthly_result):
    """In a notebook the same table comes without a detour through files."""
    frame = table(monthly_result, "release_schedule")
    header, rows = read(folder, "release_schedule")
    assert list(frame.columns) == header
    assert len(frame) == len(rows)
    assert list(table(monthly_result, "joint_plant").columns) == PROMISED["joint_plant"].split()


# ---- summary, arrays --------------------------------------------------------------------------------


def test_the_summary_tells_how_the_result_was_found(folder, monthly_result):
    """Status, cost, sizes, time by phase, versions, hashes of the inputs, residuals and the gap of the head."""
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["scenario"], summary["step"]) == ("optimal", "dry-2023-monthly", "month")
    assert (summary["start"], summary["end"], summary["periods"]) == ("2022-10-01", "2023-09-30", 12)
    assert summary["objective_musd"] == pytest.approx(monthly_result.objective, rel=1e-9)
    assert {"build", "pass", "solve"} <= set(summary["seconds"])
    assert all(seconds >= 0 for seconds in summary["seconds"].values())
    assert summary["versions"]["highspy"] == version("highspy")
    assert {"columns", "rows", "entries"} <= set(summary["sizes"])
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in summary["inputs_sha256"].values())
    assert {"basin.yaml", "inflow_flow.csv"} <= set(summary["inputs_sha256"])
    assert all(0 <= value < 1e-6 for value in summary["residuals"].values())
    assert 0 <= summary["head_gap"] < 1e-2


def test_the_arrays_are_those_of_to_xarray(folder, monthly_result):
    """The file opens with xarray and holds the same variables, coordinates, values and attributes."""
    memory = monthly_result.to_xarray()
    with xr.open_dataset(folder / "results.nc", engine="h5netcdf", decode_timedelta=False) as file:
        xr.testing.assert_equal(file.load(), memory)
        for name in memory.variables:
            assert {k: v for k, v in file[name].attrs.items() if k != "calendar"} == {
                k: v for k, v in memory[name].attrs.items() if k != "calendar"}
        assert file.attrs["Conventions"].startswith("CF-")


def test_another_library_reads_the_arrays(folder):
    """The file is NetCDF-4, not only something that its writer understands."""
    with netCDF4.Dataset(folder / "results.nc") as file:
        assert file["storage"].units == "hm^3"
        assert len(file.dimensions["time"]) == 12


def test_every_quantity_says_its_unit_and_name(monthly_result):
    """Units and long names on each variable, and labels on each dimension."""
    dataset = monthly_result.to_xarray()
    for name, variable in dataset.data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name
        assert set(variable.dims) <= set(dataset.coords), name
    assert dataset["storage"].sel(time="2023-04-01").size == len(monthly_result.case.book.tables["reservoir"])


def test_an_opening_has_no_date_even_if_there_is_one_period(monthly):
    """What holds before the first period is one number, also for a horizon of one month."""
    month = monthly.scenario.model_copy(update={"start": date(2023, 7, 1), "end": date(2023, 7, 31)})
    basin = wateropt.basin.load_basin(wateropt.basin.find_basin("naryn-syrdarya"))
    arrays = wateropt.solve(wateropt.scenario.build_case("july", month, basin), fixed_head=True).to_xarray()
    assert "time" not in arrays["storage_opening"].dims
    assert arrays["storage"].sizes["time"] == 1


# ---- whole or not at all ----------------------------------------------------------------------------


def test_a_failure_in_the_middle_leaves_the_earlier_result(monthly_result, tmp_path, monkeypatch):
    """A full disk while writing: the old folder is untouched and nothing temporary stays."""
    place = tmp_path / "year"
    write_result(monthly_result, place)
    before = {path.name: path.read_bytes() for path in place.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_netcdf", full)
    with pytest.raises(OutputError, match="No space left on device") as error:
        write_result(monthly_result, place)
    assert error.value.code == 8
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["year"]


def test_a_failure_before_anything_is_there_leaves_nothing(monthly_result, tmp_path, monkeypatch):
    """Not even an empty folder."""
    monkeypatch.setattr(files, "write_netcdf", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(OutputError):
        write_result(monthly_result, tmp_path / "year")
    assert not list(tmp_path.iterdir())


def test_a_failure_while_changing_places_puts_the_earlier_result_back(monthly_result, tmp_path, monkeypatch):
    """The old folder steps aside for the new one; if that cannot take its place, the old one returns."""
    place = tmp_path / "year"
    write_result(monthly_result, place)
    rename = type(place).rename

    def fail_once(path, target):
        if path.name == "new":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(type(place), "rename", fail_once)
    with pytest.raises(OutputError):
        write_result(monthly_result, place)
    assert (place / "summary.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["year"]


@pytest.mark.parametrize("mark", [None, "{}", "[1]", "5", "no JSON"])
def test_a_folder_without_our_mark_is_somebody_elses(monthly_result, tmp_path, mark):
    """Only a summary of wateropt makes a folder ours."""
    (tmp_path / "thesis.txt").write_text("mine")
    if mark is not None:
        (tmp_path / "summary.json").write_text(mark)
    with pytest.raises(OutputError, match="is no result of wateropt"):
        write_result(monthly_result, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_empty_folder_may_be_filled(monthly_result, tmp_path):
    """A place that was made beforehand is free."""
    (tmp_path / "year").mkdir()
    write_result(monthly_result, tmp_path / "year")
    assert (tmp_path / "year" / "summary.json").is_file()
