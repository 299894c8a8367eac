"""Compare experiments with a past one and without.

PYTHONPATH=plugins:. python -m tests.bench.tuner_transfer run --seeds 4 --out transfer.jsonl
PYTHONPATH=plugins:. python -m tests.bench.tuner_transfer table transfer.jsonl
"""

from __future__ import annotations

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when NumPy is imported, which comes next

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from tests.bench.tuner_transfer.bench import COLD, run, run_cold  # noqa: E402
from tests.bench.tuner_transfer.pairs import PAIRS  # noqa: E402
from tests.bench.tuner_transfer.table import table  # noqa: E402


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    do = commands.add_parser("run", help="the runs, and the table of them")
    do.add_argument("--pairs", default=",".join(PAIRS), help="names with commas")
    do.add_argument("--seeds", type=int, default=1)
    do.add_argument("--first-seed", type=int, default=0)
    do.add_argument("--budget", type=int, default=40)
    do.add_argument("--out", type=Path, help="a file to add the runs to; those it has are not made again")
    show = commands.add_parser("table", help="the table of files of runs")
    show.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args(argv)
    if args.command == "table":
        print(table([row for file in args.files for row in _read(file)]))
    elif unknown := set(args.pairs.split(",")) - set(PAIRS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; the pairs are {', '.join(PAIRS)}")
    else:
        print(table(_run(args)))


def _run(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = _read(args.out) if args.out and args.out.exists() else []
    done = {(r["pair"], r["problem"], r["seed"]) for r in rows}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for pair in args.pairs.split(","):
            problem = PAIRS[pair].now
            for key in ((COLD, problem, seed), (pair, problem, seed)):
                if key in done:
                    continue
                done.add(key)
                row = run_cold(problem, seed, args.budget) if key[0] == COLD else run(pair, seed, args.budget)
                rows.append(dict(row))
                if args.out:
                    with args.out.open("a") as out:
                        out.write(json.dumps(row) + "\n")
                print(
                    f"{row['pair']:16} {problem:17} seed {seed}  {row['scores'][-1]:.3f}", file=sys.stderr, flush=True
                )
    return rows


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


if __name__ == "__main__":
    main()
