"""Clauses: kept when that is cheap, missed at their penalty when it is dear; a hard one that cannot hold is named."""

import numpy as np
import pytest

import wateropt
from small import SmallBasin, everything
from wateropt.errors import DataError, InfeasibleError
from wateropt.report.files import table

START = {"opening": {"storage": {"lake": 300}, "release": {"lake": 50}}, "closing_value": {"lake": 0.012}}
DAYS = np.array([31, 28])
SEASON = {"first_month": 1, "last_month": 2}


def basin(field=60, **given):
    """A lake above a field; its power has a use at home in the first month and abroad in the second."""
    return (SmallBasin().inflow("river", "lake", 40).gain("springs", "below", 5, 0.1).gain("seepage", "town", -5, 0.1)
            .lake("lake", "below", **given).plant("dam", "lake", "below", reservoir="lake", tailwater_m=50)
            .reach("upper", "below", "town", 0.0).reach("lower", "town", "mouth", 0.0).sink("end", "mouth")
            .demand("field", "town", field, 0.05, return_share=0.2, outfall="mouth")
            .grid(load=30).grid("other", "B", load=20).exchange("fuel", "supply", 60)
            .exchange("b_fuel", "supply", [30, 90, *[60] * 10], grid="other", country="B")
            .link("line", "grid", "other", 30, loss=0.05, price=45, back=30))


# what costs something to keep, the unit, and its penalties: high enough, too low
CLAUSES = {
    "season_volume": ({"reservoir": "lake", "sense": ">=", **SEASON, "quantity_hm3": 460}, "usd_per_m3", 50.0, 1e-5),
    "storage_target": ({"reservoir": "lake", "sense": ">=", "month": 2, "quantity_hm3": 280}, "usd_per_m3", 50.0, 1e-5),
    "flow_share": ({"share": 0.95, **SEASON, "resource": "inflow river; net_gain springs",
                    "credit": "passing town mouth"}, "usd_per_m3", 50.0, 1e-5),
    "minimum_flow": ({"origin": "town", "destination": "mouth", "first_month": 1, "last_month": 1, "quantity_m3s": 60},
                     "usd_per_m3", 50.0, 1e-5),
    "energy_share": ({"powerhouse": "dam", "grid": "other", "share": 0.6, **SEASON}, "usd_per_mwh", 5e4, 1e-2),
    "energy_swap": ({"link": "line", "debtor": "grid", "first_month": 2, "last_month": 2, "take_gwh": 5,
                     "repay_first_month": 1, "repay_last_month": 1, "repay_gwh": 12, "opening_gwh": 20},
                    "usd_per_mwh", 5e4, 1e-2),
}
# ... and what nothing can keep: the changed keys and what is then missing
IMPOSSIBLE = {
    "season_volume": ({"quantity_hm3": 2000}, "hm³"), "storage_target": ({"quantity_hm3": 990}, "hm³"),
    "flow_share": ({"resource": "inflow river", "credit": "delivery field; - inflow river; - inflow river",
                    "share": 1.0}, "hm³"),
    "minimum_flow": ({"quantity_m3s": 500}, "hm³"), "energy_share": ({"share": 1.0}, "GWh"),
    "energy_swap": ({"repay_gwh": 20, "opening_gwh": 5}, "GWh"),
}


def clause(kind, **changes):
    return {"kind": kind, "clause": "pledge", **CLAUSES[kind][0], **changes}


def penalty(kind, value):
    return {f"penalty_{CLAUSES[kind][1]}": value}


def solve(folder, *policies, made=None, **scenario):
    return wateropt.solve((made or basin()).load(folder, policies=list(policies), **{**START, **scenario}))


def row_of(result):
    rows = table(result, "clauses")
    assert len(rows) == 1
    return rows.iloc[0]


# ---- every kind of clause ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLAUSES)
def test_a_soft_clause_is_kept_where_missing_it_is_dearer(tmp_path, kind):
    """It costs something, nothing is missed, and no penalty is paid."""
    result, without = solve(tmp_path / "1", clause(kind, **penalty(kind, CLAUSES[kind][2]))), solve(tmp_path / "2")
    row = row_of(result)
    assert row.shortfall == pytest.approx(0, abs=1e-6)
    assert row.achieved >= row.required - 1e-6
    assert row.shadow_price_musd_per_unit > 0
    assert result.account(item="clause_missed") == pytest.approx(0, abs=1e-6)
    assert result.objective > without.objective + 1e-3


