"""What is shipped for a replay, what it is told, and which objectives it has."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.mysql_family.access import DatabaseAccess as FamilyAccess
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import InvalidInput
from otterflow.measures.objective import Objective
from otterflow.workloads.base import workload_for
from otterflow.workloads.definition import RunPlan, load_benchmark, plan
from otterflow.workloads.replay.looking import NO_PYTHON, TOO_OLD, look_command, read_look
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings
from otterflow.workloads.replay.settings import MixDriverSettings, ReplayDriverSettings
from otterflow.workloads.replay.workload import MixWorkload, ReplayWorkload

GOOD = Path(__file__).parents[1] / "good"
ACCESS = DatabaseAccess.with_password("db.example.org", 5433, "tuner", "staging", "top: secret")


def workload(**changes: Any) -> ReplayWorkload:
    settings = {"driver": "replay", "recording": "/srv/recordings/shop"} | changes
    return ReplayWorkload(3600, "postgresql", ReplayDriverSettings.model_validate(settings))


def test_the_job_has_the_program_its_settings_and_the_password_in_a_file() -> None:
    job = workload(schedule="clock", factor=4, connections=7).run(ACCESS, RunPlan(), "/usr/lib/pg/bin")
    assert set(job.files) == {"replayer.zip", "settings.json", "password"}
    assert zipfile.is_zipfile(BytesIO(job.files["replayer.zip"]))  # type: ignore[arg-type]
    assert job.files["password"] == "top: secret\n"
    told = ReplaySettings(**json.loads(job.files["settings.json"]))
    assert told.password_file == "password"
    assert (told.recording, told.schedule, told.factor) == ("/srv/recordings/shop", "clock", 4.0)
    assert (told.connections, told.deadline_s, told.lock_timeout_ms) == (7, 3600, 5000)
    assert (told.host, told.port, told.user, told.database) == ("db.example.org", 5433, "tuner", "staging")
    assert job.timeout_s > 3600
    assert job.results == ("result.json",)
    assert "secret" not in job.script + str(job.files["settings.json"]) + repr(job)


def test_a_server_that_asks_for_no_password() -> None:
    access = DatabaseAccess("/run/server", 5432, "tuner", "staging", parameters={"sslmode": "allow"})
    job = workload().run(access, RunPlan(), None)
    assert set(job.files) == {"replayer.zip", "settings.json"}
    told = ReplaySettings(**json.loads(job.files["settings.json"]))
    assert (told.host, told.password_file, told.tls) == ("/run/server", None, "prefer")


def test_certificates_of_the_client_are_not_to_be_had() -> None:
    access = DatabaseAccess("h", 5432, "u", "d", parameters={"sslcert": "/c", "sslmode": "require"})
    with pytest.raises(InvalidInput, match="sql_conn_id: its extra has sslcert, which the replayer does not know"):
        workload().run(access, RunPlan(), None)


def test_the_data_are_the_users_or_a_dumps() -> None:
    own, of_a_dump = workload(), workload(data={"dump": "/srv/shop.dump"})
    assert own.data_fingerprint() == "existing"
    assert of_a_dump.data_fingerprint().startswith("dump-")
    assert of_a_dump.data_fingerprint() != workload(data={"dump": "/srv/other.dump"}).data_fingerprint()
    benchmark = load_benchmark(GOOD / "replayed.yaml")
    assert (benchmark.is_on_own_copy, benchmark.dump) == (True, None)
    dumped = benchmark.model_copy(update={"workload": of_a_dump.settings})
    assert (dumped.is_on_own_copy, dumped.dump) == (False, "/srv/shop.dump")


def test_nothing_is_loaded_or_warmed_up() -> None:
    assert workload().warm_up(ACCESS, RunPlan(), None) is None
    with pytest.raises(TypeError, match="'staging' is for a recorded load"):
        workload().load(ACCESS, None)
    assert not plan(load_benchmark(GOOD / "replayed.yaml")).warms_up


def test_without_a_recording_nothing_is_run() -> None:
    with pytest.raises(InvalidInput, match="recording: none is given"):
        workload(recording=None).run(ACCESS, RunPlan(), None)


def mixed(**changes: Any) -> MixWorkload:
    settings = {"driver": "mix", "recording": "/srv/recordings/shop"} | changes
    return MixWorkload(600, "postgresql", MixDriverSettings.model_validate(settings))


def test_a_mix_is_warmed_up_from_the_samples_other_end() -> None:
    asked = RunPlan(warmup_s=20, duration_s=60, seed=5)
    own = mixed(clients=3, rate=10, processes=2, sample=500, lock_timeout_ms=100)
    warm_up, run = own.warm_up(ACCESS, asked, None), own.run(ACCESS, asked, None)
    assert warm_up is not None
    told = [MixSettings(**json.loads(job.files["settings.json"])) for job in (warm_up, run)]
    assert [(each.duration_s, each.from_end, each.seed) for each in told] == [(20, True, 5), (60, False, 5)]
    assert {(each.clients, each.rate, each.processes, each.sample, each.lock_timeout_ms) for each in told} == {
        (3, 10, 2, 500, 100)
    }
    assert all(each.deadline_s == each.duration_s + 600 for each in told)
    assert "replayer.zip mix settings.json" in run.script
    assert run.timeout_s > 660
    assert own.warm_up(ACCESS, RunPlan(duration_s=60), None) is None
    with pytest.raises(InvalidInput, match="recording: none is given"):
        mixed(recording=None).run(ACCESS, asked, None)


def test_a_mix_at_a_rate_has_no_throughput_of_its_own() -> None:
    at_a_rate = load_benchmark(GOOD / "mixed.yaml")
    assert at_a_rate.dump == "/srv/dumps/shop.dump"
    assert Objective.throughput not in at_a_rate.objectives
    assert set(mixed().settings.measures) - set(at_a_rate.objectives) == {Objective.throughput}
    assert isinstance(workload_for(at_a_rate, DBMS), MixWorkload)
    assert plan(at_a_rate, seed=3).duration_s == 60


def test_throughput_is_measured_only_where_nothing_waits() -> None:
    paced = load_benchmark(GOOD / "replayed.yaml")
    assert Objective.throughput not in paced.objectives
    assert {Objective.total_time, Objective.latency_p99} < set(paced.objectives)
    fast = workload(schedule="fast").settings
    assert set(fast.measures) - set(paced.objectives) == {Objective.throughput}


def test_progress_is_the_replayers_own_words() -> None:
    assert workload().progress("replay: 10 s: 5 of 9 statements") == "10 s: 5 of 9 statements"
    assert workload().progress("Traceback") is None


TOLD = {
    "dbms": "postgresql", "source": "shop", "start": "2026-11-29 02:00:00+00:00", "end": "2026-11-29 03:00:00+00:00",
    "sessions": 3, "statements": 240, "sampled": None, "missing": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("exit_code", "stdout", "stderr", "said"),
    [
        (TOO_OLD, "3.8.2\n", "", "python3: is 3.8.2 on the driver host, and the replayer needs 3.9"),
        (TOO_OLD, "", "not found", "python3: is broken on the driver host"),
        (
            1,
            "3.11.2\n",
            "warning\nreplay: recording: /r/manifest.json: gone; give",
            "recording: /r/manifest.json: gone",
        ),
        (2, "3.11.2\n", "", "recording: /r cannot be read; give the folder of a recording"),
        (0, "3.11.2\n" + json.dumps(TOLD | {"dbms": "other"}), "", "recording: /r is of other, and the target is of"),
    ],
)
def test_what_is_wrong_on_the_driver_host(exit_code: int, stdout: str, stderr: str, said: str) -> None:
    (problem,), sentence = read_look("/r", "postgresql", exit_code, stdout, stderr)
    assert str(problem).startswith(said)
    assert sentence == ""


def test_what_is_right_there() -> None:
    problems, sentence = read_look("/r", "postgresql", 0, "3.11.2\n" + json.dumps(TOLD | {"missing": "an hour"}), "")
    assert problems == []
    assert sentence == (
        "recording /r: 240 statements of 3 sessions of shop, from 2026-11-29 02:00:00+00:00 to "
        "2026-11-29 03:00:00+00:00; it is not complete: an hour"
    )
    _, sentence = read_look("/r", "postgresql", 0, "3.11.2\n" + json.dumps(TOLD | {"sampled": 0.2}), "")
    assert sentence.endswith("; a sample of the transactions, share 0.2, replayed as an open stream")
    assert read_look("/r", "postgresql", NO_PYTHON, "", "") == ([], "")


def test_the_folder_is_quoted() -> None:
    assert "'/srv/a b; rm'" in look_command("/srv/a b; rm")


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, ("prefer", None)),
        ({"ssl_disabled": "True"}, ("disable", None)),
        ({"ssl_ca": "/ca.pem"}, ("verify-ca", "/ca.pem")),
        ({"ssl_ca": "/ca.pem", "ssl_verify_identity": "1"}, ("verify-full", "/ca.pem")),
        ({"ssl_verify_identity": "1"}, ("verify-full", None)),
    ],
)
def test_the_way_to_a_mariadb(parameters: dict[str, str], told: tuple[str, str | None]) -> None:
    access = FamilyAccess("/run/mysqld/mysqld.sock", 3306, "tuner", "staging", "top: secret", parameters)
    own = ReplayWorkload(3600, "mariadb", ReplayDriverSettings(driver="replay", recording="/srv/r"))
    job = own.run(access, RunPlan(), None)
    settings = ReplaySettings(**json.loads(job.files["settings.json"]))
    assert (settings.dbms, settings.tls, settings.tls_root) == ("mariadb", *told)
    assert (settings.host, settings.user, settings.database) == ("/run/mysqld/mysqld.sock", "tuner", "staging")
    assert "secret" not in job.script + str(job.files["settings.json"])


def test_certificates_of_the_client_are_not_to_be_had_there_either() -> None:
    access = FamilyAccess("h", 3306, "u", "d", parameters={"ssl_cert": "/c", "ssl_key": "/k"})
    own = ReplayWorkload(3600, "mysql", ReplayDriverSettings(driver="replay", recording="/srv/r"))
    with pytest.raises(InvalidInput, match="its extra has ssl_cert, ssl_key, which the replayer does not know"):
        own.run(access, RunPlan(), None)
