"""The replayer's programs: a replay of all that was recorded, a mix of it, and a look at what that is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.recording.manifest import TRANSACTION_SAMPLE, Manifest
from otterflow.workloads.recording.reading import Recording, open_recording
from otterflow.workloads.replay.replayer.dealing import deal, shares, total
from otterflow.workloads.replay.replayer.mix.mix_outcome import covered, mix_record
from otterflow.workloads.replay.replayer.mix.mix_run import MixRun
from otterflow.workloads.replay.replayer.mix.store import open_store
from otterflow.workloads.replay.replayer.outcome import to_record
from otterflow.workloads.replay.replayer.processes import Make, play
from otterflow.workloads.replay.replayer.ran import Ran
from otterflow.workloads.replay.replayer.running import Progress, first_words, read_counters
from otterflow.workloads.replay.replayer.server_times import ServerTimes, times_between
from otterflow.workloads.replay.replayer.sessions_run import SessionsRun
from otterflow.workloads.replay.replayer.settings import FAST, MixSettings, ReplaySettings, RunSettings
from otterflow.workloads.replay.replayer.spool import Spool
from otterflow.workloads.replay.replayer.ways import Entrance, Way, way_of

OPEN_STREAM = "each begins at its recorded time, whatever its session did before it"

Makes = Callable[[Entrance], Sequence[Make]]


def replay(settings: ReplaySettings) -> dict[str, object]:
    """Replay and write the result. Raises OtterflowError that says what is wrong."""
    recording, way = _opened(settings)
    is_open = is_open_stream(recording.manifest, settings)
    with Spool(str(Path(settings.result_file).parent), way.dialect, settings.database) as spool:
        spool.fill(recording.statements())
        hands = deal(spool, settings)
        say(
            f"{spool.statements} statements of {len(spool.sessions)} sessions, {total(hands)} at once"
            + _by_processes(len(hands))
        )
        if is_open:
            say(f"a sample of the transactions, share {recording.manifest.origin.share:g}: {OPEN_STREAM}")

        def makes(entrance: Entrance) -> Sequence[Make]:
            return [partial(SessionsRun, spool, hand, settings, is_open, entrance) for hand in hands]

        ran, server = _played(settings, way, makes, spool.shapes, f"of {spool.statements} ")
        return _written(to_record(ran, spool, settings, server, open_stream=is_open), settings)


def is_open_stream(manifest: Manifest, settings: ReplaySettings) -> bool:
    """Whether each transaction is sent at its recorded time: of a sample it is not known what came before it."""
    return manifest.origin.method == TRANSACTION_SAMPLE and settings.schedule != FAST


def mix(settings: MixSettings) -> dict[str, object]:
    """Run a mix and write the result. Raises OtterflowError that says what is wrong."""
    recording, way = _opened(settings)
    with open_store(recording, settings, way.dialect, Path(settings.result_file).parent, say) as store:
        dealt = shares(settings)
        say(
            f"{store.kept} transactions of {len(store.kinds)} kinds, {settings.clients} clients"
            + _by_processes(len(dealt))
        )

        say(covered(store))

        def makes(entrance: Entrance) -> Sequence[Make]:
            return [partial(MixRun, store, share, settings, entrance) for share in dealt]

        ran, server = _played(settings, way, makes, store.shapes, "")
        return _written(mix_record(ran, store, settings, server), settings)


def look(folder: Path) -> dict[str, object]:
    """What a recording is of. Raises OtterflowError where there is none, or none that is whole."""
    recording = open_recording(folder)
    recording.verify()
    manifest = recording.manifest
    origin = manifest.origin
    return {
        "dbms": origin.dbms,
        "source": origin.source,
        "start": str(origin.start),
        "end": str(origin.end),
        "sessions": manifest.sessions,
        "statements": manifest.statements,
        "sampled": origin.share if origin.method == TRANSACTION_SAMPLE else None,
        "missing": "; ".join(manifest.missing),
    }


def say(line: str) -> None:
    """A line of progress."""
    print(f"replay: {line}", flush=True)


def _opened(settings: RunSettings) -> tuple[Recording, Way]:
    """The recording, and the way to replay it. Raises InvalidInput for one that is of another DBMS."""
    recording = open_recording(Path(settings.recording))
    recorded = recording.manifest.origin.dbms
    if recorded != settings.dbms:
        found = f"it is of {recorded}, and the database is of {settings.dbms}"
        raise InvalidInput(Problem("recording", found, "use a target of the recording's DBMS, or another recording"))
    return recording, way_of(settings.dbms)


def _played(
    settings: RunSettings, way: Way, makes: Makes, shapes: Mapping[str, str], whole: str
) -> tuple[Ran, ServerTimes]:
    """Play between two looks at the server's own times."""

    def tell(seconds: float, now: Progress) -> None:
        say(f"{seconds:.0f} s: {now.done} {whole}statements, {now.errors} errors, {now.open} sessions open")

    entrance = Entrance(way, settings.access(), way.startup(settings))
    entrance = asyncio.run(first_words(entrance))
    before = asyncio.run(read_counters(entrance, with_texts=False))
    ran = play(makes(entrance), tell, settings.deadline_s, settings.progress_s)
    after = asyncio.run(read_counters(entrance, with_texts=True))
    return ran, times_between(before, after, shapes, way.dialect.fingerprint)


def _written(record: dict[str, object], settings: RunSettings) -> dict[str, object]:
    path = Path(settings.result_file)
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(new, path)
    return record


def _by_processes(number: int) -> str:
    return f", by {number} processes" if number > 1 else ""
