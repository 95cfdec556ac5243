"""Joint plants feed their host once; owners are settled on energy that flows. Inflows are split, never doubled."""

import itertools

import numpy as np
import pytest

import wateropt
from small import SmallBasin
from wateropt.errors import DataError
from wateropt.horizon import Horizon
from wateropt.report.files import table

YEAR = {"start": "2022-10-01", "end": "2023-09-30"}
START = {"opening": {"storage": {"lake": 600}, "release": {"lake": 100}}}
WINTER = [60] * 3 + [40] * 6 + [60] * 3


def basin(window="period", loss=0.05, owners=(("b_part", "B", "other", 0.3), ("c_part", "C", "third", 0.2))):
    """A plant of A with a lake; B and C, which own parts of it, buy at other prices on the other ends of two links."""
    made = (SmallBasin(countries={"A": "Host", "B": "Owner", "C": "Owner"}).inflow("river", "lake", 100)
            .lake("lake", "below").sink("end", "below")
            .plant("dam", "lake", "below", reservoir="lake", tailwater_m=50, design_flow_m3s=250)
            .grid(load=30).grid("other", "B").grid("third", "C").exchange("fuel", "supply", 70)
            .exchange("b_fuel", "absorb", WINTER, limit=20, grid="other", country="B")
            .exchange("c_fuel", "absorb", 50, limit=10, grid="third", country="C")
            .link("to_b", "grid", "other", 40, loss=loss, price=30, back=40)
            .link("to_c", "third", "grid", 20, loss=loss, price=25, back=15))
    for name, owner, grid, share in owners:
        made.joint(name, "dam", owner, grid, share, window=window)
    return made


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """The result by settlement window."""
    return {window: wateropt.solve(basin(window).load(tmp_path_factory.mktemp(window), **YEAR, **START))
            for window in ("period", "season", "year")}


def test_a_joint_plant_feeds_its_host_once(solved):
    """Hydropower of all grids together is what the plant generates, and it is on the host's grid."""
    energy, plants = (table(solved["period"], name) for name in ("energy", "plants"))
    assert plants.energy_gwh.sum() > 100
    by_grid = energy.groupby("grid").hydro_gwh.sum()
    assert by_grid["grid"] == pytest.approx(plants.energy_gwh.sum(), rel=1e-9)
    assert by_grid.drop("grid").tolist() == [0.0, 0.0]


@pytest.mark.parametrize("window", ["period", "season", "year"])
def test_export_and_sell_back_are_the_entitlement(solved, window):
    """exported + sold back = share x generation in every window."""
    rows = table(solved[window], "joint_plant").query("owner != 'A'")
    calendar = solved[window].case.calendar
    label = {"period": [*map(str, calendar.starts)], "season": [*calendar.seasons], "year": ["year"] * 12}[window]
    due = (rows.share * rows.energy_gwh - rows.exported_gwh - rows.sold_back_gwh).groupby(
        [rows.owner, rows.start.map(dict(zip(map(str, calendar.starts), label, strict=True)))]).sum()
    np.testing.assert_allclose(due, 0, atol=1e-6)


def test_in_a_longer_window_use_and_entitlement_may_differ(tmp_path):
    """Over the year an owner may use in one month what it is entitled to in others: accounts close in the last one."""
    case = basin("year").load(tmp_path, **YEAR, **START)
    horizon = Horizon(case)
    state, settled = horizon.columns_of("entitlement_open", "b_part"), horizon.rows_of("entitlement_settled", "b_part")
    assert (settled >= 0).tolist() == [False] * 11 + [True]
    assert np.isinf(horizon.lp().lower[state]).all()


@pytest.mark.parametrize("window", ["period", "year"])
def test_no_owner_exports_more_than_flows_to_its_grid(solved, window):
    """Nor more than the net flow: no energy runs to and fro to be exported."""
    result = solved[window]
    for owner, grid in (("b_part", "other"), ("c_part", "third")):
        flows = table(result, "links").groupby(["from", "to", "start", "block"]).sent_gwh.sum()
        for block in result.case.book.blocks:
            out = flows["grid", grid].xs(block, level="block").to_numpy()
            back = flows[grid, "grid"].xs(block, level="block").to_numpy()
            assert (result.values.get("owner_export", (owner, block)) <= out - np.minimum(out, back) + 1e-6).all()


