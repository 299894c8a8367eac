"""What an import read and what it did not: nothing is left out without a line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from otterflow.errors import Problem

SHOWN_SETS = 3
LONGEST_VALUE = 120


@dataclass
class ImportReport:
    """What became of a folder.

    `imported` are the prefixes of the sets that became trials, in the trials' order; `left_out` those that did not,
    with what was wrong. `unread` are values of imported sets that could not be read, by what was wrong to the sets'
    prefixes. `others` are files of no set, with the reason. `notes` say what was inferred. `knobs` are those of the
    space, and `varying` says whether they varied between the sets.
    """

    experiment: str
    folder: str
    stored: bool = False
    imported: list[str] = field(default_factory=list)
    crashed_or_failed: list[str] = field(default_factory=list)
    left_out: dict[str, list[Problem]] = field(default_factory=dict)
    unread: dict[Problem, list[str]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    knobs: list[str] = field(default_factory=list)
    varying: bool = True

    def add_unread(self, prefix: str, problems: Iterable[Problem]) -> None:
        """Note values of an imported set that could not be read."""
        for problem in problems:
            self.unread.setdefault(problem, []).append(prefix)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        return {
            "experiment": self.experiment,
            "folder": self.folder,
            "stored": self.stored,
            "imported": self.imported,
            "crashed_or_failed": self.crashed_or_failed,
            "knobs": self.knobs,
            "varying": self.varying,
            "left_out": [
                {"set": prefix, **_record(problem)} for prefix, found in self.left_out.items() for problem in found
            ],
            "unread": [{**_record(problem), "sets": prefixes} for problem, prefixes in self.unread.items()],
            "other_files": [{"file": name, "why": why} for name, why in self.others.items()],
            "notes": self.notes,
        }

    def table(self) -> str:
        """The report as text of several lines, for a log or a terminal."""
        verdict = "" if self.stored else " (stored before; nothing was changed)"
        lines = [
            f"{self.folder}: {len(self.imported)} of {len(self.imported) + len(self.left_out)} sets are trials of "
            f"experiment {self.experiment!r}{verdict}",
            f"{'knobs that varied' if self.varying else 'knobs of the space, none of which varied'}: "
            f"{', '.join(self.knobs) or 'none'}",
        ]
        lines += [f"note: {note}" for note in self.notes]
        lines += _rows(
            "sets left out", ("set", "field", "value", "why"),
            [(p, e.field, e.found, e.advice) for p, found in self.left_out.items() for e in found],
        )  # fmt: skip
        lines += _rows(
            "values not read", ("sets", "field", "value", "why"),
            [(_shown(prefixes), p.field, p.found, p.advice) for p, prefixes in self.unread.items()],
        )  # fmt: skip
        lines += _rows("other files", ("file", "why"), list(self.others.items()))
        return "\n".join(lines)


def _record(problem: Problem) -> dict[str, str]:
    return {"field": problem.field, "value": problem.found[:LONGEST_VALUE], "why": problem.advice}


def _shown(prefixes: Sequence[str]) -> str:
    more = len(prefixes) - SHOWN_SETS
    return ", ".join(prefixes[:SHOWN_SETS]) + (f" and {more} more" if more > 0 else "")


def _rows(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table with a title, columns as wide as their longest cell but the last; nothing where there are no rows."""
    if not rows:
        return []
    cells = [head, *(tuple(" ".join(cell.split())[:LONGEST_VALUE] for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head) - 1)]
    lines = [
        "  " + "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in cells
    ]
    return [f"{title} ({len(rows)}):", *lines]
