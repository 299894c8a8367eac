"""The export bundle: only what differs, where it comes from, the same archive each time, and its command."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql import configuration_file
from otterflow.errors import InvalidInput
from otterflow.operators.command_line import WRONG_INPUT, main
from otterflow.report.bundle import README, Export, export
from tests.report.conftest import ABLATION, WON, Ended


@pytest.fixture
def finished(ended: Ended) -> Ended:
    """Its outcome is recorded too."""
    ended.repository.record_outcome("night", ended.result(WON, ablation=ABLATION))
    return ended


def knobs_of(found: Export) -> dict[str, str]:
    return configuration_file.parse(found.files["knobs.conf"])


def test_the_best_is_what_differs_from_before_and_says_whence(finished: Ended) -> None:
    found = export(finished.repository, "night")
    assert knobs_of(found) == {"shared_buffers": "2GB", "work_mem": "64MB"}
    text = found.files["knobs.conf"]
    assert "# was 4MB; found in trial 3; worth +61.0 % (+40.0 to +80.0), measured\nwork_mem" in text
    assert "# was 128MB; found in trial 3\nshared_buffers" in text
    assert found.title == "Experiment night, configuration best: measured with analytics on example_command"


def test_the_rules_values_name_their_rule_and_its_source(finished: Ended) -> None:
    found = export(finished.repository, "night", "rules")
    assert knobs_of(found) == {"shared_buffers": "6GB", "random_page_cost": "1.1"}
    assert "# was 128MB; a quarter of the RAM (PostgreSQL manual, shared_buffers; pgtune)" in found.files["knobs.conf"]


def test_a_trial_goes_by_its_number_whatever_became_of_it(ended: Ended) -> None:
    assert knobs_of(export(ended.repository, "night", "2")) == {"shared_buffers": "2GB", "work_mem": "999999kB"}
    assert "found in trial 2" in export(ended.repository, "night", "2").files["knobs.conf"]
    assert "a quarter of the RAM" in export(ended.repository, "night", "1").files["knobs.conf"]


@pytest.mark.parametrize(
    ("name", "configuration", "why"),
    [
        ("nobody", "best", "'nobody' is unknown"),
        ("night", "best", "has no 'best'"),
        ("night", "../../etc/passwd", "has no '../../etc/passwd'"),
        ("night", "9", "there is no trial 9"),
        ("night", "-1", "has no '-1'"),
        ("night", "²", "has no '²'"),
        ("night", "0", "changes no knob"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_what_there_is(
    ended: Ended, name: str, configuration: str, why: str
) -> None:
    with pytest.raises(InvalidInput, match=why.replace("(", r"\(")) as refused:
        export(ended.repository, name, configuration)
    assert refused.value.problems[0].advice


def test_the_archive_is_whole_and_the_same_each_time(finished: Ended) -> None:
    archives = [export(finished.repository, "night").archive() for _ in range(2)]
    assert archives[0] == archives[1]
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert {README, "knobs.conf", "rds/apply.sh"} <= set(names)
        assert not [name for name in names if name.startswith("/") or ".." in Path(name).parts or "\\" in name]
        modes = {name: archive.getinfo(name).external_attr >> 16 & 0o777 for name in names}
        assert {name for name, mode in modes.items() if mode == 0o755} == {"rds/apply.sh", "aurora/apply.sh"}


def test_the_readme_lists_the_files_and_what_a_service_does_not_take(finished: Ended) -> None:
    found = export(finished.repository, "night", "rules")
    readme = found.files[README]
    assert all(f"  {path}\n" in readme for path in found.files if path != README)
    assert "2 knobs differ from the configuration before the experiment." in readme
    assert "restart" in next(line for line in readme.splitlines() if line.strip().startswith("shared_buffers"))
    assert "Left out" not in readme
    assert "has to be a share" in readme or "have to be a share" in readme


def test_what_is_left_out_is_named_in_the_readme(finished: Ended) -> None:
    finished.repository.record_outcome("night", {**finished.result(WON), "best_configuration": {"max_wal_size": 4096}})
    readme = export(finished.repository, "night").files[README]
    assert "Left out of aurora:\n  max_wal_size: Aurora's storage" in readme


def command(*arguments: object) -> int:
    return main(["export", *(str(argument) for argument in arguments)])


def test_the_command_writes_the_archive_and_says_what_is_in_it(
    finished: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "new" / "night.zip"
    assert command("--experiment", "night", "--to", to) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{to}\n\nExperiment night, configuration best")
    assert zipfile.is_zipfile(to)
    assert os.listdir(to.parent) == ["night.zip"]
    assert command("--experiment", "night", "--configuration", "rules", "--to", to) == 0
    with zipfile.ZipFile(to) as archive:
        assert b"random_page_cost" in archive.read("knobs.conf")


def test_the_command_refuses_with_the_reason(
    finished: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--experiment", "night", "--configuration", "worst", "--to", tmp_path / "x.zip") == WRONG_INPUT
    assert "use best, rules, or a trial's number" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert command("--experiment", "night", "--to", tmp_path / "file" / "x.zip") == WRONG_INPUT
    assert "cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()


def test_an_arm_of_the_form_goes_by_its_name(ended: Ended) -> None:
    from dataclasses import replace

    from otterflow.report.bundle import export_of

    spec: dict[str, Any] = {**ended.experiment.spec, "arms": {"mine": {"work_mem": "1GB"}}, "install": False}
    found = export_of(replace(ended.experiment, spec=spec), ended.repository.trials("night"), "mine")
    assert knobs_of(found) == {"work_mem": "1GB"}
    assert "from 'mine', as the form gave it" in found.files["knobs.conf"]
