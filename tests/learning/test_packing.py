"""Finished experiments as a pack: what is in it, that nothing names the user's server or data, and the command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.learning.pack_files import read_pack
from otterflow.learning.packing import SHIPPED_BENCHMARKS, Words, pack_of
from otterflow.operators.command_line import WRONG_INPUT, main
from otterflow.repository import Repository
from tests.captured import CAPTURED, add_trial, make_experiment
from tests.learning.experience_files import write
from tests.repository.samples import FILES

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
ROWS = json.loads((PROJECT / "tests" / "knobs" / "pg_settings_15.json").read_text())
WORDS = Words("a title", "a source", "CC0-1.0")
MARK = "acme"
"""Stands in every text of the user's own."""
FORMULA = "throughput + 0 * errors"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    url = f"sqlite:///{tmp_path}/repository.db"
    monkeypatch.setenv("OTTERFLOW_REPOSITORY", url)
    return Repository.open(url)


def own_experiment(repository: Repository, name: str = "acme-night", **record: Any) -> None:
    """An experiment of a user whose every own word has the mark: names, texts, settings, a knob, a value of a knob."""
    files: dict[str, Any] = {
        "target": {"name": "acme-db7", "host_conn_id": "acme_ssh", "database": "acme_orders", "user": "acme_user"},
        "benchmark": {"name": "acme_load", "title": "acme's orders"},
        "catalog": {"knobs": [{"name": "acme.cache", "does": "acme's own"}]},
        "texts": {"/srv/acme/orders.sql": "SELECT * FROM acme_customers"},
    }
    make_experiment(
        repository, name, 0, ended=False, benchmark="acme_load", target="acme-db7", objective=FORMULA,
        spec={"experiment": name, "target": "acme-db7", "benchmark": "acme_load", "objective": FORMULA,
              "direction": "maximise", "iterations": 16, "constraints": ["errors < 5"]},
        target_definition=files["target"], files=type(FILES)(**files), **record,
    )  # fmt: skip
    space = [
        *CAPTURED["space"],
        {"name": "acme.cache", "type": "integer", "min": 1, "max": 99, "default": 2},
        {"name": "wal_sync_method", "type": "enum", "values": ["fdatasync", "acme_sync"], "default": "fdatasync"},
    ]
    own = {"acme.cache": 2, "wal_sync_method": "acme_sync"}
    live = {row["name"]: row for row in ROWS}
    live["data_directory"] = live["data_directory"] | {"setting": "/srv/acme/data", "sourcefile": "/etc/acme.conf"}
    repository.prepare_experiment(
        name, space=space, baseline=CAPTURED["configurations"][0] | own, baseline_file="# acme's file\n",
        facts={"ram_bytes": 16 * 2**30, "cores": 8, "disk": "ssd", "max_connections": 100}, rules={}, live=live,
        versions={"major": 15, "number": 150006, "text": "PostgreSQL 15.6 (built by acme) on acme-linux"},
        hardware={"cpu": "acme cpu", "hostname": "acme-db7"}, catalog_hash="acme",
    )  # fmt: skip
    for i, (config, value) in enumerate(zip(CAPTURED["configurations"], CAPTURED["values"], strict=True)):
        kind = "baseline" if i == 0 else "model"
        reasons = {"idea": "acme's idea"}
        repository.plan_trial(name, i, kind=kind, wanted=config | own, repairs=[], reasons=reasons, seed=0)
        repository.begin_try(name, i)
        repository.record_in_force(name, i, config | own)
        if i == 5:
            repository.end_trial(name, i, "crashed", message="acme-db7 crashed", log_tail="FATAL: acme")
            continue
        result = {
            "throughput": value, "latency_ms": {}, "errors": i, "transactions": 1000, "seconds": 10.0,
            "metrics": {"acme": 1.0},
        }  # fmt: skip
        repository.record_result(name, i, result=result, objective=value, repeats=[value])
        repository.record_metrics(name, i, {"user.acme": 1.0}, host={"host.load_1m": 1.0}, reset=[])
        repository.end_trial(name, i, "ok")
    repository.set_experiment_state(name, "finished")


def finished(repository: Repository, name: str, rows: int = 16, first: int = 0) -> None:
    """An experiment of shipped names that has ended, its first trial the baseline."""
    make_experiment(repository, name, 0, ended=False)
    for i in range(rows):
        add_trial(repository, name, i, first + i, kind="design" if i else "baseline")
    repository.set_experiment_state(name, "finished")


