"""Made-up experiments in a real repository: all that a page shows of one, recorded as a real one is.

Pages, their attacks, their timing and the README's pictures look at these.
"""

from __future__ import annotations

import json
import math
import random
from functools import cache
from pathlib import Path
from typing import Any

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import TEACHES_NOTHING
from otterflow.experiment.frozen import files_of
from otterflow.experiment.outcome import outcome
from otterflow.experiment.plan import Plan, load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space
from otterflow.repository import NewExperiment, Repository

SETTINGS = Path(__file__).parents[1] / "knobs" / "pg_settings_15.json"
FACTS = HostFacts(ram_bytes=16 * 1024**3, cores=8, disk="ssd", max_connections=100)
LOG = "2026-11-30 02:11:09 UTC [4711] FATAL:  could not map anonymous shared memory: Cannot allocate memory\n"
TASKS = {"begin": 0.4, "restart": 6.2, "benchmark": 64.0, "collect": 1.1, "recommend": 2.4, "apply": 0.9}


@cache
def server() -> dict[str, Any]:
    """A captured server's settings, as `check_target` keeps them."""
    return {row["name"]: row for row in json.loads(SETTINGS.read_text())}


def begun(
    repository: Repository,
    name: str,
    *,
    run: str = "",
    target: str = "example_command",
    iterations: int = 30,
    **form: Any,
) -> Plan:
    """An experiment whose target was looked at."""
    spec = ExperimentSpec.from_params(
        {"experiment": name, "target": target, "benchmark": "pgbench_tpcb", "iterations": iterations, **form}
    )
    plan = load_plan(spec)
    repository.create_experiment(
        NewExperiment(
            name=name,
            target=target,
            dbms="postgresql",
            benchmark=spec.benchmark,
            objective=plan.objective.value,
            spec=spec.record(),
            seed=0,
            code_version="0.1.0",
            files=files_of(plan),
            run=run or f"tuning_experiment/{name}",
        )
    )
    live = {name: DBMS.settings.from_row(row) for name, row in server().items()}
    space = build_space(plan.catalog, live, FACTS, server_version=15, knob_set="core")
    rules = DBMS.rules.rule_based(FACTS, "oltp", live, server_version=15).config
    baseline = {knob.name: live[knob.name].value for knob in space}
    repository.prepare_experiment(
        name,
        space=space.records(),
        baseline=baseline,
        baseline_file="# as it was\n",
        rules={**baseline, **{knob: value for knob, value in rules.items() if knob in baseline}},
        facts=FACTS.as_dict(),
        versions={"postgresql": "15.14"},
        hardware={"cores": 8},
        catalog_hash=plan.catalog.content_hash,
        live=server(),
    )
    repository.set_experiment_state(name, "running")
    return plan


def tried(repository: Repository, name: str, iteration: int, *, seed: int = 0, ends: bool = True) -> float | None:
    """A trial of the experiment, the next one or any: its value, None where it crashed or has not ended."""
    experiment = repository.experiment(name)
    luck = random.Random(f"{name} {iteration} {seed}")
    kind = "baseline" if iteration == 0 else "rules" if iteration == 1 else "model"
    kind = "reference" if iteration > 1 and iteration % 10 == 0 else kind
    wanted = dict(experiment.baseline or {})
    if kind == "rules":
        wanted = dict(experiment.rules or {})
    elif kind == "model":
        wanted |= {"work_mem": 4096 * luck.randint(1, 64), "shared_buffers": 16384 * luck.randint(1, 40)}
        wanted |= {"random_page_cost": round(1 + 3 * luck.random(), 2)}
    repository.plan_trial(
        name, iteration, kind=kind, wanted=wanted, repairs=_repairs(kind), reasons=_reasons(kind, luck), seed=iteration
    )
    if not ends:
        return None
    repository.begin_try(name, iteration)
    repository.record_in_force(name, iteration, wanted)
    crashes = kind == "model" and iteration % 7 == 5
    if crashes:
        repository.end_trial(name, iteration, "crashed", message="the server did not start", log_tail=LOG)
        return None
    gain = {"baseline": 1.0, "reference": 1.0, "rules": 1.18}.get(kind, 1.1 + 0.35 * (1 - math.exp(-iteration / 9)))
    value = 1000.0 * gain * (1 + 0.03 * luck.gauss(0, 1))
    result = {
        "throughput": value, "latency_ms": {"mean": 8000 / value, "p99": 40000 / value}, "errors": 0,
        "transactions": round(60 * value), "seconds": 60.0,
    }  # fmt: skip
    repository.record_result(name, iteration, result=result, objective=value, repeats=[value])
    repository.record_metrics(
        name, iteration, {"xact_commit": value, "blks_hit": 40 * value, "temp_bytes": 5e6 * luck.random()},
        host={"host.load_1m": 2.0 + luck.random()}, reset=[],
    )  # fmt: skip
    for task, took in TASKS.items():
        repository.record_seconds(name, iteration, task, took * (0.9 + 0.2 * luck.random()))
    repository.end_trial(name, iteration, "ok")
    if iteration > 3:
        left = {
            "expected_percent": 12 / iteration,
            "median_percent": 8 / iteration,
            "likely_below_percent": 30 / iteration,
        }
        repository.add_reasons(name, iteration, {"outlook": left})
    return value


