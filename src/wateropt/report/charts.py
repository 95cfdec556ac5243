"""Charts: one style for all, and files whose bytes depend on nothing but their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

OBSERVED, OPTIMAL, GREY = "#0072B2", "#D55E00", "#7F7F7F"  # told apart by colour-blind readers
MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def use_style() -> None:
    """Set fonts, grid and what else all charts share."""
    mpl.rcParams.update({"svg.hashsalt": "wateropt", "svg.fonttype": "path", "font.family": "sans-serif",
                         "font.size": 12, "axes.spines.top": False, "axes.spines.right": False,
                         "axes.grid": True, "grid.color": "#DDDDDD", "axes.axisbelow": True})


def save(figure: Any, path: Path) -> None:
    """Write a figure as SVG, the same bytes for the same figure, and close it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    lines = (line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def save_both(figure: Any, stem: Path) -> None:
    """Write a figure as PNG and SVG, and close it."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(stem.with_suffix(".png"), dpi=120, metadata={"Software": None})
    save(figure, stem.with_suffix(".svg"))


def mark_months(axis: Any, months: list[int], edges: Any, names: bool = True) -> None:
    """Draw a tick where each month begins and its name between the ticks.

    Args:
        axis: a matplotlib axis whose x are days since the start.
        months: calendar month of each period.
        edges: begin of each period and the end of the last one [day], shape (period + 1,).
        names: whether the names are written.
    """
    begins = [k for k in range(len(months)) if k == 0 or months[k] != months[k - 1]]
    places = [float(edges[k]) for k in begins] + [float(edges[-1])]
    axis.set_xlim(places[0], places[-1])
    axis.set_xticks(places)
    axis.set_xticklabels([])
    axis.tick_params(axis="x", length=4)
    for k, begin in enumerate(begins if names else ()):
        axis.annotate(MONTHS[months[begin]], ((places[k] + places[k + 1]) / 2, 0), xycoords=("data", "axes fraction"),
                      xytext=(0, -6), textcoords="offset points", ha="center", va="top", fontsize=9)
