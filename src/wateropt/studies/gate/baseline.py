"""Baseline: what a suite gave when its results were last accepted, and what it was built from; a JSON file."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wateropt.errors import DataError, OutputError, Problem
from wateropt.studies.gate.inputs import Inputs, Place
from wateropt.studies.gate.quantities import Quantity

SCHEMA = 1
SEAL = 12  # characters of a seal
KEYS = ("schema", "suite", "versions", "files", "runs", "values", "inputs")


@dataclass(frozen=True)
class Recorded:
    """What is known of a run: name -> quantity, and everything that it is built from."""

    values: Mapping[str, Quantity]
    inputs: Inputs


@dataclass(frozen=True)
class Baseline:
    """A baseline.

    Attributes:
        suite: name of the suite.
        versions: of the programs that made it.
        files: file of a basin or scenario -> SHA-256.
        runs: run -> what was recorded.
    """

    suite: str
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, Recorded] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of quantities."""
        return sum(len(recorded.values) for recorded in self.runs.values())

    @property
    def seal(self) -> str:
        """Short hash of all quantities: another value, name or unit gives another seal."""
        lines = [[run, name, *quantity] for run, recorded in sorted(self.runs.items())
                 for name, quantity in sorted(recorded.values.items())]
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:SEAL]

    def text(self) -> str:
        """Return the file: a line for each quantity and each input, so that a comparison of versions shows them.

        An input that several runs share stands there once, with their numbers. Each scenario of a sweep has a number of
        its own, that of `[run, scenario]`.
        """
        names = sorted({(run, place.base) for run in self.runs for place in self.runs[run].inputs}
                       | {(run, "") for run in self.runs})
        number = {name: k for k, name in enumerate(names)}
        values = [[number[run, ""], name, *self.runs[run].values[name]] for run in sorted(self.runs)
                  for name in sorted(self.runs[run].values)]
        shared: dict[str, list[int]] = {}
        for run in sorted(self.runs):
            for place, value in self.runs[run].inputs.items():
                shared.setdefault(json.dumps([*place[:3], value]), []).append(number[run, place.base])
        inputs = [f"[{json.dumps(sorted(numbers))}, {line[1:-1]}]" for line, numbers in sorted(shared.items())]
        runs = [[run, base] if base else run for run, base in names]
        parts = {"schema": str(SCHEMA), "suite": json.dumps(self.suite), "versions": json.dumps(self.versions),
                 "files": _lines((f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(self.files.items())), "{}"),
                 "runs": json.dumps(runs), "values": _lines(map(json.dumps, values), "[]"),
                 "inputs": _lines(inputs, "[]")}
        return "{\n" + ",\n".join(f"{json.dumps(key)}: {part}" for key, part in parts.items()) + "\n}\n"


def _lines(lines: Iterable[str], ends: str) -> str:
    return f"{ends[0]}\n" + ",\n".join(lines) + f"\n{ends[1]}"


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        DataError: it is not there, of another schema, or no baseline.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or "schema" not in content:
            raise ValueError("no `schema`")
    except FileNotFoundError:
        raise _wrong(path, "", f"is missing in {path.parent}; write it with `--update`") from None
    except (OSError, ValueError) as error:
        raise _wrong(path, "", f"is no baseline ({error}); take the committed one back") from None
    if content["schema"] != SCHEMA:
        mend = "run the wateropt that wrote it, or move the file away and write a new baseline with `--update`"
        raise _wrong(path, "schema", f"is {content['schema']!r}; this wateropt reads {SCHEMA}: {mend}")
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise _wrong(path, missing[0], "is missing; take the committed file back")
    try:
        return _parse(content)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise _wrong(path, "", f"is no baseline ({error}); take the committed one back") from None


def _wrong(path: Path, place: str, message: str) -> DataError:
    return DataError(f"baseline {path.name}", [Problem(path.name, place, message)])


def _parse(content: Mapping[str, Any]) -> Baseline:
    names = [(entry, "") if isinstance(entry, str) else tuple(entry) for entry in content["runs"]]
    values: dict[str, dict[str, Quantity]] = {run: {} for run, _ in names}
    inputs: dict[str, dict[Place, Any]] = {run: {} for run, _ in names}
    for number, name, value, unit in content["values"]:
        values[names[number][0]][str(name)] = Quantity(float(value), str(unit))
    for numbers, table, key, column, value in content["inputs"]:
        for run, base in (names[number] for number in numbers):
            inputs[run][Place(table, key, column, base)] = value
    runs = {run: Recorded(values[run], inputs[run]) for run in values}
    return Baseline(content["suite"], content["versions"], content["files"], runs)


def write_together(texts: Mapping[Path, str]) -> None:
    """Write several files, all of them or none.

    Raises:
        OutputError: one cannot be written; all are as they were.
    """
    made: dict[Path, Path] = {}
    before = {path: path.read_bytes() if path.exists() else None for path in texts}
    replaced: list[Path] = []
    try:
        for path, text in texts.items():
            handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
            made[path] = Path(name)
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            made[path].chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        for path, new in made.items():
            new.replace(path)
            replaced.append(path)
    except OSError as error:
        for path in replaced:
            _restore(path, before[path])
        raise OutputError(f"{error.filename}: cannot be written ({error.strerror}); nothing was changed") from None
    finally:
        for new in made.values():
            new.unlink(missing_ok=True)


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)
