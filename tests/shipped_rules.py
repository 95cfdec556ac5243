"""What every number of the shipped data must keep; each rule takes the folder `data` and yields what breaks it.

The tables of `data/sources` say what belongs together, so that a new basin needs rows there and none here:
`index.csv` which inputs a basin's script reads, `made.csv` which tables it writes, `measured.csv` which column of
an input a measured series is, `reported.csv` what was published of each single figure.
"""

import ast
import csv
import math
import operator
import re

import yaml

from wateropt.basin import NODE_COLUMNS
from wateropt.components import COMPONENTS
from wateropt.tables import CONFIDENCES

ABOUT_SOURCES = {"index", "made", "measured", "reported"}  # tables of data/sources that are no inputs
WITHOUT_SOURCE = {"references", "corrections", "inflow_range"}  # the last two are sums of other tables
AXIS = {("reservoir_level", "storage_hm3")}  # where a curve is drawn is a choice, not a fact
DRAWN = {("node", "x"), ("node", "y")}  # places in a picture
YEARS = "hydrological_year"  # the record that tells dry years: no table of the model
NUMBER = r"-?\d+(?:\.\d+)?"


READ = {}  # tables by name, time and size: those of a copy are the same rows and are read once


def rows(path):
    """The rows of a table, not to be changed; none if it is not there."""
    if not path.exists():
        return []
    about = path.stat()
    key = (path.parent.name, path.name, about.st_mtime_ns, about.st_size)
    if key not in READ:
        with path.open(encoding="utf-8", newline="") as file:
            READ[key] = list(csv.DictReader(file))
    return READ[key]


def basins(data):
    return sorted(path for path in (data / "basins").iterdir() if path.is_dir())


def sources(data, name):
    return rows(data / "sources" / f"{name}.csv")


def inputs(data, basin):
    """Tables that a basin's series are made from, by their place in the repository."""
    files = sorted({row["file"] for row in sources(data, "index") if row["basin"] == basin})
    return {f"data/sources/{name}": data / "sources" / name for name in files}


def included(folder):
    """Folders of the basins that a basin includes, and of those that they include."""
    names = yaml.safe_load((folder / "basin.yaml").read_text(encoding="utf-8")).get("includes", ())
    return [place for name in names for place in (*included(folder.parent / name), folder.parent / name)]


def headers(folder):
    """Table -> its id column and its number columns."""
    columns = {"node": ("node", NODE_COLUMNS)}
    for part in COMPONENTS:
        columns[part.NAME] = (part.NAME, part.COLUMNS)
        columns |= {f"{part.NAME}_{series.name}": (part.NAME, series.columns) for series in part.SERIES}
    found = {name: (key, [c.header for c in own if c.is_number]) for name, (key, own) in columns.items()}
    found["reservoir_level"] = ("reservoir", ["storage_hm3", "elevation_m"])
    found["generation_reported"] = ("grid", ["generation_gwh"])
    years = rows(folder / f"{YEARS}.csv")
    return found | {YEARS: (YEARS, [name for name in (years[0] if years else ()) if name.endswith("_hm3")])}


def numbers(folder, tables=None):
    """Every number of a basin's tables, or of some of them: (table, id, column), its cell and its row."""
    for name, (key, own) in headers(folder).items():
        for row in rows(folder / f"{name}.csv") if tables is None or name in tables else ():
            yield from (((name, row[key], header), row[header], row) for header in own if row.get(header))


def provenance(folder):
    """What differs for single cells: (table, id, column) -> row."""
    return {(row["table"], row["id"], row["column"]): row for row in rows(folder / "provenance.csv")}


def stands_for_nothing(place, row):
    """A cell that is filled in but never read: the pond of a plant at a lake, ice where none is."""
    name, _, column = place
    return (name == "powerhouse" and column == "pondage_hm3" and bool(row["reservoir"])) or (
        name == "reach" and column.startswith("ice_") and not row["ice_first_month"])


# ---- every row has a source ----------------------------------------------------------------------------


def rows_without_source(data):
    """Sources are keys of the references of the row's basin; the same for the inputs of its reconstruction."""
    for folder in basins(data):
        known = {row["key"] for row in rows(folder / "references.csv")}
        for path in [*sorted(folder.glob("*.csv")), *inputs(data, folder.name).values()]:
            for line, row in enumerate(rows(path) if path.stem not in WITHOUT_SOURCE else (), 2):
                if row["source"] not in known:
                    yield f"{folder.name}: {path.name}, line {line}: source `{row['source']}`"
                if (path.parent == folder or "confidence" in row) and row["confidence"] not in CONFIDENCES:
                    yield f"{folder.name}: {path.name}, line {line}: confidence `{row['confidence']}`"


# ---- every assumed number has a range and a reason --------------------------------------------------------


def assumed_without_range(data):
    """A row in provenance.csv with a range, and why: there or beside the number."""
    for folder in basins(data):
        ranges = provenance(folder)
        for place, row in sorted({place: row for place, _, row in numbers(folder)
                                  if row["confidence"] == "assumed"}.items()):
            given = ranges.get(place)
            if (place[0], place[2]) in AXIS or stands_for_nothing(place, row):
                continue
            if given is None or not (given["note"] or row["note"]):
                yield f"{folder.name}: {place}"
        for place, row in ranges.items():
            if not (re.fullmatch(NUMBER, row["low"]) and re.fullmatch(NUMBER, row["high"])):
                yield f"{folder.name}: {place}: low `{row['low']}`, high `{row['high']}`"


