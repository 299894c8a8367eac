"""The example of docs/recordings.md is a recording, and its tables name the keys that there are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from otterflow.workloads.recording import lines
from otterflow.workloads.recording.__main__ import main
from otterflow.workloads.recording.definition import RecordingDefinition, load_recording_definition
from otterflow.workloads.recording.reading import open_recording
from tests.workloads.recording.samples import write

TEXT = (Path(__file__).parents[3] / "docs" / "recordings.md").read_text()
(LINES,) = re.findall(r"^```jsonl\n(.*?)^```", TEXT, re.M | re.S)
(COMMAND,) = re.findall(r"^\$ python -m otterflow.workloads.recording (.*?)^```", TEXT, re.M | re.S)
WORDS = shlex.split(COMMAND.replace("\\\n", " "))


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lines.jsonl").write_text(LINES)
    assert main(WORDS) == 0
    assert "4 statements of 2 sessions, 4 classes" in capsys.readouterr().out
    recording = open_recording(Path("shop-by-hand"))
    assert [each.session for each in recording.statements()] == ["a", "a", "b", "a"]
    assert "select n from stock where id in (?)" in {each.text for each in recording.manifest.classes}


@pytest.mark.parametrize(
    ("lines_text", "changed", "said"),
    [
        ('{"session": "a", "at_s": 99999, "text": "SELECT"}', {}, "line 1, at_s"),
        ("{}", {}, "line 1, session"),
        ("", {"--start": "noon"}, "--start: 'noon'"),
        ("", {"--end": "2026-11-29T02:00:00Z"}, "end"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, lines_text: str, changed: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("lines.jsonl").write_text(lines_text)
    words = list(WORDS)
    for name, value in changed.items():
        words[words.index(name) + 1] = value
    assert main(words) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["lines.jsonl"]


def test_every_key_is_told(tmp_path: Path) -> None:
    write(tmp_path / "one")
    keys = set(json.loads((tmp_path / "one" / "manifest.json").read_text())) | set(lines._KEYS)
    assert {key for key in keys if f"`{key}`" not in TEXT} == set()


def test_the_guides_file_is_a_definition_and_its_lines_are_the_defaults(tmp_path: Path) -> None:
    (block,) = [each for each in re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S) if "include/recordings" in each]
    (tmp_path / "shop.yaml").write_text(block)
    definition = load_recording_definition(tmp_path / "shop.yaml")
    assert set(yaml.safe_load(block)) == set(RecordingDefinition.model_fields) - {"description", "replay"}
    least = {name: getattr(definition, name) for name, field in RecordingDefinition.model_fields.items()
             if field.is_required()}  # fmt: skip
    assert RecordingDefinition.model_validate(least | {"length": "1h"}) == definition
