"""The plan of a run, and the head of every script: nothing unquoted, no secret but in the password file."""

from __future__ import annotations

import math
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import InvalidInput
from otterflow.workloads.base import RunPlan, plan, workload_for
from otterflow.workloads.definition import Benchmark
from tests.workloads.shipped import LOADED, SHIPPED

ODD = 'it\'s; $(touch /tmp/owned) `id` "x" \\ *'
ODD_ACCESS = DatabaseAccess(f"/run/{ODD}", 5433, ODD, ODD, "h:1:d:u:top-secret\n")
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


def odd_access(benchmark: Benchmark) -> DatabaseAccess:
    """Odd names everywhere; Java reaches no socket."""
    return replace(ODD_ACCESS, host="h") if benchmark.driver == "benchbase" else ODD_ACCESS


def test_the_plan_is_the_benchmarks_own() -> None:
    tpcb, analytics = SHIPPED["pgbench_tpcb"], SHIPPED["analytics"]
    assert plan(tpcb) == RunPlan(warmup_s=tpcb.warmup_s or 0, duration_s=tpcb.duration_s or 0)
    assert plan(analytics, seed=7) == RunPlan(warmup_passes=1, passes=analytics.passes or 0, seed=7)


def test_the_forms_times_come_first() -> None:
    assert plan(SHIPPED["pgbench_tpcb"], warmup_s=3, duration_s=5) == RunPlan(warmup_s=3, duration_s=5)
    assert not plan(SHIPPED["pgbench_tpcb"], warmup_s=0).warms_up


def test_a_stream_asked_for_a_time_keeps_its_least_number_of_passes() -> None:
    asked = plan(SHIPPED["analytics"], warmup_s=5, duration_s=60)
    assert asked == RunPlan(warmup_s=5, duration_s=60, warmup_passes=1, passes=SHIPPED["analytics"].passes or 0)
    assert not plan(SHIPPED["analytics"], warmup_s=0).warms_up


def test_warm_up_seconds_add_a_pass_to_a_stream_that_has_none() -> None:
    cold = SHIPPED["analytics"].model_copy(update={"warmup_passes": 0})
    assert plan(cold).warmup_passes == 0
    assert plan(cold, warmup_s=1).warmup_passes == 1


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"warmup_s": -1}, ["warmup_s"]),
        ({"duration_s": 0}, ["duration_s"]),
        ({"duration_s": math.nan}, ["duration_s"]),
        ({"duration_s": 1e9}, ["duration_s"]),
        ({"seed": -1}, ["seed"]),
        ({"warmup_s": math.inf, "duration_s": -5, "seed": 2**62}, ["warmup_s", "duration_s", "seed"]),
    ],
)
def test_impossible_times_are_refused_by_name(arguments: dict[str, float], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(SHIPPED["pgbench_tpcb"], **arguments)  # type: ignore[arg-type]
    assert [problem.field for problem in caught.value.problems] == fields


@given(host=WORDS, user=WORDS, database=WORDS, folder=WORDS)
def test_whatever_the_names_are_bash_reads_them_as_they_are(host: str, user: str, database: str, folder: str) -> None:
    script = DatabaseAccess(host, 5432, user, database).prologue(folder)
    exports = [line for line in shlex.split(script, comments=False)]
    for name, value in (("PGHOST", host), ("PGUSER", user), ("PGDATABASE", database)):
        assert f"{name}={value}" in exports
    assert f"PATH={folder}:$PATH" in exports


def test_bash_takes_the_odd_names_for_names(tmp_path: Path) -> None:
    script = ODD_ACCESS.prologue(None) + 'printf "%s\\n" "$PGHOST" "$PGUSER" "$PGDATABASE" "$PGPASSFILE"\n'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines() == [f"/run/{ODD}", ODD, ODD, f"{tmp_path}/pgpass"]
    assert not Path("/tmp/owned").exists()


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", LOADED.values(), ids=LOADED)
def test_every_script_is_sound_bash_and_holds_no_secret(benchmark: Benchmark) -> None:
    workload = workload_for(benchmark, DBMS)
    asked = plan(benchmark)
    access = odd_access(benchmark)
    warm_up = workload.warm_up(access, asked, ODD)
    assert warm_up is not None
    for job in (workload.load(access, ODD), warm_up, workload.run(access, asked, ODD)):
        subprocess.run(["bash", "-n", "-c", job.script], check=True)
        subprocess.run(["shellcheck", "--shell=bash", "--exclude=SC2016", "-"], input=job.script, text=True, check=True)
        assert "secret" not in job.script
        assert "secret" not in repr(job)
        assert job.files["pgpass"] == ODD_ACCESS.pgpass
        own = {"benchbase.xml"} if benchmark.driver == "benchbase" else set()
        assert {name for name in job.files if "secret" in job.files[name]} == {"pgpass"} | own
        assert all("/" not in name for name in job.files)
        assert 0 < job.timeout_s < 86_400


def test_no_password_no_password_file() -> None:
    trusted = DatabaseAccess("127.0.0.1", 5432, "u", "d")
    for benchmark in (found.with_recording("/r") if found.is_recorded else found for found in SHIPPED.values()):
        job = workload_for(benchmark, DBMS).run(trusted, plan(benchmark), None)
        assert "pgpass" not in job.files
        assert "export PGPASSFILE" not in job.script
        assert "export PATH" not in job.script


@pytest.mark.parametrize("benchmark", SHIPPED.values(), ids=SHIPPED)
def test_no_warm_up_asked_none_made(benchmark: Benchmark) -> None:
    assert workload_for(benchmark, DBMS).warm_up(odd_access(benchmark), plan(benchmark, warmup_s=0), None) is None


def test_the_fingerprint_follows_the_data() -> None:
    marks = {name: workload_for(benchmark, DBMS).data_fingerprint() for name, benchmark in SHIPPED.items()}
    assert marks["pgbench_tpcb"] == marks["pgbench_select_only"] == "pgbench-50"
    assert marks["analytics"] != marks["analytics_large"]
    assert marks["analytics"].rsplit("-", 1)[1] == marks["analytics_large"].rsplit("-", 1)[1]
