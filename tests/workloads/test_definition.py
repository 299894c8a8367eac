"""Benchmark files: every shipped and every good one is accepted, every bad one is refused with a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from otterflow import settings
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import InvalidInput
from otterflow.measures.objective import TIMES_OF_WORK, Objective
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.definition import benchmarks, load_benchmark
from tests.bad_files import bad_files, check_refusal

HERE = Path(__file__).parent
SHIPPED = settings.include_dir() / "benchmarks"
BAD = bad_files(HERE)


def test_the_folders_of_cases_are_not_empty() -> None:
    assert len(BAD) >= 20
    assert len(list((HERE / "good").glob("*.yaml"))) >= 2


def test_the_shipped_benchmarks() -> None:
    shipped = benchmarks(SHIPPED)
    assert {"pgbench_tpcb", "pgbench_select_only", "pgbench_simple_update", "analytics", "analytics_large"} <= set(
        shipped
    )
    assert list(shipped) == sorted(shipped)
    for benchmark in shipped.values():
        assert benchmark.description
        assert workload_for(benchmark, DBMS).programs()
        assert plan(benchmark).warms_up or benchmark.has_own_length


def test_the_demo_default_has_a_broad_set_of_queries() -> None:
    benchmark = load_benchmark(SHIPPED / "analytics.yaml")
    assert benchmark.objective is Objective.run_time
    assert len(benchmark.workload.query_names) >= 10


def test_good_files() -> None:
    good = benchmarks(HERE / "good")
    assert set(good) == {"least_pgbench", "mixed", "own_batch", "own_command", "own_sql", "own_stream", "replayed"}
    assert good["own_stream"].workload.query_names == ("total",)
    assert good["own_stream"].scale == 1
    assert good["least_pgbench"].driver == "pgbench"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_files_are_refused_with_a_sentence(path: Path) -> None:
    check_refusal(load_benchmark, path)


def test_all_wrong_fields_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    record = yaml.safe_load((HERE / "good" / "least_pgbench.yaml").read_text())
    record["workload"] |= {"scale": -1, "clients": 0}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(record))
    (tmp_path / "two.yaml").write_text("colour: red\n")
    with pytest.raises(InvalidInput) as caught:
        benchmarks(tmp_path)
    message = str(caught.value)
    for field in ("one.yaml: workload.pgbench.scale", "one.yaml: workload.pgbench.clients", "two.yaml: colour"):
        assert field in message


def test_an_unknown_benchmark_names_those_that_exist() -> None:
    with pytest.raises(InvalidInput, match=r"'tpcx' is unknown; known benchmarks: analytics, "):
        load_benchmark(SHIPPED / "tpcx.yaml")


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        ("session.sql", "has no session.sql"),
        ("load/10_numbers.sql", "has no NN_name.sql"),
        ("queries/total.sql", "has no name.sql"),
    ],
)
def test_an_incomplete_stream_is_refused(tmp_path: Path, lacking: str, sentence: str) -> None:
    _copy_stream(tmp_path)
    (tmp_path / "stream" / lacking).unlink()
    with pytest.raises(InvalidInput, match=sentence):
        load_benchmark(tmp_path / "own_stream.yaml")


@pytest.mark.parametrize("name", ["queries/Total Sum.sql", "queries/a;b.sql", "load/numbers.sql", "load/1_a.sql"])
def test_a_file_of_sql_with_an_odd_name_is_refused(tmp_path: Path, name: str) -> None:
    _copy_stream(tmp_path)
    (tmp_path / "stream" / name).write_text("SELECT 1;\n")
    with pytest.raises(InvalidInput, match=re.escape(Path(name).name)):
        load_benchmark(tmp_path / "own_stream.yaml")


def _copy_stream(folder: Path) -> None:
    (folder / "own_stream.yaml").write_text((HERE / "good" / "own_stream.yaml").read_text())
    for source in (HERE / "good" / "stream").rglob("*.sql"):
        copy = folder / source.relative_to(HERE / "good")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())


def test_the_objectives_that_a_benchmark_measures() -> None:
    shipped = benchmarks(SHIPPED)
    assert set(Objective) - set(shipped["pgbench_tpcb"].objectives) == set(TIMES_OF_WORK)
    analytics = shipped["analytics"]
    assert set(Objective) - set(analytics.objectives) == {
        Objective.latency_p95, Objective.latency_p99, Objective.total_time, Objective.server_time,
    }  # fmt: skip
    assert Objective.latency_p95 in analytics.model_copy(update={"passes": 2}).objectives
    assert Objective.latency_p99 in analytics.model_copy(update={"passes": 10}).objectives


@pytest.mark.parametrize(
    ("names", "passes"),
    [
        ({"run_time"}, 1), ({"latency_p50"}, 1), ({"latency_p95"}, 2), ({"latency_p95", "latency_p99"}, 6),
    ],
)  # fmt: skip
def test_the_fewest_passes_still_give_what_is_asked_for(names: set[str], passes: int) -> None:
    analytics = benchmarks(SHIPPED)["analytics"].model_copy(update={"passes": 10})
    assert len(analytics.workload.query_names) * passes >= {2: 20, 6: 100}.get(passes, 2)
    assert analytics.fewest_passes(names) == passes
    assert analytics.model_copy(update={"passes": 1}).fewest_passes({"run_time"}) == 1


def test_shipped_functions_are_written_for_every_version_of_the_server() -> None:
    bodies = [path for path in sorted(SHIPPED.glob("*/load/*.sql")) if "CREATE FUNCTION" in path.read_text()]
    assert len(bodies) >= 3
    for path in bodies:
        assert not re.search(r"^\s*RETURN\b", path.read_text(), re.M), f"{path}: a body without AS takes version 14"


def test_how_many_connections_a_run_has_at_work_is_known_of_loads_that_are_otterflows() -> None:
    shipped = benchmarks(SHIPPED)
    names = ("pgbench_tpcb", "tpcc", "sysbench_uniform_read_write", "tpcc_lua", "benchbase_tpcc", "mix")
    assert [shipped[name].sessions for name in names] == [8] * 6
    assert shipped["analytics"].sessions == 1
    assert shipped["replay"].sessions is None
    assert [benchmarks(HERE / "good")[name].sessions for name in ("own_command", "own_batch")] == [None, None]
