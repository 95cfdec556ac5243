"""Calendar: months and dekads have their own lengths; hydrological years and seasons; water under way."""

import re
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wateropt.calendar import Calendar, in_months, next_start, overlap, travel_shares, water_in_transit

STEPS = st.sampled_from(["dekad", "month"])
DAYS = st.dates(date(1950, 1, 1), date(2099, 12, 31))


def horizon(day, step, periods):
    """Some periods from the beginning of the day's month."""
    return Calendar((day.replace(day=1),), step).extended(periods - 1)


@given(DAYS, STEPS, st.integers(1, 80))
def test_periods_follow_each_other_day_by_day(day, step, periods):
    """Every day belongs to one period, and no period is 30.4 days long."""
    calendar = horizon(day, step, periods)
    lengths = {"dekad": {8, 9, 10, 11}, "month": {28, 29, 30, 31}}[step]
    assert {int(d) for d in calendar.days} <= lengths
    assert calendar.days.sum() == (calendar.end - calendar.starts[0]).days
    assert calendar.edges()[-1] == calendar.days.sum()
    assert Calendar.between(calendar.starts[0], calendar.end - timedelta(days=1), step) == calendar


@given(DAYS, STEPS)
def test_the_next_period_begins_within_31_days(day, step):
    """From any day the next start is later, and it is a start."""
    start = next_start(day, step)
    assert 1 <= (start - day).days <= 31
    assert start.day in ((1, 11, 21) if step == "dekad" else (1,))


def test_a_leap_february_has_a_dekad_of_nine_days():
    """Days 21 to 29."""
    calendar = Calendar.between(date(2024, 2, 1), date(2024, 2, 29), "dekad")
    assert calendar.days.tolist() == [10, 10, 9]
    assert Calendar.between(date(2023, 2, 1), date(2023, 2, 28), "dekad").days.tolist() == [10, 10, 8]


@pytest.mark.parametrize(("first", "last", "step", "told"), [
    ("2023-01-02", "2023-01-31", "month", "2023-01-02 is not the first day of a month; 2023-02-01 is the next one"),
    ("2023-01-01", "2023-01-30", "month", "2023-01-30 is not the last day of a month; 2023-01-31 is"),
    ("2023-01-05", "2023-01-10", "dekad", "2023-01-05 is not the first day of a dekad; 2023-01-11 is the next one"),
    ("2023-01-01", "2023-01-15", "dekad", "2023-01-15 is not the last day of a dekad; 2023-01-10 or 2023-01-20 is"),
    ("2023-02-01", "2023-01-31", "month", "2023-02-01 to 2023-01-31 runs backwards; exchange the two"),
    ("2023-01-11", "2023-01-31", "month", "2023-01-11 is not the first day of a month; 2023-02-01 is the next one"),
])
def test_dates_that_cut_a_period_are_refused(first, last, step, told):
    """A horizon is a whole number of periods, and not none."""
    with pytest.raises(ValueError, match=re.escape(told)):
        Calendar.between(date.fromisoformat(first), date.fromisoformat(last), step)


def test_a_hydrological_year_is_named_after_the_year_it_ends_in():
    """October 2022 to September 2023 is 2023; October 2023 is 2024."""
    calendar = Calendar.between(date(2022, 9, 1), date(2023, 10, 31), "month")
    assert calendar.hydrological_years.tolist() == [2022, *[2023] * 12, 2024]


def test_the_growing_season_is_april_to_september():
    """Six months grow, six do not."""
    calendar = Calendar.between(date(2022, 10, 1), date(2023, 9, 30), "month")
    assert calendar.seasons == ("non-growing",) * 6 + ("growing",) * 6


@given(st.integers(1, 12), st.integers(1, 12))
def test_a_window_of_months_may_pass_the_turn_of_the_year(first, last):
    """Its length is counted forwards from the first month to the last."""
    months = np.arange(1, 13)
    inside = in_months(months, first, last)
    assert inside.sum() == (last - first) % 12 + 1
    assert inside[[first - 1, last - 1]].all()


@given(DAYS, STEPS, st.integers(1, 24), st.floats(0, 60))
def test_all_water_that_enters_arrives(day, step, periods, travel):
    """The shares of each period sum to one; none arrives before it enters."""
    calendar = horizon(day, step, periods)
    shares = travel_shares(calendar, np.full(periods, travel))
    assert shares.sum(axis=1) == pytest.approx(np.ones(periods))
    assert (shares >= 0).all()


@given(DAYS, STEPS, st.floats(0, 60), st.floats(0, 1000))
def test_what_is_under_way_at_the_start_is_travel_time_times_flow(day, step, travel, flow):
    """A steady flow fills a reach with its flow times its travel time, and all of that arrives."""
    arriving = water_in_transit(horizon(day, step, 3), [flow] * 90, travel)
    assert arriving.sum() == pytest.approx(travel * flow, abs=1e-6)


def test_an_interval_overlaps_each_period_by_its_days():
    """Five days from day 8 on: two in the first period, three in the second."""
    assert overlap(np.array([8.0]), np.array([13.0]), np.array([0.0, 10.0, 20.0, 31.0])).tolist() == [[2, 3, 0]]
