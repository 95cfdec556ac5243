"""Effects: how much of the movement of an output comes from each factor, read off the rows of a sweep.

A run that failed has no outputs. One at a time it is an empty end of a bar. Of a Latin hypercube or a grid it is left
out, as any part of a random sample may be. Sobol and Morris compare runs within groups (a base point and its
neighbours, a trajectory): a group with a failed run is left out whole, and the indices are those of the remaining
groups.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from wateropt.calendar import Floats
from wateropt.studies.sensitivity.design import Design, Value
from wateropt.studies.sensitivity.plan import Plan
from wateropt.studies.sensitivity.sampling import as_shares, block, levels, problem_of

RESAMPLES = 200  # bootstrap samples of confidence intervals
LEAST = 24  # runs below which indices of a Latin hypercube say nothing
LEAST_GROUPS = 4  # groups of Sobol and Morris designs
STILL = 1e-9  # relative movement below which an output does not vary
TORNADO = ("scenario", "output", "factor", "low", "high", "output_base", "output_low", "output_high", "swing", "runs",
           "failed", "note")
INDICES = ("scenario", "output", "factor", "index", "value", "interval_low", "interval_high", "runs", "used", "failed",
           "note")


class Sample(NamedTuple):
    """The runs of one scenario: values and shares of the factors, and one output, NaN where a run failed."""

    design: Design
    rows: Sequence[tuple[Value, ...]]
    y: Floats


def effects(plan: Plan, runs: Sequence[Mapping[str, str]]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Return the columns and rows of effects.csv.

    Args:
        plan: the plan.
        runs: the rows of its runs.csv.
    """
    found: list[dict[str, Any]] = []
    count = len(plan.rows)
    for number, scenario in enumerate(plan.design.scenarios):
        own = runs[number * count:(number + 1) * count]
        for output in plan.outputs:
            y = np.array([float(row[output]) if row[output] else np.nan for row in own])
            one = Sample(plan.design, plan.rows, y)
            failed = sum(bool(row["reason"]) for row in own)
            said = {"scenario": scenario, "output": output, "runs": count, "failed": failed}
            found += [{**said, **row} for row in _effects(one)]
    return (TORNADO if plan.design.method == "one_at_a_time" else INDICES), found


def _effects(one: Sample) -> Iterator[dict[str, Any]]:
    if one.design.method == "one_at_a_time":
        yield from tornado(one)
        return
    grouped = one.y.reshape(-1, block(one.design))
    whole = np.repeat(np.isfinite(grouped).all(axis=1), grouped.shape[1])
    used = int(whole.sum())
    note = _too_little(one, whole)
    if note:
        yield from ({"factor": f.name, "index": "", "used": used, "note": note} for f in one.design.factors)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of divisions by a variance that is nearly nothing
        rows = list(METHODS[one.design.method](one, whole))
    for factor, index, value, half in rows:
        row: dict[str, Any] = {"factor": factor, "index": index, "value": value, "used": used}
        if half is not None:
            row |= {"interval_low": value - half, "interval_high": value + half}
        yield row


def _too_little(one: Sample, whole: Any) -> str:
    """Return why there are no indices, or ""."""
    y, size = one.y[whole], block(one.design)
    if one.design.method == "latin_hypercube" and len(y) < LEAST:
        return f"{len(y)} runs are too few for indices; {LEAST} or more are needed"
    if size > 1 and len(y) < LEAST_GROUPS * size:
        return f"{len(y) // size} whole groups are too few for indices; {LEAST_GROUPS} or more are needed"
    if not len(y) or np.ptp(y) <= STILL * max(float(np.abs(y).max()), 1.0):
        return "does not vary" if len(y) else "no run has a schedule"
    return ""


# ---- one at a time --------------------------------------------------------------------------------------------------


def tornado(one: Sample) -> Iterator[dict[str, Any]]:
    """Yield a row per factor, the largest swing first: the output at the ends, everything else as in the base run."""
    base = one.rows[0]
    found = []
    for k, factor in enumerate(one.design.factors):
        own = [r for r, row in enumerate(one.rows) if row[k] != base[k]]
        first, last = min(own), max(own)
        y = np.array([one.y[0], *one.y[own]])
        known = y[np.isfinite(y)]
        row = {"factor": factor.name, "low": one.rows[first][k], "high": one.rows[last][k], "output_base": one.y[0],
               "output_low": one.y[first], "output_high": one.y[last],
               "swing": float(np.ptp(known)) if len(known) > 1 else np.nan}
        if len(known) < len(y):
            row["note"] = f"{len(y) - len(known)} of {len(y)} runs failed"
        if len(own) == 1:  # the other end is the base run
            row |= {"low": base[k], "output_low": one.y[0]}
        found.append(row)
    yield from sorted(found, key=lambda row: (-row["swing"] if row["swing"] == row["swing"] else np.inf, row["factor"]))


