"""Compare tuners on the same problems, seeds and noise.

    PYTHONPATH=plugins:. python -m tests.bench.tuner run                       # a minute: this tuner and random
    PYTHONPATH=plugins:. python -m tests.bench.tuner run otterflow --seeds 10 --out results.jsonl
    PYTHONPATH=plugins:. python -m tests.bench.tuner drift
    PYTHONPATH=plugins:. python -m tests.bench.tuner drift-errors --seeds 200
    python -m tests.bench.tuner table results.jsonl peers.jsonl

The peers run the same way in an environment of their own: `pip install numpy optuna torch smac`, and PYTHONPATH=. only.
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

from tests.bench.tuner.bench import key, run  # noqa: E402
from tests.bench.tuner.catalogue import SIX  # noqa: E402
from tests.bench.tuner.methods import METHODS  # noqa: E402
from tests.bench.tuner.table import table  # noqa: E402


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command == "table":
        print(table(_read(args.files), args.at, args.against))
    elif args.command == "drift":
        from tests.bench.tuner.drift_bench import compare

        print(compare(args.problems.split(","), args.seeds, args.budget))
    elif args.command == "drift-errors":
        from tests.bench.tuner.drift_errors import table as drift_table

        print(drift_table(args.budget, range(args.first_seed, args.first_seed + args.seeds)))
    elif unknown := set(args.methods) - set(METHODS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; the methods are {', '.join(METHODS)}")
    else:
        _run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    do = commands.add_parser("run", help="tuning runs, and the table of them")
    do.add_argument("methods", nargs="*", metavar="method", help=f"of {', '.join(METHODS)}")
    do.add_argument("--problems", default=",".join(SIX), help="names with commas; name@machine for one that drifts")
    do.add_argument("--seeds", type=int, default=1, help="how many (default 1)")
    do.add_argument("--first-seed", type=int, default=0)
    do.add_argument("--budget", type=int, default=40, help="trials of a run (default 40)")
    do.add_argument("--out", type=Path, help="a file to add the runs to; those it has are not made again")
    show = commands.add_parser("table", help="the table of files of runs")
    show.add_argument("files", type=Path, nargs="+")
    for command in (do, show):
        command.add_argument("--at", type=int, nargs="+", default=[10, 20, 40], help="after how many trials")
        command.add_argument("--against", default="otterflow", help="what the others are compared with")
    drift = commands.add_parser("drift", help="what the correction of the machine's drift is worth")
    drift.add_argument("--problems", default="synthetic20")
    drift.add_argument("--seeds", type=int, default=2)
    drift.add_argument("--budget", type=int, default=40)
    wrong = commands.add_parser("drift-errors", help="how far measurements are from the truth, with it and without")
    wrong.add_argument("--first-seed", type=int, default=1000)
    wrong.add_argument("--seeds", type=int, default=200)
    wrong.add_argument("--budget", type=int, default=30)
    return parser


def _run(args: argparse.Namespace) -> None:
    rows = _read([args.out]) if args.out and args.out.exists() else []
    done = {key(r) for r in rows}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for problem in args.problems.split(","):
            for method in args.methods or ("otterflow", "random"):
                if (method, problem, seed) in done:
                    continue
                row = run(method, problem, seed, args.budget)
                rows.append(dict(row))
                if args.out:
                    with args.out.open("a") as out:
                        out.write(json.dumps(row) + "\n")
                told = f"score {row['scores'][-1]:.3f}  crashes {row['crashes']}  {row['seconds']:.3f} s a suggestion"
                print(f"{method:14} {problem:18} seed {seed}  {told}", file=sys.stderr, flush=True)
    if args.against in {r["method"] for r in rows}:
        print(table(rows, args.at, args.against))


def _read(files: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


if __name__ == "__main__":
    main()
