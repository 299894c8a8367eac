"""How often the final comparison finds a winner where there is none, and how often one that is there.

    PYTHONPATH=plugins:. python -m tests.bench.comparison                       # 2,000 runs a cell: two minutes
    PYTHONPATH=plugins:. python -m tests.bench.comparison --runs 500 --seed 7

Ends with exit code 1 if any cell is above 5 %.
"""

from __future__ import annotations

import argparse
import sys

from tests.bench.comparison.simulation import CASES, NOISES, false_winners, found

MOST = 0.05


def main() -> int:
    """Print the tables, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    head = [f"{rounds} rounds, noise {noise:.0%}" for rounds in args.rounds for noise in NOISES]
    print("False winners in per cent of", args.runs, "comparisons of three equal arms\n")
    print("| machine | " + " | ".join(head) + " |\n" + "|---" * (len(head) + 1) + "|")
    worst = 0.0
    for name, case in CASES.items():
        cells = [false_winners(case, s, rounds, args.runs, args.seed) for rounds in args.rounds for s in NOISES]
        worst = max(worst, *cells)
        print(f"| {name} | " + " | ".join(f"{100 * cell:.1f}" for cell in cells) + " |", flush=True)
    print("\nFound, in per cent, where `best` really is so much better, on a still machine\n")
    print("| better by | " + " | ".join(head) + " |\n" + "|---" * (len(head) + 1) + "|")
    for gain in (1.05, 1.10, 1.25, 1.50):
        cells = [found(gain, s, rounds, args.runs // 4, args.seed) for rounds in args.rounds for s in NOISES]
        print(f"| {gain - 1:.0%} | " + " | ".join(f"{100 * cell:.0f}" for cell in cells) + " |", flush=True)
    print(f"\nworst: {100 * worst:.1f} % false winners")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
