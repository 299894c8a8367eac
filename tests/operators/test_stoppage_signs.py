"""How a server that gave no answer is judged by what it says next; no server is there to be stopped."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.values import Answer, Started
from otterflow.errors import ServerCrashed, ServerStopped
from otterflow.hosts import stoppage

BEFORE = Started(1000.0, 500.0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits; each look counts as a second."""
    clock = iter(range(10_000))
    monkeypatch.setattr(stoppage, "time", SimpleNamespace(monotonic=lambda: float(next(clock)), sleep=lambda s: None))


def server(looks: Sequence[tuple[Answer, str | None]], now: Started = BEFORE) -> Any:
    """A server that answers, and shows its control file, so at each look; the last one stays."""
    seen: list[tuple[Answer, str | None]] = []

    def answer() -> Answer:
        seen.append(looks[min(len(seen), len(looks) - 1)])
        return seen[-1][0]

    return SimpleNamespace(
        target=SimpleNamespace(recovery_timeout_s=300),
        service=DBMS.service,
        is_up=lambda: looks[0][0] is Answer.accepts,
        answer=answer,
        control_state=lambda: seen[-1][1],
        log_tail=lambda: "the end of its log",
        start=lambda: None,
        started=lambda: now,
    )


@pytest.mark.parametrize(
    ("looks", "now", "expected"),
    [
        (
            [(Answer.none, "in production"), (Answer.none, "shutting down"), (Answer.none, "shut down")],
            BEFORE,
            "stopped",
        ),
        ([(Answer.rejects, "in production"), (Answer.accepts, "in production")], Started(1100.0, 500.0), "restarted"),
        ([(Answer.none, None)], Started(1100.0, 500.0), "restarted"),
    ],
    ids=["a slow shutdown", "a restart", "a stop that cannot be seen, told by the start after it"],
)
def test_a_shutdown_in_order_is_nobodys_lesson(
    looks: list[tuple[Answer, str | None]], now: Started, expected: str
) -> None:
    with pytest.raises(ServerStopped, match=f"somebody has {expected} the server"):
        stoppage.raise_if_it_went_away(server(looks, now), BEFORE, "job x")


@pytest.mark.parametrize(
    ("looks", "now"),
    [
        ([(Answer.none, "in production")], BEFORE),
        ([(Answer.rejects, "in production"), (Answer.accepts, "in production")], Started(1100.0, 1100.2)),
        ([(Answer.none, None)], Started(1100.0, 1100.2)),
        ([(Answer.none, None)], Started(1100.0, None)),
    ],
    ids=["gone", "recovered by itself", "cannot be seen", "its statistics say nothing"],
)
def test_a_server_that_died_is_the_configurations_doing(looks: list[tuple[Answer, str | None]], now: Started) -> None:
    with pytest.raises(ServerCrashed, match="died under the benchmark"):
        stoppage.raise_if_it_went_away(server(looks, now), BEFORE, "job x")


def test_a_server_that_was_up_all_the_time_is_not_the_cause() -> None:
    stoppage.raise_if_it_went_away(server([(Answer.accepts, None)]), BEFORE, "job x")