def test_two_owners_do_not_export_the_same_flow(tmp_path):
    """Owners behind one link share what flows over it."""
    owners = (("first", "B", "other", 0.4), ("second", "B", "other", 0.4))
    result = wateropt.solve(basin(owners=owners).load(tmp_path, **YEAR, **START))
    flow = table(result, "links").query("`from` == 'grid' and to == 'other'").groupby("start").sent_gwh.sum()
    exported = table(result, "joint_plant").groupby("start").exported_gwh.sum()
    assert exported.max() > 0
    assert (exported <= flow + 1e-6).all()


@pytest.mark.parametrize("window", ["period", "season", "year"])
def test_transfers_of_all_countries_sum_to_zero(solved, window):
    """In every period what one country pays another receives, and an owner's part has a price."""
    lines = [line for line in solved[window].ledger("account") if line.place[2] == "transfer"]
    assert {line.place[1] for line in lines} == {"electricity_trade", "owner_export", "owner_sold_back"}
    np.testing.assert_allclose(sum(line.values for line in lines), 0, atol=1e-9)
    assert solved[window].account("B", "owner_export", "transfer") < 0


def test_bookkeeping_does_not_change_the_joint_optimum(solved, tmp_path):
    """Without owners the joint cost is the same."""
    alone = wateropt.solve(basin(owners=()).load(tmp_path, **YEAR, **START))
    for result in solved.values():
        assert result.objective == pytest.approx(alone.objective, rel=1e-7)


def test_rows_of_the_joint_plant_recompute_it(solved):
    """One row per owner and period; shares with the host's sum to one; each owner's energy follows from its row."""
    rows, plants = (table(solved["period"], name) for name in ("joint_plant", "plants"))
    assert rows.groupby("start").share.sum().to_numpy() == pytest.approx(np.ones(12))
    assert len(rows) == 3 * 12
    made = plants.groupby("start").energy_gwh.sum()
    for _, row in rows.iterrows():
        assert row.energy_gwh == pytest.approx(made[row.start], abs=1e-9)
        if row.owner != "A":
            assert row.exported_gwh + row.sold_back_gwh == pytest.approx(row.share * made[row.start], abs=1e-6)


def test_a_plant_of_no_capacity_at_a_pinned_lake_is_no_plant(tmp_path):
    """With capacity 0, storage pinned and no evaporation the river costs what it costs without the dam."""
    def river(dam):
        made = (SmallBasin().inflow("river", "upper", 60).lake("lake", "below")
                .demand("field", "below", [20, 110, *[0] * 10], 0.05).grid(load=50).exchange("fuel", "supply", 70)
                .plant("low", "below", "sea", head_m=20, capacity_mw=30).sink("end", "sea"))
        if dam:
            return (made.lake("new", "lake", minimum_storage_hm3=400, full_storage_hm3=400, node="upper")
                    .plant("dam", "upper", "lake", reservoir="new", tailwater_m=50, capacity_mw=0)
                    .grid("other", "B").link("line", "grid", "other", 10).joint("part", "dam", "B", "other", 0.3))
        return made.reach("open", "upper", "lake", 0.0)

    opening = {"storage": {"lake": 100, "new": 400}, "release": {"lake": 60, "new": 60}}
    without = {key: {"lake": values["lake"]} for key, values in opening.items()}
    costs = [wateropt.solve(river(dam).load(tmp_path / str(dam), opening=opening if dam else without)).objective
             for dam in (True, False)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-7)


