"""The bench itself: what the pairs and the table must be for a comparison to mean something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench.tuner.knob import random_config
from tests.bench.tuner_transfer.__main__ import main
from tests.bench.tuner_transfer.pairs import PAIRS, Alike
from tests.bench.tuner_transfer.table import table, trials_needed


@pytest.mark.slow
@pytest.mark.parametrize("family", ["synthetic20", "synthetic60"])
def test_alike_problems_agree_on_the_order_and_unlike_ones_do_not(family: str) -> None:
    alike, rng = Alike(family, 0), np.random.default_rng(0)
    now, unlike = PAIRS["alike20"], PAIRS["unlike20"].past_problem(0)
    assert alike.true(alike.default()) == pytest.approx(1000.0)
    assert alike.reference > 1.2 * alike.baseline
    if family == "synthetic20":
        from tests.bench.tuner.catalogue import make

        problem = make(now.now, 0)
        configs = [c for c in (random_config(problem.knobs, rng) for _ in range(200)) if problem.true(c) is not None]
        values = np.log(np.array([[p.true(c) for c in configs] for p in (problem, alike)], dtype=float))
        assert 0.7 < np.corrcoef(values)[0, 1] < 0.999
        assert {k.name for k in unlike.knobs} & {k.name for k in problem.knobs}


def test_trials_needed() -> None:
    assert trials_needed(np.array([0.0, 0.5, 0.9]), 0.5) == 2
    assert trials_needed(np.array([0.0, 0.5, 0.9]), 0.95) is None


def test_table_pairs_runs_by_problem_and_seed() -> None:
    rows = [
        {"pair": "cold", "problem": "synthetic20", "seed": s, "scores": [0.0, 0.2, 0.4, 0.6 + s / 10]} for s in (0, 1)
    ]
    rows += [{"pair": "alike20", "problem": "synthetic20", "seed": s, "scores": [0.0, 0.7, 0.7, 0.7]} for s in (0, 1)]
    assert table(rows).splitlines()[-1] == "| alike20 | 2 | 0.700 / 0.400 | 2 | +0.050 ± 0.098 |"


@pytest.mark.slow
def test_a_run_is_kept_and_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs.jsonl"
    command = ["run", "--pairs", "sysbench5_to_20", "--budget", "4", "--out", str(out)]
    main(command)
    main(command)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["pair"], len(r["scores"])) for r in rows] == [("cold", 4), ("sysbench5_to_20", 4)]
    assert "sysbench5_to_20" in capsys.readouterr().out
