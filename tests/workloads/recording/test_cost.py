"""What recording costs, in the numbers that a person decides by, and the share that a budget allows."""

from __future__ import annotations

import pytest

from otterflow.dbms.values import CapturePrice, CaptureRate
from otterflow.workloads.recording.cost import Cost, cost_of
from otterflow.workloads.recording.definition import Budget

PRICE = CapturePrice(cpu_us=(9.0, 16.0), log_bytes=(250.0, 600.0))


def cost(per_s: float, length_s: float = 3600) -> Cost:
    return cost_of(CaptureRate(per_s, "statements, by a counter"), PRICE, length_s)


def budget(core_percent: float = 5.0, log_size: str = "10GB") -> Budget:
    return Budget.model_validate({"core_percent": core_percent, "log_size": log_size})


def test_a_thousand_statements_a_second_are_a_percent_of_a_core_and_a_gigabyte_or_two_an_hour() -> None:
    assert str(cost(1000)) == (
        "0.9 to 1.6 % of a core and 858 to 2,060 MiB of log, at 1,000 a second (statements, by a counter)"
    )
    assert cost(1000).is_within(budget())
    assert not cost(1000).is_within(budget(core_percent=1.5)), "the most of it counts"
    assert not cost(1000).is_within(budget(log_size="2000MB"))


@pytest.mark.parametrize(
    ("per_s", "allowed", "share"),
    [
        (20_000, budget(), 0.156),  # by processor time
        (20_000, budget(core_percent=100), 0.248),  # by bytes
        (1000, budget(), 1.0),
        (0, budget(), 1.0),
        (10**8, budget(core_percent=0.1), 0.0),
    ],
)
def test_the_share_that_fits(per_s: float, allowed: Budget, share: float) -> None:
    found = cost(per_s).share_within(allowed)
    assert found == share
    assert not share or cost(per_s).times(found).is_within(allowed)
