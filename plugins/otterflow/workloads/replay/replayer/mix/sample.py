"""A sample of a recording's units, in bounded memory, with every kind of unit in it however rare.

Units of the same statement classes are one kind. Of each kind a uniform sample is kept (reservoir sampling, algorithm
R: Vitter, Random sampling with a reservoir, 1985), and how many there were; where all of them are too many, the largest
kinds are thinned out first. So what is rare and heavy stays whole, and drawing by the counted numbers is as recorded.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from otterflow.dbms.statement import Statement
from otterflow.workloads.replay.replayer.mix.units import Unit

MOST_KINDS = 20_000
MOST_TEXTS = 10_000
MOST_CONTEXTS = 10_000
NO_ROOM = "no room in the sample"
OTHER = ("other",)
_SHARED_LENGTH = 64 * 1024
_THIN = 0.8

Place = tuple[int, int]
"""Where a unit is in the file: offset and length."""


@dataclass
class Sampled:
    """A kind of unit: how many there were, their statements and seconds, and where those that were kept are."""

    classes: tuple[str, ...]
    units: int = 0
    statements: int = 0
    seconds: float = 0.0
    kept: list[Place] = field(default_factory=list)


class Numbering:
    """Gives each thing that comes again a number, `most` things at the most."""

    def __init__(self, most: int) -> None:
        self.things: list[object] = []
        self._numbers: dict[object, int] = {}
        self._most = most

    def of(self, thing: object) -> int | None:
        """The thing's number, None for one too many."""
        number = self._numbers.get(thing)
        if number is None and len(self.things) < self._most:
            number = self._numbers[thing] = len(self.things)
            self.things.append(thing)
        return number


class Sample:
    """Takes units and keeps `most` of them, in `most_bytes`, in a file without a name. A context manager."""

    def __init__(self, folder: str, most: int, most_bytes: int, seed: str, fingerprint: Callable[[str], str]) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder)
        self.kinds: dict[tuple[str, ...], Sampled] = {}
        self.texts, self.contexts = Numbering(MOST_TEXTS), Numbering(MOST_CONTEXTS)
        self.classes: dict[str, str] = {}
        self._most, self._most_bytes = most, most_bytes
        self._chance = random.Random(seed)  # noqa: S311
        self._fingerprint = fingerprint
        self._cap = most
        self._end = self._kept = self._kept_bytes = 0
        self.contexts.of(())

    def __enter__(self) -> Sample:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, unit: Unit) -> str | None:
        """Take a unit. Returns why it is not in the mix, None where it is."""
        packed = self._packed(unit)
        if packed is None:
            return NO_ROOM
        kind = self._kind(unit)
        if self._cap == 1 and self._kept_bytes + len(packed) > self._most_bytes and not kind.kept:
            return NO_ROOM
        kind.units += 1
        kind.statements += len(unit.statements)
        kind.seconds += unit.seconds
        if kind.units <= self._cap:
            kind.kept.append(self._write(packed))
            self._kept += 1
        else:
            place = self._chance.randrange(kind.units)
            if place < self._cap:
                self._kept_bytes -= kind.kept[place][1]
                kind.kept[place] = self._write(packed)
        while self._cap > 1 and (self._kept > self._most or self._kept_bytes > self._most_bytes):
            self._thin_out()
        return None

    def read(self, place: Place) -> bytes:
        """A unit that was kept."""
        self.file.flush()
        return os.pread(self.file.fileno(), place[1], place[0])

    def _kind(self, unit: Unit) -> Sampled:
        names = tuple(sorted({each.statement_class or "" for each in unit.statements}))
        for each in unit.statements:
            name = each.statement_class or ""
            if name not in self.classes:
                self.classes[name] = self._fingerprint(each.text)
        kind = self.kinds.get(names)
        if kind is None:
            if len(self.kinds) >= MOST_KINDS:
                names = OTHER
            kind = self.kinds.setdefault(names, Sampled(names))
        return kind

    def _thin_out(self) -> None:
        """Keep fewer of the largest kinds; what is left of a uniform sample by chance is a uniform sample."""
        largest = max(len(kind.kept) for kind in self.kinds.values())
        self._cap = max(1, min(self._cap - 1, int(largest * _THIN)))
        for kind in self.kinds.values():
            if len(kind.kept) > self._cap:
                kind.kept = self._chance.sample(kind.kept, self._cap)
        self._kept = sum(len(kind.kept) for kind in self.kinds.values())
        self._kept_bytes = sum(length for kind in self.kinds.values() for _, length in kind.kept)

    def _write(self, packed: bytes) -> Place:
        place = self._end, len(packed)
        self.file.write(packed)
        self._end += len(packed)
        self._kept_bytes += len(packed)
        return place

    def _packed(self, unit: Unit) -> bytes | None:
        context = self.contexts.of(unit.context)
        if context is None:
            return None
        record = [context, unit.leaves_state, [self._packed_statement(each) for each in unit.statements]]
        return json.dumps(record, separators=(",", ":")).encode("ascii")

    def _packed_statement(self, statement: Statement) -> list[object]:
        """Text, transaction, values, name, class; a text that comes again, for its values are apart, is a number."""
        text: object = statement.text
        if statement.parameters is not None and len(statement.text) <= _SHARED_LENGTH:
            number = self.texts.of(statement.text)
            text = text if number is None else number
        return [text, statement.transaction, statement.parameters, statement.prepared, statement.statement_class or ""]
