"""Water takes time, and all of it arrives."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wateropt
from small import SmallBasin
from wateropt.calendar import Calendar, travel_shares, water_in_transit

FIRST, LAST = date(2020, 10, 1), date(2024, 9, 30)
CALENDARS = {step: Calendar.between(FIRST, LAST, step) for step in ("dekad", "month")}
TRAVELS = [0.0, 0.3, 1.0, 9.7, 10.0, 14.8, 31.0, 45.5, 120.0]
DAY = 0.0864


def arrivals(calendar, entered, travel, edges=None):
    """Volumes that arrive in each period, of volumes that enter evenly over theirs: overlaps, one by one."""
    edges = calendar.edges() if edges is None else edges
    found = np.zeros(len(edges) - 1)
    for t, (begin, end) in enumerate(pairwise(calendar.edges())):
        for k, (low, high) in enumerate(pairwise(edges)):
            common = min(end + travel[t], high) - max(begin + travel[t], low)
            found[k] += entered[t] * max(common, 0.0) / (end - begin)
    return found


@pytest.mark.parametrize("step", CALENDARS)
@pytest.mark.parametrize("travel", TRAVELS)
def test_one_hm3_arrives_whole_from_every_date(step, travel):
    """1 hm³ that enters in any period of four years arrives whole, at the earliest and latest when it should."""
    calendar = CALENDARS[step]
    shares = travel_shares(calendar, np.full(len(calendar), travel))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    edges = calendar.extended(shares.shape[1]).edges()
    for t, row in enumerate(shares):
        for j in np.flatnonzero(row > 1e-12):
            assert edges[t + j + 1] > edges[t] + travel
            assert edges[t + j] < edges[t + 1] + travel


@pytest.mark.parametrize("step", CALENDARS)
def test_no_travel_time_is_no_delay(step):
    """Without travel time water arrives in the period it enters in."""
    assert travel_shares(CALENDARS[step], np.zeros(len(CALENDARS[step]))).tolist() == [[1.0]] * len(CALENDARS[step])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(step=st.sampled_from(sorted(CALENDARS)), travel=st.floats(0, 120), ice=st.floats(0, 120),
       first=st.integers(0, 36), months=st.integers(1, 12))
def test_shares_are_overlaps_in_days(step, travel, ice, first, months):
    """Under any travel times of open water and ice, each share is the overlap of the shifted period."""
    starts = CALENDARS[step].starts[first:first + months]
    calendar = Calendar(starts, step)
    along = np.where(np.isin(calendar.months, [12, 1, 2]), ice, travel)
    shares = travel_shares(calendar, along)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    longer = calendar.extended(shares.shape[1])
    arrived = np.zeros(len(longer))
    for t, row in enumerate(shares):
        arrived[t:t + len(row)] += (t + 1) * row
    np.testing.assert_allclose(arrived, arrivals(calendar, np.arange(1, months + 1), along, longer.edges()),
                               atol=1e-9 * months)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(step=st.sampled_from(sorted(CALENDARS)), travel=st.floats(0, 120), first=st.integers(0, 40),
       flow=st.lists(st.floats(0, 1000), min_size=120, max_size=120))
def test_water_under_way_at_the_start_arrives_whole(step, travel, first, flow):
    """Of each day before the start arrives just what has not arrived by then."""
    calendar = Calendar(CALENDARS[step].starts[first:first + 3], step)
    back = np.arange(120, 0, -1)
    waiting = np.clip(travel - back + 1, 0.0, 1.0) @ np.array(flow)
    assert water_in_transit(calendar, flow, travel).sum() == pytest.approx(waiting, rel=1e-9, abs=1e-9)


def river(calendar, flow, travel, ice, loss=0.0):
    return (SmallBasin().inflow("river", "spring").sink("end", "mouth")
            .dated("inflow_flow", {"inflow": "river"}, calendar, flow_m3s=flow)
            .reach("reach", "spring", "mouth", travel, loss=loss, before=50.0, ice_travel_days=ice,
                   ice_first_month=12, ice_last_month=2))


@pytest.mark.parametrize(("step", "travel", "ice", "loss"), [
    ("dekad", 0.0, 0.0, 0.0), ("dekad", 3.25, 3.25, 0.0), ("dekad", 9.7, 14.8, 0.05), ("dekad", 25.0, 12.0, 0.1),
    ("month", 9.7, 14.8, 0.05), ("month", 45.0, 61.5, 0.0),
])
def test_what_enters_a_reach_arrives_or_is_under_way(tmp_path, step, travel, ice, loss):
    """Four years of a river: entered and under way before = arrived, lost and under way after, period by period."""
    calendar = CALENDARS[step]
    flow = np.random.default_rng(1).uniform(10, 200, len(calendar))
    case = river(calendar, flow, travel, ice, loss).load(
        tmp_path, start=FIRST.isoformat(), end=LAST.isoformat(), step=step)
    result = wateropt.solve(case)
    along = np.where(np.isin(calendar.months, [12, 1, 2]), ice, travel)
    entered = DAY * calendar.days * flow
    np.testing.assert_allclose(DAY * calendar.days * result.values.get("entered", "reach"), entered, rtol=1e-9)
    got = next(line.values for line in result.ledger("node", "reach") if line.place == "mouth")
    expected = arrivals(calendar, entered, along) + before(calendar, 50.0, along[0])
    np.testing.assert_allclose(got, (1 - loss) * expected, rtol=1e-9, atol=1e-9)
    under_way = sum(result.values.get("in_transit", key)[-1] for key in result.values.keys("in_transit"))
    opening = DAY * 50.0 * along[0]
    assert under_way == pytest.approx(opening + entered.sum() - got.sum() / (1 - loss), abs=1e-6)


def before(calendar, flow, travel):
    """What arrives of a steady flow that entered before the start."""
    edges = calendar.edges()
    return DAY * flow * np.maximum(np.minimum(travel, edges[1:]) - edges[:-1], 0.0)
