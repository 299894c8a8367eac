"""Own pgbench scripts: the benchmark file, the commands of a mix, and what they say while they run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otterflow import settings
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.workloads.definition import Benchmark, RunPlan, load_benchmark
from otterflow.workloads.pgbench.output import LATENCY_FILE, REPORT_FILE
from otterflow.workloads.pgbench.scripts_output import CHECK_FILE
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.pgbench.scripts_workload import CHECK_SQL, PAUSE_SQL, PgbenchScriptsWorkload

Output = Callable[[str], str]
ACCESS = DatabaseAccess("db.example.org", 5432, "tuner", "bench")
ASKED = RunPlan(warmup_s=2, duration_s=30, seed=4)
TPCC = load_benchmark(settings.include_dir() / "benchmarks" / "tpcc.yaml")
MIX = {"new_order": 45, "payment": 43, "order_status": 4, "delivery": 4, "stock_level": 4}


def tpcc(**changes: Any) -> PgbenchScriptsSettings:
    """The settings of the captured outputs, with changes."""
    assert isinstance(TPCC.workload, PgbenchScriptsSettings)
    return TPCC.workload.model_copy(update={"scale": 1, **changes})


def workload(**changes: Any) -> PgbenchScriptsWorkload:
    return PgbenchScriptsWorkload(tpcc(**changes), load_timeout_s=100, run_timeout_s=20)


# Commands


def test_the_mix_its_variables_and_its_tries_reach_pgbench() -> None:
    run, warm_up = workload().run(ACCESS, ASKED, None), workload().warm_up(ACCESS, ASKED, None)
    assert warm_up is not None
    mix = " ".join(f"--file={name}.sql@{weight}" for name, weight in MIX.items())
    start = f"\npgbench --no-vacuum {mix} --define=scale=1 --client=8 --jobs=2"
    assert f"{start} --time=2 --protocol=prepared --random-seed=8 --progress=1 --max-tries=10\n" in warm_up.script
    assert (
        f"{start} --time=30 --protocol=prepared --random-seed=9 --progress=1 --max-tries=10 "
        f"--log --log-prefix=transactions | tee {REPORT_FILE}\n"
    ) in run.script
    assert {f"{name}.sql" for name in MIX} | {"session.sql", CHECK_SQL} < set(run.files)
    assert run.results == (REPORT_FILE, LATENCY_FILE, CHECK_FILE)
    assert (run.timeout_s, warm_up.timeout_s) == (50, 22)


def test_one_try_is_not_asked_for() -> None:
    assert "--max-tries" not in workload(max_tries=1).run(ACCESS, ASKED, None).script


def test_own_variables_reach_the_load_the_scripts_and_the_check() -> None:
    chosen = workload(variables={"zipf": 1.5, "depth": 3})
    run, load = chosen.run(ACCESS, ASKED, None), chosen.load(ACCESS, None)
    assert "--define=zipf=1.5 --define=depth=3" in run.script
    for script in (run.script, load.script):
        assert "--set=scale=1 --set=zipf=1.5 --set=depth=3" in script


def test_a_file_with_parts_is_loaded_by_as_many_sessions() -> None:
    steps = re.findall(r"^load_together (.*)$", workload(load_parts=3).load(ACCESS, None).script, re.M)
    assert steps[0] == "10_schema.sql"
    large = [f"20_{name}.sql@{part}" for name in ("customers", "orders") for part in range(3)]
    assert steps[1].split() == [*large, "20_small.sql", *(f"20_stock.sql@{part}" for part in range(3))]
    alone = re.findall(r"^load_together (.*)$", workload(load_parts=1).load(ACCESS, None).script, re.M)
    assert alone[1] == "20_customers.sql 20_orders.sql 20_small.sql 20_stock.sql"


def test_pauses_are_a_script_of_their_own() -> None:
    chosen = workload(pause_ms=1000.0)
    run = chosen.run(ACCESS, ASKED, None)
    assert f"--file=stock_level.sql@4 --file={PAUSE_SQL}@1000 --define=pause_us=100000 " in run.script
    assert r"\sleep :us us" in run.files[PAUSE_SQL]
    assert "-v scripts=5" in run.script
    assert PAUSE_SQL not in workload().run(ACCESS, ASKED, None).files


@pytest.mark.parametrize("pause_ms", [0.5, 3, 20, 499, 500, 501, 21_000])
def test_a_pause_lasts_as_long_as_was_asked_for_on_average(pause_ms: float) -> None:
    chosen = tpcc(pause_ms=pause_ms)
    slices = chosen.pause_weight / sum(chosen.scripts.values())
    assert slices * chosen.slice_us / 1000 == pytest.approx(pause_ms, rel=0.01)
    assert slices >= 4.9
    assert chosen.slice_us <= 100_000
    assert chosen.working_share == pytest.approx(1 / (1 + slices))


def test_the_fingerprint_follows_what_makes_the_data(tmp_path: Path) -> None:
    mark = workload().data_fingerprint()
    assert mark.split("-")[:2] == ["pgbench_scripts", "1"]
    for changes in ({"clients": 2}, {"scripts": {"payment": 1}}, {"variables": {"unused": 3}}, {"load_parts": 7}):
        assert workload(**changes).data_fingerprint() == mark
    assert workload(scale=2).data_fingerprint() != mark
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "10_rows.sql").write_text("CREATE TABLE rows AS SELECT :depth AS n, now()::date;\n")
    marks = {workload(sql=tmp_path, variables={"depth": depth}).data_fingerprint() for depth in (1, 2)}
    (tmp_path / "session.sql").write_text("SET search_path = own;\n")
    marks.add(workload(sql=tmp_path, variables={"depth": 2}).data_fingerprint())
    assert len(marks) == 3


def test_progress(output: Output) -> None:
    chosen = workload()
    said = [chosen.progress(line) for line in output("tpcc_retries.log").splitlines()]
    assert any(line and re.fullmatch(r"1 s: \d+ transactions/s, latency [\d.]+ ms, \d+ failed", line) for line in said)
    loading = [chosen.progress(line) for line in output("tpcc_load.log").splitlines()]
    assert "loaded 10_schema" in loading
    assert "loaded 20_stock, part 2" in loading
    pausing = workload(pause_ms=20)
    found = [pausing.progress(line) for line in output("tpcc_pauses.log").splitlines()]
    tps = re.search(r"1.0 s, ([\d.]+) tps", output("tpcc_pauses.log"))
    assert tps
    assert f"1 s: about {float(tps.group(1)) / 6:.0f} transactions/s" in found
    assert pausing.progress("progress: 3.0 s, 0.0 tps, lat NaN ms stddev NaN, 0 failed") == (
        "3 s: about 0 transactions/s"
    )
    assert chosen.progress("progress: 3.0 s, 0.0 tps, lat NaN ms stddev NaN, 0 failed") == "3 s: 0 transactions/s"


# The benchmark file

GOOD: dict[str, Any] = {
    "name": "own",
    "title": "own",
    "kind": "oltp",
    "objective": "throughput",
    "workload": {
        "driver": "pgbench_scripts",
        "sql": "own",
        "scale": 2,
        "bytes_per_scale": 8192,
        "scripts": {"look": 3, "change": 1},
    },
    "warmup_s": 1,
    "duration_s": 2,
    "load_timeout_s": 60,
    "run_timeout_s": 60,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a least benchmark's SQL."""
    for name, text in (
        ("load/10_numbers.sql", "CREATE TABLE numbers AS SELECT n FROM generate_series(1, 10 * :scale) AS n;"),
        ("scripts/look.sql", "SELECT count(*) FROM numbers;"),
        ("scripts/change.sql", "UPDATE numbers SET n = n + 1 WHERE n = 1;"),
    ):
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return tmp_path


