"""Draw the schematic of a basin as SVG from its tables.

Run from the repository root:

    python tools/schematic.py data/basins/naryn-syrdarya

Writes `schematic.svg` into the folder: nodes at the `x`, `y` of node.csv, reaches, canals and powerhouses between
them, inflows, gains, demand sites and sinks beside them. The same tables give the same bytes.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from html import escape
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 1500.0, 760.0, 40.0
COLOURS = {"KG": "#c0392b", "UZ": "#1e8449", "TJ": "#7d3c98", "KZ": "#1f618d"}
STYLE = """text{font-family:sans-serif;font-size:12px;fill:#222}.small{font-size:10.5px;fill:#555}
.river{stroke:#2e86c1;stroke-width:4}.plant{stroke:#b7950b;stroke-width:4}.outlet{stroke:#2e86c1;stroke-width:4}
.canal{stroke:#117a65;stroke-width:2.5;stroke-dasharray:7 4}.inflow{stroke:#2e86c1;stroke-width:2.5}
.gain{stroke:#ca6f1e;stroke-width:2;stroke-dasharray:3 3}line,path{fill:none}"""

Row = dict[str, str]
Point = tuple[float, float]


def read(folder: Path, name: str) -> list[Row]:
    """Return the rows of a table."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def position(row: Row) -> Point:
    """Return where a node is drawn [pixel]."""
    return (
        MARGIN + float(row["x"]) / 100 * (WIDTH - 2 * MARGIN),
        MARGIN + float(row["y"]) / 100 * (HEIGHT - 2 * MARGIN),
    )


def line(kind: str, start: Point, end: Point, title: str, gap: float = 11.0) -> str:
    """Return an arrow between two nodes, kept clear of both by `gap` pixels."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    ux, uy = dx / length * gap, dy / length * gap
    return (
        f'<line class="{kind}" x1="{start[0] + ux:.1f}" y1="{start[1] + uy:.1f}" x2="{end[0] - ux:.1f}" '
        f'y2="{end[1] - uy:.1f}" marker-end="url(#{kind})"><title>{escape(title)}</title></line>'
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle", turn: float = 0.0) -> str:
    """Return a label, turned by `turn` degrees."""
    turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}{turned}>{escape(words)}</text>'


def links(folder: Path, at: dict[str, Point]) -> list[str]:
    """Return the reaches, powerhouses, outlets and canals."""
    shapes = []
    lakes = {row["reservoir"]: row for row in read(folder, "reservoir")}
    for row in read(folder, "reach"):
        title = f"reach {row['reach']}: {row['travel_days']} days, loss {float(row['loss']):.1%}"
        shapes.append(line("river", at[row["origin"]], at[row["destination"]], title))
    plants = read(folder, "powerhouse")
    for row in plants:
        shapes.append(
            line("plant", at[row["intake"]], at[row["outfall"]], f"{row['name']} {row['capacity_mw']} MW")
        )
    dry = set(lakes) - {row["reservoir"] for row in plants}
    shapes += [
        line("outlet", at[lakes[key]["node"]], at[lakes[key]["outlet"]], f"outlet of {key}")
        for key in sorted(dry)
    ]
    back = {(row["node"], row["outlet"]) for row in lakes.values()}
    for row in read(folder, "canal"):
        start, end = at[row["origin"]], at[row["destination"]]
        shift = 16.0 if (row["destination"], row["origin"]) in back else 0.0
        shapes.append(
            line(
                "canal",
                (start[0] - shift, start[1]),
                (end[0] - shift, end[1]),
                f"{row['name']} {row['capacity_m3s']} m3/s",
                14.0,
            )
        )
    return shapes


def joins(folder: Path, at: dict[str, Point]) -> list[str]:
    """Return the inflows (from above) and gains (from below)."""
    shapes = []
    for row in read(folder, "inflow"):
        x, y = at[row["node"]]
        shapes += [
            line("inflow", (x - 8, y - 100), (x, y), row["inflow"], 9.0),
            text(x - 8, y - 104, row["inflow"], "small"),
        ]
    for row in read(folder, "gain"):
        x, y = at[row["node"]]
        shapes += [
            line("gain", (x - 22, y + 56), (x, y), row["note"], 9.0),
            text(x - 22, y + 68, row["gain"], "small", "end", -35),
        ]
    return shapes


def nodes(folder: Path, at: dict[str, Point]) -> list[str]:
    """Return the nodes: lakes as triangles, sinks as drops, the rest as dots, coloured by country."""
    lakes = {row["node"] for row in read(folder, "reservoir")}
    sinks = {row["node"] for row in read(folder, "sea")}
    shapes = []
    for row in read(folder, "node"):
        x, y = at[row["node"]]
        colour = COLOURS.get(row["country"], "#555")
        if row["node"] in lakes:
            shapes.append(
                f'<path d="M{x - 12:.1f} {y - 13:.1f} L{x + 12:.1f} {y:.1f} L{x - 12:.1f} {y + 13:.1f} Z" '
                f'style="fill:{colour}"/>'
            )
        else:
            size = 10 if row["node"] in sinks else 6
            shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>')
        shapes.append(text(x + 4, y - 17, row["node"], "", "start", -35))
    return shapes


def sites(folder: Path, at: dict[str, Point]) -> list[str]:
    """Return the demand sites as boxes under their node."""
    shapes, count = [], Counter[str]()
    for row in read(folder, "demand"):
        x, y = at[row["node"]]
        top = y + 22 + 24 * count[row["node"]]
        count[row["node"]] += 1
        box = f'x="{x - 52:.1f}" y="{top:.1f}" width="104" height="19" rx="4" fill="#d5f5e3" stroke="#1e8449"'
        shapes += [f"<rect {box}/>", text(x, top + 13, row["demand"], "small")]
    return shapes


def legend() -> list[str]:
    """Return the legend."""
    shapes = [text(MARGIN, HEIGHT - 16, "nodes by country:", "small", "start")]
    for i, (country, colour) in enumerate(COLOURS.items()):
        shapes += [
            f'<circle cx="{MARGIN + 105 + 50 * i:.0f}" cy="{HEIGHT - 20:.0f}" r="6" fill="{colour}"/>',
            text(MARGIN + 114 + 50 * i, HEIGHT - 16, country, "small", "start"),
        ]
    kinds = {
        "river": "reach",
        "plant": "powerhouse",
        "canal": "canal",
        "inflow": "inflow",
        "gain": "net gain or claim",
    }
    for i, (kind, words) in enumerate(kinds.items()):
        x = MARGIN + 330 + 130 * i
        shapes += [
            f'<line class="{kind}" x1="{x:.0f}" y1="{HEIGHT - 20:.0f}" x2="{x + 34:.0f}" y2="{HEIGHT - 20:.0f}"/>',
            text(x + 40, HEIGHT - 16, words, "small", "start"),
        ]
    return [*shapes, text(MARGIN + 1000, HEIGHT - 16, "triangle: lake", "small", "start")]


def draw(folder: Path) -> str:
    """Return the SVG of a basin."""
    at = {row["node"]: position(row) for row in read(folder, "node")}
    colours = {
        "river": "#2e86c1",
        "plant": "#b7950b",
        "outlet": "#2e86c1",
        "canal": "#117a65",
        "inflow": "#2e86c1",
        "gain": "#ca6f1e",
    }
    markers = "".join(
        f'<marker id="{kind}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L10 5 L0 10 Z" style="fill:{colour}"/></marker>'
        for kind, colour in colours.items()
    )
    body = [*links(folder, at), *joins(folder, at), *sites(folder, at), *nodes(folder, at), *legend()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}">',
            f"<style>{STYLE}</style><defs>{markers}</defs>",
            f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="white"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def main() -> None:
    """Write schematic.svg of the basin folder named on the command line."""
    folder = Path(sys.argv[1])
    (folder / "schematic.svg").write_text(draw(folder), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
