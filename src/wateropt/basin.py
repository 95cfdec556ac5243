"""Basin: a folder of tables, read and checked into one frozen object."""

from __future__ import annotations

import difflib
import graphlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from wateropt.components import COMPONENTS
from wateropt.curves import LevelCurve
from wateropt.errors import DataError, Problem, UsageError, nearest
from wateropt.shipped import shipped
from wateropt.tables import CONFIDENCES, Column, RawSeries, Series, Table, read_rows, read_series, read_table

NODE_COLUMNS = (
    Column("name", "text", "name in print"),
    Column("country", "text", "country", refers="country"),
    Column("x", "1", "place in the schematic, 0 to 100"),
    Column("y", "1", "place in the schematic, 0 to 100"),
)
AGREED = ("price_year", "blocks", "shortage_steps")
SETTING_KEYS = ("name", "title", "countries", "price_year", "blocks", "shortage_steps")
JOIN = " + "  # between the names of folders that are laid over each other
RIVER = {"reach": ("origin", "destination"), "reservoir": ("node", "outlet"), "powerhouse": ("intake", "outfall")}


class Layers(NamedTuple):
    """The folders of a basin, from the lowest to the highest.

    Attributes:
        folders: every folder, each once.
        own: the folder that the user named; None if several were named. Its files need no folder in messages.
    """

    folders: tuple[Path, ...]
    own: Path | None

    def having(self, file: str) -> tuple[Path, ...]:
        """Return the folders that have a file; the highest folder if none has it, where it is then missing."""
        return tuple(folder for folder in self.folders if (folder / file).exists()) or self.folders[-1:]

    def prefix(self, folder: Path) -> str:
        """Return what stands before the name of a folder's file."""
        return "" if folder == self.own else f"{folder.name}/"

    def told(self, folder: Path, found: Iterable[Problem]) -> list[Problem]:
        """Return problems of a folder with its name before that of the file."""
        return [problem._replace(file=self.prefix(folder) + problem.file) for problem in found]


class ShortageStep(NamedTuple):
    """A step of shortage: its width as a share of the requirement, and what multiplies the value of water."""

    width: float
    factor: float


@dataclass(frozen=True)
class Basin:
    """A checked basin.

    Attributes:
        name, title, countries, price_year, blocks, shortage_steps: from `basin.yaml`.
        tables: component (and `node`) -> table.
        series: component -> series name -> rows as read.
        curves: reservoir -> level curve.
        hashes: file -> SHA-256 of its content, without regard to the order of rows; with the folder's name before
            the file's where it is an included one or one of several.
        folders: where it was read from, from the lowest layer to the highest.
    """

    name: str
    title: str
    countries: Mapping[str, str]
    price_year: int
    blocks: Mapping[str, float]
    shortage_steps: tuple[ShortageStep, ...]
    tables: Mapping[str, Table]
    series: Mapping[str, Mapping[str, RawSeries]]
    curves: Mapping[str, LevelCurve]
    hashes: Mapping[str, str]
    folders: tuple[Path, ...] = ()


def find_basin(name: str, near: Path | None = None) -> Path:
    """Return the folder of a basin: a path (also relative to `near`), or the name of a shipped one.

    Raises:
        UsageError: there is no such basin.
    """
    for folder in (Path(name), *([near / name] if near else []), shipped("basins") / name):
        if folder.is_dir():
            return folder
    names = [p.name for p in shipped("basins").glob("*") if p.is_dir()]
    raise UsageError(f"no basin `{name}`; {nearest(name, names)}")


def basin_folders(place: Path | Sequence[Path]) -> list[Path]:
    """Return the folders of a basin, from the lowest layer to the highest.

    Raises:
        DataError: an included folder is not there, or includes one that includes it.
    """
    named = [place] if isinstance(place, Path) else [*place]
    problems: list[Problem] = []
    layers = _layers(named, problems)
    if problems:
        raise DataError(f"basin {JOIN.join(folder.name for folder in named)}", problems)
    return [*layers.folders]


