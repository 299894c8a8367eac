"""A recording's manifest: what is in it, without a value of the user's. It alone goes to the repository."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from otterflow.errors import InvalidInput, Problem

FORMAT = 1
"""The number of the format that this module writes, and the only one that it reads."""
SERVER_LOG, TRANSACTION_SAMPLE = "server_log", "transaction_sample"
METHODS = (SERVER_LOG, "window", TRANSACTION_SAMPLE, "by_hand")
MANIFEST_FILE = "manifest.json"
STATEMENTS_FILE = "statements.jsonl.gz"


@dataclass(frozen=True)
class Origin:
    """Where a recording comes from: source (a target's name), DBMS, database, the interval, and how it was made.

    `share` is the share of all transactions that were recorded. `start` and `end` know their time zone.
    """

    source: str
    dbms: str
    database: str
    start: datetime
    end: datetime
    method: str
    share: float = 1.0

    def __post_init__(self) -> None:
        """Raises InvalidInput with all that is wrong, by field."""
        problems = [
            Problem(name, "it is empty", "give a name")
            for name in ("source", "dbms", "database")
            if not getattr(self, name)
        ]
        problems += [
            Problem(name, f"{getattr(self, name)} has no time zone", "end it with Z or an offset")
            for name in ("start", "end")
            if getattr(self, name).tzinfo is None
        ]
        if not problems and self.start >= self.end:
            problems.append(Problem("end", f"{_written(self.end)} is not after the start", "give a later time"))
        if self.method not in METHODS:
            problems.append(Problem("method", f"{self.method!r} is not known", f"known are {', '.join(METHODS)}"))
        if not 0 < self.share <= 1:
            problems.append(Problem("share", f"{self.share:g} is no share", "give a number above 0 and up to 1"))
        if problems:
            raise InvalidInput(problems)

    @property
    def seconds(self) -> float:
        """The length of the interval."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class ClassWeight:
    """A statement class: its name and normalised text, how many statements, and the seconds that they took together.

    `weight` is its share of all seconds; where durations are not known, its share of all statements.
    """

    name: str
    text: str
    statements: int
    seconds: float
    weight: float


@dataclass(frozen=True)
class Manifest:
    """What a recording's folder holds. `missing` says in sentences what keeps the recording from being complete."""

    origin: Origin
    sessions: int
    transactions: int
    statements: int
    bytes: int
    sha256: str
    classes: tuple[ClassWeight, ...] = ()
    other_classes: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the recording has all that the source did in the interval, or the share of it that was asked for."""
        return not self.missing

    def to_json(self) -> str:
        """The manifest as its file has it."""
        origin = self.origin
        record = {
            "format": FORMAT,
            "source": origin.source,
            "dbms": origin.dbms,
            "database": origin.database,
            "start": _written(origin.start),
            "end": _written(origin.end),
            "method": origin.method,
            "share": origin.share,
            "sessions": self.sessions,
            "transactions": self.transactions,
            "statements": self.statements,
            "bytes": self.bytes,
            "classes": [
                {"class": each.name, "text": each.text, "statements": each.statements,
                 "seconds": each.seconds, "weight": each.weight}
                for each in self.classes
            ],
            "other_classes": self.other_classes,
            "left_out": dict(self.left_out),
            "complete": self.complete,
            "missing": list(self.missing),
            "sha256": self.sha256,
        }  # fmt: skip
        return json.dumps(record, indent=1) + "\n"


def read_manifest(text: str) -> Manifest:
    """The manifest of a file's text. Raises InvalidInput that names the key."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(Problem(MANIFEST_FILE, f"it is no JSON ({error})", "make the recording again")) from None
    if not isinstance(record, dict):
        raise InvalidInput(Problem(MANIFEST_FILE, "it is no JSON object", "make the recording again"))
    found = record.get("format")
    if found != FORMAT or isinstance(found, bool):
        raise InvalidInput(Problem("format", f"{found!r} is not known", f"this otterflow reads format {FORMAT}"))
    take = _Taker(record)
    origin = Origin(
        take.name("source"), take.name("dbms"), take.name("database"), take.time("start"), take.time("end"),
        take.name("method"), take.number("share"),
    )  # fmt: skip
    left_out = take.of("left_out", dict, "an object")
    missing = take.of("missing", list, "a list of sentences")
    manifest = Manifest(
        origin, take.count("sessions"), take.count("transactions"), take.count("statements"), take.count("bytes"),
        take.sha256("sha256"), tuple(_class(each) for each in take.of("classes", list, "a list")),
        take.count("other_classes"), {str(key): int(_Taker(left_out).count(key)) for key in left_out},
        tuple(str(each) for each in missing),
    )  # fmt: skip
    if record.get("complete") is not manifest.complete:
        raise InvalidInput(
            Problem(
                "complete", f"{record.get('complete')!r} is there", "it is true where `missing` is empty, else false"
            )
        )
    return manifest


def _class(record: Any) -> ClassWeight:
    if not isinstance(record, dict):
        raise InvalidInput(Problem("classes", "an entry is no JSON object", "see docs/recordings.md"))
    take = _Taker(record, "classes.")
    return ClassWeight(
        take.name("class"), take.name("text", may_be_empty=True), take.count("statements"), take.number("seconds"),
        take.number("weight"),
    )  # fmt: skip


class _Taker:
    """Takes values of the right kind out of a record, or says which key is wrong."""

    def __init__(self, record: Mapping[str, Any], prefix: str = "") -> None:
        self._record, self._prefix = record, prefix

    def of(self, key: str, kind: type, what: str) -> Any:
        value = self._record.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._wrong(key, what)
        return value

    def name(self, key: str, may_be_empty: bool = False) -> str:
        value: str = self.of(key, str, "a string")
        if not value and not may_be_empty:
            raise self._wrong(key, "a string that is not empty")
        return value

    def count(self, key: str) -> int:
        value: int = self.of(key, int, "a whole number from 0 up")
        if value < 0:
            raise self._wrong(key, "a whole number from 0 up")
        return value

    def number(self, key: str) -> float:
        value = self._record.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise self._wrong(key, "a number from 0 up")
        return float(value)

    def time(self, key: str) -> datetime:
        try:
            return read_time(self.name(key))
        except ValueError:
            raise self._wrong(key, "a time like 2026-11-29T02:00:00Z") from None

    def sha256(self, key: str) -> str:
        value = self.name(key)
        if not re.fullmatch("[0-9a-f]{64}", value):
            raise self._wrong(key, "64 hexadecimal digits")
        return value

    def _wrong(self, key: str, what: str) -> InvalidInput:
        found = f"{str(self._record[key])[:60]!r} is there" if key in self._record else "it is missing"
        return InvalidInput(Problem(f"{self._prefix}{key}", found, f"it must be {what}"))


def read_time(text: str) -> datetime:
    """A time with its zone, like `2026-11-29T02:00:00Z`. Raises ValueError for any other text."""
    found = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if found.tzinfo is None:
        raise ValueError("no time zone")
    return found.astimezone(timezone.utc)


def _written(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
