"""The bench itself: no pack is asked on its own problem, a stranger has PostgreSQL's names alone, and the table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench.experience.__main__ import main, table
from tests.bench.experience.held_out import HELD_OUT, Stranger, past_of, problem_of
from tests.bench.experience.make import SHIPPED, pack_of
from tests.bench.tuner.knob import random_config


@pytest.mark.parametrize("name", HELD_OUT)
def test_no_pack_is_asked_on_its_own_load(name: str) -> None:
    (past,) = past_of(name)
    pack = past.name.rpartition("/")[2]
    made_of = SHIPPED[pack].problem.rstrip("0123456789")
    assert name.rstrip("0123456789") != made_of


@pytest.mark.slow
def test_a_stranger_is_the_problem_that_it_hides() -> None:
    stranger, rng = Stranger(1), np.random.default_rng(0)
    names = set(past_of("stranger")[0].space.names)
    assert sum(knob.name in names for knob in stranger.knobs) >= 12
    assert stranger.baseline == pytest.approx(1000.0, rel=0.02)
    values = [v for _ in range(50) if (v := stranger.true(random_config(stranger.knobs, rng))) is not None]
    assert len(values) > 30
    assert max(values) > stranger.baseline


@pytest.mark.slow
def test_a_pack_of_a_forest_says_so_and_is_on_the_baselines_scale() -> None:
    (experiment,) = pack_of(SHIPPED["mysql_sysbench"], 4).experiments
    assert experiment.origin == "modelled"
    assert experiment.trials[0].value == 1.0
    assert experiment.knobs[2].type == "boolean"
    assert {knob.name: knob.unit for knob in experiment.knobs}["innodb_buffer_pool_size"] == "B"


def test_the_table_pairs_runs_by_problem_and_seed() -> None:
    rows = [
        {"pair": pair, "problem": "mysql_job5", "seed": s, "scores": [0.1, 0.2, value + s / 10]}
        for pair, value in (("cold", 0.3), ("with packs", 0.5))
        for s in (0, 1)
    ]
    assert table(rows).splitlines()[-1] == "| mysql_job5 | 2 | +0.200 ± 0.000 | 0.350 |"


@pytest.mark.slow
def test_a_run_is_kept_and_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs.jsonl"
    command = ["run", "--problems", "mysql_job5", "--budget", "3", "--out", str(out)]
    main(command)
    main(command)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["pair"], len(r["scores"])) for r in rows] == [("cold", 3), ("with packs", 3)]
    assert "| mysql_job5 | 1 |" in capsys.readouterr().out
    assert problem_of("mysql_job5", 0).name == "mysql_job5"
