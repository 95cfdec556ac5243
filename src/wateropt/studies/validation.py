"""The page that shows how history judges the model: tables, charts, and the text that stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wateropt.errors import OutputError
from wateropt.studies.hindcast import Hindcast, generation, missed_at_the_end, volume

if TYPE_CHECKING:
    from wateropt.result import Result

RUNS = ("history", "plan", "optimum")
TEMPLATE = """# How history judges the model

Written by `wateropt hindcast`, between the markers; the text outside them is kept.

## Storages of a free run

<!-- hindcast: storages -->
<!-- end -->

## Generation

<!-- hindcast: generation -->
<!-- end -->

## What history cost

<!-- hindcast: costs -->
<!-- end -->

## By account

<!-- hindcast: accounts -->
<!-- end -->

## Storage and release

<!-- hindcast: charts -->
<!-- end -->
"""


def write_page(judged: Sequence[Hindcast], page: Path) -> None:
    """Write the tables between the markers of a page, made from a template if it is not there, and its charts.

    The charts go to a folder beside the page that is called like it.

    Raises:
        OutputError: the page cannot be written.
    """
    folder = page.with_suffix("")
    fragments = {"storages": storages(judged), "generation": generated(judged), "costs": costs(judged),
                 "accounts": "\n\n".join(accounts(one) for one in judged),
                 "charts": "\n\n".join(f"![{one.year}]({folder.name}/{one.year}.svg)" for one in judged)}
    try:
        text = page.read_text(encoding="utf-8") if page.exists() else TEMPLATE
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(filled(text, fragments), encoding="utf-8")
        for one in judged:
            draw(one, folder / f"{one.year}.svg")
    except OSError as error:
        raise OutputError(f"{page}: cannot be written ({error.strerror}); choose another --page") from None


def filled(text: str, fragments: Mapping[str, str]) -> str:
    """Return a page with its fragments between the markers `<!-- hindcast: NAME -->` and `<!-- end -->`.

    >>> print(filled("<!-- hindcast: a --> old <!-- end -->", {"a": "new"}))
    <!-- hindcast: a -->
    new
    <!-- end -->
    """
    for name, fragment in fragments.items():
        pattern = rf"<!-- hindcast: {name} -->.*?<!-- end -->"
        body = f"<!-- hindcast: {name} -->\n{fragment}\n<!-- end -->"
        text = re.sub(pattern, lambda _, body=body: body, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Return a table whose first columns are words and whose others are numbers."""
    line = "|".join(["---"] * words + ["---:"] * (len(header) - words))
    return "\n".join(["| " + " | ".join(header) + " |", f"|{line}|", *("| " + " | ".join(row) + " |" for row in rows)])


def storages(judged: Sequence[Hindcast]) -> str:
    """Return how far free runs go from the observed storages [hm³]."""
    lakes = sorted({lake for one in judged for lake in one.free.storage})
    rows = []
    for one in judged:
        for name, run in (("none", one.uncorrected), ("other years", one.free)):
            cells = [f"{run.farthest(lake):.0f} ({run.farthest_in_a_period(lake):.0f})" if lake in run.storage else ""
                     for lake in lakes]
            rows.append([str(one.year), name, *cells])
    return markdown(["year", "correction of lakes with measured inflow", *lakes], rows, words=2)


def generated(judged: Sequence[Hindcast]) -> str:
    """Return hydropower as reported and as modelled with the observed releases [GWh]."""
    rows = [[g.grid, f"{g.first} to {g.last}", f"{g.reported:,.0f}", f"{g.others:,.0f}",
             f"{g.reported - g.others:,.0f}", f"{g.modelled:,.0f}", f"{g.miss:+.1%}"] for g in generation(judged)]
    header = ["grid", "time", "reported, all plants", "of it plants outside the river", "river plants",
              "model, observed releases", "difference"]
    return markdown(header, rows, words=2)


def runs(one: Hindcast) -> dict[str, Result]:
    """Return the runs of a year that have a cost."""
    found = dict(zip(RUNS, (one.history, one.plan, one.optimum), strict=True))
    return {name: run for name, run in found.items() if run is not None}