def load_basin(place: Path | Sequence[Path]) -> Basin:
    """Read and check a basin: a folder, or several laid over each other, each with those that it includes.

    Where several folders have a row of the same id, that of the later folder holds. Several folders have the title
    of the first and the names of all.

    Raises:
        DataError: with every problem found in any of its files.
    """
    named = [place] if isinstance(place, Path) else [*place]
    problems: list[Problem] = []
    layers = _layers(named, problems)
    settings = _read_settings(named, layers, problems)
    tables = {"node": _layered_table(layers, "node", NODE_COLUMNS, problems)}
    series: dict[str, dict[str, RawSeries]] = {}
    for part in COMPONENTS:
        tables[part.NAME] = _layered_table(layers, part.NAME, part.COLUMNS, problems)
        series[part.NAME] = {s.name: _layered_series(layers, tables[part.NAME], s, problems) for s in part.SERIES}
    problems += _check_files(layers)
    curves = _read_curves(layers, tables["reservoir"], problems)
    problems += _check_references(layers, tables, settings.get("countries", {}))
    problems += _check_sources(layers)
    if not problems:
        problems += [problem for part in COMPONENTS for rule in part.RULES for problem in rule(tables)]
        problems += _check_river(tables)
    if problems:
        raise DataError(f"basin {JOIN.join(folder.name for folder in named)}", problems)
    return Basin(tables=tables, series=series, curves=curves, hashes=_hashes(layers), folders=layers.folders,
                 **settings)


def _layers(named: Sequence[Path], problems: list[Problem]) -> Layers:
    """Return the folders of a basin, those that a folder includes before it."""
    found: list[Path] = []
    for folder in named:
        there = {other.name: other.resolve() for other in found}
        if there.get(folder.name) == folder.resolve():
            what = "is there already, by itself or included by a folder before it; name it once"
            problems.append(Problem("basin", folder.name, what))
        for other in _included(folder, (), problems):
            if other.name not in there:
                found.append(other)
            elif other.resolve() != there[other.name]:
                what = f"two folders have this name, {other} and {there[other.name]}; rename one"
                problems.append(Problem("basin", other.name, what))
    return Layers(tuple(found), named[0] if len(named) == 1 else None)


def _included(folder: Path, seen: tuple[Path, ...], problems: list[Problem]) -> list[Path]:
    """Return a folder and all that it includes, those first."""
    names = read_yaml(folder / "basin.yaml", []).get("includes", [])
    found: list[Path] = []
    for name in names if isinstance(names, list) else [names]:
        other = folder.resolve().parent / str(name)
        if not other.is_dir() or other in seen:
            hint = nearest(str(name), [p.name for p in folder.resolve().parent.glob("*") if p.is_dir()])
            what = "includes this basin in turn" if other in seen else f"is not beside this basin; {hint}"
            problems.append(Problem("basin.yaml", "includes", f"`{name}` {what}"))
            continue
        found += [place for place in _included(other, (*seen, folder), problems) if place not in found]
    return [*found, folder]


def _layered_table(layers: Layers, name: str, columns: tuple[Column, ...], problems: list[Problem]) -> Table:
    """Read a table from every folder that has it; a later row replaces an earlier one of the same id."""
    file, merged = f"{name}.csv", Table(name, columns={column.name: {} for column in columns})
    for folder in layers.having(file):
        if name != "node" and not (folder / file).exists():  # only nodes are a must
            continue
        found: list[Problem] = []
        table = read_table(folder, name, columns, found)
        if folder != layers.own:
            table = replace(table, places={key: f"{place} in {folder.name}" for key, place in table.places.items()})
        merged = table.over(merged)
        problems += layers.told(folder, found)
    return merged


def _layered_series(layers: Layers, table: Table, series: Series, problems: list[Problem]) -> RawSeries:
    """Read a series from every folder that has it; later rows of an id replace the earlier ones."""
    file = f"{table.name}_{series.name}.csv"
    merged = RawSeries(file, series.columns)
    for folder in layers.having(file):
        found: list[Problem] = []
        merged = read_series(folder, table, series, found).within(layers.prefix(folder)).over(merged)
        problems += layers.told(folder, found)
    return merged


# ---- basin.yaml -------------------------------------------------------------------------------------