def split(share=0.3):
    """A river of which a part forms below."""
    return (SmallBasin().inflow("river", "head", 80).part("brook", "below", "river", share)
            .reach("reach", "head", "below", 0.0).sink("end", "below").demand("field", "below", 100, 0.05))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_splitting_an_inflow_adds_no_water(tmp_path, share):
    """The river and its part together bring what was measured; the part brings its share."""
    result = wateropt.solve(split(share).load(tmp_path))
    gains = {line.item: line.values for line in result.ledger("node", "inflow")}
    measured = 80 * 0.0864 * np.array([31, 28])
    np.testing.assert_allclose(gains["river"] + gains["brook"], measured, rtol=1e-12)
    np.testing.assert_allclose(gains["brook"], share * measured, rtol=1e-12, atol=1e-12)


def test_the_full_model_splits_alike(tmp_path):
    """The sea of the full Pyomo model gets what was measured as well: the part only enters lower down."""
    from pyomo.environ import Var, value

    model = wateropt.pyomo_model(split().load(tmp_path))
    for t, days in enumerate((31, 28)):
        block = model.period[t]
        for variable in block.component_data_objects(Var):
            variable.value = 0
        block.inflow["river"].value = 80
        gained = [value(block.water_balance[node].body) for node in ("head", "below")]
        assert gained == pytest.approx([0.7 * 80 * 0.0864 * days, 0.3 * 80 * 0.0864 * days])


@pytest.mark.parametrize(("owners", "words"), [
    ((("one", "B", "other", 0.7), ("two", "C", "third", 0.4)), "shares of this plant sum to more than 1"),
    ((("one", "A", "other", 0.3),), "the host owns what the others leave"),
    ((("one", "Z", "other", 0.3),), "no country `Z`"),
    ((("one", "B", "othre", 0.3),), "no grid `othre`; did you mean `other`?"),
    ((("one", "B", "other", 1.3),), "`share` is 1.3"),
], ids=["too much", "host", "country", "grid", "share"])
def test_wrong_owners_are_one_clear_error_each(tmp_path, owners, words):
    """The row is named, and what to mend."""
    with pytest.raises(DataError) as error:
        basin(owners=owners).load(tmp_path, **YEAR, **START)
    assert all("joint.csv, line " in str(problem) and words in str(problem) for problem in error.value.problems)
    assert len(error.value.problems) == len(owners)


def test_an_unknown_plant_is_one_clear_error(tmp_path):
    """The nearest plant is named."""
    made = basin(owners=()).joint("part", "damm", "B", "other", 0.3)
    with pytest.raises(DataError) as error:
        made.load(tmp_path, **YEAR, **START)
    (problem,) = error.value.problems
    assert "no powerhouse `damm`; did you mean `dam`?" in str(problem)


@pytest.mark.parametrize(("spoil", "words"), [
    ({"share_of": "brook"}, "is a part itself"), ({"share_of": "rivre"}, "no inflow `rivre`; did you mean `river`?"),
    ({"evaporation": "included", "reservoir": "lake"}, "write `excluded`"), ({"share": 1.2}, "`share` is 1.2"),
], ids=["itself", "unknown", "evaporation", "share"])
def test_wrong_parts_of_an_inflow_are_one_clear_error_each(tmp_path, spoil, words):
    """A part of a part, of nothing, net of evaporation, or larger than the whole."""
    made = split().lake("lake", "head")
    made.tables["inflow"][-1] |= spoil
    with pytest.raises(DataError) as error:
        made.load(tmp_path, opening={"storage": {"lake": 0}, "release": {"lake": 0}})
    (problem,) = error.value.problems
    assert words in str(problem)


def test_parts_within_rounding_of_the_whole_are_accepted(tmp_path):
    """Decimal shares that sum to one in print sum to one."""
    shares = next(t for t in itertools.product([k / 100 for k in range(1, 98)], repeat=3) if abs(sum(t) - 1) < 1e-9
                  and sum(t) > 1)
    made = split(shares[0])
    for k, share in enumerate(shares[1:]):
        made.part(f"part{k}", "below", "river", share)
    assert made.load(tmp_path).book.tables["inflow"].ids == ("brook", "part0", "part1", "river")
