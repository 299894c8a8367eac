"""Our trials as OtterTune's files, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.ottertune.counters import REST
from otterflow.ottertune.exporting import export
from otterflow.ottertune.names import MAY_HOLD_SECRETS
from otterflow.repository import Repository
from tests.ottertune.sets import HAND_MADE, PARTS, changed, imported, settings, summary, unread
from tests.repository.samples import new_experiment

OTHERWISE = {
    "wal_level",  # hot_standby is called replica since 9.6
    "min_parallel_table_scan_size",  # its name since 10
    "track_activity_query_size",  # has a unit since 11
    "min_parallel_relation_size",  # no knob: as in the first set
    "autovacuum",
}
"""Settings that come back spelt otherwise than they were."""


def read(folder: Path, prefix: str) -> dict[str, Any]:
    return {part: json.loads((folder / f"{prefix}__{part}.json").read_text()) for part in PARTS}


@pytest.fixture
def exported(repository: Repository, tmp_path: Path) -> Path:
    """The hand-made sets, imported and exported again."""
    imported(repository, HAND_MADE)
    export(repository, "past", tmp_path / "out")
    return tmp_path / "out"


def test_every_ended_trial_has_four_files(exported: Path) -> None:
    names = {f"past-{i:04d}__{part}.json" for i in range(3) for part in PARTS}
    assert {path.name for path in exported.iterdir()} == names


def test_settings_are_spelt_as_the_server_shows_them(exported: Path) -> None:
    for i in range(3):
        texts = read(exported, f"past-{i:04d}")["knobs"]
        original = read(HAND_MADE, str(i))["knobs"]["global"]["global"]
        assert texts["local"] is None
        shown = texts["global"]["global"]
        same = {name for name in shown if shown[name] == original.get(name)}
        assert set(shown) - same <= OTHERWISE
        assert "shared_buffers" in same


def test_the_shape_is_ottertunes(exported: Path) -> None:
    files, original = read(exported, "past-0001"), read(HAND_MADE, "1")
    after = files["metrics_after"]
    assert set(after["global"]) == {"pg_stat_archiver", "pg_stat_bgwriter"}
    assert {kind: set(views) for kind, views in after["local"].items()} == {
        "table": {"pg_stat_user_tables", "pg_statio_user_tables"},
        "database": {"pg_stat_database"},
        "indexes": {"pg_stat_user_indexes", "pg_statio_user_indexes"},
    }
    assert after["local"]["table"]["pg_stat_user_tables"]["stock"]["relname"] == "stock"
    theirs = original["metrics_after"]["local"]["database"]["pg_stat_database"]["tpcc"]
    ours = after["local"]["database"]["pg_stat_database"]["tpcc"]
    assert {name: value for name, value in theirs.items() if name != "datid"} == ours
    told = files["summary"]
    assert {name: told[name] for name in original["summary"]} == original["summary"] | {"database_version": "9.6.24"}
    assert told["otterflow"]["experiment"] == "past"


def test_everything_is_text_as_ottertunes_schema_demands(exported: Path) -> None:
    for path in exported.glob("*__metrics_*.json"):
        assert not re.search(r'": *[-\d]', path.read_text())


def test_export_and_import_again_is_the_same(exported: Path, repository: Repository) -> None:
    imported(repository, exported, experiment="again")
    for first, second in zip(repository.trials("past"), repository.trials("again"), strict=True):
        assert second.in_force == first.in_force
        assert second.objective == pytest.approx(first.objective)
        lost = set(first.metrics) - set(second.metrics)
        assert {name.partition(".")[0] for name in lost} <= {"pg_stat_database_conflicts"}
        for name, value in second.metrics.items():
            assert value == pytest.approx(first.metrics[name], rel=1e-6), name


def test_one_trial_alone(exported: Path, repository: Repository, tmp_path: Path) -> None:
    assert export(repository, "past", tmp_path / "one", iteration=2).written == ["past-0002"]
    assert len(list((tmp_path / "one").iterdir())) == 4


@pytest.mark.slow
def test_a_crash_goes_out_and_comes_back(repository: Repository, folder: Path, tmp_path: Path) -> None:
    changed(folder, "1__summary", summary(error="DB_RESTART_ERROR"))
    imported(repository, folder)
    export(repository, "past", tmp_path / "out")
    files = read(tmp_path / "out", "past-0001")
    assert files["summary"]["error"] == "DB_RESTART_ERROR"
    assert files["metrics_after"] == {"global": {}, "local": {}}
    report = imported(repository, tmp_path / "out", experiment="again")
    assert report.crashed_or_failed == ["past-0001"]
    assert repository.trial("again", 1).in_force == repository.trial("past", 1).in_force
    assert not any("warm-up" in note for note in report.notes)


@pytest.mark.slow
def test_passwords_do_not_leave(repository: Repository, folder: Path, tmp_path: Path) -> None:
    imported(repository, folder)
    experiment = repository.experiment("past")
    row = {**experiment.live["application_name"], "name": "primary_conninfo", "setting": "password=hunter2"}
    live = {**experiment.live, "primary_conninfo": row}
    repository.prepare_experiment("past", **_findings(experiment), live=live)
    export(repository, "past", tmp_path / "out", iteration=0)
    files = read(tmp_path / "out", "past-0000")
    assert "hunter2" not in json.dumps(files)
    assert files["summary"]["otterflow"]["left_out"] == sorted(MAY_HOLD_SECRETS)


def _findings(experiment: Any) -> dict[str, Any]:
    kept = ("space", "baseline", "facts", "versions", "hardware", "catalog_hash")
    return {name: getattr(experiment, name) for name in kept} | {"baseline_file": "", "rules": {}}


@pytest.mark.slow
def test_what_the_busiest_rows_lack_is_in_a_row_of_its_own(
    repository: Repository, folder: Path, tmp_path: Path
) -> None:
    imported(repository, folder)
    before, after = repository.raw_counters("past", 1)
    for side in (before, after):
        side["dbms"]["objects"].pop("pg_stat_user_tables[public.history]")
    repository.record_after("past", 1, after)
    export(repository, "past", tmp_path / "out")
    rows = read(tmp_path / "out", "past-0001")["metrics_after"]["local"]["table"]["pg_stat_user_tables"]
    assert set(rows) == {"stock", REST}
    assert rows[REST]["n_tup_ins"] == str(60_000 + 114_000)
    imported(repository, tmp_path / "out", experiment="again")
    name = "pg_stat_user_tables.n_live_tup"
    assert repository.trial("again", 1).metrics[name] == repository.trial("past", 1).metrics[name]


class TestRefused:
    def test_an_unknown_experiment(self, repository: Repository, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="'past' is unknown"):
            export(repository, "past", tmp_path / "out")

    def test_an_unknown_iteration(self, repository: Repository, folder: Path, tmp_path: Path) -> None:
        imported(repository, folder)
        with pytest.raises(InvalidInput, match="has trials up to iteration 2"):
            export(repository, "past", tmp_path / "out", iteration=7)
        assert not (tmp_path / "out").exists()

    def test_a_trial_under_way(self, repository: Repository, folder: Path, tmp_path: Path) -> None:
        repository.create_experiment(new_experiment("night"))
        repository.plan_trial("night", 0, kind="baseline", wanted={}, repairs=[], reasons={}, seed=0)
        with pytest.raises(InvalidInput, match="the trial is planned; wait until it has ended"):
            export(repository, "night", tmp_path / "out", iteration=0)

    def test_a_configuration_that_never_was_in_force(self, repository: Repository, tmp_path: Path) -> None:
        repository.create_experiment(new_experiment("night"))
        repository.plan_trial("night", 0, kind="baseline", wanted={}, repairs=[], reasons={}, seed=0)
        repository.begin_try("night", 0)
        repository.end_trial("night", 0, "not_applied")
        with pytest.raises(InvalidInput, match="never was in force"):
            export(repository, "night", tmp_path / "out")

    def test_a_trial_whose_counters_were_not_kept(self, repository: Repository, tmp_path: Path) -> None:
        repository.create_experiment(new_experiment("night"))
        repository.plan_trial("night", 0, kind="baseline", wanted={}, repairs=[], reasons={}, seed=0)
        repository.begin_try("night", 0)
        repository.record_result("night", 0, result={"throughput": 5.0}, objective=5.0, repeats=[5.0])
        repository.end_trial("night", 0, "ok")
        with pytest.raises(InvalidInput, match="counters were not kept"):
            export(repository, "night", tmp_path / "out")

    def test_an_experiment_without_trials(self, repository: Repository, tmp_path: Path) -> None:
        repository.create_experiment(new_experiment("night"))
        with pytest.raises(InvalidInput, match="'night' has no trials"):
            export(repository, "night", tmp_path / "out")

    def test_a_folder_that_cannot_be_written(self, repository: Repository, folder: Path, tmp_path: Path) -> None:
        imported(repository, folder)
        (tmp_path / "file").write_text("")
        with pytest.raises(InvalidInput, match="cannot be written"):
            export(repository, "past", tmp_path / "file")


@pytest.mark.slow
def test_settings_of_a_newer_server_go_out_and_come_back(repository: Repository, folder: Path, tmp_path: Path) -> None:
    for i, compression in enumerate(("off", "lz4", "pglz")):
        removed = dict.fromkeys(("min_parallel_relation_size", "replacement_sort_tuples", "sql_inheritance"))
        newer = {"server_version": "16.4", "wal_compression": compression, "vacuum_cost_delay": f"{i}.5ms"}
        changed(folder, f"{i}__knobs", settings(**removed, **newer))
        changed(folder, f"{i}__summary", summary(database_version="16.4"))
    report = imported(repository, folder)
    assert "knobs.wal_compression" not in unread(report)
    export(repository, "past", tmp_path / "out")
    imported(repository, tmp_path / "out", experiment="again")
    for first, second in zip(repository.trials("past"), repository.trials("again"), strict=True):
        assert first.in_force == second.in_force
        assert (first.in_force or {})["vacuum_cost_delay"] == first.iteration + 0.5
