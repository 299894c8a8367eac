"""From OtterTune's files to an experiment: what is read, what is not, and that nothing is dropped silently."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.loop import history
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository import Repository, TrialKind, TrialState
from tests.ottertune.sets import HAND_MADE, PARTS, changed, imported, left_out, settings, summary, unread


def test_the_hand_made_sets_become_a_finished_experiment(repository: Repository) -> None:
    report = imported(repository, HAND_MADE, ram_gb=16, cores=4, disk="ssd")
    assert report.imported == ["0", "1", "2"]
    assert left_out(report) == {}
    [experiment] = repository.experiments()
    assert experiment.name == "past"
    assert experiment.state == "finished"
    assert (experiment.benchmark, experiment.objective, experiment.target) == ("tpcc", "throughput", "ottertune")
    assert experiment.versions == {"major": 9, "number": 90600 + 24, "text": "9.6.24"}
    trials = repository.trials("past")
    assert [t.state for t in trials] == [TrialState.ok] * 3
    assert [t.kind for t in trials] == [TrialKind.baseline, TrialKind.design, TrialKind.design]
    assert trials[0].started_at == datetime.fromtimestamp(1535653369.274, UTC)


def test_values_are_canonical_whatever_their_spelling(repository: Repository) -> None:
    imported(repository, HAND_MADE)
    tried = [t.in_force or {} for t in repository.trials("past")]
    assert [t["shared_buffers"] for t in tried] == [16384, 262144, 512000]  # 128MB, 2GB, 4000MB in blocks of 8 kB
    assert [t["work_mem"] for t in tried] == [4096, 25000, 64]
    assert [t["max_wal_size"] for t in tried] == [1024, 16384, 80]
    assert [t["random_page_cost"] for t in tried] == [4.0, 1.1, 2.75]
    assert [t["effective_io_concurrency"] for t in tried] == [1, 1, 0]  # 0 is special
    assert [t["min_parallel_table_scan_size"] for t in tried] == [1024, 2048, 0]  # min_parallel_relation_size of 9.6
    assert [t["wal_level"] for t in tried] == ["replica", "replica", "minimal"]  # hot_standby became replica


def test_throughput_is_the_commits_of_all_databases_over_the_observation_time(repository: Repository) -> None:
    imported(repository, HAND_MADE)
    trials = repository.trials("past")
    assert trials[1].objective == pytest.approx((84_000 + 300) / 300)
    assert trials[0].objective == pytest.approx((30_000 + 300) / 190)
    assert trials[1].result == {"throughput": pytest.approx(281.0), "transactions": 84_300, "seconds": 300.0}


def test_counters_become_rates_and_gauges_stay(repository: Repository) -> None:
    imported(repository, HAND_MADE)
    metrics = repository.trials("past")[1].metrics
    assert metrics["pg_stat_database.xact_commit"] == pytest.approx(280.0)
    assert metrics["pg_stat_database_all.xact_commit"] == pytest.approx(281.0)
    assert metrics["pg_stat_bgwriter.buffers_checkpoint"] == pytest.approx(3 * 280.0)
    assert metrics["pg_stat_user_tables.n_tup_upd"] == pytest.approx(280.0)
    assert metrics["pg_stat_user_tables.n_live_tup"] == pytest.approx(200_000 + 60_000 + 2 * 114_000)
    assert metrics["pg_statio_user_tables.heap_blks_hit"] == pytest.approx(23 * 280.0)


def test_statistics_that_begin_in_the_window_are_no_reset(repository: Repository) -> None:
    imported(repository, HAND_MADE)
    assert repository.trials("past")[0].reset == []


def test_the_tuner_learns_from_it(repository: Repository) -> None:
    imported(repository, HAND_MADE)
    told = history(repository.experiment("past"), repository.trials("past"), Goal(Objective.throughput))
    assert len(told) == 3
    assert max(told, key=lambda t: t.value or 0.0).config["shared_buffers"] == 262144


def test_settings_that_stood_still_are_kept_as_the_servers_settings(repository: Repository) -> None:
    imported(repository, HAND_MADE)
    experiment = repository.experiment("past")
    names = [knob["name"] for knob in experiment.space]
    assert "maintenance_work_mem" not in names
    kept = experiment.live["maintenance_work_mem"]
    assert (kept["setting"], kept["unit"]) == ("65536", "kB")
    assert experiment.live["sql_inheritance"]["setting"] == "on"


def test_one_set_alone_is_said_to_be_one_and_its_knobs_not_to_have_varied(repository: Repository, folder: Path) -> None:
    for path in folder.glob("[12]__*.json"):
        path.unlink()
    report = imported(repository, folder)
    assert any(note.startswith("there is one set alone:") for note in report.notes)
    assert "knobs of the space, none of which varied: " in report.table()
    assert "knobs that varied" not in report.table()
    assert report.as_dict()["varying"] is False


def test_what_varies_without_being_a_knob_is_said(repository: Repository) -> None:
    notes = "\n".join(imported(repository, HAND_MADE).notes)
    assert "differ between the sets, but are not tuned: autovacuum;" in notes
    assert "16 GiB of RAM, 4 cores" in notes
    assert "before the warm-up" in notes


def test_settings_of_old_versions_are_listed(repository: Repository) -> None:
    found = unread(imported(repository, HAND_MADE))
    assert found["knobs.replacement_sort_tuples"] == ("'150000'", ["0", "1", "2"])
    assert set(found) == {"knobs.replacement_sort_tuples", "knobs.default_with_oids", "knobs.sql_inheritance"}


def test_the_ranges_are_those_of_the_host_given_widened_to_what_was_tried(repository: Repository) -> None:
    imported(repository, HAND_MADE, ram_gb=64, cores=16)
    space = {knob["name"]: knob for knob in repository.experiment("past").space}
    assert space["shared_buffers"]["max"] == 64 * 2**30 // 8192 // 2
    assert space["work_mem"]["min"] == 64
    assert space["shared_buffers"]["default"] == 16384


class TestOldVersions:
    def test_checkpoint_segments_become_max_wal_size(self, repository: Repository, folder: Path) -> None:
        for i, segments in enumerate(("3", "32", "256")):
            old = {"checkpoint_segments": segments, "max_wal_size": None, "min_wal_size": None}
            changed(folder, f"{i}__knobs", settings(server_version="9.4.26", **old))
            changed(folder, f"{i}__summary", summary(database_version="9.4"))
        report = imported(repository, folder)
        tried = [(t.in_force or {})["max_wal_size"] for t in repository.trials("past")]
        assert tried == [3 * n * 16 for n in (3, 32, 256)]
        assert any("3 * checkpoint_segments * 16MB" in note for note in report.notes)
        assert repository.trials("past")[0].reasons["renamed"]["max_wal_size"].startswith("from checkpoint_segments")

    @pytest.mark.parametrize("segments", ["-3", "many", "1e999999999", "2147483647"])
    def test_segments_that_cannot_be_read(self, repository: Repository, folder: Path, segments: str) -> None:
        for i in range(3):
            old = {"checkpoint_segments": segments, "max_wal_size": None, "min_wal_size": None}
            changed(folder, f"{i}__knobs", settings(server_version="9.4.26", **old))
        assert "knobs.checkpoint_segments" in unread(imported(repository, folder))
        assert "max_wal_size" not in (repository.trial("past", 0).in_force or {})

    @pytest.mark.slow
    @pytest.mark.parametrize("text", ["8.4", "19", "9" * 5000, "", "sixteen"])
    def test_versions_that_are_not_known(self, repository: Repository, folder: Path, text: str) -> None:
        changed(folder, "1__knobs", settings(server_version=text or None))
        changed(folder, "1__summary", summary(database_version=text))
        [(prefix, [field])] = left_out(imported(repository, folder)).items()
        assert prefix == "1"
        assert field.endswith("database_version")

    @pytest.mark.parametrize("text", ["0", "-1", "²", "9" * 5000, "lots"])
    def test_connections_that_cannot_be_read(self, repository: Repository, folder: Path, text: str) -> None:
        changed(folder, "0__knobs", settings(max_connections=text))
        imported(repository, folder)
        assert repository.experiment("past").facts["max_connections"] == 100

    def test_bare_numbers_count_in_the_settings_own_unit(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__knobs", settings(shared_buffers="16384", work_mem="8192", max_wal_size="64"))
        imported(repository, folder)
        tried = repository.trial("past", 1).in_force or {}
        assert tried["shared_buffers"] == 16384
        assert tried["work_mem"] == 8192
        assert tried["max_wal_size"] == 1024  # 64 segments of 16 MB until 9.6

    def test_the_servers_own_version_is_believed(self, repository: Repository, folder: Path) -> None:
        for i in range(3):
            changed(folder, f"{i}__knobs", settings(server_version="9.5.25"))
        report = imported(repository, folder)
        assert unread(report)["summary.database_version"][0] == (
            "'9.6', but the server's own server_version is '9.5.25'"
        )
        assert repository.experiment("past").versions["text"] == "9.5.25"

    @pytest.mark.parametrize("text", ["10.2", "11", "12.3", "15.14 (Debian 15.14-0+deb12u1)", "PostgreSQL 9.6.1"])
    def test_versions_that_ottertune_could_not_read(self, repository: Repository, folder: Path, text: str) -> None:
        for i in range(3):
            changed(folder, f"{i}__knobs", settings(server_version=None))
            changed(folder, f"{i}__summary", summary(database_version=text))
        assert imported(repository, folder).imported == ["0", "1", "2"]

    def test_settings_in_a_group_of_their_own_are_read(self, repository: Repository, folder: Path) -> None:
        changed(folder, "0__knobs", lambda c: c["global"].update(module={"rds.extensions": "bloom"}))
        report = imported(repository, folder)
        assert not any("rds" in field for field in unread(report))
        assert repository.experiment("past").live["rds.extensions"]["setting"] == "bloom"


class TestValuesThatCannotBeRead:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("shared_buffers", "28PB"),
            ("shared_buffers", ""),
            ("shared_buffers", "many"),
            ("wal_buffers", "-16"),
            ("wal_buffers", "-1"),
            ("random_page_cost", "nan"),
            ("random_page_cost", "1e999"),
            ("random_page_cost", "1e999999999999"),
            ("work_mem", "9" * 5000),
            ("work_mem", "4294967296"),
            ("wal_level", "maximal"),
        ],
    )
    def test_a_varying_knob_leaves_its_set_out(
        self, repository: Repository, folder: Path, name: str, text: str
    ) -> None:
        changed(folder, "2__knobs", settings(**{name: text}))
        changed(folder, "1__knobs", settings(wal_level="logical"))
        report = imported(repository, folder)
        assert report.imported == ["0", "1"]
        assert left_out(report) == {"2": [f"knobs.{name}"]}

    def test_the_reason_is_given(self, repository: Repository, folder: Path) -> None:
        changed(folder, "2__knobs", settings(shared_buffers="28PB"))
        [problem] = imported(repository, folder).left_out["2"]
        assert "'PB' is not a unit of it" in problem.found
        assert "varies between the others" in problem.advice

    def test_a_knob_that_stood_still_leaves_no_set_out(self, repository: Repository, folder: Path) -> None:
        changed(folder, "2__knobs", settings(maintenance_work_mem="lots"))
        report = imported(repository, folder)
        assert report.imported == ["0", "1", "2"]
        assert unread(report)["knobs.maintenance_work_mem"][1] == ["2"]
        assert any("no part of the space" in note and "maintenance_work_mem" in note for note in report.notes)

    def test_unknown_settings_are_listed(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__knobs", settings(shared_bufers="1GB"))
        assert unread(imported(repository, folder))["knobs.shared_bufers"] == ("'1GB'", ["1"])

    @pytest.mark.parametrize("value", [None, ["1GB"], {"value": "1GB"}])
    def test_a_setting_that_is_no_text(self, repository: Repository, folder: Path, value: Any) -> None:
        changed(folder, "1__knobs", lambda c: c["global"]["global"].update(jit=value))
        assert "knobs.jit" in unread(imported(repository, folder))

    def test_a_metric_that_is_no_number(self, repository: Repository, folder: Path) -> None:
        def spoil(content: dict[str, Any]) -> None:
            content["global"]["pg_stat_bgwriter"]["buffers_alloc"] = "many"
            content["global"]["aws_rds"] = {"CPUUtilization": "12.5"}
            content["local"]["table"]["pg_stat_user_tables"]["stock"]["idx_scan"] = "NaN"

        changed(folder, "1__metrics_after", spoil)
        report = imported(repository, folder)
        assert {
            "metrics_after.global.pg_stat_bgwriter.buffers_alloc",
            "metrics_after.global.aws_rds",
            "metrics_after.local.table.pg_stat_user_tables.stock.idx_scan",
        } <= set(unread(report))
        metrics = repository.trial("past", 1).metrics
        assert "pg_stat_bgwriter.buffers_alloc" not in metrics
        assert "pg_stat_bgwriter.buffers_clean" in metrics

    def test_passwords_are_not_kept(self, repository: Repository, folder: Path) -> None:
        for i in range(3):
            changed(folder, f"{i}__knobs", settings(primary_conninfo=f"host=a password=hunter{i}"))
        report = imported(repository, folder)
        kept = json.dumps([repository.experiment("past").live, report.as_dict(), report.table()])
        assert "hunter" not in kept


class TestSetsThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            (summary(observation_time=-5), "summary.observation_time"),
            (summary(observation_time=0), "summary.observation_time"),
            (summary(observation_time="soon"), "summary.observation_time"),
            (summary(observation_time=1e-300), "summary.observation_time"),
            (summary(observation_time=10**15), "summary.observation_time"),
            (summary(observation_time=10**400), "summary.observation_time"),
            (summary(observation_time=float("nan")), "summary.observation_time"),
            (lambda c: c.pop("observation_time"), "summary.observation_time"),
            (lambda c: c.pop("start_time"), "summary.start_time"),
            (summary(start_time=-1), "summary.start_time"),
            (summary(start_time=True), "summary.start_time"),
            (summary(start_time="1e300"), "summary.start_time"),
            (summary(database_type="mysql"), "summary.database_type"),
            (lambda c: c.pop("database_type"), "summary.database_type"),
            (summary(error="NO_IDEA"), "summary.error"),
        ],
    )
    def test_a_wrong_summary(self, repository: Repository, folder: Path, change: Any, field: str) -> None:
        changed(folder, "1__summary", change)
        report = imported(repository, folder)
        assert report.imported == ["0", "2"]
        assert left_out(report) == {"1": [field]}

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\x00", "[" * 100_000])
    def test_unreadable_json(self, repository: Repository, folder: Path, text: str) -> None:
        (folder / "1__metrics_after.json").write_text(text)
        assert left_out(imported(repository, folder)) == {"1": ["1__metrics_after.json"]}

    def test_bytes_that_are_no_text(self, repository: Repository, folder: Path) -> None:
        (folder / "1__knobs.json").write_bytes(b'{"global": "\xff\xfe"}')
        assert left_out(imported(repository, folder)) == {"1": ["1__knobs.json"]}

    def test_an_incomplete_set_names_what_is_missing(self, repository: Repository, folder: Path) -> None:
        (folder / "1__knobs.json").unlink()
        (folder / "1__summary.json").unlink()
        assert left_out(imported(repository, folder)) == {"1": ["1__knobs.json", "1__summary.json"]}

    def test_knobs_of_another_shape(self, repository: Repository, folder: Path) -> None:
        (folder / "1__knobs.json").write_text('{"shared_buffers": "1GB"}')
        assert left_out(imported(repository, folder)) == {"1": ["knobs.global"]}

    def test_counters_that_were_reset(self, repository: Repository, folder: Path) -> None:
        def reset(content: dict[str, Any]) -> None:
            row = content["local"]["database"]["pg_stat_database"]["tpcc"]
            row["stats_reset"] = "2018-08-30 18:00:00-04"

        changed(folder, "1__metrics_after", reset)
        report = imported(repository, folder)
        assert left_out(report) == {"1": ["metrics_after.local.database.pg_stat_database.xact_commit"]}

    def test_a_database_that_was_dropped(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__metrics_after", lambda c: c["local"]["database"]["pg_stat_database"].pop("postgres"))
        report = imported(repository, folder)
        assert left_out(report) == {"1": ["metrics_after.local.database.pg_stat_database.postgres"]}

    def test_counters_that_went_backwards(self, repository: Repository, folder: Path) -> None:
        def backwards(content: dict[str, Any]) -> None:
            content["global"]["pg_stat_bgwriter"]["buffers_clean"] = "0"

        changed(folder, "1__metrics_after", backwards)
        report = imported(repository, folder)
        assert report.imported == ["0", "1", "2"]
        assert unread(report)["metrics_after.pg_stat_bgwriter.buffers_clean"] == ("was reset in the window", ["1"])
        trial = repository.trial("past", 1)
        assert trial.reset == ["pg_stat_bgwriter.buffers_clean"]
        assert "pg_stat_bgwriter.buffers_clean" not in trial.metrics

    def test_no_commits_to_count(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__metrics_before", lambda c: c.update(local={}))
        report = imported(repository, folder)
        assert left_out(report) == {"1": ["metrics_before.local.database.pg_stat_database"]}

    def test_a_copy_counts_once(self, repository: Repository, folder: Path) -> None:
        for part in PARTS:
            shutil.copyfile(folder / f"1__{part}.json", folder / f"9__{part}.json")
        assert left_out(imported(repository, folder)) == {"9": ["(all files)"]}

    def test_a_time_that_disagrees_is_a_remark(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__summary", summary(observation_time=100))
        report = imported(repository, folder)
        assert unread(report)["summary.observation_time"][0] == "100 s, but end_time - start_time is 300 s"
        assert repository.trial("past", 1).objective == pytest.approx(843.0)

    def test_files_of_no_set_are_listed(self, repository: Repository, folder: Path) -> None:
        (folder / "1__next_config.json").write_text("{}")
        (folder / "notes.txt").write_text("")
        others = imported(repository, folder).others
        assert "not imported" in others["1__next_config.json"]
        assert "not named" in others["notes.txt"]


class TestFaults:
    def test_a_server_that_did_not_start_is_a_crash(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__summary", summary(error="DB_RESTART_ERROR"))
        for part in ("metrics_before", "metrics_after"):
            (folder / f"1__{part}.json").write_text("{}")
        report = imported(repository, folder)
        assert report.crashed_or_failed == ["1"]
        trial = repository.trial("past", 1)
        assert (trial.state, trial.objective) == (TrialState.crashed, None)
        assert (trial.in_force or {})["shared_buffers"] == 262144

    def test_a_window_without_a_transaction_is_a_failure(self, repository: Repository, folder: Path) -> None:
        shutil.copyfile(folder / "1__metrics_before.json", folder / "1__metrics_after.json")
        imported(repository, folder)
        assert repository.trial("past", 1).state == TrialState.failed


class TestNothingIsStored:
    def nothing(self, repository: Repository) -> bool:
        return repository.experiments() == []

    def test_when_no_set_can_be_used(self, repository: Repository, folder: Path) -> None:
        for i in range(3):
            changed(folder, f"{i}__summary", summary(observation_time=-1))
        with pytest.raises(InvalidInput) as caught:
            imported(repository, folder)
        assert [p.field for p in caught.value.problems[1:]] == [f"{i}: summary.observation_time" for i in range(3)]
        assert self.nothing(repository)

    def test_when_all_is_faults(self, repository: Repository, folder: Path) -> None:
        for i in range(3):
            changed(folder, f"{i}__summary", summary(error="DB_RESTART_ERROR"))
        with pytest.raises(InvalidInput, match="did not start"):
            imported(repository, folder)
        assert self.nothing(repository)

    def test_when_there_is_no_set(self, repository: Repository, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(InvalidInput, match="holds no set"):
            imported(repository, tmp_path / "empty")
        assert self.nothing(repository)

    def test_when_there_is_no_folder(self, repository: Repository, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="cannot be read: No such file"):
            imported(repository, tmp_path / "nowhere")

    def test_when_workloads_are_mixed(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__summary", summary(workload_name="ycsb"))
        with pytest.raises(InvalidInput, match=r"'tpcc' \(2 sets\), 'ycsb' \(1 sets\)"):
            imported(repository, folder)
        assert self.nothing(repository)
        assert imported(repository, folder, workload="tpcc").imported == ["0", "2"]

    def test_when_versions_are_mixed(self, repository: Repository, folder: Path) -> None:
        changed(folder, "1__knobs", settings(server_version="12.3"))
        with pytest.raises(InvalidInput, match=r"PostgreSQL 9\.6 \(2 sets\), 12 \(1 sets\)"):
            imported(repository, folder)
        assert self.nothing(repository)

    @pytest.mark.slow
    def test_when_the_workload_has_no_usable_name(self, repository: Repository, folder: Path) -> None:
        for i in range(3):
            changed(folder, f"{i}__summary", summary(workload_name="TPC-C, 200 warehouses"))
        with pytest.raises(InvalidInput, match="benchmark: the sets' workload_name"):
            imported(repository, folder)
        assert self.nothing(repository)
        imported(repository, folder, benchmark="tpcc")
        assert repository.experiment("past").benchmark == "tpcc"


class TestTwice:
    def test_the_same_folder_is_stored_once(self, repository: Repository, folder: Path) -> None:
        assert imported(repository, folder).stored
        assert not imported(repository, folder).stored
        assert len(repository.experiments()) == 1
        assert len(repository.trials("past")) == 3

    @pytest.mark.slow
    def test_more_sets_are_refused_or_replace(self, repository: Repository, folder: Path) -> None:
        later = {part: (folder / f"2__{part}.json") for part in PARTS}
        contents = {part: path.read_text() for part, path in later.items()}
        for path in later.values():
            path.unlink()
        imported(repository, folder)
        for part, path in later.items():
            path.write_text(contents[part])
        with pytest.raises(InvalidInput, match="is an import of other files"):
            imported(repository, folder)
        assert len(repository.trials("past")) == 2
        assert imported(repository, folder, replace=True).stored
        assert len(repository.trials("past")) == 3
        assert len(repository.experiments()) == 1

    def test_it_cannot_be_resumed(self, repository: Repository, folder: Path) -> None:
        imported(repository, folder)
        with pytest.raises(InvalidInput, match="was imported"):
            repository.extend("past", iterations=10, time_budget_min=None)


def test_every_wrong_field_of_the_form_is_named(repository: Repository) -> None:
    with pytest.raises(InvalidInput) as caught:
        imported(repository, Path("x"), experiment="a b", cores=0, disk="tape", ram_gb="much", speed=1)
    assert {p.field for p in caught.value.problems} == {"experiment", "cores", "disk", "ram_gb", "speed"}


def test_the_report_says_all_of_it(repository: Repository, folder: Path) -> None:
    changed(folder, "1__summary", summary(observation_time=-1))
    (folder / "notes.txt").write_text("")
    report = imported(repository, folder)
    table = report.table()
    assert "2 of 3 sets are trials of experiment 'past'" in table
    assert "summary.observation_time" in table
    assert "notes.txt" in table
    assert "removed in 11" in table
    record = json.loads(json.dumps(report.as_dict()))
    assert record["left_out"][0]["set"] == "1"
    kept = repository.experiment("past").outcome or {}
    assert kept["report"] == record