def test_the_least_that_a_file_can_say(folder: Path) -> None:
    found = Benchmark.model_validate(GOOD, context={"folder": folder}).workload
    assert isinstance(found, PgbenchScriptsSettings)
    assert [path.name for path in found.script_files] == ["look.sql", "change.sql"]
    assert (found.session_sql, found.check_sql, found.max_tries, found.pause_weight) == ("", "", 1, 0)
    made = PgbenchScriptsWorkload(found, 1, 1)
    run = made.run(ACCESS, ASKED, None)
    assert run.results == (REPORT_FILE, LATENCY_FILE)
    assert CHECK_SQL not in run.files
    assert CHECK_FILE not in made.load(ACCESS, None).script
    assert made.estimated_bytes() == 2 * 8192


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scripts": {}}, "at least 1 item"),
        ({"scripts": {"look": 0}}, "greater than or equal to 1"),
        ({"scripts": {"look": 1.5}}, "valid integer"),
        ({"scripts": {"Look": 1}}, "should match pattern"),
        ({"scripts": {"../look": 1}}, "should match pattern"),
        ({"scripts": {"look": 1, "delete": 2}}, r"has no delete; there are: change, look"),
        ({"throughput_of": "delete"}, "throughput_of 'delete' is not one of the scripts: look, change"),
        ({"variables": {"scale": 3}}, "scale is set by otterflow or pgbench; take another name"),
        ({"variables": {"a b": 3}}, "should match pattern"),
        ({"variables": {"depth": math.nan}}, "finite number"),
        ({"variables": {"depth": "3; DROP TABLE numbers"}}, "valid"),
        ({"variables": {"depth": True}}, "valid"),
        ({"pause_ms": -1}, "greater than or equal to 0"),
        ({"pause_ms": math.inf}, "finite"),
        ({"max_tries": 0}, "greater than or equal to 1"),
        ({"load_parts": 0}, "greater than or equal to 1"),
        ({"sql": "elsewhere"}, "there is no folder"),
        ({"clients": 1, "threads": 2}, "threads 2 is above clients 1"),
        ({"weights": {}}, "Extra inputs are not permitted"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(folder: Path, changes: dict[str, Any], sentence: str) -> None:
    record = GOOD["workload"] | changes
    with pytest.raises(ValueError, match=sentence):
        PgbenchScriptsSettings.model_validate(record, context={"folder": folder})


def test_a_folder_without_a_load_or_with_odd_names_is_refused(folder: Path) -> None:
    loaded = folder / "own" / "load" / "10_numbers.sql"
    loaded.rename(loaded.with_name("numbers.sql"))
    with pytest.raises(ValueError, match=r"numbers\.sql not named like NN_name\.sql"):
        Benchmark.model_validate(GOOD, context={"folder": folder})
    loaded.with_name("numbers.sql").unlink()
    with pytest.raises(ValueError, match=r"load has no NN_name\.sql"):
        Benchmark.model_validate(GOOD, context={"folder": folder})