def test_a_pack_has_each_trial_as_a_ratio_to_the_baseline(repository: Repository) -> None:
    own_experiment(repository)
    (packed,) = pack_of(repository, ["acme-night"], WORDS).experiments
    assert (packed.dbms, packed.dbms_version, packed.origin) == ("postgresql", "15.6", "measured")
    assert (packed.ram_gb, packed.cores, packed.disk) == (16.0, 8, "ssd")
    assert [knob.name for knob in packed.knobs] == [record["name"] for record in CAPTURED["space"]]
    units = {row["name"]: row["unit"] for row in ROWS}
    assert {knob.name: knob.unit for knob in packed.knobs} == {
        record["name"]: units[record["name"]] for record in CAPTURED["space"]
    }
    assert packed.trials[0].value == 1.0
    values = [trial.value for trial in packed.trials if trial.value is not None]
    measured = [v / CAPTURED["values"][0] for i, v in enumerate(CAPTURED["values"]) if i != 5]
    assert len(values) == len(measured)
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert order == sorted(range(len(values)), key=lambda i: measured[i])
    assert packed.trials[5].state == "crashed"
    assert [trial.kept for trial in packed.trials[3:7]] == [True, True, True, False]  # errors < 5; a crash has none


def test_nothing_in_a_pack_names_the_users_server_or_data(repository: Repository, tmp_path: Path) -> None:
    own_experiment(repository)
    path = tmp_path / "shared.json"
    command = ["experience", "pack", "acme-night", "--to", str(path), "--title", "a title", "--licence", "CC0-1.0"]
    assert main(command) == 0
    text = path.read_text()
    assert MARK not in text.lower()
    assert "/" not in text
    assert not re.search(r"20\d\d-\d\d|SELECT", text)
    for value in CAPTURED["values"]:
        assert f"{value:.6g}" not in text
    (packed,) = read_pack(path).pack.experiments
    assert (packed.name, packed.benchmark, packed.objective) == ("experiment1", None, "own")
    assert packed.workload == "a load of its user's own"


def test_names_that_come_with_otterflow_are_kept(repository: Repository) -> None:
    finished(repository, "night")
    (packed,) = pack_of(repository, ["night"], WORDS).experiments
    assert (packed.benchmark, packed.objective, packed.workload) == (
        "pgbench_tpcb", "throughput", "the benchmark pgbench_tpcb",
    )  # fmt: skip
    for name in SHIPPED_BENCHMARKS:
        assert (PROJECT / "include" / "benchmarks" / f"{name}.yaml").is_file()


def test_the_command_says_what_it_wrote_and_check_reads_it(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(repository, "night")
    finished(repository, "noon", 8, first=8)
    path = tmp_path / "team.json"
    command = ["experience", "pack", "night", "noon", "--to", str(path), "--title", "our team's", "--licence", "MIT"]
    assert main([*command, "--workload", "short transactions"]) == 0
    said = capsys.readouterr().out
    assert "team: our team's" in said
    assert "experiment2: 8 measured trials of short transactions on postgresql" in said
    assert "no name of a host, target, database" in said
    assert main(["experience", "check", str(path)]) == 0
    checked = capsys.readouterr().out
    assert checked.strip() in said
    assert re.search(r"the best of 16 values is [\d.]+ times the baseline", checked)
    assert main(command) == WRONG_INPUT
    assert "is there already; choose another name, or add --replace" in capsys.readouterr().err


def test_what_cannot_be_packed_is_all_said_at_once(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_experiment(repository, "running", 8, ended=False)
    finished(repository, "short", 2)
    with pytest.raises(InvalidInput) as raised:
        pack_of(repository, ["running", "short", "gone"], WORDS)
    fields = [str(problem) for problem in raised.value.problems]
    assert fields[0].startswith("experiment running: it is running; wait until it has ended")
    assert "a pack needs a baseline and 3 measurements" in fields[1]
    assert "'gone' is unknown" in fields[2]
    finished(repository, "night")
    with pytest.raises(InvalidInput, match="pack: title: value '' is not valid"):
        pack_of(repository, ["night"], Words("", "a source", "MIT"))
    wrong = [
        "experience",
        "pack",
        "night",
        "--to",
        str(tmp_path / "two words.json"),
        "--title",
        "abc",
        "--licence",
        "MIT",
    ]
    assert main(wrong) == WRONG_INPUT
    assert "is not the name of a pack's file" in capsys.readouterr().err


def test_check_says_what_is_wrong_with_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path)
    (tmp_path / "bad.json").write_text("{}")
    assert (
        main(["experience", "check", str(good), str(tmp_path / "bad.json"), str(tmp_path / "gone.json")]) == WRONG_INPUT
    )
    said = capsys.readouterr().err
    assert "bad.json: format: value is not valid; Field required" in said
    assert "gone.json: cannot be read" in said
    assert main(["experience", "check", str(good)]) == 0
    told = capsys.readouterr().out
    assert "3 knobs, of which the catalog tunes 2" in told
    assert "never tuned here, so they say nothing: elsewhere" in told


def test_check_without_a_file_reads_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experience", "check"]) == 0
    assert "postgresql_tpcc: 121 knobs of PostgreSQL 16.1 under TPC-C" in capsys.readouterr().out
    monkeypatch.setenv("OTTERFLOW_EXPERIENCE_DIR", str(tmp_path / "empty"))
    assert main(["experience", "check"]) == WRONG_INPUT
    assert "no pack is in" in capsys.readouterr().err
