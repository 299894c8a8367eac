"""The yardstick itself: what the problems, the runs and the tables must be for a comparison to mean something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otterflow.measures.drift import Sample as Trial
from otterflow.measures.drift import relative
from tests.bench.tuner.__main__ import main
from tests.bench.tuner.bench import run
from tests.bench.tuner.catalogue import FURTHER, SIX, make
from tests.bench.tuner.drifting import MACHINES, Drifting
from tests.bench.tuner.knob import random_config
from tests.bench.tuner.measured import NAMES
from tests.bench.tuner.part import PARTS
from tests.bench.tuner.synthetic import Synthetic
from tests.bench.tuner.table import table

# What scikit-learn's own forests say of the default and of the first random configuration of seed 0.
FORESTS = {
    "mysql_sysbench20": (206.29742808156274, 431.7107936966855),
    "mysql_job20": (1.1843714047145943, 1.0),
    "pg_tpcc_cloudlab": (963.2120629535782, 1422.0186810811363),
    "mysql_sysbench5": (328.01265406624293, 338.18499726077425),
    "mysql_job5": (1.2624611997458044, 1.003409490945665),
}


@pytest.mark.parametrize("name", NAMES)
def test_packed_forests_predict_what_the_originals_do(name: str) -> None:
    problem = make(name, 0)
    config = random_config(problem.knobs, np.random.default_rng(0))
    baseline, other = FORESTS[name]
    assert problem.baseline == pytest.approx(baseline, rel=1e-7)
    assert problem.true(config) == pytest.approx(other, rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SIX, *FURTHER, "synthetic8@wander"])
def test_a_problem_has_a_gain_to_find_and_measures_with_its_noise(name: str) -> None:
    problem, rng = make(name, 1), np.random.default_rng(1)
    assert problem.reference > 1.2 * problem.baseline
    assert problem.score(problem.reference) == 1.0
    still = make(name.partition("@")[0], 1)
    seen = np.array([still.observe(still.default(), rng) for _ in range(400)])
    assert seen.std() / seen.mean() == pytest.approx(0.03, rel=0.2)


@pytest.mark.slow
def test_a_seed_is_an_instance_and_the_same_one_each_time() -> None:
    first, again, other = make("synthetic8", 0), make("synthetic8", 0), make("synthetic8", 1)
    assert first.reference == again.reference != other.reference


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_part_leaves_the_other_knobs_where_they_stand(name: str) -> None:
    part, whole = make(name, 2), make(PARTS[name][0], 2)
    assert len(part.knobs) == PARTS[name][1] < len(whole.knobs)
    assert {k.name for k in part.knobs} < {k.name for k in whole.knobs}
    assert make(name, 2).baseline == part.baseline != make(name, 3).baseline
    assert part.baseline < part.reference < 1.1 * whole.reference


def test_too_much_memory_crashes_a_synthetic_server() -> None:
    problem = make("synthetic8", 0)
    assert isinstance(problem, Synthetic)
    full = {problem.knobs[i].name: problem.knobs[i].from_unit(1.0) for i in problem.memory}
    assert problem.true({**problem.default(), **full}) is None


@pytest.mark.parametrize("name", ["synthetic", "synthetic8@moon"])
def test_an_unknown_problem_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="unknown: use one of"):
        make(name, 0)


@pytest.mark.slow
def test_a_run_is_repeatable_and_tells_the_winners_curse() -> None:
    runs: list[dict[str, Any]] = [{**run("otterflow", "synthetic8", 3, 8)} for _ in range(2)]
    first, again = runs
    for seconds in ("seconds", "seconds_max"):
        first.pop(seconds), again.pop(seconds)
    assert first == again
    assert len(first["scores"]) == 8
    assert first["scores"][0] == 0.0
    assert abs(first["curse"]) < 0.1
    assert first["model_score"] is not None


def test_the_table_pairs_runs_by_problem_and_seed() -> None:
    def row(method: str, seed: int, score: float) -> dict[str, Any]:
        line = {"method": method, "problem": "p", "seed": seed, "scores": [score], "crashes": 0}
        return {**line, "seconds": 0.0, "seconds_max": 0.0, "curse": 0.0}

    rows = [row("ours", 0, 0.8), row("ours", 1, 0.6), row("theirs", 1, 0.5), row("theirs", 0, 0.6)]
    text = table(rows, [1], "ours")
    assert "| theirs | 2 | +0.150 ± 0.098 |" in text
    with pytest.raises(ValueError, match="no run of 'mine'"):
        table(rows, [1], "mine")


def test_the_command_keeps_its_runs_and_does_not_repeat_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs.jsonl"
    command = ["run", "random", "--problems", "mysql_job5", "--budget", "4", "--out", str(out), "--against", "random"]
    main(command)
    main(command)
    assert len(out.read_text().splitlines()) == 1
    assert capsys.readouterr().err.count("mysql_job5") == 1
    with pytest.raises(SystemExit):
        main(["run", "randon"])
    assert "the methods are" in capsys.readouterr().err


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_drifts_by_no_more_than_a_factor_of_three_and_the_truth_stands_still(name: str) -> None:
    inner = make("synthetic8", 0)
    machine = MACHINES[name](np.random.default_rng(4))
    speeds = [machine(t) for t in range(120)]
    assert speeds[0] == 1.0
    assert max(speeds) / min(speeds) <= 3.0 + 1e-9
    assert (max(speeds) / min(speeds) > 1.3) == (name != "still")
    problem, rng = Drifting(inner, machine), np.random.default_rng(0)
    problem.noise = 0.0
    seen = [problem.observe(problem.default(), rng) for _ in range(40)]
    assert seen == pytest.approx([inner.baseline * s for s in speeds[:40]])
    assert problem.true(problem.default()) == inner.baseline


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kept"), [("wander", 0.7), ("steps", 0.8), ("still", 1.05)])
def test_reference_trials_take_drift_out_and_do_no_harm_on_a_still_machine(name: str, kept: float) -> None:
    errors = np.array([_errors(name, seed) for seed in range(8)]).mean(axis=0)
    assert errors[1] < kept * errors[0]


def _errors(name: str, seed: int) -> tuple[float, float]:
    """The error in the logarithm of 40 trials' values as measured and corrected, one in five being a reference."""
    problem, rng = make(f"mysql_job5@{name}", seed), np.random.default_rng(seed)
    trials, truth = [], []
    for i in range(40):
        config = problem.default() if i % 5 == 0 else random_config(problem.knobs, rng)
        trials.append(Trial(config, problem.observe(config, rng), reference=i > 0 and i % 5 == 0))
        truth.append(problem.true(config))
    wrong = np.log(np.array([[t.value for t in trials], relative(trials)], dtype=float)) - np.log(
        np.array(truth, dtype=float)
    )
    plain, corrected = np.sqrt(((wrong - wrong[:, :1]) ** 2).mean(axis=1))
    return float(plain), float(corrected)
