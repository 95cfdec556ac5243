"""Write docs/tables.md from what the components declare of their tables.

Run it from the root of the repository: python tools/write_tables_page.py
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wateropt.basin import NODE_COLUMNS
from wateropt.components import COMPONENTS
from wateropt.policies import POLICIES
from wateropt.tables import CONFIDENCES, REQUIRED, Column, Series

PAGE = Path("docs/tables.md")
HEAD = f"""# The tables

Written by `tools/write_tables_page.py` from the declarations in `src/wateropt/components/` and
`src/wateropt/policies/`; do not edit.

A basin is a folder of CSV files and a `basin.yaml`. The first column of a table holds the ids, which the other files
use. A column's unit is the suffix of its header. Every row ends with `source` (a key of `references.csv`),
`confidence` (one of {", ".join(f"`{c}`" for c in CONFIDENCES)}) and, if needed,
`note`. An empty cell takes the default; where the table below says *required*, a cell must be filled.

A series has rows by period (`start`, the first day, and `days`) or by calendar month (`month`, 1 to 12, each once).
Its values are rates, so that months and dekads can be made from each other.

A basin may lie over others: `includes` in its `basin.yaml` names the folders beside it that it begins with, and a
scenario may name a list, `basin: [FIRST, SECOND]`, lowest first. Each folder is read once. A row of a later folder
replaces the earlier row of the same id, and its rows of a series all earlier rows of that id, so that a folder with
nothing but the dated inflows of other years can be laid over any basin. Countries are added up; `price_year`,
`blocks` and `shortage_steps` must agree; title and name are those of the folder that includes, or the title of a
list's first folder and the names of all of them. Sources are looked up in the `references.csv` of the row's own folder.
"""
CLAUSES = """## Clauses of agreements

Not files: each is an entry of a scenario's `policies`, with `kind`, `clause` (a name of its own) and the keys below.
"""


def default_of(column: Column) -> str:
    """Return the default of a column in words."""
    if column.default is REQUIRED:
        return "*required*"
    if column.default is None:
        return "none"
    if column.default == "":
        return "empty"
    return f"{column.default:g}" if isinstance(column.default, float | int) else str(column.default)


def limits_of(column: Column) -> str:
    """Return what a column allows in words."""
    if column.choices:
        return ", ".join(f"`{c}`" for c in column.choices)
    if column.refers:
        return f"id of `{column.refers}`" if column.refers != "country" else "key of `countries` in `basin.yaml`"
    if not column.is_number or column.low == -math.inf:
        return "" if column.high == math.inf else f"at most {column.high:g}"
    return f"at least {column.low:g}" if column.high == math.inf else f"{column.low:g} to {column.high:g}"


def rows_of(columns: Iterable[Column]) -> Iterator[str]:
    """Yield the rows of the markdown table of some columns."""
    yield "| column | unit | allowed | default | meaning |"
    yield "|---|---|---|---|---|"
    for c in columns:
        unit = {"text": "", "1": "1", "month": ""}.get(c.unit, c.unit)
        yield f"| `{c.header}` | {unit} | {limits_of(c)} | {default_of(c)} | {c.text} |"


def first_line(part: Any) -> str:
    """Return the first paragraph of a module's text as one line."""
    return " ".join(part.__doc__.split("\n\n")[0].split())


def series_of(name: str, series: Series) -> Iterator[str]:
    """Yield the section of a series."""
    keys = ", ".join(f"`{k}`" for k in (name, *series.keys))
    cover = "every asset needs values for the whole horizon" if series.required else "periods may be missing"
    file = "; the file may be missing" if series.optional_file else ""
    text = series.text[0].upper() + series.text[1:]
    yield from ("", f"### `{name}_{series.name}.csv`", "", f"{text}. Keys: {keys}; {cover}{file}.", "")
    yield from rows_of(series.columns)


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield from (HEAD, "## `node.csv`", "", "Places of the river where water balances.", "")
    yield from rows_of(NODE_COLUMNS)
    for part in COMPONENTS:
        yield from ("", f"## `{part.NAME}.csv`", "", first_line(part), "")
        yield from rows_of(part.COLUMNS)
        for series in part.SERIES:
            yield from series_of(part.NAME, series)
    curve = "Level curve of each reservoir: three points or more, both columns increasing."
    yield from ("", "## `reservoir_level.csv`", "", curve, "")
    yield from ("| column | unit | meaning |", "|---|---|---|", "| `reservoir` |  | id of `reservoir` |",
                "| `storage_hm3` | hm3 | storage |", "| `elevation_m` | m | level at that storage |", "")
    yield CLAUSES
    for part in POLICIES:
        yield from (f"### `kind: {part.NAME}`", "", first_line(part), "")
        yield from rows_of(part.COLUMNS)
        yield ""


def main() -> None:
    """Write the page."""
    text = "\n".join(page())
    PAGE.write_text("\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
