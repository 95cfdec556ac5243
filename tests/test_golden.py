"""Every equation of docs/equations.md has its LP text in tests/golden/, and the LP of a tiny basin reads like it.

Where a text differs and should: `make golden` writes all of them again.
"""

import re
from pathlib import Path

import pytest

import golden_text as golden

PAGE = Path(__file__).parents[1] / "docs" / "equations.md"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return golden.Texts(golden.tiny(tmp_path_factory.mktemp("tiny")))


@pytest.mark.parametrize("equation", golden.SHOWN)
def test_the_lp_of_an_equation_reads_as_it_did(equation, texts):
    """A coefficient, a sign, a limit or a name that changes is seen, with the equation that it belongs to."""
    assert texts.of(equation) == (golden.FOLDER / f"{equation}.lp").read_text(encoding="utf-8")


def test_all_that_an_equation_names_is_in_its_text():
    """Every row, term and column that SHOWN asks for was found."""
    for equation, names in golden.SHOWN.items():
        text = (golden.FOLDER / f"{equation}.lp").read_text(encoding="utf-8").split("\n", 1)[1]
        for what in names.split(", "):
            name = what.rpartition(" ")[2].partition(":")[0]
            assert re.search(rf"(^|\s){name}:", text, re.M), f"({equation}) {what}"


def test_nothing_of_the_lp_is_without_a_text(texts):
    """Every row, every term of a balance or account and every column of a stage with all assets is in some text."""
    shown = {what.partition(":")[0] for names in golden.SHOWN.values() for what in names.split(", ")}
    stage, kinds = texts.horizon.stage, {book: kind for kind, book in golden.BOOKS.items()}
    there = {name for name, index in stage.rows.items() if index}
    there |= {f"{kinds[term.book]} {term.term}" for term in stage.terms}
    there |= {f"column {name}" for name, group in stage.groups.items() if group.index}
    assert there - shown == set()
    assert shown - there == set()


def test_every_equation_of_the_page_has_a_text_and_every_text_an_equation():
    """An equation that is added, removed or renumbered without its golden text fails here."""
    page = re.findall(r"^\*\*\(([A-Z]\d+)\)\*\*", PAGE.read_text(encoding="utf-8"), re.M)
    had = {path.stem for path in golden.FOLDER.glob("*.lp")}
    assert had == set(page) == set(golden.SHOWN)