def costs(judged: Sequence[Hindcast]) -> str:
    """Return what history, plan and optimum of each year cost [MUSD], and what the largest lake released."""
    rows = []
    for one in judged:
        full = one.case.book.tables["reservoir"].full_storage
        largest = max(one.free.observed, key=lambda lake: float(full[lake]))
        cost = {name: f"{run.objective:,.1f}" for name, run in runs(one).items()}
        season = {name: f"{volume(one.case, run.values.get('release', largest), 'growing'):,.0f}"
                  for name, run in runs(one).items()}
        missed = "" if one.plan is None else f"{missed_at_the_end(one.plan):,.0f}"
        rows.append([str(one.year), str(one.expected or ""), *(cost.get(name, "") for name in RUNS), missed,
                     *(season.get(name, "") for name in RUNS)])
    header = ["year", "the plan expects", *(f"{name} MUSD" for name in RUNS), "closing storage the plan misses hm³",
              *(f"largest lake releases April–September hm³, {name}" for name in RUNS)]
    return markdown(header, rows, words=2)


def accounts(one: Hindcast) -> str:
    """Return the accounts of a year's runs [MUSD]."""
    sums: dict[tuple[str, str, str], dict[str, float]] = {}
    for name, run in runs(one).items():
        for line in run.ledger("account"):
            by_run = sums.setdefault(line.place, dict.fromkeys(runs(one), 0.0))
            by_run[name] += float(line.values.sum())
    shown = {place: by_run for place, by_run in sorted(sums.items()) if max(map(abs, by_run.values())) >= 0.05}
    rows = [[*place, *(f"{value:,.1f}" for value in by_run.values())] for place, by_run in shown.items()]
    total = [f"{run.objective:,.1f}" for run in runs(one).values()]
    header = ["country", "item", "kind", *(f"{name} MUSD" for name in runs(one))]
    return f"### {one.year}\n\n" + markdown(header, [*rows, ["all", "", "", *total]], words=3)


def draw(one: Hindcast, path: Path) -> None:
    """Draw observed and optimal storage and release of every lake that was measured."""
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    from wateropt.report.charts import GREY, OBSERVED, OPTIMAL, mark_months, save, use_style

    use_style()
    lakes = list(one.free.observed)
    calendar = one.case.calendar
    edges = calendar.edges()
    figure, axes = plt.subplots(len(lakes), 2, figsize=(11, 2.3 * len(lakes) + 0.6), squeeze=False)
    titles: Any = one.case.book.tables["reservoir"].columns["name"]
    for (left, right), lake in zip(axes, lakes, strict=True):
        opening = one.history.values.with_opening("storage", lake)[:1]
        left.plot(edges, np.concatenate([opening, one.free.storage[lake]]), color=GREY, lw=1.4)
        left.plot(edges, np.concatenate([opening, one.free.observed[lake]]), color=OBSERVED, lw=2.4, ls=(0, (5, 1.5)))
        left.plot(edges, one.optimum.values.with_opening("storage", lake), color=OPTIMAL, lw=2.4)
        right.stairs(one.history.values.get("release", lake), edges, color=OBSERVED, lw=2.4, ls=(0, (5, 1.5)),
                     baseline=None)
        right.stairs(one.optimum.values.get("release", lake), edges, color=OPTIMAL, lw=2.4, baseline=None)
        left.set_title(f"{titles[lake]}, storage (hm³)", loc="left", fontsize=11, fontweight="bold")
        right.set_title("release (m³/s)", loc="left", fontsize=11, fontweight="bold")
        for axis in (left, right):
            axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]) if one.free.storage[lake].min() < 0 else 0.0)
            mark_months(axis, calendar.months.tolist(), edges, names=lake == lakes[-1])
    handles = [Line2D([], [], color=c, lw=2.4, ls=s) for c, s in
               ((OBSERVED, (0, (5, 1.5))), (OPTIMAL, "-"), (GREY, "-"))]
    figure.legend(handles, ["observed", "optimum", "free run with the observed releases"], loc="upper center", ncols=3,
                  frameon=False, fontsize=11, title=f"hydrological year {one.year}", title_fontsize=12)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.7 / figure.get_figheight()), h_pad=1.0)
    save(figure, path)


def tables(judged: Sequence[Hindcast]) -> Iterator[dict[str, object]]:
    """Yield a row for each year, lake and period: what was observed and what the runs say."""
    for one in judged:
        calendar = one.case.calendar
        for lake, observed in one.free.observed.items():
            for t, start in enumerate(calendar.starts):
                row: dict[str, object] = {
                    "year": one.year, "reservoir": lake, "start": start.isoformat(), "days": int(calendar.days[t]),
                    "observed_storage_hm3": float(observed[t]),
                    "free_run_storage_hm3": float(one.free.storage[lake][t]),
                    "uncorrected_storage_hm3": float(one.uncorrected.storage[lake][t])}
                for name, run in runs(one).items():
                    row[f"{name}_storage_hm3"] = float(run.values.get("storage", lake)[t])
                    row[f"{name}_release_m3s"] = float(run.values.get("release", lake)[t])
                yield row