@pytest.mark.parametrize("kind", CLAUSES)
def test_a_soft_clause_is_missed_where_its_penalty_is_less_than_keeping_it_costs(tmp_path, kind):
    """What is missed costs its penalty per unit, and belongs to no country."""
    low = CLAUSES[kind][3]
    result = solve(tmp_path, clause(kind, **penalty(kind, low)))
    row = row_of(result)
    assert row.shortfall > 1
    assert row.shortfall == pytest.approx(row.required - row.achieved, rel=1e-6)
    price = low * (1e-3 if row.unit == "GWh" else 1.0)
    assert result.account("none", "clause_missed", "penalty") == pytest.approx(price * row.shortfall, rel=1e-6)


@pytest.mark.parametrize("kind", CLAUSES)
def test_a_hard_clause_is_kept_as_a_dear_soft_one(tmp_path, kind):
    """It is kept at the same cost, and missing it has no price."""
    hard = solve(tmp_path / "hard", clause(kind))
    soft = solve(tmp_path / "soft", clause(kind, **penalty(kind, CLAUSES[kind][2])))
    assert row_of(hard).hard
    assert row_of(hard).shortfall == pytest.approx(0, abs=1e-9)
    assert hard.objective == pytest.approx(soft.objective, rel=1e-6)


@pytest.mark.parametrize("kind", CLAUSES)
def test_a_hard_clause_that_cannot_hold_is_named_with_what_is_missing(tmp_path, kind):
    """The clause, its kind, and the amount in its unit."""
    changes, unit = IMPOSSIBLE[kind]
    closed = {"bypass_capacity_m3s": 0, "spill_capacity_m3s": 0, "minimum_release_m3s": 40}  # no water without energy
    made = basin(**closed if kind == "energy_share" else {})
    with pytest.raises(InfeasibleError) as error:
        solve(tmp_path, clause(kind, **changes), made=made)
    line = next(line for line in str(error.value).splitlines() if "`pledge`" in line)
    assert f"clause `pledge` ({kind}, due in the period from 2023-0" in line
    assert line.endswith(f" {unit} are missing")
    missing = float(line.rsplit(": ", 1)[1].split()[0].replace(",", ""))
    soft = row_of(solve(tmp_path / "soft", clause(kind, **changes, **penalty(kind, 1e6)), made=made))
    assert missing == pytest.approx(soft.shortfall, rel=0.02, abs=0.1)


@pytest.mark.parametrize("kind", CLAUSES)
def test_clauses_print_what_was_required_and_achieved(tmp_path, kind):
    """Window, unit, amounts and, for shares, the resource."""
    row = row_of(solve(tmp_path, clause(kind, **penalty(kind, CLAUSES[kind][3]))))
    assert (row.clause, row.kind) == ("pledge", kind)
    assert row.window.startswith("2023-0")
    assert row.unit == ("GWh" if kind.startswith("energy") else "hm3")
    if kind in ("flow_share", "energy_share"):
        assert row.required == pytest.approx(CLAUSES[kind][0]["share"] * row.resource)
    else:
        assert not row.resource > 0


TIGHTER = {
    "season_volume": ("quantity_hm3", (300, 380, 420, 460)), "storage_target": ("quantity_hm3", (100, 200, 250, 280)),
    "flow_share": ("share", (0.2, 0.5, 0.8, 0.95)), "minimum_flow": ("quantity_m3s", (10, 30, 50, 60)),
    "energy_share": ("share", (0.0, 0.2, 0.4, 0.6)), "energy_swap": ("repay_gwh", (0, 5, 10, 15)),
}


@pytest.mark.parametrize("kind", CLAUSES)
def test_tightening_a_clause_never_lowers_the_cost(tmp_path, kind):
    """More asked for costs at least as much, and in the end more."""
    key, values = TIGHTER[kind]
    made = basin()
    costs = [solve(tmp_path / str(k), clause(kind, **{key: value}), made=made).objective
             for k, value in enumerate(values)]
    assert (np.diff(costs) >= -1e-6 * np.abs(costs[:-1])).all()
    assert costs[-1] > costs[0] + 1e-3


def test_the_shadow_price_of_a_share_is_what_it_costs(tmp_path):
    """Asking one hm3 more of the credit costs the shadow price."""
    at, more = (solve(tmp_path / name, clause("flow_share", share=share)) for name, share in
                (("at", 0.95), ("more", 0.951)))
    asked = row_of(more).required - row_of(at).required
    assert more.objective - at.objective == pytest.approx(row_of(at).shadow_price_musd_per_unit * asked, rel=0.05)


# ---- shares of a river ------------------------------------------------------------------------------


RESOURCE = ("inflow river", "net_gain springs", "return_flow field", "- claim seepage", "- evaporation lake")
CREDIT = ("delivery field", "passing town mouth")


