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


def test_two_targets_that_are_one_server_exclude_each_other(repository: Repository) -> None:
    repository.hold_target("staging", "night")
    for target in ("staging", "alias"):
        repository.identify_target(target, "7123 in /srv/data on db1")
    repository.identify_target("other", "7124 in /srv/data on db1")
    assert repository.same_server("alias", repository.identity("alias")) == ["staging"]
    with pytest.raises(TargetHeld, match="held by experiment 'night', as target 'staging', which is the same server"):
        repository.hold_target("alias", "day")
    repository.hold_target("other", "day")
    repository.release_target("staging", "night")
    repository.hold_target("alias", "day")
    with pytest.raises(TargetHeld, match="held by experiment 'day', as target 'alias'"):
        repository.hold_target("staging", "night")


def test_targets_are_held_one_by_one(repository: Repository) -> None:
    repository.hold_target("staging", "night")
    repository.hold_target("other", "day")
    assert (repository.holder("staging"), repository.holder("other")) == ("night", "day")