def turns(repository: Repository, name: str, *, rounds: int = 3, gain: float = 1.32, seed: int = 0) -> None:
    """The comparison under way: so many rounds, in which the best is `gain` times the baseline."""
    luck = random.Random(f"{name} end {seed}")
    repository.set_experiment_state(name, "finishing")
    for number in range(1, rounds + 1):
        drift = 1 + 0.05 * luck.gauss(0, 1)
        for arm, times in (("baseline", 1.0), ("rules", 1.15), ("best", gain)):
            value = 1000.0 * drift * times * (1 + 0.005 * luck.gauss(0, 1))
            result = {"throughput": value, "errors": 0, "transactions": 60000, "seconds": 60.0}
            repository.record_measurement(name, round=number, arm=arm, value=value, result=result, state="ok")


def finished(repository: Repository, name: str, plan: Plan, *, gain: float = 1.32, seed: int = 0) -> dict[str, Any]:
    """The end: three rounds of a comparison that the best wins by `gain`, and the result."""
    trials = repository.trials(name)
    best = max((t for t in trials if t.objective is not None), key=lambda t: t.objective or 0.0)
    experiment = repository.experiment(name)
    arms = {"baseline": experiment.baseline or {}, "rules": experiment.rules or {}, "best": best.wanted}
    turns(repository, name, gain=gain, seed=seed)
    repository.record_last_good(name, configuration=best.wanted, file="# by otterflow\nwork_mem = 64MB\n")
    result = outcome(repository.experiment(name), plan, trials, repository.measurements(name), arms, best.wanted)
    repository.record_outcome(name, result)
    repository.close_experiment(name, "finished", f"all {plan.spec.iterations} iterations are done")
    return result


def whole(repository: Repository, name: str, *, trials: int = 12, gain: float = 1.32, **more: Any) -> dict[str, Any]:
    """A finished experiment."""
    plan = begun(repository, name, iterations=trials, **more)
    for iteration in range(trials):
        tried(repository, name, iteration)
    return finished(repository, name, plan, gain=gain)


def _repairs(kind: str) -> list[dict[str, Any]]:
    if kind != "model":
        return []
    reason = "all sessions together may not use more memory than the host has"
    return [{"knob": "work_mem", "wanted": 1048576, "used": 262144, "reason": reason}]


def _reasons(kind: str, luck: random.Random) -> dict[str, Any]:
    if kind == "reference":
        return {
            "idea": "reference trial: the baseline measured again, to see the machine's drift",
            TEACHES_NOTHING: False,
        }
    if kind != "model":
        return {"idea": f"the {kind}"}
    value = 1200 + 200 * luck.random()
    return {
        "idea": "the largest expected gain of 2000 candidates, near the best so far",
        "predicted": {"value": value, "low": value * 0.94, "high": value * 1.06, "unit": "1/s", "gain_percent": 2.1},
        "incumbent": {"value": 1290.0, "low": 1250.0, "high": 1330.0, "unit": "1/s", "feasible": True},
        "crash_probability": 0.04,
        "leading_knobs": ["shared_buffers", "work_mem", "random_page_cost", "max_wal_size"],
        "moved": [
            {"knob": "shared_buffers", "gain_percent": 4.2},
            {"knob": "work_mem", "gain_percent": 1.3},
            {"knob": "random_page_cost", "gain_percent": -0.2},
        ],
    }
