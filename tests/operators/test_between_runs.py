"""What is on the target between two runs, while the Dag may be paused and anybody may restart or reload the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain, in_force_on

pytestmark = pytest.mark.integration


@pytest.fixture
def included(lab: DatabaseHost) -> Any:
    """A knobs file of the user's, which includes another file."""
    other = lab.cluster.config_dir / "others.conf"
    lab.user.write_file(other, "log_min_duration_statement = 12345\nwork_mem = 3MB\n")
    lab.user.write_file(lab.cluster.knobs_file, f"include '{other.name}'\nwork_mem = 5MB\n")
    lab.cluster.restart()
    yield other
    Path(other).unlink()


def test_an_untested_configuration_is_never_left_in_the_knobs_file_and_its_include_lines_stay(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], included: Path
) -> None:
    between, measured = [], []

    def look(run: Run, task: str) -> None:
        if run.dag_id == "tuning_iteration" and task == "next_iteration":
            good = open_repository().experiment("in-process").last_good
            assert good is not None
            between.append(lab.cluster.knobs_file.read_text() == good.file)
        if task == "benchmark":
            measured.append(in_force_on(lab)["log_min_duration_statement"])

    runs = dags.follow("tuning_experiment", {**params, "iterations": 2}, before=look)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert between == [True, True]
    assert measured == ["12345", "12345"], "the include line was dropped"
    applied = runs[1].returned["apply"]
    assert f"include '{included.name}'" in applied["text"]
    assert applied["refused"] == []
    assert in_force_on(lab)["log_min_duration_statement"] == "12345", "in the winner too"
