"""What it saves and costs to end hopeless trials early, on offline problems: the same searches with and without.

    PYTHONPATH=plugins:. python -m tests.bench.hopeless --seeds 3 --to hopeless.jsonl

A trial is a stream of queries: one pass to warm up and one that is measured, each as long as the problem's value is
small. With a rate instead, a trial takes as long as any other, and is judged by its rates, which are steady here.
"""

from __future__ import annotations

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when NumPy is imported, which comes next

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import fmean, stdev  # noqa: E402
from typing import Literal, TypedDict  # noqa: E402

import numpy as np  # noqa: E402

from otterflow.measures.hopeless import Course, Hope, Phase  # noqa: E402
from otterflow.measures.objective import Objective  # noqa: E402
from tests.bench.tuner.catalogue import make  # noqa: E402
from tests.bench.tuner.knob import Config  # noqa: E402
from tests.bench.tuner.methods import METHODS  # noqa: E402

PROBLEMS = (
    "synthetic8", "synthetic20", "synthetic30", "synthetic60", "mysql_sysbench20", "mysql_job20", "part_job14",
    "part_sysbench14", "part_tpcc40",
)  # fmt: skip
BUDGETS = (10, 20, 40)
STEPS = 60
"""So often is a trial looked at while it lasts: as many rates does it tell."""
Way = Literal["off", "stream", "rates"]


class Searched(TypedDict):
    """A search: the score of its best configuration after each budget, and the share of its trials' time it took."""

    problem: str
    seed: int
    way: Way
    scores: list[float]
    ended: int
    time_share: float


def search(name: str, seed: int, way: Way) -> Searched:
    """A search of the longest budget; time is counted in units of what its own trials take to their end."""
    problem, noise = make(name, seed), np.random.default_rng(5000 + seed)
    tuner = METHODS["otterflow"](problem.knobs, seed)
    trials: list[tuple[Config, float | None]] = []
    courses: list[Course] = []
    took, whole, ended = 0.0, 0.0, 0
    best, scores = problem.baseline, []
    for number in range(max(BUDGETS)):
        config = tuner.suggest(trials) if number else problem.default()
        value = problem.observe(config, noise)
        if value is not None:
            at_best, share = _looked_at(value, courses, way) if number > 1 else (None, 1.0)
            length = 1 / value if way == "stream" else 1.0
            took, whole = took + share * length, whole + length
            if at_best is None:
                courses.append(_course(value, way))
                true = problem.true(config)
                best = max(best, true if true is not None else best)
            else:
                value, ended = at_best, ended + 1
        trials.append((config, value))
        if number + 1 in BUDGETS:
            scores.append(problem.score(best))
    return {
        "problem": name, "seed": seed, "way": way, "scores": scores, "ended": ended, "time_share": took / whole
    }  # fmt: skip


def _course(value: float, way: Way) -> Course:
    if way == "stream":
        return Course(1 / value, 1 / value, 1 / value)
    return Course(value, 0.0, 1.0, (value,) * STEPS)


def _looked_at(value: float, courses: Sequence[Course], way: Way) -> tuple[float | None, float]:
    """What the model is told of a trial that is ended early, and the share of its time that it took."""
    if way == "off":
        return None, 1.0
    hope = Hope.by(Objective.run_time if way == "stream" else Objective.throughput, courses)
    if hope is None:
        return None, 1.0
    phases: tuple[Phase, ...] = ("warmup", "run") if way == "stream" else ("run",)
    for place, phase in enumerate(phases):
        for step in range(1, STEPS + 1):
            at_best = hope.at_best(phase, step / STEPS / value, (value,) * step)
            if at_best is not None and hope.is_hopeless(at_best):
                told = 1 / at_best if way == "stream" else at_best
                return told, (place + step / STEPS) / len(phases)
    return None, 1.0


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(PROBLEMS), help="names with commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--to", type=Path, required=True, help="a file of searches, which is added to")
    args = parser.parse_args(argv)
    kept: list[Searched] = [json.loads(line) for line in args.to.read_text().splitlines()] if args.to.exists() else []
    known = {(s["problem"], s["seed"], s["way"]) for s in kept}
    ways: tuple[Way, ...] = ("off", "stream", "rates")
    for seed in range(args.seeds):
        for name in args.problems.split(","):
            for way in ways:
                if (name, seed, way) in known:
                    continue
                kept.append(made := search(name, seed, way))
                with args.to.open("a") as out:
                    out.write(json.dumps(made) + "\n")
    print(table(kept))


def table(searches: Sequence[Searched]) -> str:
    """For each way the trials ended, the time that is left, and the scores against the same searches without."""
    off = {(s["problem"], s["seed"]): s for s in searches if s["way"] == "off"}
    heads = [f"score after {budget}" for budget in BUDGETS]
    lines = [
        f"| problem | way | searches | trials ended | time | {' | '.join(heads)} |",
        "|---" * (5 + len(heads)) + "|",
    ]
    problems = list(dict.fromkeys(s["problem"] for s in searches))
    for way in ("stream", "rates"):
        for name in [*problems, "all"]:
            of = [s for s in searches if s["way"] == way and name in (s["problem"], "all")]
            pairs = [(s, off[s["problem"], s["seed"]]) for s in of if (s["problem"], s["seed"]) in off]
            if not pairs:
                continue
            changes = [_change([s["scores"][k] - o["scores"][k] for s, o in pairs]) for k in range(len(BUDGETS))]
            ended, share = fmean(s["ended"] for s, _ in pairs), fmean(s["time_share"] for s, _ in pairs)
            lines.append(f"| {name} | {way} | {len(pairs)} | {ended:.1f} | {share:.0%} | {' | '.join(changes)} |")
    return "\n".join(lines)


def _change(differences: Sequence[float]) -> str:
    """The mean difference with twice its standard error."""
    if len(differences) < 2:
        return f"{fmean(differences):+.3f}"
    return f"{fmean(differences):+.3f} ± {2 * stdev(differences) / math.sqrt(len(differences)):.3f}"


if __name__ == "__main__":
    main()
