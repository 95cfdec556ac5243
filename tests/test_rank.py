"""Rank: what scenarios lose in each country, worst first."""

import csv
import io
import sys

import pytest

from small import SmallBasin
from wateropt.cli import main
from wateropt.errors import DataError
from wateropt.report.files import write_result
from wateropt.solving import solve
from wateropt.studies.rank import rank

ENDS = {"opening": {"storage": {"lake": 300}, "release": {"lake": 40}}}


def lake(requirement, load):
    """A lake above a field of country B and a claim of A, with a grid of A that has some fuel."""
    basin = (SmallBasin().inflow("river", "lake", 30).lake("lake", "below").sink("end", "below").grid(load=load)
             .demand("field", "below", requirement, 0.05).gain("canal", "below", -10, 0.2)
             .exchange("fuel", "supply", 40, limit=50))
    return basin


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Three results: enough of both, short of water, short of electricity."""
    out = tmp_path_factory.mktemp("results")
    for name, requirement, load in (("enough", 10, 40), ("thirsty", 200, 40), ("dark", 10, 200)):
        case = lake(requirement, load).load(tmp_path_factory.mktemp(name), **ENDS)
        write_result(solve(case), out / name)
    return out


@pytest.fixture
def run(monkeypatch, capsys):
    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["wateropt", "rank", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return command


def sums(folder, table, column, **where):
    with (folder / f"{table}.csv").open(newline="") as file:
        return sum(float(row[column]) for row in csv.DictReader(file)
                   if all(row[key] == value for key, value in where.items()))


def test_losses_are_the_sums_of_the_files(results):
    """By country, and in all."""
    found = {loss.scenario: loss for loss in rank([results])}
    thirsty, dark, enough = (found[name] for name in ("thirsty", "dark", "enough"))
    assert thirsty.a_year("short_hm3", "B") == pytest.approx(sums(results / "thirsty", "deliveries", "shortage_hm3",
                                                                  kind="site"))
    assert thirsty.a_year("irrigation_loss_musd", "B") == pytest.approx(sums(results / "thirsty", "accounts", "musd",
                                                                             item="shortage"))
    assert thirsty.a_year("short_hm3", "B") > 100
    assert dark.a_year("unserved_gwh", "A") == pytest.approx(150 * 24 * 59 / 1000)
    assert dark.a_year("unserved_musd", "A") == pytest.approx(150 * 24 * 59 / 1000 * 1.0)
    assert (enough.loss, enough.countries) == (0.0, [])
    assert thirsty.loss == pytest.approx(thirsty.a_year("irrigation_loss_musd"))


def test_the_worst_is_first_however_results_are_named(results):
    """A folder of results, or each of them."""
    order = [loss.scenario for loss in rank([results])]
    losses = [loss.loss for loss in rank([results])]
    assert losses == sorted(losses, reverse=True)
    assert set(order[:2]) == {"thirsty", "dark"}
    assert order[2] == "enough"
    assert [loss.scenario for loss in rank([results / name for name in ("enough", "dark", "thirsty")])] == order


def test_a_long_run_is_shown_by_the_year(results, tmp_path):
    """The mean of its years; a season stays what it is."""
    (short,) = rank([results / "dark"])
    assert short.years == 1.0
    for table in ("accounts", "deliveries", "energy"):
        (tmp_path / "long").mkdir(exist_ok=True)
        rows = (results / "dark" / f"{table}.csv").read_text().splitlines(keepends=True)
        later = [row.replace("2023-01", "2024-01").replace("2023-02", "2024-02") for row in rows[1:]]
        years = [row.replace(",31,", ",365.25,").replace(",28,", ",365.25,") for row in rows[1:] + later]
        (tmp_path / "long" / f"{table}.csv").write_text("".join(rows[:1] + years))
    (long,) = rank([tmp_path])
    assert long.years == 4.0
    assert long.a_year("unserved_gwh") == pytest.approx(short.a_year("unserved_gwh") * 2 / 4)


def test_the_table_has_a_column_for_what_some_scenario_loses(run, results):
    """And none for what none does."""
    code, out, err = run(results)
    assert (code, err) == (0, "")
    heads = list(zip(*(line.split()[-3:] for line in out.splitlines()[:3]), strict=True))
    assert ("unserved", "A", "GWh") in heads
    assert "claims" not in out or ("claims", "A", "hm3") in heads
    assert [line.split()[:2] for line in out.splitlines()[3:]][-1] == ["3", "enough"]


def test_csv_has_a_row_for_each_country_that_loses(run, results):
    """Before them the sum of all."""
    code, out, _ = run(results, "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["country"] for row in rows if row["scenario"] == "enough"] == ["all"]
    dark = {row["country"]: row for row in rows if row["scenario"] == "dark"}
    assert set(dark) == {"all", "A"}
    assert dark["all"]["unserved_gwh"] == dark["A"]["unserved_gwh"]


def test_folders_without_results_are_told(results, tmp_path, run):
    """And two results of one name."""
    code, _, err = run(tmp_path / "none", tmp_path)
    assert code == 3
    assert err.count("holds no result of wateropt") == 2
    with pytest.raises(DataError, match="two results are called `dark`"):
        rank([results, results / "dark"])
