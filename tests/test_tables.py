"""Tables: how CSV files of any honest spelling are read, and how a series is laid on a calendar."""

import doctest
import importlib
import math
import pkgutil
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wateropt
from wateropt.calendar import Calendar
from wateropt.errors import DataError, Problem, nearest
from wateropt.tables import (
    Column,
    RawSeries,
    Series,
    Table,
    along_calendar,
    daily,
    missing_run,
    read_rows,
    read_series,
    read_table,
)

LAKES = Table("lake", ("a", "b"), {}, {"a": "line 2, a", "b": "line 3, b"})
FLOW = Series("flow", (Column("flow", "m3/s", "flow", low=0.0),), "flow of a lake")
COLUMNS = (Column("name", "text", "name"), Column("capacity", "m3/s", "capacity", low=0.0, default=None),
           Column("kind", "text", "kind", default="", choices=("dam", "weir")))
YEAR = Calendar.between(date(2022, 10, 1), date(2023, 9, 30), "month")


def write(folder, name, text):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def read(folder, text, columns=COLUMNS):
    """A table `lake` and the problems of reading it."""
    problems = []
    write(folder, "lake.csv", text)
    return read_table(folder, "lake", columns, problems), [str(problem) for problem in problems]


def series(folder, text):
    """A series of the lakes `a` and `b` and the problems of reading it."""
    problems = []
    write(folder, "lake_flow.csv", text)
    return read_series(folder, LAKES, FLOW, problems), [str(problem) for problem in problems]


# ---- reading ----------------------------------------------------------------------------------------

PLAIN = "lake,name,capacity_m3s,source,confidence\na,Alpha,12.5,x,measured\nb,Beta,,x,assumed\n"


@pytest.mark.parametrize("text", [
    PLAIN,
    b"\xef\xbb\xbf" + PLAIN.encode(),  # a byte-order mark, as spreadsheets write it
    PLAIN.replace("\n", "\r\n"),
    PLAIN.rstrip("\n"),
    PLAIN.replace("\n", "\n\n").replace("b,", " b , "),
    PLAIN.replace("Alpha", '"Alpha"').replace("12.5", '"12.5"'),
    "lake,capacity_m3s,confidence,name,source\nb,,assumed,Beta,x\na,12.5,measured,Alpha,x\n",
], ids=["plain", "mark", "CRLF", "no last newline", "spaces", "quotes", "other order"])
def test_the_spelling_of_a_file_does_not_matter(tmp_path, text):
    """Line ends, marks, blanks, quotes, the order of rows and columns: the same table."""
    table, problems = read(tmp_path, text)
    assert problems == []
    assert table.ids == ("a", "b")
    assert table.columns["name"] == {"a": "Alpha", "b": "Beta"}
    assert table.columns["capacity"] == {"a": 12.5, "b": None}


def test_quoted_cells_may_hold_commas_quotes_and_line_ends(tmp_path):
    """What is quoted stays one cell, and lines are still counted as in the file."""
    text = 'lake,name,source,confidence\na,"Upper, ""old""\nlake",x,measured\nb,Beta,x,guess\n'
    table, problems = read(tmp_path, text)
    assert table.columns["name"]["a"] == 'Upper, "old"\nlake'
    assert [problem.split(":")[0] for problem in problems] == ["lake.csv, line 4, b"]


def test_an_empty_cell_takes_the_default(tmp_path):
    """A column that has a default need not be there at all."""
    table, problems = read(tmp_path, "lake,name,source,confidence\na,Alpha,x,measured\n")
    assert problems == []
    assert table.columns["capacity"] == {"a": None}
    assert table.columns["kind"] == {"a": ""}


def test_every_problem_of_a_file_is_collected(tmp_path):
    """A wrong cell does not hide the next one."""
    _, problems = read(tmp_path, "lake,name,capacity_m3s,kind,source,confidence\n,A,1,dam,x,measured\n"
                       "b,,-1,dyke,,mesured\nb,B,1,dam,x,measured\nc,C\n")
    assert problems == [
        "lake.csv, line 5: 2 cells where the header has 6; is the file cut off?",
        "lake.csv, line 2: the id is empty; each row needs an id of its own",
        "lake.csv, line 3, b: `name` is empty; fill it in",
        "lake.csv, line 3, b: `capacity_m3s` is -1; it must be at least 0",
        "lake.csv, line 3, b: `kind` is `dyke`; valid: `dam`, `weir`",
        "lake.csv, line 3, b: no source; name a key of references.csv",
        "lake.csv, line 3, b: confidence is `mesured`; did you mean `measured`?",
        "lake.csv, line 4: `b` stands twice; each row needs an id of its own",
    ]


