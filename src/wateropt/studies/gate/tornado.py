"""Tornado: what a sweep found as a table of Markdown with bars of text, as GitHub shows no pictures of our own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDE = 32  # letters of a bar
LOW, HIGH, BASE, NONE = "▒", "█", "│", "·"  # to the first value's run, to the second's, the base run, nothing
MOST = 16  # bars that stay readable
INDICES = ("ST", "mu_star", "S1")  # the first that a sweep has is shown


def tornado(rows: Sequence[Mapping[str, Any]], moved: Mapping[str, float]) -> Iterator[str]:
    """Yield the lines of a table: a bar for each factor, and by how much it moved since the baseline.

    Args:
        rows: of a sweep's `effects.csv` for one output and scenario, each with the `names` of its quantities.
        moved: quantity -> movement, of those that moved further than allowed.
    """
    yield from (_bars if "swing" in rows[0] else _indices)(rows, moved)


def _bars(rows: Sequence[Mapping[str, Any]], moved: Mapping[str, float]) -> Iterator[str]:
    """Yield a tornado: the output at both ends of each factor, the largest swing first."""
    shown = [row for row in rows if math.isfinite(row["swing"])][:MOST]
    scale = _scale([row[f"output_{end}"] for row in shown for end in ("base", "low", "high")])
    yield f"`{rows[0]['output']}` of {rows[0]['scenario']} (`{BASE}`: {_short(rows[0]['output_base'])})"
    yield ""
    yield f"| factor | from | to | at from `{LOW}` | at to `{HIGH}` | | moved since the baseline |"
    yield "|---|---:|---:|---:|---:|---|---:|"
    for row in shown:
        cells = [_short(row[key]) for key in ("low", "high", "output_low", "output_high")]
        yield _line(row, [*cells, f"`{_sides(row, scale)}`"], moved)


def _indices(rows: Sequence[Mapping[str, Any]], moved: Mapping[str, float]) -> Iterator[str]:
    """Yield the index of each factor that tells most, the largest first."""
    index = next((key for key in INDICES if any(row["index"] == key for row in rows)), "")
    shown = sorted((row for row in rows if row["index"] == index and index), key=lambda row: -row["value"])[:MOST]
    scale = _scale([0.0, *(row["value"] for row in shown)])
    yield f"`{index}` of `{rows[0]['output']}`, {rows[0]['scenario']}"
    yield ""
    yield "| factor | value | interval | | moved since the baseline |"
    yield "|---|---:|---:|---|---:|"
    for row in shown:
        interval = " to ".join(_short(row[key]) for key in ("interval_low", "interval_high") if key in row)
        bar = (HIGH * (_column(row["value"], scale) - _column(0.0, scale))).ljust(WIDE, NONE)
        yield _line(row, [_short(row["value"]), interval, f"`{bar}`"], moved)


def _line(row: Mapping[str, Any], cells: Sequence[str], moved: Mapping[str, float]) -> str:
    told = ", ".join(f"{name.rpartition('/')[2]} {moved[name]:+.4g}" for name in row["names"] if name in moved)
    return f"| {' | '.join([row['factor'], *cells, told])} |"


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else "as it is" if value is None else str(value)


def _scale(values: Sequence[float]) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)] or [0.0]
    return min(known), max(known)


def _column(value: float, scale: tuple[float, float]) -> int:
    """Return the place of a value among the letters of a bar.

    >>> _column(0, (-10, 10)), _column(10, (-10, 10)), _column(3, (3, 3))
    (16, 32, 0)
    """
    low, high = scale
    return round(WIDE * (value - low) / (high - low)) if high > low else 0


def _sides(row: Mapping[str, Any], scale: tuple[float, float]) -> str:
    """Return a bar with the output at both ends, and at the base run."""
    base = _column(row["output_base"], scale)
    letters = [NONE] * WIDE
    for end, letter in (("low", LOW), ("high", HIGH)):
        if math.isfinite(row[f"output_{end}"]):
            first, last = sorted((base, _column(row[f"output_{end}"], scale)))
            letters[first:last] = [letter] * (last - first)
    return "".join(letters[:base]) + BASE + "".join(letters[base:])