def both_sums(result, resource=RESOURCE, credit=CREDIT):
    """Resource and credit from nodes.csv alone: what each entry brings or takes, as a positive volume."""
    nodes = table(result, "nodes")

    def amount(entry):
        sign = -1 if entry.startswith("-") else 1
        words = entry.removeprefix("- ").split()
        if words[0] == "passing":  # of all that is sent from a to b, what leaves a
            links = {"upper": ("below", "town"), "lower": ("town", "mouth")}
            chosen = nodes[(nodes.term == "reach") & (nodes.node == words[1])
                           & nodes.item.map(lambda item: links.get(item) == tuple(words[1:]))]
        else:
            chosen = nodes[(nodes.term == words[0]) & (nodes.item == words[1])]
        return sign * abs(chosen.volume_hm3.sum())

    return sum(map(amount, resource)), sum(map(amount, credit))


def share_of_river(**changes):
    return clause("flow_share", share=0.9, resource=list(RESOURCE), credit=list(CREDIT), **changes)


def test_a_share_is_what_the_lists_say(tmp_path):
    """Resource and credit follow from nodes.csv and the lists; without any one entry they do not."""
    made = basin(field=20, evaporation=3.0, area_at_zero_km2=20)
    result = solve(tmp_path, share_of_river(penalty_usd_per_m3=0.001), made=made)
    row = row_of(result)
    resource, credit = both_sums(result)
    assert (row.resource, row.achieved) == (pytest.approx(resource), pytest.approx(credit))
    for k in range(len(RESOURCE)):
        assert both_sums(result, resource=RESOURCE[:k] + RESOURCE[k + 1:])[0] != pytest.approx(row.resource, rel=1e-4)
    for k in range(len(CREDIT)):
        assert both_sums(result, credit=CREDIT[:k] + CREDIT[k + 1:])[1] != pytest.approx(row.achieved, rel=1e-4)


def test_water_that_passes_counts_however_it_is_sent(tmp_path):
    """`passing` sums turbines, bypass and spill of a dam: its whole release."""
    result = solve(tmp_path, clause("flow_share", credit="passing lake below", penalty_usd_per_m3=0.001))
    released = table(result, "release_schedule")
    assert row_of(result).achieved == pytest.approx((released.release_m3s * released.days * 0.0864).sum())


@pytest.mark.parametrize(("dates", "expected"), [
    (("2022-10-01", "2023-09-30"), ["2022-10-01/2023-09-30"]),
    (("2022-10-01", "2024-09-30"), ["2022-10-01/2023-09-30", "2023-10-01/2024-09-30"]),
    (("2022-12-01", "2023-11-30"), ["2022-12-01/2023-09-30", "2023-10-01/2023-11-30"]),
])
def test_a_share_of_the_hydrological_year_begins_anew_each_october(tmp_path, dates, expected):
    """Each window counts its own water, and keeps the share by itself."""
    result = solve(tmp_path, share_of_river(first_month=10, last_month=9), start=dates[0], end=dates[1])
    rows = table(result, "clauses")
    assert rows.window.tolist() == expected
    lengths = [(np.datetime64(end, "M") - np.datetime64(start, "M")).astype(int) + 1
               for start, end in (window.split("/") for window in expected)]
    assert rows.resource.to_numpy() == pytest.approx(np.array(lengths) * rows.resource.sum() / sum(lengths), rel=0.25)
    assert (rows.achieved >= rows.required - 1e-6).all()


@pytest.mark.parametrize(("entry", "words"), [
    ("inflow rivre", "no `rivre` has the term `inflow`; did you mean `river`?"),
    ("inflo river", "no term `inflo`; did you mean `inflow`?"),
    ("passing town mouthh", "no water is sent from `town` to `mouthh`; did you mean `mouth`?"),
    ("passing lake mouth", "no water is sent from `lake` to `mouth`; valid: `below`"),
    ("passing tovn mouth", "no `tovn` has the term `passing`; did you mean `town`?"),
    ("river", "entry `river` is neither `term item` nor `passing node node`"),
])
def test_an_unknown_entry_is_one_clear_error(tmp_path, entry, words):
    """The clause and its list are named, and what may have been meant."""
    with pytest.raises(DataError) as error:
        basin().load(tmp_path, policies=[clause("flow_share", credit=[entry])], **START)
    (problem,) = error.value.problems
    assert "pledge.credit" in str(problem)
    assert words in str(problem)


