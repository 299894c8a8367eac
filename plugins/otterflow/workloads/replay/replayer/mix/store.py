"""The sample of a recording as a file, made once and read by every run: the units, then an index of them.

It lies in the recording's own folder, mode 600, and goes with it. It holds the user's data.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from otterflow.dbms.statements.dialect import Dialect
from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.recording.ordering import open_private
from otterflow.workloads.recording.reading import Recording
from otterflow.workloads.replay.replayer.mix.sample import Place, Sample
from otterflow.workloads.replay.replayer.mix.units import Context, Out, Units
from otterflow.workloads.replay.replayer.settings import MixSettings
from otterflow.workloads.replay.replayer.spool import Item

FORMAT = 2
_TAIL = 8


class Kind(NamedTuple):
    """Units of the same statement classes: how many were recorded, their seconds, and where those kept are."""

    classes: tuple[str, ...]
    units: int
    statements: int
    seconds: float
    kept: tuple[Place, ...]


class DrawnUnit(NamedTuple):
    """A unit to be done: its context's number, whether it leaves something in the session, and its statements."""

    context: int
    leaves_state: bool
    items: list[Item]


class Store:
    """A sample that was made. `shapes` has each class with the fingerprint of its text. A context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        size = os.fstat(self._file.fileno()).st_size
        length = int.from_bytes(os.pread(self._file.fileno(), _TAIL, size - _TAIL), "big")
        index = json.loads(zlib.decompress(os.pread(self._file.fileno(), length, size - _TAIL - length)))
        self.kinds = [
            Kind(tuple(classes), units, statements, seconds, tuple((at, length) for at, length in kept))
            for classes, units, statements, seconds, kept in index["kinds"]
        ]
        self._texts: list[str] = index["texts"]
        self.contexts: list[Context] = [
            tuple((text, None if values is None else tuple(values)) for text, values in context)
            for context in index["contexts"]
        ]
        self.shapes: dict[str, str] = index["shapes"]
        self.statements: int = index["statements"]
        self.seconds: float = index["seconds"]
        self.settings = Out(*index["settings"])
        self.left_out = {reason: Out(*counted) for reason, counted in index["left_out"].items()}

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def kept(self) -> int:
        """How many units there are to draw."""
        return sum(len(kind.kept) for kind in self.kinds)

    def read(self, place: Place) -> DrawnUnit:
        """The unit at a place."""
        context, leaves_state, records = json.loads(os.pread(self._file.fileno(), place[1], place[0]))
        return DrawnUnit(context, leaves_state, [self._item(*record) for record in records])

    def _item(self, text: Any, transaction: Any, values: Any, prepared: Any, name: str) -> Item:
        if isinstance(text, int):
            return Item(0.0, self._texts[text], transaction, values, f"mix{text}" if prepared else None, None, name)
        return Item(0.0, text, transaction, values, prepared, None, name)


def open_store(
    recording: Recording, settings: MixSettings, dialect: Dialect, spare: Path, say: Callable[[str], None]
) -> Store:
    """The sample of the recording, made now where no earlier run has made it.

    It goes to the folder `spare` where the recording's own cannot be written to. Raises InvalidInput for a recording of
    which nothing can be in a mix.
    """
    digest = recording.manifest.sha256
    said = f"{FORMAT} {digest} {settings.sample} {settings.sample_bytes} {settings.database}"
    key = hashlib.sha256(said.encode()).hexdigest()[:12]
    path = recording.folder / f"mix-{key}"
    if not path.exists():
        if not os.access(recording.folder, os.W_OK):
            path = spare / path.name
        say(f"the recording's {recording.manifest.statements} statements are read for the mix")
        _make(recording, settings, dialect, path)
    return Store(path)


def _make(recording: Recording, settings: MixSettings, dialect: Dialect, path: Path) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        seed = recording.manifest.sha256
        folder, print_of = str(path.parent), dialect.fingerprint
        with Sample(folder, settings.sample, settings.sample_bytes, seed, print_of) as sample:
            units = _cut(recording, sample, dialect, settings.database)
            with open_private(new) as file:
                _write(file, sample, units)
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _cut(recording: Recording, sample: Sample, dialect: Dialect, database: str) -> Units:
    def take(unit: Any) -> None:
        why_not = sample.add(unit)
        if why_not is not None:
            units.leave_out(why_not, len(unit.statements), unit.seconds)

    units = Units(take, dialect, database)
    units.cut(recording.statements())
    if not sample.kinds:
        reasons = "; ".join(f"{out.statements} {reason}" for reason, out in units.left_out.items()) or "it is empty"
        raise InvalidInput(Problem("recording", f"nothing of it can be in a mix: {reasons}", "replay it instead"))
    return units


def _write(file: Any, sample: Sample, units: Units) -> None:
    end, kinds = 0, []
    for kind in sorted(sample.kinds.values(), key=lambda kind: (-kind.seconds, -kind.units, kind.classes)):
        kept = []
        for place in kind.kept:
            file.write(sample.read(place))
            kept.append((end, place[1]))
            end += place[1]
        kinds.append((kind.classes, kind.units, kind.statements, kind.seconds, kept))
    index = {
        "kinds": kinds,
        "texts": sample.texts.things,
        "contexts": sample.contexts.things,
        "shapes": sample.classes,
        "statements": units.statements,
        "seconds": units.seconds,
        "settings": (units.settings.statements, units.settings.seconds),
        "left_out": {reason: (out.statements, out.seconds) for reason, out in units.left_out.items()},
    }
    packed = zlib.compress(json.dumps(index, separators=(",", ":")).encode("ascii"), 1)
    file.write(packed + len(packed).to_bytes(_TAIL, "big"))
