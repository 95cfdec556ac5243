"""The equations page, the comments in the code and the built model name the same equations."""

import re
from pathlib import Path

import pytest

import small
import wateropt.components

CODE = Path(wateropt.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "equations.md"
ID = r"\(([A-Z]\d+)\)"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The stage of a case with every component and policy."""
    from wateropt.horizon import Horizon

    return Horizon(small.everything(tmp_path_factory.mktemp("everything"))).stage


def code_ids():
    files = [CODE / "stage.py", *(CODE / "components").glob("*.py"), *(CODE / "policies").glob("*.py")]
    return {found for file in files for found in re.findall(rf"^ *# {ID}", file.read_text(encoding="utf-8"), re.M)}


def test_every_id_in_the_code_is_on_the_page_and_the_other_way_round(page):
    """An equation that is added, removed or renumbered in one place fails here."""
    assert code_ids() == set(re.findall(rf"^\*\*{ID}\*\*", page, re.M))


def test_every_constraint_term_and_account_is_named_on_the_page(page, stage):
    """The words of the page are those of the model: constraints, ledger terms, accounts."""
    names = {name for name in stage.rows if not name.endswith("_balance")} | {term.term for term in stage.terms}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_every_variable_is_named_on_the_page(page, stage):
    """So are variables, states and data; openings carry the mark 0."""
    groups = {name for name, group in stage.groups.items() if group.kind != "opening" and group.index}
    assert {name for name in groups if not re.search(rf"`{name}`", page)} == set()
