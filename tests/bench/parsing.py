"""How long Airflow takes to read the Dag files that have a Dag for each schedule or recording, with many of these.

    python -m tests.bench.parsing --files 100

Each reading is in a process of its own, as Airflow's Dag processor does it: Airflow is imported there already, and what
the Dag file imports is not. *One of them* is what a task's process reads when it begins.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.experiment.test_backfill import REPLAY
from tests.experiment.test_schedule import GOOD as SCHEDULE
from tests.workloads.recording.test_definition import GOOD as RECORDING

PROJECT = Path(__file__).resolve().parents[2]
FAMILIES = ("nightly", "record", "replay")
ALONE = "_AIRFLOW_PARSING_CONTEXT_DAG_ID"
"""In the environment where one Dag of a file is wanted."""
HEAVY = ("sklearn", "scipy", "pandas", "paramiko")
READ = f"""
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
begun, busy = time.perf_counter(), time.process_time()
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
taken = time.perf_counter() - begun, time.process_time() - busy
heavy = sorted({{name.partition(".")[0] for name in sys.modules}} & {set(HEAVY)})
print("read " + json.dumps({{"dags": len(bag.dags), "s": taken[0], "cpu_s": taken[1], "heavy": heavy}}))
"""


def write_files(folder: Path, number: int) -> dict[str, str]:
    """So many schedules, and so many recordings that are replayed; the environment that leads there."""
    for kind, record in (("schedules", SCHEDULE), ("recordings", RECORDING | {"replay": REPLAY})):
        (folder / kind).mkdir(exist_ok=True)
        for place in range(number):
            name = f"number{place}"
            (folder / kind / f"{name}.yaml").write_text(yaml.safe_dump(record | {"name": name}))
    return {
        "OTTERFLOW_SCHEDULES_DIR": str(folder / "schedules"),
        "OTTERFLOW_RECORDINGS_DIR": str(folder / "recordings"),
        "OTTERFLOW_HOME": str(folder / "home"),
        "AIRFLOW_HOME": str(folder / "airflow"),
    }


def read(family: str, environment: Mapping[str, str], only: str | None = None) -> dict[str, Any]:
    """Read one Dag file in a process of its own: how many `dags`, the `s` and `cpu_s` it took, `heavy` imports."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(PROJECT / "dags" / f"{family}.py")],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), **environment, **({ALONE: only} if only else {})},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("read ")]
    found: dict[str, Any] = json.loads(line.removeprefix("read "))
    return found


def main() -> None:
    """Print a table: seconds of processor time / seconds, medians of the rounds."""
    parser = argparse.ArgumentParser(description="How long the families of Dags take to be read.")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = arguments.files
    print(f"| Dag file | without a file | with {files} | for one of {files} |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as full:
        few, many = write_files(Path(empty), 0), write_files(Path(full), files)
        for family in FAMILIES:
            ways = {"without": (few, None), "all": (many, None), "one": (many, f"{family}_number7")}
            taken: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
            for _ in range(arguments.rounds):
                for way, (environment, only) in ways.items():
                    taken[way].append(read(family, environment, only))
            assert [taken[way][0]["dags"] for way in ways] == [0, files, 1]
            cells = [
                " / ".join(f"{statistics.median(one[what] for one in taken[way]):.2f}" for what in ("cpu_s", "s"))
                for way in ways
            ]
            print(f"| `{family}.py` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
