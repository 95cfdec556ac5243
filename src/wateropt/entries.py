"""Entries of a clause's lists: words that point at terms of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wateropt.errors import Problem, nearest
from wateropt.stage import Stage

TAKEN = ("delivery", "claim", "sea_inflow", "evaporation", "canal", "reach")  # negative at the node: they leave it


class Entry(NamedTuple):
    """One entry: `term item` as in nodes.csv, or `passing node node`; a leading `-` takes it away."""

    sign: int
    term: str
    item: str
    to: str = ""


def read_entries(text: str) -> list[Entry]:
    """Return the entries of a list written `entry; entry; ...`.

    Raises:
        ValueError: an entry has the wrong form.

    >>> read_entries("inflow kochkor; - passing a b")
    [Entry(sign=1, term='inflow', item='kochkor', to=''), Entry(sign=-1, term='passing', item='a', to='b')]
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        sign, words = (-1, part[1:].split()) if part.startswith("-") else (1, part.split())
        if len(words) != (3 if words and words[0] == "passing" else 2):
            raise ValueError(f"entry `{part}` is neither `term item` nor `passing node node`")
        found.append(Entry(sign, *words))
    return found


def volume(stage: Stage, entries: Iterable[Entry]) -> Any:
    """Return the volume [hm³] that entries stand for in a period: what they bring, or take, as a positive number."""
    total = stage.number(0.0, "hm^3")
    for entry in entries:
        if entry.term == "passing":
            total = total + entry.sign * stage.hm3 * stage.flow_between(entry.item, entry.to)
        else:
            line = stage.booked("node", entry.term, entry.item)[0]  # of what is sent on: at the node that it leaves
            total = total + entry.sign * (-1 if entry.term in TAKEN else 1) * line.expression
    return total


def unknown_entries(lists: Iterable[tuple[str, str, str]], known: Mapping[str, Collection[str]]) -> Iterator[Problem]:
    """Yield what is wrong with the entries of clauses: wrong form, or a term that no asset has.

    Args:
        lists: (clause, column, text).
        known: asset ids and nodes by term.
    """
    for clause, column, text in lists:
        try:
            entries = read_entries(text)
        except ValueError as error:
            yield Problem("scenario", f"{clause}.{column}", str(error))
            continue
        for entry in entries:
            if entry.term not in known:
                yield Problem("scenario", f"{clause}.{column}", f"no term `{entry.term}`; {nearest(entry.term, known)}")
            elif entry.item not in known[entry.term]:
                yield Problem("scenario", f"{clause}.{column}", f"no `{entry.item}` has the term `{entry.term}`")
