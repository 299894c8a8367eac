"""One experiment on a real server of its own, from nothing to the verdict, by the Dags under Airflow's scheduler."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from otterflow.experiment.spec import ExperimentSpec
from otterflow.repository import Experiment
from otterflow.repository.copying import copy_repository
from otterflow.workloads.definition import benchmarks
from stack.belongings import take_back
from stack.checkout import PROJECT
from stack.host import Host
from stack.lab import AnyLab, lab_of
from stack.view import PlainLines
from stack.watch import follow
from tests.bench.real.cases import Case
from tests.bench.real.memory import limited

INCLUDE = PROJECT / "include"
TARGET = "real"

Say = Callable[[str], None]


def run(name: str, case: Case, form: Mapping[str, Any], repository: Path, say: Say) -> dict[str, Any]:
    """The experiment's `result.json`, with the case's words; its repository is kept in the given file, for packs.

    Raises NoLimit, StackError, ExperimentFailed.
    """
    with _folder() as folder, limited(case.memory) as limit:
        include = _include(folder, case)
        os.environ["OTTERFLOW_INCLUDE_DIR"] = str(include)
        lab = lab_of(folder / "lab", TARGET, dbms=case.dbms)
        try:
            with limit.entered():
                lab.start_servers(say)
            lab.start_airflow(say, "tuning_experiment", "tuning_iteration", "tuning_finish")
            outcome = _experiment(lab, {"experiment": name, "target": TARGET, **form, **case.form}, include, case, say)
            copy_repository(f"sqlite:///{lab.otterflow_home / 'repository.db'}", f"sqlite:///{repository}")
        finally:
            lab.stop()
            del os.environ["OTTERFLOW_INCLUDE_DIR"]
    return {**outcome, "memory": case.memory, "told": case.told}


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-real-", dir="/var/tmp"))
    folder.chmod(0o755)  # the server's user has to pass
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        take_back()


def _include(folder: Path, case: Case) -> Path:
    """A copy of `include/` in which the benchmark is as the case has it."""
    include = folder / "include"
    shutil.copytree(INCLUDE, include)
    path = include / "benchmarks" / f"{case.benchmark}.yaml"
    record = yaml.safe_load(path.read_text())
    record["workload"] |= case.workload
    path.write_text(yaml.safe_dump(record))
    return include


def _experiment(lab: AnyLab[Host], form: Mapping[str, Any], include: Path, case: Case, say: Say) -> dict[str, Any]:
    conf = {**form, "benchmark": case.benchmark}
    spec = ExperimentSpec.from_params(conf)
    client = lab.airflow.client
    run_id = client.trigger("tuning_experiment", conf)
    lines = PlainLines()
    finished: Experiment | None = None
    for look in follow(
        lab.repository, client, spec.experiment, run_id, iterations=spec.iterations, final_rounds=spec.final_rounds,
        objective=benchmarks(include / "benchmarks")[case.benchmark].objective,
    ):  # fmt: skip
        finished = look.finished
        for line in lines.new(look):
            say(line)
    assert finished is not None
    assert finished.outcome is not None
    return finished.outcome
