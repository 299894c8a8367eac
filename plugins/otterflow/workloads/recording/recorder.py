"""The program that makes a recording on the source host, where the server's log is: `python3 <archive> SETTINGS`.

It waits until the host's clock has passed the interval's end, reads the log, and writes the folder. What it prints is
shown in Airflow's log: it holds no value of the user's.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from otterflow.errors import OtterflowError
from otterflow.workloads.recording.making import make_recording
from otterflow.workloads.recording.manifest import MANIFEST_FILE, Manifest, Origin, read_time
from otterflow.workloads.recording.reading import open_recording

SETTLE_S = 2.0
"""So long after the interval's end the log is taken to have all of it."""
LONGEST_WAIT_S = 900.0
"""How far the host's clock may be behind the one that began this."""


def main(arguments: Sequence[str]) -> int:
    """Make the recording, and leave a copy of its manifest here."""
    os.umask(0o077)
    try:
        settings = json.loads(Path(arguments[0]).read_text())
        manifest = _record(settings)
        Path(MANIFEST_FILE).write_text(manifest.to_json())
    except (OtterflowError, OSError) as error:
        print(error)
        return 1
    except Exception as error:
        # Its own words may hold a value of the user's.
        at = traceback.extract_tb(error.__traceback__)[-1]
        print(f"the recorder failed: {type(error).__name__} at {Path(at.filename).name}:{at.lineno}")
        return 1
    print(
        f"{manifest.statements:,} statements of {manifest.sessions:,} sessions, {len(manifest.classes):,} classes, "
        f"{manifest.bytes:,} bytes"
    )
    return 0


def _record(settings: dict[str, Any]) -> Manifest:
    folder = Path(settings["folder"])
    if folder.exists():
        recording = open_recording(folder)
        recording.verify()
        print(f"{folder.name} is there already, whole")
        return recording.manifest
    given = settings["origin"]
    start, end = read_time(given["start"]), read_time(given["end"])
    origin = Origin(
        given["source"], given["dbms"], given["database"], start, end, given["method"], given["share"]
    )  # fmt: skip
    _wait_for(end)
    reader = importlib.import_module(settings["reader"])
    reading = reader.open_reading(settings["log"], origin.database, start, end)
    return make_recording(
        reading, origin, folder, datetime.now(timezone.utc), reader.Classes(),
        max_bytes=settings["max_bytes"], keep_free_bytes=settings["keep_free_bytes"], missing=settings["missing"],
    )  # fmt: skip


def _wait_for(end: datetime) -> None:
    """Wait until the interval is over by this host's clock, within reason."""
    left_s = end.timestamp() + SETTLE_S - time.time()
    if left_s > SETTLE_S:
        print(f"this host's clock is {left_s - SETTLE_S:.0f} s before the interval's end; waiting for it")
    time.sleep(min(max(left_s, 0.0), LONGEST_WAIT_S))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
