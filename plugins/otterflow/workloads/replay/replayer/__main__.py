"""Replays a recording, or a mix of it: `python3 replayer.zip [mix] SETTINGS`, where SETTINGS is a file of JSON.

`python3 replayer.zip look FOLDER` checks that the recording in the folder is whole, and says what it is.

Progress goes to standard output and the result to the file that the settings name, whole or not at all. The exit
code is 0 where a result was written, 1 otherwise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from otterflow.errors import OtterflowError
from otterflow.workloads.replay.replayer.programs import look, mix, replay, say
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings, read_settings

LOOK, MIX, REPLAY = "look", "mix", "replay"


def main(arguments: Sequence[str]) -> int:
    """Read the settings and play, or look."""
    program = arguments[0] if arguments[:1] in (["mix"], ["look"]) else REPLAY
    given = arguments[1:] if program != REPLAY else arguments
    if len(given) != 1:
        print("usage: replayer [mix] SETTINGS | look FOLDER", file=sys.stderr)
        return 1
    path = Path(given[0])
    try:
        if program == LOOK:
            print(json.dumps(look(path)))
            return 0
        is_mix = program == MIX
        record = mix(read_settings(path, MixSettings)) if is_mix else replay(read_settings(path, ReplaySettings))
    except (OtterflowError, OSError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    say(f"{record['statements_per_s']} statements a second, {record['transactions']} transactions")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
