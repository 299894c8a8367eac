"""The block `replay` of a recording's file: what it says, and what is refused by its field."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.experiment.backfill import Replay, arm_names, experiment_name, load_replay, number_of
from tests.workloads.recording.test_definition import GOOD

REPLAY: dict[str, Any] = {
    "benchmark": "replay",
    "candidates": ["experiment:staging-20261120", "configuration:bigger"],
    "rounds": 3,
    "rule": {"nowhere_worse_percent": 10},
    "form": {"objective": "latency_p99"},
}


def load(folder: Path, name: str = "shop", **changes: Any) -> Replay:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(GOOD | {"name": name, "replay": REPLAY | changes}))
    return load_replay(path)


def test_an_interval_is_an_experiment_without_trials(tmp_path: Path) -> None:
    replay = load(tmp_path)
    assert replay.dag_id == "replay_shop"
    recording = replay.recording.recording_id(datetime(2026, 11, 29, 2, tzinfo=UTC))
    spec = replay.spec(experiment_name(recording), recording, {"bigger": {"work_mem": "64MB"}}, 4)
    assert (spec.experiment, spec.target, spec.benchmark) == ("replay-shop-20261129T0200Z", "staging", "replay")
    assert (spec.install, spec.final_rounds, spec.wait_min) == (False, 4, 1440)
    assert spec.looks is None, "each interval makes all its rounds"
    assert spec.objective == "latency_p99"
    assert spec.arms == {"bigger": {"work_mem": "64MB"}}
    assert (replay.block.baseline, replay.block.rule.words()) == (
        "source", "better overall and nowhere worse by more than 10 %",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"candidates": ["staging-20261120"]}, r"shop\.yaml: replay\.candidates\.0: value 'staging-20261120'"),
        ({"candidates": ["trial:x"]}, r"replay\.candidates\.0"),
        ({"baseline": "production"}, r"replay\.baseline: value 'production'"),
        ({"rounds": 2}, r"replay\.rounds: value 2"),
        ({"rule": {"nowhere_worse_percent": -1}}, r"replay\.rule\.nowhere_worse_percent: value -1"),
        ({"rule": {"better": True}}, r"replay\.rule\.better"),
        ({"wait_min": -1}, r"replay\.wait_min"),
        ({"form": {"arms": {}, "target": "x"}}, r"replay\.form: sets arms, target; the block's own fields say that"),
        ({"form": {"restore_evry": 1}}, r"replay\.form: restore_evry"),
        ({"candidate": "configuration:x"}, r"replay\.candidate:"),
        ({"benchmark": None}, r"replay\.benchmark"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        load(tmp_path, **changes)


def test_a_name_that_would_make_too_long_ones_is_refused(tmp_path: Path) -> None:
    load(tmp_path, "n" * 36)
    with pytest.raises(InvalidInput, match="at most 36 characters"):
        load(tmp_path, "n" * 37)


def test_a_recording_without_the_block_is_not_replayed(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(GOOD))
    with pytest.raises(InvalidInput, match=r"shop\.yaml: replay: there is no such block"):
        load_replay(tmp_path / "shop.yaml")


def test_experiments_of_a_recording_are_known_by_their_names() -> None:
    names = [experiment_name("shop-20261129T0200Z", number) for number in (1, 2, 12)]
    assert names == [f"replay-shop-20261129T0200Z{end}" for end in ("", "-2", "-12")]
    assert [number_of(name, "shop-20261129T0200Z") for name in names] == [1, 2, 12]
    assert number_of("replay-shop-20261129T0300Z", "shop-20261129T0200Z") is None
    assert number_of("replay-shop-20261129T0200Z-x", "shop-20261129T0200Z") is None


def test_arms_are_named_after_candidates_each_by_itself() -> None:
    asked = (
        "experiment:Night-1",
        "configuration:night_1",
        "configuration:best",
        "experiment:2026",
        "experiment:Night-1",
    )
    assert arm_names(asked) == {
        "night_1": "experiment:Night-1",
        "night_1_2": "configuration:night_1",
        "c_best": "configuration:best",
        "c_2026": "experiment:2026",
    }
