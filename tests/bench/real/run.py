"""One experiment on a real server of its own, from nothing to the verdict, by the Dags under Airflow's scheduler."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console

from otterflow.repository.copying import copy_repository
from stack.belongings import take_back
from stack.demo import tuned
from stack.lab import lab_of
from tests.bench.real.cases import Case
from tests.bench.real.memory import limited
from tests.benchmarks import changed_benchmarks

TARGET = "real"


def run(name: str, case: Case, form: Mapping[str, Any], repository: Path, console: Console) -> dict[str, Any]:
    """The experiment's `result.json`, with the case's words; its repository is kept in the given file, for packs.

    Raises NoLimit, StackError, ExperimentFailed.
    """
    with _folder() as folder, limited(case.memory) as limit:
        include = changed_benchmarks(folder, {case.benchmark: {"workload": case.workload}})
        with patch.dict(os.environ, OTTERFLOW_INCLUDE_DIR=str(include)):
            lab = lab_of(folder / "lab", TARGET, dbms=case.dbms)
            try:
                with limit.entered():
                    lab.start_servers(console.print)
                lab.start_airflow(console.print, "tuning_experiment", "tuning_iteration", "tuning_finish")
                conf = {"experiment": name, "target": TARGET, "benchmark": case.benchmark, **form, **case.form}
                outcome = tuned(lab, conf, console)
                copy_repository(f"sqlite:///{lab.otterflow_home / 'repository.db'}", f"sqlite:///{repository}")
            finally:
                lab.stop()
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