# ---- what was measured or reported is what was published ---------------------------------------------------


def repeated(folder):
    """Static numbers that a basin repeats from what it includes: (place, cell) -> the folder they come from."""
    dated = {f"{part.NAME}_{series.name}" for part in COMPONENTS for series in part.SERIES}
    tables = {path.stem for path in folder.glob("*.csv")} - dated
    return {(place, cell): below for below in included(folder) for place, cell, _ in numbers(below, tables)}


def static_or_reported(folder):
    """The numbers that need an excerpt: (basin of the excerpt, place, when, cell, source). Dated measurements have
    inputs instead. A number that is repeated from an included basin has its range and its excerpt there."""
    below = repeated(folder)
    ranges = {home: provenance(home) for home in {folder, *below.values()}}
    for place, cell, row in numbers(folder):
        home = folder if place in ranges[folder] else below.get((place, cell), folder)
        own = ranges[home].get(place, row)
        when = moments(row)
        asked = own["confidence"] == "reported" or (own["confidence"] == "measured" and not any(when))
        if asked and place[0] != YEARS and (place[0], place[2]) not in DRAWN and not stands_for_nothing(place, row):
            yield home.name, place, when, cell, own["source"]


def moments(row):
    """What `when` of an excerpt may be for a row, the narrowest first."""
    start = row.get("start", "")
    return (f"{start}, {row['days']} days" if start else "", start or row.get("month", ""), "")


def unlike_reported(data):
    """Every reported number, and every measured one of a static table, equals its excerpt in reported.csv."""
    excerpts = {}
    for row in sources(data, "reported"):
        excerpts.setdefault((row["basin"], row["table"], row["id"], row["column"]), {})[row["when"]] = row
    used = set()
    for folder in basins(data):
        for home, place, when, cell, source in static_or_reported(folder):
            by_time = excerpts.get((home, *place), {})
            row = next((by_time[one] for one in when if one in by_time), None)
            if row is None:
                yield f"{folder.name}: {place} {when[0]}: no excerpt"
                continue
            used.add((home, *place))
            if row["source"] != source or float(row["value"]) != float(cell):
                yield f"{folder.name}: {place} {when[0]}: {cell} of {source}, but {row['value']} of {row['source']}"
    yield from (f"{place}: an excerpt of no number" for place in sorted(set(excerpts) - used))
    yield from (f"{row['basin']}, {row['id']}, {row['column']}: {found}" for row in sources(data, "reported")
                for found in [unlike_published(row)] if found)


def unlike_published(row):
    """Why an excerpt does not give its value, or ""."""
    published = [float(text) for text in re.findall(r"\d+(?:\.\d+)?", row["published"])]
    value = float(row["value"])
    if not row["arithmetic"]:
        return "" if value in published else f"{row['value']} is not in what was published"
    found = compute(row["arithmetic"])
    return "" if math.isclose(found, value, rel_tol=1e-12) else f"{row['arithmetic']} is {found}, not {row['value']}"


ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
FUNCTIONS = {"round": round, "floor": math.floor, "mean": lambda *values: math.fsum(values) / len(values)}


def compute(text):
    """The value of a small sum: numbers, + - * /, brackets, round, floor, mean; nothing else is run."""
    def value(node):
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.BinOp(left, sign, right) if type(sign) in ARITHMETIC:
                return ARITHMETIC[type(sign)](value(left), value(right))
            case ast.UnaryOp(ast.USub(), operand):
                return -value(operand)
            case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
                return FUNCTIONS[name](*map(value, arguments))
        raise ValueError(f"not arithmetic: {text}")

    return value(ast.parse(text, mode="eval").body)


def unlike_measured(data):
    """Every number of a dated series that is called measured equals the cell of the input that it came from."""
    where = {(row["basin"], row["table"], row["id"], row["column"]): row for row in sources(data, "measured")}
    files = {row["file"] for row in where.values() if row["file"]}
    tables = {name: {next(row[key] for key in ("start", "date", "month") if key in row): row
                     for row in rows(data / "sources" / name)} for name in files}
    used = set()
    for folder in basins(data):
        for place, cell, row in numbers(folder):
            if row["confidence"] != "measured" or not (row.get("start") or row.get("month")):
                continue
            origin = where.get((folder.name, *place))
            used.add((folder.name, *place))
            if origin is None:
                yield f"{folder.name}: {place}: measured.csv does not say where it comes from"
            elif origin["file"]:
                when = row.get("start") or row["month"]
                given = tables[origin["file"]].get(when, {}).get(origin["file_column"])
                if not given or float(given) != float(cell):
                    yield f"{folder.name}: {place} {when}: {cell}, in {origin['file']} {given or 'nothing'}"
            elif not origin["note"]:
                yield f"{folder.name}: {place}: neither a column nor a reason"
    yield from (f"{place}: stands in measured.csv but no row is called measured" for place in sorted(set(where) - used))
