"""What is kept of an experiment, as its own types: parsed once, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.typed import facts_of, live_settings_of, space_of, spec_of
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import KnobSpace
from otterflow.repository import Experiment
from tests.records import SPACE, experiment
from tests.rooms import modules


@pytest.fixture
def prepared(facts: HostFacts, live: Mapping[str, LiveSetting]) -> Experiment:
    rows = {name: setting.as_row() for name, setting in live.items()}
    return experiment({"iterations": 7}, facts=facts.as_dict(), live=rows)


def test_what_was_kept_comes_back_typed(
    prepared: Experiment, facts: HostFacts, live: Mapping[str, LiveSetting]
) -> None:
    assert spec_of(prepared).iterations == 7
    assert space_of(prepared) == KnobSpace.from_records(SPACE)
    assert facts_of(prepared) == facts
    assert live_settings_of(prepared) == live


@pytest.mark.parametrize("part", [spec_of, space_of, facts_of, live_settings_of])
def test_a_record_is_parsed_once(prepared: Experiment, part: Callable[[Experiment], Any]) -> None:
    assert part(prepared) is part(prepared)


def test_a_changed_record_is_parsed_anew(prepared: Experiment) -> None:
    assert spec_of(prepared).iterations == 7
    longer = replace(prepared, spec={**prepared.spec, "iterations": 9})
    assert spec_of(longer).iterations == 9
    assert replace(longer, spec=prepared.spec) == prepared, "what is parsed does not make two records differ"


def test_an_experiment_that_is_not_prepared_has_no_space_and_no_settings() -> None:
    bare = experiment(space=[])
    for part in (space_of, facts_of):
        with pytest.raises(InvalidInput):
            part(bare)
    assert live_settings_of(bare) == {}


def test_nothing_else_parses_an_experiments_record() -> None:
    parsing = ("from_records(experiment.", "from_dict(experiment.", "from_record(experiment.", "in experiment.live")
    found = {name for name, path in modules().items() if any(call in path.read_text() for call in parsing)}
    assert found == {"otterflow.experiment.typed"}
