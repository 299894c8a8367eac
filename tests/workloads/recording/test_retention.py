"""Which recordings go: by age, by bytes, and never the newest or one in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from otterflow.workloads.recording.definition import Retention
from otterflow.workloads.recording.retention import Kept, is_id_of, to_remove

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def kept(days: int, size: int = 100) -> Kept:
    return Kept(f"shop-{NOW - timedelta(days=days):%Y%m%dT%H%MZ}", size)


def removed(found: list[Kept], in_use: set[str] | None = None, days: int = 10, size: str = "1GB") -> list[Kept]:
    return to_remove(found, Retention.model_validate({"days": days, "size": size}), NOW, in_use or set())


def test_the_old_go_first_and_the_newest_stays_however_old() -> None:
    assert removed([kept(1), kept(11), kept(20)]) == [kept(20), kept(11)]
    assert removed([kept(20), kept(30)]) == [kept(30)]
    assert removed([kept(20)]) == []
    assert removed([]) == []


def test_the_oldest_go_while_all_take_too_much() -> None:
    found = [kept(1, 2**29), kept(2, 2**29), kept(3, 2**29), kept(4, 2**29)]
    assert removed(found) == [kept(4, 2**29), kept(3, 2**29)]
    assert removed([kept(1, 2**40)]) == []


def test_one_that_is_in_use_stays_and_others_go_for_it() -> None:
    found = [kept(1, 2**29), kept(2, 2**29), kept(3, 2**29), kept(20, 2**29)]
    assert removed(found, {kept(20).id}) == [kept(3, 2**29), kept(2, 2**29)]


@pytest.mark.parametrize(
    ("name", "text", "is_one"),
    [
        ("shop", "shop-20261129T0200Z", True),
        ("shop", "shop-eu-20261129T0200Z", False),
        ("shop-eu", "shop-eu-20261129T0200Z", True),
        ("shop", "shop-by-hand", False),
    ],
)
def test_whose_recording_it_is(name: str, text: str, is_one: bool) -> None:
    assert is_id_of(name, text) is is_one
