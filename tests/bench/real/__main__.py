"""What the search is worth on real servers: default, rules and the best of a search, by the product's own comparison.

    PYTHONPATH=plugins:. python -m tests.bench.real run --folder results --cases analytics tpcc --sets core
    PYTHONPATH=plugins:. python -m tests.bench.real table --folder results

Each experiment has a server of its own, whose memory is limited by a cgroup (so the first command needs root), and
takes a quarter of an hour to an hour. Its result and its repository are kept in the folder; what is there already is
not run again.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.real.cases import CASES
from tests.bench.real.run import run
from tests.bench.real.table import table

STARTS = {"cold": False, "experienced": True}
"""Whether the search learns from the packs that ship."""


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    args = _parser().parse_args(argv)
    if args.command == "table":
        print(table({path.stem: json.loads(path.read_text()) for path in sorted(args.folder.glob("*.json"))}))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended
    console = Console(soft_wrap=True)
    for case, knob_set, start in product(args.cases, args.sets, args.starts):
        name = f"{case}-{knob_set}-{start}-{args.seed}"
        file = args.folder / f"{name}.json"
        if file.exists():
            console.print(f"{name}: is in {args.folder}", markup=False)
            continue
        console.print(name, markup=False)
        form = {
            "iterations": args.trials,
            "knob_set": knob_set,
            "transfer": STARTS[start],
            "final_rounds": args.rounds,
            "ablation_percent": 0,
            "install": False,
            "seed": args.seed,
        }
        begun = time.monotonic()
        repository = args.folder / f"{name}.db"
        repository.unlink(missing_ok=True)  # of one that was interrupted
        result = run(name, CASES[case], form, repository, console)
        _keep(file, {**result, "case": case, "knob_set": knob_set, "start": start, "took_s": time.monotonic() - begun})
        console.print(result["verdict"], markup=False)


def _keep(file: Path, result: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1) + "\n")
    part.replace(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="make the experiments that the folder lacks")
    running.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    running.add_argument("--sets", nargs="+", choices=["core", "extended"], default=["core", "extended"])
    running.add_argument("--starts", nargs="+", choices=list(STARTS), default=list(STARTS))
    running.add_argument("--trials", type=int, default=25)
    running.add_argument("--rounds", type=int, default=15, help="the most of the comparison (default 15)")
    running.add_argument("--seed", type=int, default=0)
    shown = commands.add_parser("table", help="the folder's results in Markdown")
    for command in (running, shown):
        command.add_argument("--folder", type=Path, required=True)
    return parser


if __name__ == "__main__":
    main()
