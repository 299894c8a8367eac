"""The quiet gate's limits: learned from few runs, not moved by a backup, and wide where a host is never quiet."""

from __future__ import annotations

import pytest

from otterflow.measures.quiet import QuietLimits


def runs(*others: float, steal: float = 0.0) -> list[dict[str, float]]:
    return [{"others_share": share, "steal_share": steal} for share in others]


def learned(*others: float) -> QuietLimits:
    found = QuietLimits.learned(runs(*others))
    assert found is not None
    return found


def test_of_two_runs_nothing_is_learned() -> None:
    assert QuietLimits.learned(runs(0.0, 0.9)) is None


def test_a_quiet_host_has_a_limit_a_little_above_what_is_usual() -> None:
    limits = learned(0.02, 0.03, 0.02, 0.03)
    assert limits.limits["others_share"] == pytest.approx(0.07, abs=0.02)
    assert limits.exceeded({"others_share": 0.04, "steal_share": 0.01}) is None
    said = limits.exceeded({"others_share": 0.30, "steal_share": 0.1})
    assert said is not None
    assert said.startswith("work of others took 30.0% of the processors, ")
    assert "time stolen by the hypervisor took 10.0%" in said
    assert "learned from 4 runs" in str(limits)


def test_a_backup_over_less_than_half_of_the_runs_does_not_become_usual() -> None:
    limits = learned(0.02, 0.6, 0.03, 0.7, 0.02)
    assert limits.exceeded({"others_share": 0.6, "steal_share": 0.0}) is not None


def test_on_a_host_that_is_never_quiet_the_limit_lies_above_its_usual_work() -> None:
    limits = learned(0.5, 0.3, 0.6, 0.4, 0.7)
    assert limits.exceeded({"others_share": 0.6, "steal_share": 0.0}) is None
