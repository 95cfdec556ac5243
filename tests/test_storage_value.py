"""What storage is worth: at the end of the horizon, and between the zones of a lake."""

import pytest

import wateropt
from small import SmallBasin

OPENING = {"opening": {"storage": {"lake": 500.0}, "release": {"lake": 0.0}}}


def seller():
    """A lake whose water can only be sold as energy: 0.2453 GWh/hm³ x head 100 m at 40 USD/MWh, about 0.01 USD/m3."""
    flat = ((0, 100.0), (500, 100.001), (1000, 100.002))
    return (SmallBasin().lake("lake", "below", levels=flat).sink("end", "below").grid()
            .plant("plant", "lake", "below", reservoir="lake", tailwater_m=0.0)
            .exchange("buyer", "absorb", 40.0))


@pytest.mark.parametrize(("value", "left"), [(0.009, 0.0), (0.011, 500.0)])
def test_water_stays_if_its_closing_value_exceeds_its_sale(tmp_path, value, left):
    """Water is kept exactly if what is left at the end is worth more than its energy now (0.0098 USD/m3)."""
    case = seller().load(tmp_path, **OPENING, closing_value={"lake": value})
    result = wateropt.solve(case)
    assert result.values.get("storage", "lake")[-1] == pytest.approx(left, abs=1e-6)
    assert result.account(item="storage_value") == pytest.approx(-value * left, abs=1e-9)


def test_water_value_at_the_end_is_the_closing_value(tmp_path):
    """Where water is kept for its closing value, one more hm³ is worth just that."""
    case = seller().load(tmp_path, **OPENING, closing_value={"lake": 0.05})
    assert wateropt.solve(case).water_value("lake")[-1] == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("price", "left"), [(0.004, 0.0), (0.02, 300.0)])
def test_a_buffer_zone_is_used_only_if_it_pays(tmp_path, price, left):
    """A lake is drawn below its buffer at the end only if the sale brings more than the zone's price.

    Two months below the edge cost the price twice, the last month alone once: the sale in the last month brings
    0.0098 USD/m3.
    """
    basin = seller()
    basin.tables["reservoir_zone"] += [
        {"reservoir": "lake", "zone": "buffer", "month": month, "zone_storage_hm3": 300.0,
         "price_below_usd_per_m3": price, "price_above_usd_per_m3": 0.0} for month in range(1, 13)]
    result = wateropt.solve(basin.load(tmp_path, **OPENING))
    assert result.values.get("storage", "lake")[-1] == pytest.approx(left, abs=1e-6)
    penalty = result.account(item="storage_zone", kind="penalty")
    assert penalty == pytest.approx(price * (300.0 - left) if left < 300 else 0.0, rel=1e-6, abs=1e-9)


def test_an_unknown_reservoir_in_closing_value_is_named(tmp_path):
    """A closing value for a lake that is not there is one clear error."""
    with pytest.raises(wateropt.errors.DataError, match="no reservoir `lakes`; did you mean `lake`"):
        seller().load(tmp_path, **OPENING, closing_value={"lakes": 0.01})