def test_a_folder_in_the_place_of_a_file_cannot_be_read(tmp_path):
    """The operating system's reason is passed on."""
    problems = []
    (tmp_path / "lake.csv").mkdir()
    assert read_rows(tmp_path / "lake.csv", problems) == []
    assert str(problems[0]) == "lake.csv: cannot be read: Is a directory"


def test_a_table_has_only_its_columns():
    """A misspelt column is an error, not an empty one."""
    with pytest.raises(AttributeError, match="table has no column `capcity`"):
        _ = LAKES.capcity


# ---- series -----------------------------------------------------------------------------------------

TAIL = ",x,measured\n"
DATED = "lake,start,days,flow_m3s,source,confidence\n"
PROFILE = "lake,month,flow_m3s,source,confidence\n" + "".join(f"a,{m},{m}{TAIL}" for m in range(1, 13))


def test_a_month_profile_holds_in_every_year(tmp_path):
    """Each period of a month has the month's value, whatever the year."""
    raw, problems = series(tmp_path, PROFILE)
    dekads = Calendar.between(date(2030, 1, 1), date(2031, 12, 31), "dekad")
    assert problems == []
    assert raw.monthly
    assert along_calendar(raw, "a", 0, dekads).tolist() == dekads.months.tolist()


def test_a_profile_over_a_period_of_its_own_is_weighted_by_days(tmp_path):
    """A dated file and a profile that say the same give the same means."""
    dated = DATED + "".join(f"a,2022-{m:02}-01,{d},{m}{TAIL}" for m, d in ((10, 31), (11, 30), (12, 31)))
    calendar = Calendar.between(date(2022, 10, 1), date(2022, 12, 31), "dekad")
    first = along_calendar(series(tmp_path, PROFILE)[0], "a", 0, calendar)
    assert along_calendar(series(tmp_path, dated)[0], "a", 0, calendar).tolist() == first.tolist()


def test_dekads_are_averaged_to_months_by_their_days(tmp_path):
    """March has 10, 10 and 11 days: its mean is their weighted mean."""
    raw, _ = series(tmp_path, DATED + f"a,2023-03-01,10,10{TAIL}a,2023-03-11,10,20{TAIL}a,2023-03-21,11,40{TAIL}")
    march = Calendar.between(date(2023, 3, 1), date(2023, 3, 31), "month")
    assert along_calendar(raw, "a", 0, march)[0] == pytest.approx((100 + 200 + 440) / 31)


@given(st.lists(st.floats(0, 1e4), min_size=36, max_size=36))
def test_no_water_is_lost_between_steps(flows):
    """The volume of a year is the same in dekads and months, and months stay what they are in dekads and back."""
    dekads = Calendar.between(YEAR.starts[0], date(2023, 9, 30), "dekad")
    days = dekads.days.astype(int)
    raw = RawSeries("f", FLOW.columns, {"a": [
        (start.toordinal(), int(d), (flow,)) for start, d, flow in zip(dekads.starts, days, flows, strict=True)]})
    monthly = along_calendar(raw, "a", 0, YEAR)
    assert monthly @ YEAR.days == pytest.approx(np.array(flows) @ dekads.days)
    back = RawSeries("f", FLOW.columns, {"a": [
        (start.toordinal(), int(d), (flow,)) for start, d, flow in zip(YEAR.starts, YEAR.days, monthly, strict=True)]})
    again = RawSeries("f", FLOW.columns, {"a": [
        (start.toordinal(), int(d), (flow,))
        for start, d, flow in zip(dekads.starts, days, along_calendar(back, "a", 0, dekads), strict=True)]})
    assert along_calendar(again, "a", 0, YEAR) == pytest.approx(monthly)