# ---- samples ----------------------------------------------------------------------------------------

Index = tuple[str, str, float, float | None]  # factor, index, value, half of its confidence interval


def _hypercube(one: Sample, whole: Any) -> Iterator[Index]:
    from SALib.analyze import rbd_fast

    x, y = as_shares(one.design, list(one.rows))[whole], one.y[whole]
    problem, names = problem_of(one.design), [f.name for f in one.design.factors]
    first = rbd_fast.analyze(problem, x, y, num_resamples=RESAMPLES, conf_level=one.design.confidence,
                             seed=one.design.seed)
    slopes, half, fit = regress(x, y, one.design)
    for k, name in enumerate(names):
        yield name, "S1", float(first["S1"][k]), float(first["S1_conf"][k])
        yield name, "regression", float(slopes[k]), float(half[k])
    yield "all", "R2", fit, None


def regress(x: Floats, y: Floats, design: Design) -> tuple[Floats, Floats, float]:
    """Return standardised regression coefficients, half their confidence intervals, and the share that is linear."""
    from statistics import NormalDist

    z, v = _standard(x), _standard(y)
    slopes = np.linalg.lstsq(z, v, rcond=None)[0]
    fit = 1 - float(((v - z @ slopes) ** 2).sum() / (v ** 2).sum())
    draws = np.random.default_rng(design.seed).integers(0, len(y), (RESAMPLES, len(y)))
    drawn = [np.linalg.lstsq(_standard(x[pick]), _standard(y[pick]), rcond=None)[0] for pick in draws]
    half = NormalDist().inv_cdf(0.5 + design.confidence / 2) * np.std(drawn, axis=0, ddof=1)
    return np.asarray(slopes, dtype=float), np.asarray(half, dtype=float), fit


def _standard(values: Floats) -> Floats:
    spread = values.std(axis=0)
    out: Floats = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return out


def _grid(one: Sample, whole: Any) -> Iterator[Index]:
    """Yield the share of the variance that lies between a factor's values, and between which means the output moves."""
    y = one.y[whole]
    rows = [row for row, kept in zip(one.rows, whole, strict=True) if kept]
    for k, factor in enumerate(one.design.factors):
        of_value: dict[Value, list[float]] = {}
        for row, amount in zip(rows, y, strict=True):
            of_value.setdefault(row[k], []).append(float(amount))
        means = np.array([np.mean(group) for group in of_value.values()])
        between = sum(len(g) * (np.mean(g) - y.mean()) ** 2 for g in of_value.values()) / len(y)
        yield factor.name, "S1", float(between / y.var()), None
        yield factor.name, "range_of_means", float(np.ptp(means)), None


def _sobol(one: Sample, whole: Any) -> Iterator[Index]:
    from SALib.analyze import sobol

    found = sobol.analyze(problem_of(one.design), one.y[whole], calc_second_order=False, num_resamples=RESAMPLES,
                          conf_level=one.design.confidence, seed=one.design.seed)
    for k, factor in enumerate(one.design.factors):
        for index in ("S1", "ST"):
            yield factor.name, index, float(found[index][k]), float(found[f"{index}_conf"][k])


def _morris(one: Sample, whole: Any) -> Iterator[Index]:
    from SALib.analyze import morris

    from wateropt.studies.sensitivity.sampling import shares

    x = shares(one.design)
    assert x is not None
    found = morris.analyze(problem_of(one.design), x[whole], one.y[whole], num_resamples=RESAMPLES,
                           conf_level=one.design.confidence, num_levels=levels(one.design), seed=one.design.seed)
    for k, factor in enumerate(one.design.factors):
        yield factor.name, "mu_star", float(found["mu_star"][k]), float(found["mu_star_conf"][k])
        yield factor.name, "mu", float(found["mu"][k]), None
        yield factor.name, "sigma", float(found["sigma"][k]), None


METHODS = {"latin_hypercube": _hypercube, "grid": _grid, "sobol": _sobol, "morris": _morris}