def read_yaml(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping; what is wrong goes to `problems`."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(Problem(path.name, "", f"is missing in {path.parent}"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(path.name, "", f"cannot be read as UTF-8 text: {error}"))
    except ValueError as error:  # a date such as 2023-02-30
        problems.append(Problem(path.name, "", f"holds a date that does not exist: {error}; correct it"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else ""
        problems.append(Problem(path.name, place, f"is not YAML: {getattr(error, 'problem', error)}"))
    else:
        if isinstance(content, dict):
            return content
        problems.append(Problem(path.name, "", "is empty or no mapping; write `key: value` lines"))
    return {}


def _layered_settings(named: Sequence[Path], layers: Layers, problems: list[Problem]) -> dict[str, Any]:
    """Return the settings of a basin over those that it includes, which must agree on time, money and shortage."""
    content: dict[str, Any] = {}
    titles: dict[Path, dict[str, Any]] = {}
    for folder in layers.folders:
        found: list[Problem] = []
        own = titles[folder] = read_yaml(folder / "basin.yaml", found)
        problems += layers.told(folder, found)
        for key in AGREED:
            if key in own and key in content and own[key] != content[key]:
                what = f"is `{own[key]}` in {folder.name}, `{content[key]}` in what it is joined with; make them agree"
                problems.append(Problem("basin.yaml", key, what))
        before, now = content.get("countries"), own.get("countries")
        content = {**content, **own}
        if isinstance(before, dict) and isinstance(now or {}, dict):
            content["countries"] = {**before, **(now or {})}
    content.pop("includes", None)
    if layers.own is None and content:
        names = [str(titles.get(folder, {}).get("name", folder.name)) for folder in named]
        content |= {"name": JOIN.join(names), "title": titles[named[0]].get("title", names[0])}
    return content


def _read_settings(named: Sequence[Path], layers: Layers, problems: list[Problem]) -> dict[str, Any]:
    content = _layered_settings(named, layers, problems)
    for key in content:
        if key not in SETTING_KEYS:
            problems.append(Problem("basin.yaml", key, f"unknown key; {nearest(str(key), SETTING_KEYS)}"))
    missing = [key for key in SETTING_KEYS if content and key not in content]
    problems += [Problem("basin.yaml", key, "is missing; add it") for key in missing]
    if not content or missing:
        return {}
    try:
        blocks = {str(k): float(v) for k, v in content["blocks"].items()}
        steps = [(float(step["up_to"]), float(step["factor"])) for step in content["shortage_steps"]]
        countries = {str(k): str(v) for k, v in content["countries"].items()}
        year = int(content["price_year"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        problems.append(Problem("basin.yaml", "", f"blocks, shortage_steps, countries or price_year has the wrong form "
                                f"({error})"))
        return {}
    if abs(sum(blocks.values()) - 24) > 1e-9:
        problems.append(Problem("basin.yaml", "blocks", f"hours sum to {sum(blocks.values()):g}; 24 are needed"))
    ups, factors = [0.0, *(up for up, _ in steps)], [factor for _, factor in steps]
    if ups != sorted(set(ups)) or ups[-1] != 1.0 or factors != sorted(factors):
        problems.append(Problem("basin.yaml", "shortage_steps", "`up_to` must rise to 1.0 and `factor` must not fall"))
    widths = tuple(ShortageStep(b - a, f) for a, b, f in zip(ups, ups[1:], factors, strict=False))
    return {"name": str(content["name"]), "title": str(content["title"]), "countries": countries,
            "price_year": year, "blocks": dict(sorted(blocks.items())), "shortage_steps": widths}


# ---- curves, sources, hashes ------------------------------------------------------------------------


def _read_curves(layers: Layers, reservoirs: Table, problems: list[Problem]) -> dict[str, LevelCurve]:
    file = "reservoir_level.csv"
    if not len(reservoirs):
        return {}
    columns = (Column("storage", "hm3", "", low=0.0), Column("elevation", "m", ""), Column("source", "text", ""),
               Column("confidence", "text", "", choices=CONFIDENCES))
    points: dict[str, list[tuple[float, float]]] = {r: [] for r in reservoirs}
    rows = _layered_rows(layers, file, "reservoir", problems)
    for line, row in rows:
        name = row.get("reservoir", "")
        if name not in points:
            problems.append(Problem(file, f"line {line}", f"no reservoir `{name}`; {nearest(name, reservoirs.ids)}"))
            continue
        try:
            storage, level, *_ = (c.read(row.get(c.header, "")) for c in columns)
            points[name].append((storage, level))
        except ValueError as error:
            problems.append(Problem(file, f"line {line}, {name}", str(error)))
    curves = {}
    for r in reservoirs if rows else ():
        storage, level = np.array(sorted(points[r])).reshape(-1, 2).T
        if len(storage) < 3 or (np.diff(storage) <= 0).any() or (np.diff(level) <= 0).any():
            problems.append(Problem(file, r, "needs three points or more, both columns increasing"))
        else:
            curves[r] = LevelCurve(storage, level)
    return curves


def _layered_rows(layers: Layers, file: str, key: str, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a file of several per id; those of a later folder replace an id's earlier ones."""
    rows: list[tuple[int, dict[str, str]]] = []
    for folder in layers.having(file):
        found: list[Problem] = []
        own = read_rows(folder / file, found)
        problems += layers.told(folder, found)
        names = {row.get(key) for _, row in own}
        rows = [*(kept for kept in rows if kept[1].get(key) not in names), *own]
    return rows


def _hashes(layers: Layers) -> dict[str, str]:
    found = {}
    for folder in layers.folders:
        prefix = layers.prefix(folder)
        for path in sorted(folder.glob("*.csv")):
            lines = path.read_bytes().splitlines()
            found[prefix + path.name] = hashlib.sha256(b"\n".join([*lines[:1], *sorted(lines[1:])])).hexdigest()
        found[f"{prefix}basin.yaml"] = hashlib.sha256((folder / "basin.yaml").read_bytes()).hexdigest()
    return found


# ---- checks across tables ---------------------------------------------------------------------------


def _check_files(layers: Layers) -> Iterable[Problem]:
    """Find a series without its table, or a name that is nearly a table's: both would be left out silently."""
    there = {path.stem for folder in layers.folders for path in folder.glob("*.csv")}
    tables = {part.NAME: [f"{part.NAME}_{series.name}" for series in part.SERIES] for part in COMPONENTS}
    known = {"node", "reservoir_level", "references", *tables, *(name for names in tables.values() for name in names)}
    for name, names in tables.items():
        left = sorted(there & {*names}) if name not in there else []
        if left:
            yield Problem(f"{name}.csv", "", f"is missing in {layers.folders[-1]} but {left[0]}.csv is there; add it")
    for name in sorted(there - known):
        match = difflib.get_close_matches(name, known - there, n=1, cutoff=0.85)
        if match:
            yield Problem(f"{name}.csv", "", f"is no table of a basin; did you mean `{match[0]}.csv`?")


def _check_references(layers: Layers, tables: Mapping[str, Table],
                      countries: Mapping[str, str]) -> Iterable[Problem]:
    """Every name stands in its table. What could not be read has been reported already, and so has an empty cell."""
    known: dict[str, Iterable[str]] = {"country": [*countries], **{name: t.ids for name, t in tables.items()}}
    unread = {name for name in tables if not tables[name].ids and
              any((folder / f"{name}.csv").exists() for folder in layers.folders)}
    unread |= set() if countries else {"country"}
    columns = {"node": NODE_COLUMNS, **{part.NAME: part.COLUMNS for part in COMPONENTS}}
    for name, table in tables.items():
        for column in columns[name]:
            for key in table if column.refers and column.refers not in unread else ():
                value = table.columns[column.name][key]
                if value and value not in known[column.refers]:
                    hint = nearest(value, known[column.refers])
                    yield Problem(f"{name}.csv", table.places[key], f"no {column.refers} `{value}`; {hint}")


def _check_sources(layers: Layers) -> list[Problem]:
    """Find rows whose source is not among the references of their folder."""
    found: list[Problem] = []
    for folder in layers.folders:
        own: list[Problem] = []
        sources = {row["key"] for _, row in read_rows(folder / "references.csv", own) if "key" in row}
        for path in sorted(folder.glob("*.csv")):
            for line, row in read_rows(path, []):
                if sources and row.get("source") and row["source"] not in sources:
                    what = f"source `{row['source']}` is not in references.csv; {nearest(row['source'], sources)}"
                    own.append(Problem(path.name, f"line {line}", what))
        found += layers.told(folder, own)
    return found


def _check_river(tables: Mapping[str, Table]) -> Iterable[Problem]:
    below: dict[str, set[str]] = {}
    for name, (origin, destination) in RIVER.items():
        table = tables[name]
        for key in table:
            a, b = table.columns[origin][key], table.columns[destination][key]
            if not (name == "reservoir" and b in _canal_heads(tables, a)):  # off-stream: its canal leads back
                below.setdefault(a, set()).add(b)
    cycle = _find_cycle(below)
    if cycle:
        yield Problem("reach.csv", "", f"the river runs in a circle: {' -> '.join(cycle)}; turn one of its arcs")


def _canal_heads(tables: Mapping[str, Table], node: str) -> set[str]:
    canals = tables["canal"]
    return {canals.origin[c] for c in canals if canals.destination[c] == node}


def _find_cycle(below: Mapping[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter({node: sorted(below[node]) for node in sorted(below)}).prepare()
    except graphlib.CycleError as error:
        return [str(node) for node in reversed(error.args[1])]
    return []
