"""Make the packs that ship, and compare runs with them and without on problems that are none of theirs.

PYTHONPATH=plugins:. python -m tests.bench.experience make
PYTHONPATH=plugins:. python -m tests.bench.experience run --seeds 6 --out experience.jsonl
PYTHONPATH=plugins:. python -m tests.bench.experience table experience.jsonl
"""

from __future__ import annotations

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when NumPy is imported, which comes next

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from scipy.stats import t as student  # noqa: E402

from tests.bench.experience.held_out import HELD_OUT, past_of, problem_of  # noqa: E402
from tests.bench.experience.make import SHIPPED, make_pack  # noqa: E402
from tests.bench.tuner_transfer.bench import COLD, played  # noqa: E402

AT = (3, 5, 10, 20, 40)


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make", help="the packs in include/experience, over those that are there")
    do = commands.add_parser("run", help="the runs, and the table of them")
    do.add_argument("--problems", default=",".join(HELD_OUT), help="names with commas")
    do.add_argument("--seeds", type=int, default=1)
    do.add_argument("--first-seed", type=int, default=0)
    do.add_argument("--budget", type=int, default=40)
    do.add_argument("--out", type=Path, required=True, help="a file to add the runs to; those it has are not repeated")
    show = commands.add_parser("table", help="the table of files of runs")
    show.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args(argv)
    if args.command == "make":
        for name in SHIPPED:
            print(make_pack(name), flush=True)
    elif args.command == "table":
        print(table([row for file in args.files for row in _read(file)]))
    elif unknown := set(args.problems.split(",")) - set(HELD_OUT):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; the problems are {', '.join(HELD_OUT)}")
    else:
        print(table(_run(args)))


def _run(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = _read(args.out) if args.out.exists() else []
    done = {(r["pair"], r["problem"], r["seed"]) for r in rows}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for problem in args.problems.split(","):
            for pair in (COLD, "with packs"):
                if (pair, problem, seed) in done:
                    continue
                past = [] if pair == COLD else past_of(problem)
                row, _ = played(pair, problem_of(problem, seed), seed, args.budget, past)
                rows.append(dict(row))
                with args.out.open("a") as out:
                    out.write(json.dumps(row) + "\n")
                print(f"{pair:12} {problem:17} seed {seed}  {row['scores'][-1]:.3f}", file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: by problem the mean gain by packs over the cold start after so many trials, paired by seed.

    Each with the half-width of its 95 % interval (Student's t, for the runs are few); the cold scores come last.
    """
    runs = {(r["pair"], r["problem"], r["seed"]): r["scores"] for r in rows}
    lines = ["| problem | runs | " + " | ".join(f"after {t}" for t in AT) + " | cold |"]
    lines.append("|" + " --- |" * (len(AT) + 3))
    mysql = [problem for problem, (dbms, _) in HELD_OUT.items() if dbms == "mysql"]
    for name, problems in {**{p: [p] for p in HELD_OUT}, "the four of MySQL": mysql}.items():
        both = [(p, s) for (pair, p, s) in runs if pair == COLD and p in problems and ("with packs", p, s) in runs]
        if both and {p for p, _ in both} == set(problems):
            cold = np.array([runs[COLD, p, s] for p, s in both])
            warm = np.array([runs["with packs", p, s] for p, s in both])
            at = [t for t in AT if t <= cold.shape[1]]
            gains = " | ".join(_gain(warm[:, t - 1] - cold[:, t - 1]) for t in at)
            scores = ", ".join(f"{cold[:, t - 1].mean():.3f}" for t in at)
            lines.append(f"| {name} | {len(both)} | {gains} | {scores} |")
    return "\n".join(lines)


def _gain(gains: np.ndarray) -> str:
    n = len(gains)
    width = f" ± {student.ppf(0.975, n - 1) * gains.std(ddof=1) / n**0.5:.3f}" if n > 1 else ""
    return f"{gains.mean():+.3f}{width}"


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


if __name__ == "__main__":
    main()
