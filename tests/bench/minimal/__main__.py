"""Send home what the winner of a search need not change, on offline problems.

    PYTHONPATH=plugins:. python -m tests.bench.minimal --searches searches.jsonl
    PYTHONPATH=plugins:. python -m tests.bench.minimal --searches searches.jsonl --half chosen --percent 15

Searches that the file lacks are made and added to it: 10 s to 3 min each.
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
from statistics import fmean  # noqa: E402

from tests.bench.minimal.bench import HALVES, Row, Search, ablate, search  # noqa: E402


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    args = _parser().parse_args(argv)
    names = args.problems.split(",") if args.problems else [n for half in args.half for n in HALVES[half]]
    rows = []
    for made in _searches(args.searches, names, args.seeds, args.budget):
        rows.append(ablate(made, args.percent))
        print(rows[-1], file=sys.stderr, flush=True)
    print(table(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=Path, required=True, help="a file of searches, which is added to")
    parser.add_argument("--half", nargs="+", choices=list(HALVES), default=["reported"])
    parser.add_argument("--problems", help="names with commas, in the place of a half")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--budget", type=int, default=40, help="trials of a search (default 40)")
    parser.add_argument("--percent", type=float, default=30.0, help="of them for the ablation (default 30)")
    return parser


def _searches(file: Path, names: Sequence[str], seeds: int, budget: int) -> list[Search]:
    kept: list[Search] = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    known = {(s["problem"], s["seed"], len(s["trials"])): s for s in kept}
    for seed in range(seeds):
        for name in names:
            if (name, seed, budget) not in known:
                known[name, seed, budget] = made = search(name, seed, budget)
                with file.open("a") as out:
                    out.write(json.dumps(made) + "\n")
                print(f"searched {name}, seed {seed}", file=sys.stderr, flush=True)
    return [known[name, seed, budget] for name in names for seed in range(seeds)]


def table(rows: Sequence[Row]) -> str:
    """A row a problem, in Markdown."""
    lines = [
        "| problem | winners | changed | left | irrelevant sent home | relevant kept | score | loss of it | trials |",
        "|---" * 9 + "|",
    ]
    for name in dict.fromkeys(row.problem for row in rows):
        lines.append(_line(name, [row for row in rows if row.problem == name]))
    return "\n".join([*lines, _line("all", rows)])


def _line(name: str, rows: Sequence[Row]) -> str:
    def share(part: str, whole: str) -> str:
        count = sum(getattr(row, whole) for row in rows)
        return f"{sum(getattr(row, part) for row in rows) / count:.0%} of {count}" if count else "-"

    means = {field: fmean(getattr(row, field) for row in rows) for field in ("changed", "left", "score", "loss")}
    return (
        f"| {name} | {len(rows)} | {means['changed']:.1f} | {means['left']:.1f} | "
        f"{share('irrelevant_home', 'irrelevant')} | {share('relevant_kept', 'relevant')} | {means['score']:.3f} | "
        f"{means['loss']:+.4f} | {fmean(row.trials for row in rows):.1f} |"
    )


if __name__ == "__main__":
    main()
