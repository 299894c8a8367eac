"""How often the final comparison finds a winner where there is none, or one that is there, and in how many rounds.

    PYTHONPATH=plugins:. python -m tests.bench.comparison                       # 2,000 runs a cell: half an hour
    PYTHONPATH=plugins:. python -m tests.bench.comparison --runs 500 --seed 7

Ends with exit code 1 if any cell of false winners is above 5 %.
"""

from __future__ import annotations

import argparse
import sys

from otterflow.experiment.comparison import ARMS, BASELINE, BEST, REDUCED, RULES
from tests.bench.comparison.simulation import CASES, NOISES, Found, Gains, simulate

MOST = 0.05
RATIO_NOISES = (0.03, 0.0707, 0.10, 0.20)
"""The second is the measurement's noise where a round's ratio varies by 10 %."""
CHOICES: dict[str, Gains] = {
    "best 2 % better than the rules": {RULES: 1.25, BEST: 1.275},
    "best as good as the rules": {RULES: 1.25, BEST: 1.25},
    "best 10 % better than the rules": {RULES: 1.25, BEST: 1.375},
    "only the rules better": {RULES: 1.25},
}
REDUCTIONS: dict[str, Gains] = {
    "all four equal": {},
    "reduced as good as the best": {BEST: 1.25, REDUCED: 1.25},
    "reduced 2 % worse": {BEST: 1.25, REDUCED: 1.225},
    "reduced 10 % worse": {BEST: 1.25, REDUCED: 1.125},
}


def main() -> int:
    """Print the tables, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--limits", type=int, nargs="+", default=[3, 5, 15])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    worst = false_winners(args.limits, args.runs, args.seed)
    gains_found(max(args.limits), args.runs // 2, args.seed)
    rules_or_best(max(args.limits), args.runs // 4, args.seed)
    worst = max(worst, best_or_reduced(max(args.limits), args.runs // 4, args.seed))
    print(f"\nworst: {100 * worst:.1f} % false winners")
    return int(worst > MOST)


def false_winners(limits: list[int], runs: int, seed: int) -> float:
    """Equal arms: how often another than the baseline is in force afterwards; the worst cell."""
    print(f"False winners, per cent of {runs} comparisons of three equal arms\n")
    _head("machine", [f"{limit} rounds, {noise:.0%}" for limit in limits for noise in NOISES])
    worst = 0.0
    for name, case in CASES.items():
        cells = [simulate(case, noise, limit, runs, seed).false_winners for limit in limits for noise in NOISES]
        worst = max(worst, *cells)
        print(f"| {name} | " + " | ".join(f"{100 * cell:.1f}" for cell in cells) + " |", flush=True)
    return worst


def gains_found(limit: int, runs: int, seed: int) -> None:
    """How often `best` is in force where it is really better, and the rounds on average, on each machine."""
    print(f"\nFound in per cent (rounds on average), of at most {limit} rounds\n")
    _head("better by, machine", [f"noise {noise:.1%}" for noise in RATIO_NOISES])
    for machine in ("still", "hiccups in 10 % of the turns"):
        for gain in (1.0, 1.05, 1.10, 1.25, 1.50):
            of = [simulate(CASES[machine], noise, limit, runs, seed, gains={BEST: gain}) for noise in RATIO_NOISES]
            wanted = BEST if gain > 1 else BASELINE
            print(f"| {gain - 1:.0%}, {machine} | " + " | ".join(_cell(each, wanted) for each in of) + " |", flush=True)


def rules_or_best(limit: int, runs: int, seed: int) -> None:
    """Which of the two is in force where the rules are better than the baseline."""
    print("\nIn force, per cent: baseline / rules / best (rounds on average)\n")
    _head("truth", [f"noise {noise:.0%}" for noise in NOISES])
    for name, gains in CHOICES.items():
        of = [simulate(CASES["still"], noise, limit, runs, seed, gains=gains) for noise in NOISES]
        cells = [
            " / ".join(f"{100 * found.winners[arm]:.0f}" for arm in (BASELINE, RULES, BEST)) + f" ({found.rounds:.1f})"
            for found in of
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def best_or_reduced(limit: int, runs: int, seed: int) -> float:
    """Which arm is in force where one is the best without some of its knobs; the worst cell of false winners."""
    print("\nIn force, per cent: baseline / rules / best / reduced (rounds on average)\n")
    _head("truth", [f"noise {noise:.0%}" for noise in NOISES])
    false = []
    for name, gains in REDUCTIONS.items():
        of = [simulate(CASES["still"], noise, limit, runs, seed, gains=gains, reduced=True) for noise in NOISES]
        cells = [
            " / ".join(f"{100 * found.winners[arm]:.0f}" for arm in (*ARMS, REDUCED)) + f" ({found.rounds:.1f})"
            for found in of
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        false += [] if gains else [found.false_winners for found in of]
    return max(false)


def _cell(found: Found, wanted: str) -> str:
    return f"{100 * found.winners[wanted]:.0f} ({found.rounds:.1f})"


def _head(first: str, columns: list[str]) -> None:
    print(f"| {first} | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")


if __name__ == "__main__":
    sys.exit(main())
