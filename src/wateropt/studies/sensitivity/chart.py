"""Charts of a sweep: a tornado, a scatter for each factor, or indices with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from wateropt.report.charts import GREY, OBSERVED, OPTIMAL, save_both, use_style
from wateropt.studies.sensitivity.plan import Plan

MOST = 16  # bars or panels that stay readable
ACROSS = 4


def draw(plan: Plan, runs: Sequence[Mapping[str, str]], found: Sequence[Mapping[str, Any]], stem: Path) -> None:
    """Write the chart of the first output and scenario as `stem`.png and .svg."""
    use_style()
    output, scenario = plan.outputs[0], plan.design.scenarios[0]
    own = [row for row in found if (row["output"], row["scenario"]) == (output, scenario)]
    title = plan.design.title or f"{scenario}: {plan.design.method.replace('_', ' ')}"
    if plan.design.method == "one_at_a_time":
        figure = _tornado(own, output, scenario)
    elif plan.design.method in ("latin_hypercube", "grid"):
        figure = _scatter(plan, runs[:len(plan.rows)], output)
    else:
        figure = _bars(own, "ST" if plan.design.method == "sobol" else "mu_star", output)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.tight_layout()
    save_both(figure, stem)


def _tornado(rows: Sequence[Mapping[str, Any]], output: str, scenario: str) -> Any:
    shown = [row for row in rows if math.isfinite(row["swing"])][:MOST]
    figure, axis = plt.subplots(figsize=(9, 1.6 + 0.42 * len(shown)))
    for place, row in enumerate(reversed(shown)):
        base = row["output_base"]
        for end, colour in (("low", OBSERVED), ("high", OPTIMAL)):
            value = row[f"output_{end}"]
            if math.isfinite(value) and math.isfinite(base):
                axis.barh(place, value - base, left=base, color=colour, height=0.7)
                other = row["output_high" if end == "low" else "output_low"]
                left = value < other or (value == other and end == "low")
                axis.annotate(_short(row[end]), (value, place), xytext=(-4 if left else 4, 0), fontsize=8,
                              textcoords="offset points", ha="right" if left else "left", va="center")
    axis.set_yticks(range(len(shown)), [row["factor"] for row in reversed(shown)])
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.35)  # room for the words at the ends
    axis.set_xlabel(f"{output}, {scenario}")
    return figure


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "as it is" if value is None else str(value)


def _scatter(plan: Plan, runs: Sequence[Mapping[str, str]], output: str) -> Any:
    factors = plan.design.factors[:MOST]
    down = math.ceil(len(factors) / ACROSS)
    figure, axes = plt.subplots(down, min(len(factors), ACROSS), squeeze=False, sharey=True,
                                figsize=(3.0 * min(len(factors), ACROSS) + 0.5, 2.8 * down + 0.4))
    for k, axis in enumerate(axes.flat):
        axis.set_visible(k < len(factors))
        if k >= len(factors):
            continue
        points = [(row[k], float(run[output])) for row, run in zip(plan.rows, runs, strict=True) if run[output]]
        words = factors[k].levels is not None
        x = [(factors[k].levels or []).index(value) if words else value for value, _ in points]
        axis.plot(x, [y for _, y in points], ".", color=OBSERVED, markersize=3)
        if words:
            axis.set_xticks(range(len(factors[k].levels or [])), map(_short, factors[k].levels or []), fontsize=8)
        axis.set_xlabel(factors[k].name, fontsize=9)
        axis.tick_params(labelsize=8)
        if k % ACROSS == 0:
            axis.set_ylabel(output, fontsize=9)
    return figure


def _bars(rows: Sequence[Mapping[str, Any]], index: str, output: str) -> Any:
    shown = sorted((row for row in rows if row["index"] == index), key=lambda row: row["value"])[-MOST:]
    figure, axis = plt.subplots(figsize=(9, 1.6 + 0.42 * len(shown)))
    for place, row in enumerate(shown):
        axis.barh(place, row["value"], color=OBSERVED, height=0.7)
        axis.plot([row["interval_low"], row["interval_high"]], [place, place], color=GREY, linewidth=2)
    axis.set_yticks(range(len(shown)), [row["factor"] for row in shown])
    axis.grid(axis="y", visible=False)
    what = "total share of the variance (ST)" if index == "ST" else "mean absolute effect over the range (mu*)"
    axis.set_xlabel(f"{what} of {output}")
    return figure