@pytest.mark.parametrize(("kind", "changes", "words"), [
    ("minimum_flow", {"destination": "lake"}, "no water is sent from `town` to `lake`; valid: `mouth`"),
    ("minimum_flow", {"origin": "tovn"}, "no node `tovn`; did you mean `town`?"),
    ("energy_share", {"grid": "far"}, "no link joins `far` and the plant's grid `grid`"),
    ("energy_swap", {"debtor": "far"}, "debtor `far` is no end of link `line`"),
    ("energy_swap", {"link": "lime"}, "no link `lime`; did you mean `line`?"),
])
def test_a_clause_between_strangers_is_one_clear_error(tmp_path, kind, changes, words):
    """Nodes that send each other nothing, grids that no link joins."""
    with pytest.raises(DataError) as error:
        basin().grid("far", "B").load(tmp_path, policies=[clause(kind, **changes)], **START)
    (problem,) = error.value.problems
    assert words in str(problem)


# ---- minimum flow -----------------------------------------------------------------------------------


def test_a_minimum_flow_holds_in_its_months_only(tmp_path):
    """January has its flow, February passes what it likes."""
    made = basin(field=300)
    result = solve(tmp_path, clause("minimum_flow", quantity_m3s=30), made=made)
    passing = next(line for line in result.ledger("node", "reach") if line.item == "lower" and line.place == "town")
    flow = -passing.values / (DAYS * 0.0864)
    assert flow[0] == pytest.approx(30)
    assert flow[1] < 29
    assert result.values.exists["flow_quantity", "pledge"].tolist() == [True, False]


# ---- energy -----------------------------------------------------------------------------------------


SWAP = {"first_month": 1, "last_month": 1, "repay_first_month": 2, "repay_last_month": 2, "take_gwh": 10,
        "repay_gwh": 12, "opening_gwh": 5}


def swapped(result):
    """What is taken and given back in each month, and the debt with its opening [GWh]."""
    blocks = result.case.book.blocks
    taken, repaid = (sum(result.values.get(name, ("pledge", b)) for b in blocks) for name in
                     ("swap_taken", "swap_repaid"))
    return taken, repaid, result.values.with_opening("swap_debt", "pledge")


def test_a_swap_opens_accrues_and_is_repaid(tmp_path):
    """The debt is what it opened with, plus what is taken in January, less what is given back in February."""
    taken, repaid, debt = swapped(solve(tmp_path, clause("energy_swap", **SWAP)))
    assert debt[0] == 5
    assert 7 - 1e-9 <= taken[0] <= 10 + 1e-9
    assert repaid[1] >= 12 - 1e-9
    np.testing.assert_allclose(debt[1:] - debt[:-1], taken - repaid, atol=1e-9)
    assert debt[1] > debt[0] > debt[2] - 5 - 1e-9


def test_nothing_is_taken_or_given_back_outside_its_months(tmp_path):
    """Not even when giving back in January would cost nothing and February is missed."""
    taken, repaid, _ = swapped(solve(tmp_path, clause("energy_swap", **SWAP, penalty_usd_per_mwh=0.01)))
    assert taken[1] == pytest.approx(0, abs=1e-9)
    assert repaid[0] == pytest.approx(0, abs=1e-9)


def test_a_swap_is_part_of_what_flows(tmp_path):
    """In each block the link carries at least what is taken or given back over it."""
    result = solve(tmp_path, clause("energy_swap", **SWAP))
    for b in result.case.book.blocks:
        for name, sent in (("swap_taken", "sent_back"), ("swap_repaid", "sent_forward")):
            flow = result.values.get(sent, ("line", b))
            assert (result.values.get(name, ("pledge", b)) <= flow + 1e-9).all()


def test_a_swap_moves_no_money(tmp_path):
    """What the link's price makes the taker pay is paid back: trade less the swap is what money is paid for."""
    result = solve(tmp_path, clause("energy_swap", **SWAP))
    taken, repaid, _ = swapped(result)
    sent = {name: sum(result.values.get(name, ("line", b)) for b in result.case.book.blocks)
            for name in ("sent_forward", "sent_back")}
    paid = 45e-3 * (sent["sent_forward"] - repaid - sent["sent_back"] + taken)
    for country, sign in (("A", -1), ("B", 1)):
        booked = sum(line.values for line in result.ledger("account") if line.place[0] == country
                     and line.place[2] == "transfer")
        np.testing.assert_allclose(booked, sign * paid, atol=1e-9)
    assert (taken + repaid).sum() > 5


