"""Makes a recording of lines that were written by hand: `python -m otterflow.workloads.recording --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.dialect import ROOMS, dialect_of
from otterflow.errors import InvalidInput, OtterflowError, Problem
from otterflow.workloads.recording.lines import decode
from otterflow.workloads.recording.manifest import Manifest, Origin, read_time
from otterflow.workloads.recording.writing import RecordingWriter

MAX_BYTES = 10 * 2**30


def make(lines: Path, folder: Path, origin: Origin) -> Manifest:
    """Write the recording of a file of lines, which may be in any order. Raises InvalidInput that names the line."""
    with RecordingWriter(folder, origin, dialect_of(origin.dbms).classes(), max_bytes=MAX_BYTES) as writer:
        for number, statement in enumerate(_read(lines), start=1):
            if statement.at_s > origin.seconds:
                raise InvalidInput(
                    Problem(f"line {number}, at_s", f"{statement.at_s:g} is after the end", "give a later --end")
                )
            writer.add(statement)
        return writer.finish()


def _read(lines: Path) -> Iterator[Statement]:
    with lines.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield decode(line, number)


def main(arguments: Sequence[str]) -> int:
    """Read the command line, make the recording and say what it holds."""
    parser = argparse.ArgumentParser(prog="python -m otterflow.workloads.recording", description=__doc__)
    parser.add_argument("lines", type=Path, help="a file with one JSON object a line, see docs/recordings.md")
    parser.add_argument("folder", type=Path, help="the folder to make")
    parser.add_argument("--source", required=True, help="the name of the target that it stands for")
    parser.add_argument("--database", required=True)
    parser.add_argument("--dbms", choices=sorted(ROOMS), default="postgresql")
    parser.add_argument("--start", required=True, help="like 2026-11-29T02:00:00Z")
    parser.add_argument("--end", required=True, help="like 2026-11-29T03:00:00Z")
    given = parser.parse_args(arguments)
    try:
        times = [_time(name, getattr(given, name)) for name in ("start", "end")]
        origin = Origin(given.source, given.dbms, given.database, times[0], times[1], "by_hand")
        manifest = make(given.lines, given.folder, origin)
    except (OtterflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{given.folder}: {manifest.statements:,} statements of {manifest.sessions:,} sessions, "
        f"{len(manifest.classes):,} classes, {manifest.bytes:,} bytes"
    )
    return 0


def _time(name: str, text: str) -> datetime:
    try:
        return read_time(text)
    except ValueError:
        raise InvalidInput(Problem(f"--{name}", f"{text!r} is no time", "write it like 2026-11-29T02:00:00Z")) from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
