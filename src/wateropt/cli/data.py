"""`wateropt data`: where the numbers of a basin come from, which years are dry, what to measure next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wateropt.studies.dry_years import DryYear
    from wateropt.studies.provenance import Effect

EVERY = 5.0  # seconds between lines of progress


@click.command()
@click.argument("basin")
@click.option("--dry-years", "years", is_flag=True, help="Which hydrological years of the record are dry, and why.")
@click.option("--result", type=click.Path(path_type=Path), help="Rank the numbers with a range by how far they move "
              "the objective of this result (a folder).")
@click.option("--scenario", default="", help="File of the result's scenario, if it is no shipped one.")
@click.option("--most", default=30, show_default=True, help="How many numbers to show with --result.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Processes that solve.")
def data(basin: str, years: bool, result: Path | None, scenario: str, most: int, workers: int) -> None:
    """Show where the numbers of a basin come from: sources and confidence, table by table.

    BASIN is a shipped basin or a folder. Figures of included basins are counted with their own folder.
    """
    from wateropt.basin import find_basin
    from wateropt.errors import UsageError

    folder = find_basin(basin)
    if years and result:
        raise UsageError("--dry-years and --result are two questions; ask one at a time")
    if years:
        _show_years(folder)
    elif result:
        _show_effects(folder, result, scenario, most, workers)
    else:
        _show_sources(folder)


def _show(rows: Sequence[Sequence[str]], words: tuple[int, ...]) -> None:
    """Print rows in columns; the columns numbered in `words` are words and begin at the left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) if k in words else cell.rjust(width)
                 for k, (cell, width) in enumerate(zip(row, widths, strict=True)))
        click.echo("  ".join(cells).rstrip())


def _show_sources(folder: Path) -> None:
    from wateropt.studies.provenance import citations, table_sources
    from wateropt.tables import CONFIDENCES

    tables = table_sources(folder)
    kinds = (*CONFIDENCES, "")
    rows: list[tuple[str, ...]] = [("folder", "table", "rows", *CONFIDENCES, "none stated", "sources")]
    rows += [(t.folder, t.table, str(t.rows), *(str(t.confidence.get(kind, 0)) for kind in kinds), ", ".join(t.sources))
             for t in tables]
    totals = (str(sum(t.confidence.get(kind, 0) for t in tables)) for kind in kinds)
    rows.append(("total", "", str(sum(t.rows for t in tables)), *totals, ""))
    _show(rows, (0, 1, len(rows[0]) - 1))
    used = {(t.folder, key) for t in tables for key in t.sources}
    for name, cited in citations(folder).items():
        click.echo()
        there = [(key, text) for key, text in cited.items() if (name, key) in used]
        _show([(f"sources of {name}", ""), *there], (0, 1))


def _show_years(folder: Path) -> None:
    from wateropt.studies.dry_years import LEAST_SHARE, dry_years

    found = dry_years(folder)
    words = {"available": "lowest third", "season": f"season below {LEAST_SHARE:.0%}"}
    rows = [("year", "inflow hm3", "opening hm3", "available hm3", "rank", "season hm3", "agreed hm3", "share",
             "verdict", "confidence"), *(_year(one, words) for one in found)]
    _show(rows, (8, 9))
    click.echo(f"{sum(bool(one.dry) for one in found)} of {len(found)} years are dry", err=True)


def _year(one: DryYear, words: dict[str, str]) -> tuple[str, ...]:
    rank = f"{one.rank} of {one.of}" if one.rank else "-"
    share = f"{one.share:.0%}" if one.share is not None else "-"
    verdict = f"dry: {' and '.join(words[rule] for rule in one.dry)}" if one.dry else "not dry"
    verdict += ", at the border" if one.border and one.dry in ((), ("available",)) else ""
    return (str(one.year), _cell(one.inflow), _cell(one.opening), _cell(one.available), rank, _cell(one.season),
            _cell(one.agreed), share, verdict, one.confidence)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _show_effects(folder: Path, result: Path, scenario: str, most: int, workers: int) -> None:
    from wateropt.studies.provenance import case_of, check_basin, effects, ranges, unvaried

    case, facts = case_of(result, scenario)
    check_basin(folder, case)
    base, found = effects(case, scenario or facts["scenario"], ranges(folder), fixed_head=facts["fixed_head"],
                          workers=workers, tell=_progress())
    ranked = [one for one in found if one.swing is not None]
    moving = [one for one in ranked if one.swing]
    _show([("table", "id", "column", "confidence", "value", "low", "high", "MUSD at low", "MUSD at high",
            "swing MUSD", "reason"), *(_effect(one) for one in moving[:most])], (0, 1, 2, 3, 10))
    click.echo(f"objective {base:,.3f} MUSD; {len(found)} ranges: {len(moving)} move it, {len(ranked) - len(moving)} "
               f"do not, {len(found) - len(ranked)} could not be varied")
    for reason, count in sorted(unvaried(found).items()):
        click.echo(f"not varied, {count}: {reason}")
    if len(moving) > most:
        click.echo(f"... and {len(moving) - most} that move it less (--most)", err=True)


def _effect(one: Effect) -> tuple[str, ...]:
    sign = "x" if one.range.kind == "factor" else ""
    low, high = one.value or (float("nan"), float("nan"))
    value = f"{low:g}" if low == high else f"{low:.4g} to {high:.4g}"
    costs = ("-" if cost is None else f"{cost:,.3f}" for cost in (one.low, one.high))
    return (one.range.table, one.range.id, one.range.column, one.range.confidence, value, f"{sign}{one.range.low:g}",
            f"{sign}{one.range.high:g}", *costs, f"{one.swing or 0:,.3f}", one.reason)


def _progress() -> Callable[[int, int], None]:
    """Return what tells on stderr how many ranges are done and how long the rest takes."""
    begin = last = time.perf_counter()

    def tell(done: int, of: int) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= EVERY or done == of:
            last = now
            left = (now - begin) / done * (of - done)
            click.echo(f"{done} of {of} ranges solved, {left:.0f} s left", err=True)

    return tell