def test_one_flow_repays_one_swap_only(tmp_path):
    """Two swaps on one link are not repaid with the same energy."""
    twins = [clause("energy_swap", **SWAP, penalty_usd_per_mwh=5e4), {**clause("energy_swap", **SWAP), "clause": "twin",
                                                                     "penalty_usd_per_mwh": 5e4}]
    result = solve(tmp_path, *twins)
    given_back = table(result, "clauses").achieved.sum()
    sent = sum(result.values.get("sent_forward", ("line", b))[1] for b in result.case.book.blocks)
    assert given_back <= sent + 1e-6
    assert sent <= 30 * 24 * 28e-3 + 1e-6


def test_a_clause_on_energy_counts_what_comes_less_what_goes_back(tmp_path):
    """`achieved` of an energy share is the net energy that its grid gets from the plant's."""
    result = solve(tmp_path, clause("energy_share", penalty_usd_per_mwh=0.01))
    sent = table(result, "links").groupby("from").sent_gwh.sum()
    row = row_of(result)
    assert row.achieved == pytest.approx(sent["grid"] - sent["other"], abs=1e-6)
    assert row.resource == pytest.approx(table(result, "plants").energy_gwh.sum())


# ---- notices ----------------------------------------------------------------------------------------


def notices(result):
    from wateropt.notices import notices as find

    return find(result)


@pytest.mark.parametrize("kind", CLAUSES)
def test_a_missed_clause_is_noticed_with_its_penalty(tmp_path, kind):
    """Its amount, and that the penalty is too small or that it cannot be kept."""
    low = CLAUSES[kind][3]
    (notice,) = notices(solve(tmp_path, clause(kind, **penalty(kind, low))))
    assert notice.startswith(f"clause `pledge` ({kind}, 2023-0")
    assert f"its penalty of {low:g} USD/" in notice
    assert "too small to be respected, or it cannot be kept" in notice


def test_a_clause_kept_while_power_is_short_is_noticed(tmp_path):
    """A lake that must stay full while the lights go out: how much is unserved, and what the clause costs."""
    made = basin().grid("dark", load=1)
    (notice,) = notices(solve(tmp_path, clause("storage_target"), made=made))
    assert notice.startswith("clause `pledge` (storage_target, 2023-02-01) is kept while 1.4 GWh of energy are")
    assert "one hm3 less in it would save" in notice


def test_a_clause_kept_while_a_town_is_short_is_noticed(tmp_path):
    """A town that lacks water while the lake is kept full."""
    made = basin().demand("city", "lake", 200, 0.001, use="town")
    (notice,) = notices(solve(tmp_path, clause("storage_target"), made=made))
    assert "towns are" in notice
    assert "hm3 short" in notice


def test_a_clause_that_costs_nothing_is_no_notice(tmp_path):
    """Nor is one that is kept while nobody is short."""
    assert notices(solve(tmp_path / "1", clause("season_volume", quantity_hm3=10), made=basin().grid("dark", load=1))
                   ) == []
    assert notices(solve(tmp_path / "2", clause("storage_target"))) == []


def test_a_ceiling_that_binds_is_noticed_with_the_right_sign(tmp_path):
    """Of a clause `at most`, more is what would save."""
    made = basin().demand("city", "below", 300, 0.5, use="town")
    (notice,) = notices(solve(tmp_path, clause("season_volume", sense="<=", quantity_hm3=200), made=made))
    assert "one hm3 more in it would save" in notice


def test_the_command_line_tells_notices_and_the_summary_holds_them(tmp_path, monkeypatch, capsys):
    """On stderr, after the summary; stdout stays data."""
    import json
    import sys

    from wateropt.cli import main

    basin().load(tmp_path, policies=[clause("storage_target", penalty_usd_per_m3=1e-5)], **START)
    monkeypatch.setattr(sys, "argv", ["wateropt", "solve", f"{tmp_path}/small.yaml", "--out", f"{tmp_path}/out"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    out, err = capsys.readouterr()
    (notice,) = json.loads((tmp_path / "out" / "small" / "summary.json").read_text())["notices"]
    assert err.splitlines()[-1] == f"notice: small: {notice}"
    assert "notice" not in out


def test_every_kind_of_clause_stands_in_one_table(tmp_path):
    """A case with all of them prints a row for each, and its balances hold."""
    result = wateropt.solve(everything(tmp_path))
    assert set(table(result, "clauses").kind) == set(CLAUSES)
    for book in ("node", "grid"):
        places = {line.place for line in result.ledger(book)}
        for place in places:
            total = sum(line.values for line in result.ledger(book) if line.place == place)
            np.testing.assert_allclose(total, 0, atol=1e-6)


def test_a_case_without_clauses_prints_the_header_only(tmp_path):
    """clauses.csv has its columns, `resource` among them."""
    result = solve(tmp_path)
    assert "resource" in table(result, "clauses").columns
    assert len(table(result, "clauses")) == 0
