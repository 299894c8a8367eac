"""How often a backfill's verdict is wrong, and how often it is right.

    PYTHONPATH=plugins:. python -m tests.bench.verdict                       # 1,000 backfills a cell: ten minutes
    PYTHONPATH=plugins:. python -m tests.bench.verdict --runs 200 --seed 7

Ends with exit code 1 if any false answer is above 5 %.
"""

from __future__ import annotations

import argparse
import sys

from otterflow.experiment.verdict import Answer, Rule
from tests.bench.verdict.simulation import Truth, answers

MOST = 0.05
BETTER = Rule(nowhere_worse_percent=None)
BOTH = Rule()
WRONG: dict[str, tuple[Truth, Rule, Answer]] = {
    "yes (better), flat": (Truth(), BETTER, Answer.yes),
    "yes (better), flat, noise 10 %": (Truth(noise=0.1), BETTER, Answer.yes),
    "yes (better), flat on average, 5 % between intervals": (Truth(between=0.05), BETTER, Answer.yes),
    "yes (better), flat on average, 20 % between intervals": (Truth(between=0.2), BETTER, Answer.yes),
    "yes (better), flat, 10 % of the turns lost": (Truth(lost=0.1), BETTER, Answer.yes),
    "yes (both), flat": (Truth(), BOTH, Answer.yes),
    "yes (both), 20 % better, in one interval 5 % worse": (Truth(gain=1.2, in_one=0.95), BOTH, Answer.yes),
    "no (both), flat": (Truth(), BOTH, Answer.no),
    "no (both), 20 % better, in one interval 5 % worse": (Truth(gain=1.2, in_one=0.95), BOTH, Answer.no),
}
"""Answers that the truth does not bear out. 5 % worse is just within the rule: neither yes nor no should be sure."""
RIGHT: dict[str, tuple[Truth, Rule, Answer]] = {
    "yes, 5 % better, noise 1 %": (Truth(gain=1.05, noise=0.01), BOTH, Answer.yes),
    "yes, 10 % better": (Truth(gain=1.1), BOTH, Answer.yes),
    "yes, 25 % better, 5 % between intervals": (Truth(gain=1.25, between=0.05), BOTH, Answer.yes),
    "no, 10 % better, in one interval 20 % worse": (Truth(gain=1.1, in_one=0.8), BOTH, Answer.no),
    "no, 10 % worse": (Truth(gain=0.9), BOTH, Answer.no),
}
SIZES = [(3, 3), (5, 3), (5, 5), (20, 3), (20, 5)]
"""Intervals, and rounds in each."""


def main() -> int:
    """Print the tables, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"Wrong answers, per cent of {args.runs} backfills; noise 3 % where nothing else is said\n")
    worst = _table(WRONG, args.runs, args.seed)
    print("\nRight answers, in per cent\n")
    _table(RIGHT, args.runs, args.seed)
    print(f"\nworst: {100 * worst:.1f} % wrong")
    return int(worst > MOST)


def _table(cases: dict[str, tuple[Truth, Rule, Answer]], runs: int, seed: int) -> float:
    head = [f"{intervals} intervals, {rounds} rounds" for intervals, rounds in SIZES]
    print("| answer, truth | " + " | ".join(head) + " |\n" + "|---" * (len(head) + 1) + "|")
    most = 0.0
    for name, (truth, rule, answer) in cases.items():
        cells = [answers(truth, rule, intervals, rounds, runs, seed)[answer] for intervals, rounds in SIZES]
        most = max(most, *cells)
        print(f"| {name} | " + " | ".join(f"{100 * cell:.1f}" for cell in cells) + " |", flush=True)
    return most


if __name__ == "__main__":
    sys.exit(main())
