"""Every error a user can cause, with its exit code.

A `Problem` is one thing wrong with one place of one file; a command collects all of them and stops once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong in the input.

    Attributes:
        file: name of the file, as the user knows it.
        place: line, key or asset inside the file; empty if the file itself is the problem.
        message: what was found, what is needed, and the mend.
    """

    file: str
    place: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.message}"


class WateroptError(Exception):
    """An error that is explained to the user in one message, without a traceback."""

    code = 1


class UsageError(WateroptError):
    """The command line asks for something that does not exist."""

    code = 2


class DataError(WateroptError):
    """The input is wrong; `problems` holds everything that was found."""

    code = 3

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(sorted(set(problems), key=_in_order))
        count = len(self.problems)
        head = f"{count} problem{'s' if count != 1 else ''} in {subject}"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[type[DataError], tuple[str, tuple[Problem, ...]]]:
        """Let it pass from a worker process."""
        return type(self), (self.subject, self.problems)


def _in_order(problem: Problem) -> list[list[str | int]]:
    """Return a key that sorts `line 2` before `line 10`."""
    return [[int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)] for text in problem]


class InfeasibleError(WateroptError):
    """No schedule satisfies the hard requirements; the message names those that clash."""

    code = 4


class SolverError(WateroptError):
    """The solver stopped before it had an answer."""

    code = 5


class DriftError(WateroptError):
    """Results are not those of a baseline."""

    code = 6


class OutputError(WateroptError):
    """A result cannot be written."""

    code = 8


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a hint with the valid name nearest to `name`, or the valid names if none is near.

    >>> nearest("shardarra", ["toktogul", "shardara"])
    'did you mean `shardara`?'
    >>> nearest("x", ["dekad", "month"])
    'valid: `dekad`, `month`'
    """
    names = sorted(valid)
    match = difflib.get_close_matches(name, names, n=1)
    if match:
        return f"did you mean `{match[0]}`?"
    shown = ", ".join(f"`{entry}`" for entry in names[:12])
    return f"valid: {shown}{', ...' if len(names) > 12 else ''}" if names else "there are none"
