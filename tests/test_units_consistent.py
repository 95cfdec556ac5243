"""Every equation of a stage adds like to like: m³/s to m³/s, hm³ to hm³, GWh to GWh, MUSD to MUSD."""

import pytest

import small
from wateropt.components import canal, demand, inflow, project, reservoir, unit
from wateropt.policies import minimum_flow
from wateropt.stage import EveryStage, Stage

pint = pytest.importorskip("pint")
BOOKS = {"node": "hm^3", "grid": "GWh", "account": "MUSD"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A small basin with every kind of asset, zone and clause."""
    return small.everything(tmp_path_factory.mktemp("units"))


@pytest.fixture(scope="module")
def pyomo_unit():
    """Return a function from words, as in `hm^3/(m^3/s)`, to a Pyomo unit."""
    from pyomo.environ import units

    units.load_definitions_from_strings(["USD = [currency]", "MUSD = 1e6 USD"])

    class Names(dict):
        def __missing__(self, name):
            return getattr(units, name)

    return lambda text: eval(text.replace("^", "**"), {"__builtins__": {}}, Names())


def build(case, pyomo_unit, kind=EveryStage):
    from pyomo.core import ConcreteModel

    stage = kind(case.book, ConcreteModel(), units=pyomo_unit, column_units=case.column_units)
    stage.fill(case.parts)
    return stage


def mismatches(stage, pyomo_unit):
    """Names of the rows and terms whose units do not fit."""
    from pyomo.core.base.units_container import InconsistentUnitsError, UnitsError
    from pyomo.util.check_units import assert_units_consistent, assert_units_equivalent

    checks = [(name, row.body, row, stage.row_units[name]) for name in stage.rows
              for row in getattr(stage.block, name).values()]
    checks += [(f"{term.book} {term.term}", term.expression, None, BOOKS[term.book]) for term in stage.terms]
    found = set()
    for name, expression, row, unit_of_row in checks:
        try:
            if row is not None:
                assert_units_consistent(row)
            assert_units_equivalent(expression, pyomo_unit(unit_of_row))
        except (InconsistentUnitsError, UnitsError):
            found.add(name)
    return found


@pytest.mark.parametrize("kind", [EveryStage, Stage])
def test_every_row_and_account_has_consistent_units(everything, pyomo_unit, kind):
    """No equation adds unlike things, in a basin that has every kind of asset."""
    stage = build(everything, pyomo_unit, kind)
    assert {part.NAME for part in everything.parts if len(everything.book.tables[part.NAME])} == {
        part.NAME for part in everything.parts}
    assert mismatches(stage, pyomo_unit) == set()


def test_the_shipped_basin_has_consistent_units(monthly, pyomo_unit):
    """Nor does one in the shipped basin."""
    assert mismatches(build(monthly, pyomo_unit), pyomo_unit) == set()


class Forgetful:
    """A stage as a component sees it that has forgotten a factor: it stands as the plain number one."""

    def __init__(self, stage, forgets):
        self._stage, self._forgets = stage, forgets

    def __getattr__(self, name):
        if name != self._forgets:
            return getattr(self._stage, name)
        return 1.0 if name in ("hm3", "days") else dict.fromkeys(self._stage.blocks, 1.0)


@pytest.mark.parametrize(("part", "forgets", "seen"), [
    (inflow, "hm3", "node inflow"), (canal, "hm3", "node canal"), (demand, "hm3", "account shortage"),
    (reservoir, "days", "node evaporation"), (unit, "gwh_per_mw", "output_available"),
    (project, "days", "account investment"), (minimum_flow, "hm3", "account clause_missed"),
])
def test_a_forgotten_factor_is_seen(everything, pyomo_unit, monkeypatch, part, forgets, seen):
    """A component that leaves out κ, a length in days or hours has unlike things in its equations."""
    whole = part.build
    monkeypatch.setattr(part, "build", lambda stage, table: whole(Forgetful(stage, forgets), table))
    assert seen in mismatches(build(everything, pyomo_unit), pyomo_unit)


def test_a_bare_constant_is_seen(everything, pyomo_unit, monkeypatch):
    """A constant without its unit turns GWh times USD/MWh into no million dollars, and mm times km² into no hm³."""
    monkeypatch.setattr(Stage, "number", lambda self, value, unit: value)
    assert {"account electricity_trade", "node evaporation", "river_energy"} <= mismatches(
        build(everything, pyomo_unit), pyomo_unit)