def test_a_day_without_a_value_spoils_its_period_and_no_other(tmp_path):
    """A mean over less than the whole period is not a mean of the period."""
    raw, _ = series(tmp_path, DATED + f"a,2023-03-01,10,10{TAIL}a,2023-03-12,9,20{TAIL}a,2023-03-21,11,40{TAIL}")
    march = Calendar.between(date(2023, 3, 1), date(2023, 3, 31), "dekad")
    values = along_calendar(raw, "a", 0, march)
    assert values[[0, 2]].tolist() == [10, 40]
    assert math.isnan(values[1])
    assert missing_run(values, march) == (date(2023, 3, 11), date(2023, 3, 20), 0)


def test_only_the_first_gap_is_spelt_out_and_the_others_are_counted():
    """A long list of gaps would hide what is wrong."""
    values = np.ones(12)
    assert missing_run(values, YEAR) is None
    values[[1, 2, 5, 11]] = np.nan
    assert missing_run(values, YEAR) == (date(2022, 11, 1), date(2022, 12, 31), 2)
    assert missing_run(np.full(12, np.nan), YEAR) == (date(2022, 10, 1), date(2023, 9, 30), 0)


def test_a_shift_brings_the_values_of_another_time(tmp_path):
    """With the dates of a file moved by a year, its first day serves a year later."""
    raw, _ = series(tmp_path, DATED + f"a,2022-10-01,31,7{TAIL}")
    day = date(2023, 10, 1).toordinal()
    assert daily(raw, "a", 0, day, day + 2, years_back=1).tolist() == [7, 7]
    assert np.isnan(daily(raw, "a", 0, day, day + 2)).all()


@pytest.mark.parametrize(("rows", "told"), [
    (f"a,2023-01-01,31,1{TAIL}a,2023-01-31,28,1{TAIL}", "overlaps the next one"),
    (f"a,2023-01-01,0,1{TAIL}", "a whole number of days"),
    (f"a,01.01.2023,31,1{TAIL}", "a date as 2023-04-11"),
    (f"c,2023-01-01,31,1{TAIL}", "no lake `c`"),
], ids=["overlap", "no days", "other date", "unknown lake"])
def test_a_row_out_of_time_is_told(tmp_path, rows, told):
    """Dates are those of ISO 8601, periods do not overlap, and every row belongs to an asset."""
    _, problems = series(tmp_path, DATED + rows)
    assert len(problems) == 1
    assert told in problems[0]


def test_the_rows_of_a_table_that_cannot_be_read_are_not_blamed(tmp_path):
    """One broken table gives one problem, not one for each row of its series."""
    problems = []
    write(tmp_path, "lake_flow.csv", DATED + f"a,2022-10-01,31,7{TAIL}")
    assert read_series(tmp_path, Table("lake"), FLOW, problems).rows == {}
    assert problems == []


# ---- errors, examples -------------------------------------------------------------------------------


def test_problems_are_sorted_as_people_count():
    """Line 2 stands before line 10, and what is told twice stands once."""
    problems = [Problem("f", "line 10", "x"), Problem("f", "line 2", "x"), Problem("e", "", "x"), Problem("e", "", "x")]
    assert str(DataError("it", problems)) == "3 problems in it\n  e: x\n  f, line 2: x\n  f, line 10: x"


def test_the_nearest_name_or_the_valid_ones_are_offered():
    """Without a near name the first dozen is shown; without any, that there are none."""
    assert nearest("tokogul", ["toktogul", "shardara"]) == "did you mean `toktogul`?"
    assert nearest("q", []) == "there are none"
    assert nearest("q", [f"x{k:02}" for k in range(20)]).endswith("`x11`, ...")


MODULES = sorted(module.name for module in pkgutil.walk_packages(wateropt.__path__, "wateropt.")
                 if not module.name.endswith("__main__"))


LONG = {"wateropt.studies.hindcast"}  # solves a whole year four times


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name
                                  for name in ("wateropt", *MODULES)])
def test_the_examples_of_docstrings_run(name):
    """Every example in a docstring gives what it says."""
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"date": date, "timedelta": timedelta}).failed == 0
