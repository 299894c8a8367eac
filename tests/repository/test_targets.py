"""Holding a target: one experiment at a time."""

from __future__ import annotations

import pytest

from otterflow.errors import TargetHeld
from otterflow.repository import Repository


def test_a_target_that_nobody_knows_is_held_by_nobody(repository: Repository) -> None:
    assert repository.holder("staging") is None
    repository.release_target("staging", "night")


def test_a_hold_lasts_until_its_holder_ends_it(repository: Repository) -> None:
    repository.hold_target("staging", "night")
    repository.hold_target("staging", "night")
    with pytest.raises(TargetHeld, match="target: 'staging' is held by experiment 'night'") as refusal:
        repository.hold_target("staging", "day")
    assert (refusal.value.target, refusal.value.holder) == ("staging", "night")
    repository.release_target("staging", "day")
    assert repository.holder("staging") == "night"
    repository.release_target("staging", "night")
    assert repository.holder("staging") is None
    repository.hold_target("staging", "day")
    assert repository.holder("staging") == "day"


def test_targets_are_held_one_by_one(repository: Repository) -> None:
    repository.hold_target("staging", "night")
    repository.hold_target("other", "day")
    assert (repository.holder("staging"), repository.holder("other")) == ("night", "day")
